//! The head: the one object whose replacement is the moment a commit counts. Owns compare-and-swap on it.
//! Never decides what a lost race means: that is the caller's. Read next: `ledger/commit.rs`.

use std::fmt::Debug;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use base::Digest;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};
use signed_note::{Note, VerifierList};

use crate::file::{self, Readers};
use crate::limits::HEAD_BYTES_MAX;
use crate::seal::{digest, seal, unseal};
use crate::{Error, Result, SigningKey, VerifierKey};

/// Name of the head below the ledger's place.
pub(crate) const HEAD_PATH: &str = "state/head";

/// What the last commit left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// Counts the swaps.
    pub(crate) sequence: u64,
    /// The signed checkpoint. It counts from the moment it stands here, published or not.
    pub(crate) note: String,
    /// The commit's files, staged under this name until they are published.
    pub(crate) staging: String,
    /// SHA-256 of the staged object.
    pub(crate) staging_digest: Digest,
    /// Where the caller's source stood after this commit; opaque.
    pub(crate) source_position: Option<String>,
    /// A signed note over all of the above: whoever moves the position would keep findings out of the log.
    #[serde(default)]
    pub(crate) signed: String,
}

/// What the signature of a head is about; never what a checkpoint begins with, which is an origin.
const SIGNED_LABEL: &str = "chartwarden ledger head";

impl Head {
    /// Signs for itself.
    pub(crate) fn sign(mut self, key: &SigningKey) -> Result<Self> {
        let mut note =
            Note::new(&self.signed_text(), &[]).map_err(|error| Error::Bug(format!("text of the head: {error}")))?;
        note.add_sigs(&[key.signer()]).map_err(|error| Error::Bug(format!("signature of the head: {error}")))?;
        self.signed = String::from_utf8(note.to_bytes()).map_err(|_| Error::Bug("a note is text".to_owned()))?;
        Ok(self)
    }

    /// Whether the key signed for what stands here, or in words why it does not hold.
    pub(crate) fn check(&self, vkey: &VerifierKey) -> std::result::Result<(), String> {
        if self.signed.is_empty() {
            return Err("it is not signed: a former version wrote it, or somebody took the signature away; keep the \
                        folder as it is and begin a new log in another"
                .to_owned());
        }
        let note =
            Note::from_bytes(self.signed.as_bytes()).map_err(|_| "its signature is no signed note".to_owned())?;
        note.verify(&VerifierList::new(vec![Box::new(vkey.verifier().clone())]))
            .map_err(|error| format!("it is not signed by {}: {error}", vkey.origin()))?;
        if note.text() != self.signed_text() {
            return Err("it is not what was signed for: somebody has changed it".to_owned());
        }
        Ok(())
    }

    fn signed_text(&self) -> Vec<u8> {
        let parts =
            [self.note.as_bytes(), self.staging.as_bytes(), self.source_position.as_deref().unwrap_or("").as_bytes()];
        let [note, staging, position] = parts.map(digest);
        let (sequence, files) = (self.sequence, self.staging_digest);
        format!("{SIGNED_LABEL}\n{sequence}\n{note}\n{staging}\n{files}\n{position}\n").into_bytes()
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self).map_err(|error| Error::Bug(format!("head: {error}")))?;
        bytes.push(b'\n');
        Ok(seal(bytes))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let body = unseal(bytes).ok_or_else(|| Error::damaged(HEAD_PATH, "its digest line does not fit it"))?;
        serde_json::from_slice(body).map_err(|error| Error::damaged(HEAD_PATH, error.to_string()))
    }
}

/// Where heads live. Whoever implements it promises that of two swaps from one version at most one succeeds.
pub(crate) trait HeadStore: Send + Sync + Debug {
    /// The head and the version to name when swapping it.
    fn load(&self) -> BoxFuture<'_, Result<Option<(Head, UpdateVersion)>>>;

    /// Replaces version `old` (`None`: nothing there yet), durably; `None` if somebody else came first.
    /// After an error nobody knows whether it happened: load again.
    fn swap<'a>(&'a self, old: Option<UpdateVersion>, new: &'a Head) -> BoxFuture<'a, Result<Option<UpdateVersion>>>;
}

