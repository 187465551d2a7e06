//! The confidential directory: the openings of every commit, and the index from ids to entries.
//! A commit's openings are durable before its entries can count; those of a commit that never counted are removed.
//! Only this module knows the directory's layout. Read next: `openings/ids.rs`, then `ledger/commit.rs`.
//!
//! Layout: `batches/<block>/<size>-<root>` the openings of the commit that made the log `size` entries long, each
//! naming the batch before it; `ids/<block>` the id index, 4,096 entries a file, rebuilt from batches when it is
//! missing or damaged; `latest` the newest checkpoint, which shows when the log's own directory was set back;
//! `lock` held by the one writer.

mod ids;

use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use serde::{Deserialize, Serialize};

use crate::limits::{BATCH_BYTES_MAX, CHECKPOINT_BYTES_MAX, COMMIT_ENTRIES_MAX, ID_BLOCK_ENTRIES};
use crate::seal::{seal, unseal};
use crate::store::{Store, remove_unfinished};
use crate::{EntryKind, Error, Opening, Result};

pub(crate) use ids::{IdIndex, IdKey};

/// The newest checkpoint, there as soon as a ledger has been opened.
pub(crate) const LATEST: &str = "latest";

/// The openings of one commit, in the order of its entries.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Index of its first entry.
    pub(crate) first: u64,
    /// The batch before this one; none before the first.
    pub(crate) previous: Option<String>,
    pub(crate) records: Vec<Record>,
}

/// What is kept about one entry. One of the three last fields is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) kind: EntryKind,
    /// Of a committed entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) opening: Option<Opening>,
    /// Of a public entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    /// Of an erased entry: the index of its notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) erased: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchHeader {
    first: u64,
    previous: Option<String>,
}

/// The confidential directory, held by one writer.
#[derive(Debug)]
pub(crate) struct OpeningStore {
    store: Store,
    /// Released when the writer goes.
    _lock: Option<fs::File>,
}

/// The name of the commit that made the log `size` entries long.
pub(crate) fn commit_name(size: u64, root: tlog_tiles::Hash) -> String {
    format!("{size:020}-{}", base::Digest(root.0))
}

/// The size in a commit's name.
pub(crate) fn size_of(name: &str) -> Option<u64> {
    name.split_once('-')?.0.parse().ok()
}

