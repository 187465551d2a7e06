//! What the tests of several modules share: keys, salts, submissions, and stores that fail on purpose.
//! Ships with nothing. Read next: `ledger/tests.rs`.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base::Timestamp;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};

use crate::{EntryKind, Ledger, Place, Result, SigningKey, Submission};

pub(crate) const ORIGIN: &str = "ledger.example/site-a/2027";

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(ORIGIN, [7; 32]).unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + ms)
}

/// Salts that never repeat within a test process, as a counter.
pub(crate) fn salts() -> impl FnMut() -> [u8; 32] + Send {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    || {
        let mut salt = [0; 32];
        salt[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        salt
    }
}

pub(crate) fn finding(number: u64) -> Submission {
    let content = format!("{{\"finding\":\"f-{number}\",\"note\":\"opened three charts\"}}").into_bytes();
    Submission { id: format!("f-{number}"), kind: EntryKind::Finding, content }
}

pub(crate) fn findings(numbers: Range<u64>) -> Vec<Submission> {
    numbers.map(finding).collect()
}

/// What a faulty write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Fails and leaves nothing.
    Lost,
    /// Is done and reported as failed.
    Persisted,
}

/// Counts writes over all stores of a ledger and spoils the one that is due.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) plan: Mutex<Option<(u64, Fault)>>,
    pub(crate) writes: AtomicU64,
    /// Names of the writes in order, for the test's own messages.
    pub(crate) log: Mutex<Vec<String>>,
}

impl Faults {
    fn next(&self, name: String) -> Option<Fault> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        self.log.lock().unwrap().push(name);
        let mut plan = self.plan.lock().unwrap();
        match *plan {
            Some((at, fault)) if at == number => {
                *plan = None;
                Some(fault)
            }
            _ => None,
        }
    }
}

/// A store in memory whose writes and deletions can fail.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    name: &'static str,
    inner: Arc<InMemory>,
    faults: Arc<Faults>,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "the write was made to fail".into() }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        match self.faults.next(format!("{}:{path}", self.name)) {
            None => self.inner.put_opts(path, payload, options).await,
            Some(Fault::Lost) => Err(broken()),
            Some(Fault::Persisted) => {
                self.inner.put_opts(path, payload, options).await?;
                Err(broken())
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        match self.faults.next(format!("{}:delete", self.name)) {
            None => self.inner.delete_stream(paths),
            Some(Fault::Lost) => Box::pin(futures::stream::once(async { Err(broken()) })),
            Some(Fault::Persisted) => {
                use futures::StreamExt as _;
                Box::pin(self.inner.delete_stream(paths).map(|_| Err(broken())))
            }
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A ledger's two stores in memory, with faults to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) log: Arc<InMemory>,
    pub(crate) openings: Arc<InMemory>,
    pub(crate) faults: Arc<Faults>,
}

impl Memory {
    pub(crate) fn place(&self) -> Place {
        Place::objects(self.faulty("log", &self.log))
    }

    pub(crate) async fn create(&self) -> Result<()> {
        Ledger::create_at(&self.place(), &key(), at(0)).await
    }

    pub(crate) async fn open(&self) -> Result<Ledger> {
        Ledger::open_at(self.place(), key(), self.faulty("openings", &self.openings)).await
    }

    /// A created and opened ledger.
    pub(crate) async fn ledger() -> (Self, Ledger) {
        let memory = Self::default();
        memory.create().await.unwrap();
        let ledger = memory.open().await.unwrap();
        (memory, ledger)
    }

    /// A copy that shares nothing with this one.
    pub(crate) fn fork(&self) -> Self {
        Self { log: Arc::new(self.log.fork()), openings: Arc::new(self.openings.fork()), faults: Arc::default() }
    }

    pub(crate) fn break_write(&self, number: u64, fault: Fault) {
        self.faults.writes.store(0, Ordering::SeqCst);
        self.faults.log.lock().unwrap().clear();
        *self.faults.plan.lock().unwrap() = Some((number, fault));
    }

    fn faulty(&self, name: &'static str, inner: &Arc<InMemory>) -> Arc<dyn ObjectStore> {
        Arc::new(FaultyStore { name, inner: inner.clone(), faults: self.faults.clone() })
    }
}

/// Every object of a store, by name.
pub(crate) async fn dump(store: &InMemory) -> Vec<(String, Vec<u8>)> {
    use futures::TryStreamExt as _;
    let metas: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
    let mut files = Vec::new();
    for meta in metas {
        let bytes = store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        files.push((meta.location.to_string(), bytes.to_vec()));
    }
    files.sort();
    files
}

/// A pipe that nobody writes into: whoever opens it waits for ever.
pub(crate) fn pipe(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What `work` answers, unless it waits for ever.
pub(crate) fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(std::time::Duration::from_secs(60)).unwrap()
}

/// Runs a future to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