/// The head as a file: a lock held for the swap, compare, write, rename, sync.
#[derive(Debug)]
pub(crate) struct LocalHeads {
    dir: PathBuf,
}

impl LocalHeads {
    pub(crate) fn new(dir: &FilePath) -> Self {
        Self { dir: dir.to_owned() }
    }
}

impl HeadStore for LocalHeads {
    fn load(&self) -> BoxFuture<'_, Result<Option<(Head, UpdateVersion)>>> {
        let path = self.dir.join(HEAD_PATH);
        blocking(move || {
            let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
            Ok(Some((Head::decode(&bytes)?, version_of(&bytes))))
        })
    }

    fn swap<'a>(&'a self, old: Option<UpdateVersion>, new: &'a Head) -> BoxFuture<'a, Result<Option<UpdateVersion>>> {
        let dir = self.dir.clone();
        let bytes = new.encode();
        blocking(move || swap_file(&dir, old.as_ref(), &bytes?))
    }
}

fn swap_file(dir: &FilePath, old: Option<&UpdateVersion>, bytes: &[u8]) -> Result<Option<UpdateVersion>> {
    let state = dir.join("state");
    let at = |source| Error::io(&state, source);
    if !state.is_dir() {
        fs::create_dir_all(&state).map_err(at)?;
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(at)?;
    }
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(state.join("lock")).map_err(at)?;
    lock.lock().map_err(at)?;
    let present = read_if_there(&dir.join(HEAD_PATH))?.map(|present| version_of(&present));
    if present.as_ref() != old {
        return Ok(None);
    }
    file::replace(&dir.join(HEAD_PATH), bytes, Readers::Anybody).map_err(at)?;
    Ok(Some(version_of(bytes)))
}

/// A head's content is its version: the sequence number in it never repeats.
fn version_of(bytes: &[u8]) -> UpdateVersion {
    UpdateVersion { e_tag: Some(digest(bytes).to_string()), version: None }
}

fn read_if_there(path: &FilePath) -> Result<Option<Vec<u8>>> {
    match file::read_file(path, HEAD_BYTES_MAX) {
        Ok(bytes) if bytes.len() > HEAD_BYTES_MAX => {
            Err(Error::damaged(HEAD_PATH, format!("more than {HEAD_BYTES_MAX} bytes")))
        }
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io(path, source)),
    }
}

fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> BoxFuture<'static, Result<T>> {
    async move {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Error::Bug(format!("file task: {error}")))?
    }
    .boxed()
}

/// The head as an object, replaced on condition of its version.
#[derive(Debug)]
pub(crate) struct ConditionalHeads {
    objects: Arc<dyn ObjectStore>,
}

impl ConditionalHeads {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }
}

fn failed(source: object_store::Error) -> Error {
    Error::Store { path: HEAD_PATH.to_owned(), source }
}

impl HeadStore for ConditionalHeads {
    fn load(&self) -> BoxFuture<'_, Result<Option<(Head, UpdateVersion)>>> {
        async move {
            let found = match self.objects.get(&Path::from(HEAD_PATH)).await {
                Ok(found) => found,
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(source) => return Err(failed(source)),
            };
            if found.meta.size > HEAD_BYTES_MAX as u64 {
                return Err(Error::damaged(HEAD_PATH, format!("{} bytes, at most {HEAD_BYTES_MAX}", found.meta.size)));
            }
            let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            let bytes = found.bytes().await.map_err(failed)?;
            Ok(Some((Head::decode(&bytes)?, version)))
        }
        .boxed()
    }

    fn swap<'a>(&'a self, old: Option<UpdateVersion>, new: &'a Head) -> BoxFuture<'a, Result<Option<UpdateVersion>>> {
        async move {
            let payload = PutPayload::from(new.encode()?);
            let mode = old.map_or(PutMode::Create, PutMode::Update);
            let options = PutOptions { mode, ..PutOptions::default() };
            match self.objects.put_opts(&Path::from(HEAD_PATH), payload, options).await {
                Ok(done) => Ok(Some(UpdateVersion { e_tag: done.e_tag, version: done.version })),
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. }
                    | object_store::Error::NotFound { .. },
                ) => Ok(None),
                Err(source) => Err(failed(source)),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
