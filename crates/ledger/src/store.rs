//! Reading and writing whole objects, durably. On a local directory each write is synced, file and directory.
//! Owns what counts as success of a write that somebody may have done before. Read next: `head.rs` for the one
//! object that is swapped, `ledger/commit.rs` for the order of writes.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use crate::head::{ConditionalHeads, HeadStore, LocalHeads};
use crate::{Error, Result};

/// Where a ledger's public files and its head live.
#[derive(Debug)]
pub struct Place {
    pub(crate) log: Store,
    pub(crate) heads: Box<dyn HeadStore>,
    pub(crate) name: String,
}

impl Place {
    /// A directory of this machine, which must exist.
    pub fn local(dir: &FilePath) -> Result<Self> {
        Ok(Self { log: Store::local(dir)?, heads: Box::new(LocalHeads::new(dir)), name: dir.display().to_string() })
    }

    /// Any object store that can replace an object on the condition that nobody else did (`PutMode::Update`).
    pub fn objects(objects: Arc<dyn ObjectStore>) -> Self {
        let name = objects.to_string();
        Self { log: Store::new(objects.clone()), heads: Box::new(ConditionalHeads::new(objects)), name }
    }
}

/// Whole objects by name.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// A directory, which must exist.
    pub(crate) fn local(dir: &FilePath) -> Result<Self> {
        let files = LocalFileSystem::new_with_prefix(dir)
            .map_err(|source| Error::Store { path: dir.display().to_string(), source })?;
        Ok(Self::new(Arc::new(files.with_fsync(true))))
    }

    /// An object, if it is there. One longer than `bytes_max` is damage: nothing of ours grows so long.
    pub(crate) async fn read(&self, path: &str, bytes_max: usize) -> Result<Option<Bytes>> {
        let failed = |source| Error::Store { path: path.to_owned(), source };
        let found = match self.objects.get(&Path::from(path)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        if found.meta.size > bytes_max as u64 {
            return Err(Error::damaged(path, format!("{} bytes, at most {bytes_max}", found.meta.size)));
        }
        found.bytes().await.map(Some).map_err(failed)
    }

    /// Writes an object that has one possible content. If it is there already it must be the same.
    pub(crate) async fn create(&self, path: &str, bytes: impl Into<Bytes>) -> Result<()> {
        let bytes = bytes.into();
        let mode = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let payload = PutPayload::from_bytes(bytes.clone());
        match self.objects.put_opts(&Path::from(path), payload, mode).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let present = self.read(path, usize::MAX).await?;
                if present.as_ref() != Some(&bytes) {
                    return Err(Error::damaged(path, "it is there already, and is not what belongs there"));
                }
                // An attempt that died between writing and syncing may have left it; only a write of our own is
                // known to be durable.
                self.replace(path, bytes).await
            }
            Err(source) => Err(Error::Store { path: path.to_owned(), source }),
        }
    }

    /// Writes an object, whatever was there.
    pub(crate) async fn replace(&self, path: &str, bytes: impl Into<Bytes>) -> Result<()> {
        let payload = PutPayload::from_bytes(bytes.into());
        match self.objects.put(&Path::from(path), payload).await {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Store { path: path.to_owned(), source }),
        }
    }

    /// Removes an object, if it is there.
    pub(crate) async fn remove(&self, path: &str) -> Result<()> {
        match self.objects.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Store { path: path.to_owned(), source }),
        }
    }

    /// The names of all objects below `prefix` (all of them for an empty one), sorted.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let under = (!prefix.is_empty()).then(|| Path::from(prefix));
        let mut names: Vec<String> = self
            .objects
            .list(under.as_ref())
            .map_ok(|meta| meta.location.to_string())
            .try_collect()
            .await
            .map_err(|source| Error::Store { path: prefix.to_owned(), source })?;
        names.sort_unstable();
        Ok(names)
    }
}
