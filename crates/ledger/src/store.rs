//! Reading and writing whole objects, durably. On a local directory each write is synced, file and directory.
//! Owns what counts as success of a write that somebody may have done before. Read next: `head.rs` for the one
//! object that is swapped, `ledger/commit.rs` for the order of writes.

use std::fs;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use crate::file::{self, NO_FILE};
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
    /// The same, where they are files of this machine.
    files: Option<LocalFileSystem>,
}

impl Store {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, files: None }
    }

    /// A directory, which must exist.
    pub(crate) fn local(dir: &FilePath) -> Result<Self> {
        let files = LocalFileSystem::new_with_prefix(dir)
            .map_err(|source| Error::Store { path: dir.display().to_string(), source })?;
        let files = files.with_fsync(true);
        Ok(Self { objects: Arc::new(files.clone()), files: Some(files) })
    }

    /// An object, if it is there. One longer than `bytes_max` is damage: nothing of ours grows so long.
    pub(crate) async fn read(&self, path: &str, bytes_max: usize) -> Result<Option<Bytes>> {
        let failed = |source| Error::Store { path: path.to_owned(), source };
        let location = Path::from(path);
        if let Some(files) = &self.files {
            // Who opens a pipe waits for whoever may write into it.
            let file = files.path_to_filesystem(&location).map_err(failed)?;
            if fs::metadata(&file).is_ok_and(|found| file::is_stream(&found)) {
                return Err(Error::damaged(path, NO_FILE));
            }
        }
        let found = match self.objects.get(&location).await {
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

/// Removes what writes that were killed left in a directory, as `<name>#<digits>`: the object store neither lists nor
/// removes them, and contents that were erased must not stay in one. The caller is the one writer there.
pub(crate) fn remove_unfinished(dir: &FilePath) -> Result<()> {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| Error::io(&folder, source);
        let entries = match fs::read_dir(&folder) {
            // What this process may not list it has not written.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && folder != dir => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            } else if is_unfinished(&entry.file_name().to_string_lossy()) {
                file::remove(&entry.path()).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// As the object store itself tells them from whole files.
fn is_unfinished(name: &str) -> bool {
    let digits = name.split_once('#').map_or("", |(_, digits)| digits);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