impl OpeningStore {
    /// Makes the directory, for its owner only, and takes its lock.
    pub(crate) fn local(dir: &FilePath, log: &FilePath) -> Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir).map_err(|source| Error::io(dir, source))?;
        // It may have been there, and open to others.
        #[cfg(unix)]
        fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .map_err(|source| Error::io(dir, source))?;
        let real = |dir: &FilePath| fs::canonicalize(dir).map_err(|source| Error::io(dir, source));
        let (openings, log): (PathBuf, PathBuf) = (real(dir)?, real(log)?);
        if openings.starts_with(&log) || log.starts_with(&openings) {
            return Err(Error::Overlap { openings, log });
        }
        let place = dir.join("lock");
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&place);
        let lock = lock.map_err(|source| Error::io(&place, source))?;
        match lock.try_lock() {
            Ok(()) => {
                remove_unfinished(dir)?;
                Ok(Self { store: Store::local(dir)?, _lock: Some(lock) })
            }
            Err(fs::TryLockError::WouldBlock) => Err(Error::InUse { place: place.display().to_string() }),
            Err(fs::TryLockError::Error(source)) => Err(Error::io(&place, source)),
        }
    }

    /// Objects that the caller promises to use from one writer only.
    pub(crate) fn objects(objects: Arc<dyn ObjectStore>) -> Self {
        Self { store: Store::new(objects), _lock: None }
    }

    /// Writes a commit's openings. A crash after it leaves a batch no head names: the next start removes it.
    pub(crate) async fn write(&self, name: &str, batch: &Batch) -> Result<()> {
        self.store.create(&batch_path(name)?, encode(batch)?).await
    }

    /// Reads a commit's openings.
    pub(crate) async fn read(&self, name: &str) -> Result<Batch> {
        let path = batch_path(name)?;
        let bytes = self.store.read(&path, BATCH_BYTES_MAX).await?;
        let bytes = bytes.ok_or_else(|| Error::damaged(&path, "the openings of this commit are missing"))?;
        let batch = decode(&bytes).ok_or_else(|| Error::damaged(&path, "its digest line or a record does not fit"))?;
        if size_of(name) != batch.first.checked_add(batch.records.len() as u64) {
            return Err(Error::damaged(
                path,
                format!("it does not end where its name says: {} records", batch.records.len()),
            ));
        }
        Ok(batch)
    }

    /// The record of the entry at `index`, from whichever batch holds one that `fits`: a batch of a commit that
    /// another writer won may still lie beside the one that counts.
    pub(crate) async fn find(&self, index: u64, fits: impl Fn(&Record) -> bool) -> Result<(String, Record)> {
        for name in self.names_around(index).await? {
            let batch = self.read(&name).await?;
            let Some(at) = index.checked_sub(batch.first) else { continue };
            if let Some(record) = batch.records.get(at as usize).filter(|record| fits(record)) {
                return Ok((name, record.clone()));
            }
        }
        Err(Error::damaged("batches", format!("no opening of entry {index} fits the log")))
    }

    /// Destroys the opening of the entry at `index`; doing it twice changes nothing.
    pub(crate) async fn erase(&self, index: u64, notice: u64) -> Result<()> {
        for name in self.names_around(index).await? {
            let mut batch = self.read(&name).await?;
            let Some(at) = index.checked_sub(batch.first) else { continue };
            let Some(record) = batch.records.get_mut(at as usize).filter(|record| record.opening.is_some()) else {
                continue;
            };
            record.opening = None;
            record.erased = Some(notice);
            self.store.replace(&batch_path(&name)?, encode(&batch)?).await?;
        }
        Ok(())
    }

    /// Batches longer than `above` that are not among the ones that `count`.
    pub(crate) async fn orphans(&self, above: u64, count: &[String]) -> Result<Vec<String>> {
        let mut orphans = Vec::new();
        let last = count.first().and_then(|name| size_of(name)).unwrap_or(above);
        for block in above / ID_BLOCK_ENTRIES..=last / ID_BLOCK_ENTRIES + 1 {
            let names = self.names_in(block).await?;
            orphans.extend(names.into_iter().filter(|name| size_of(name) > Some(above) && !count.contains(name)));
        }
        Ok(orphans)
    }

    /// Removes a batch that does not count.
    pub(crate) async fn remove(&self, name: &str) -> Result<()> {
        self.store.remove(&batch_path(name)?).await
    }

    /// The newest checkpoint this writer saw committed.
    pub(crate) async fn latest(&self) -> Result<Option<bytes::Bytes>> {
        self.store.read(LATEST, CHECKPOINT_BYTES_MAX).await
    }

    /// Notes the newest checkpoint. It may lag behind the head by a crash, never run ahead of it.
    pub(crate) async fn set_latest(&self, note: &str) -> Result<()> {
        self.store.replace(LATEST, note.to_owned()).await
    }

    /// Batches that may hold the entry at `index`, shortest log first.
    async fn names_around(&self, index: u64) -> Result<Vec<String>> {
        let block = index / ID_BLOCK_ENTRIES;
        let mut names = self.names_in(block).await?;
        names.extend(self.names_in(block + 1).await?);
        let reach = index + 1..=index + COMMIT_ENTRIES_MAX as u64;
        names.retain(|name| size_of(name).is_some_and(|size| reach.contains(&size)));
        Ok(names)
    }

    async fn names_in(&self, block: u64) -> Result<Vec<String>> {
        let paths = self.store.list(&format!("batches/{block:012}")).await?;
        Ok(paths.iter().filter_map(|path| path.rsplit('/').next()).map(str::to_owned).collect())
    }
}

/// A batch lies in the block of its last entry.
fn batch_path(name: &str) -> Result<String> {
    let last = size_of(name).and_then(|size| size.checked_sub(1));
    let last = last.ok_or_else(|| Error::Bug(format!("`{name}` does not name a commit")))?;
    Ok(format!("batches/{:012}/{name}", last / ID_BLOCK_ENTRIES))
}

/// One line for the header, one for each record, one for the digest.
fn encode(batch: &Batch) -> Result<Vec<u8>> {
    let failed = |error: serde_json::Error| Error::Bug(format!("openings: {error}"));
    let header = BatchHeader { first: batch.first, previous: batch.previous.clone() };
    let mut bytes = serde_json::to_vec(&header).map_err(failed)?;
    bytes.push(b'\n');
    for record in &batch.records {
        serde_json::to_writer(&mut bytes, record).map_err(failed)?;
        bytes.push(b'\n');
    }
    Ok(seal(bytes))
}

fn decode(bytes: &[u8]) -> Option<Batch> {
    let body = unseal(bytes)?.strip_suffix(b"\n")?;
    let mut lines = body.split(|byte| *byte == b'\n');
    let header: BatchHeader = serde_json::from_slice(lines.next()?).ok()?;
    let records = lines.map(serde_json::from_slice).collect::<Result<_, _>>().ok()?;
    Some(Batch { first: header.first, previous: header.previous, records })
}

#[cfg(test)]
mod tests;
