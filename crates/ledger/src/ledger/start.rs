//! The start path: from whatever a crash left to a writer that may sign again, or a refusal that says what does not
//! fit. Doing it twice does no more than doing it once. Never signs. Read next: `commit.rs` for what it repairs.

use base::Timestamp;
use tlog_tiles::{record_hash, stored_hash_index, tree_hash};

use super::commit::{keep_checkpoint, publish_checkpoint, publish_files};
use super::{Ledger, staging};
use crate::checkpoint::CHECKPOINT_PATH;
use crate::head::HEAD_PATH;
use crate::limits::{CHECKPOINT_BYTES_MAX, STAGING_BYTES_MAX, TILE_WIDTH};
use crate::openings::{IdIndex, OpeningStore, size_of};
use crate::seal::digest;
use crate::store::Store;
use crate::tree::Edge;
use crate::{Checkpoint, Entry, EntryKind, Error, Place, Resource, Result, SigningKey, tiles};

impl Ledger {
    pub(super) async fn start(place: Place, key: SigningKey, openings: OpeningStore) -> Result<Self> {
        let loaded = place.heads.load().await?;
        let (head, version) = loaded.ok_or_else(|| Error::NoLedger { place: place.name.clone() })?;
        let committed = open_note(HEAD_PATH, head.note.as_bytes(), &key)?;
        head.check(key.verifier()).map_err(|reason| Error::Refused { reason: format!("{HEAD_PATH}: {reason}") })?;
        let published = place.log.read(CHECKPOINT_PATH, CHECKPOINT_BYTES_MAX).await?;
        let published = published.map(|note| open_note(CHECKPOINT_PATH, &note, &key)).transpose()?;
        let latest = openings.latest().await?;
        let latest = latest.map(|note| open_note("latest", &note, &key)).transpose()?;
        check_not_ahead(CHECKPOINT_PATH, published.as_ref(), &committed)?;
        check_not_ahead("the confidential directory's `latest`", latest.as_ref(), &committed)?;

        let log = &place.log;
        replay_staging(log, &head.staging, head.staging_digest).await?;
        let (edge, last_time) = restore_edge(log, &committed).await?;
        check_consistent(log, CHECKPOINT_PATH, published.as_ref(), &committed).await?;
        check_consistent(log, "the confidential directory's `latest`", latest.as_ref(), &committed).await?;

        if published.as_ref() != Some(&committed) {
            publish_checkpoint(log, &head.note).await?;
        }
        keep_checkpoint(log, &committed, &head.note).await?;
        let (ids, batches) = IdIndex::load(&openings, committed.size, &head.staging).await?;
        openings.set_latest(&head.note).await?;
        let staged = clean_staging(log, &committed).await?;
        let above = batches.last().and_then(|name| size_of(name)).map_or(committed.size, |size| size - 1);
        let orphans = openings.orphans(above, &batches).await?;
        let stopped = false;
        let ledger =
            Self { place, openings, key, head, version, committed, edge, ids, last_time, orphans, staged, stopped };
        ledger.finish_erasure().await?;
        Ok(ledger)
    }

    /// An erasure notice that is the last commit may have been signed without its opening being destroyed yet.
    async fn finish_erasure(&self) -> Result<()> {
        if self.size() <= 1 {
            return Ok(());
        }
        let batch = self.openings.read(&self.head.staging).await?;
        for (notice, record) in (batch.first..).zip(&batch.records) {
            let target = self.index_of(&record.id).filter(|_| record.kind == EntryKind::Erasure);
            if let Some(target) = target {
                self.openings.erase(target, notice).await?;
            }
        }
        Ok(())
    }
}

fn open_note(place: &str, note: &[u8], key: &SigningKey) -> Result<Checkpoint> {
    Checkpoint::open(note, key.verifier()).map_err(|reason| Error::Refused { reason: format!("{place}: {reason}") })
}

/// What was shown to the world or noted in confidence can lag behind the head, never run ahead: that would mean the
/// head was set back, and signing on would fork the log.
fn check_not_ahead(place: &str, seen: Option<&Checkpoint>, committed: &Checkpoint) -> Result<()> {
    let Some(seen) = seen else { return Ok(()) };
    if seen.size > committed.size {
        let reason =
            format!("{place} covers {} entries, the head {}: the head was set back", seen.size, committed.size);
        return Err(Error::Refused { reason });
    }
    if seen.size == committed.size && seen.root != committed.root {
        let reason = format!("{place} and the head sign different roots of size {}", seen.size);
        return Err(Error::Refused { reason });
    }
    Ok(())
}

/// An older checkpoint must be a beginning of the same tree.
async fn check_consistent(log: &Store, place: &str, seen: Option<&Checkpoint>, committed: &Checkpoint) -> Result<()> {
    let Some(seen) = seen.filter(|seen| seen.size < committed.size) else { return Ok(()) };
    let root = tiles::authenticated(log, committed, |reader| tree_hash(seen.size, reader)).await?;
    if root != seen.hash() {
        let reason = format!("{place} signs another root of size {} than the head's tree has", seen.size);
        return Err(Error::Refused { reason });
    }
    Ok(())
}

/// Writes the last commit's files once more if its staging object is still there; if not, they were all written.
async fn replay_staging(log: &Store, name: &str, expected: base::Digest) -> Result<()> {
    let path = staging::path(name);
    let Some(staged) = log.read(&path, STAGING_BYTES_MAX).await? else { return Ok(()) };
    if digest(&staged) != expected {
        return Err(Error::damaged(path, "it is not what the head says was staged"));
    }
    let objects = staging::decode(&staged).ok_or_else(|| Error::Bug(format!("{path} does not decode")))?;
    publish_files(log, objects).await
}

/// Removes staged commits that lost, or that are published by now. One that is longer than the log may belong to
/// another writer at work, and stays; answers with those.
async fn clean_staging(log: &Store, committed: &Checkpoint) -> Result<Vec<String>> {
    let mut ahead = Vec::new();
    for path in log.list("staging").await? {
        let name = path.rsplit('/').next().unwrap_or_default();
        match size_of(name) {
            Some(size) if size <= committed.size => log.remove(&path).await?,
            Some(_) => ahead.push(name.to_owned()),
            None => {}
        }
    }
    Ok(ahead)
}

/// Reads the unfinished tiles and the last bundle, and lets only what the signed root covers into the writer.
async fn restore_edge(log: &Store, committed: &Checkpoint) -> Result<(Edge, Timestamp)> {
    let size = committed.size;
    if size == 0 {
        return Err(Error::Refused { reason: "the head covers no entry, not even the genesis entry".to_owned() });
    }
    let mut wanted = vec![stored_hash_index(0, size - 1)];
    let mut widths = Vec::new();
    for level in (0u8..).take_while(|level| size >> (8 * level) > 0) {
        let count = size >> (8 * level);
        let first = count / TILE_WIDTH as u64 * TILE_WIDTH as u64;
        widths.push((count - first) as usize);
        wanted.extend((first..count).map(|at| stored_hash_index(8 * level, at)));
    }
    let hashes = tiles::hashes(log, committed, &wanted).await?;
    let (last, mut rest) = hashes.split_first().ok_or_else(|| Error::Bug("no hashes for the edge".to_owned()))?;
    let mut levels = Vec::new();
    for width in widths {
        let (level, after) = rest.split_at(width);
        levels.push(level.to_vec());
        rest = after;
    }
    let resource = tiles::bundle_of(size - 1, size);
    let entries = tiles::read_entries(log, resource).await?;
    let leaves = if resource.is_full() { std::slice::from_ref(last) } else { levels[0].as_slice() };
    let mut bundle = Vec::new();
    for (entry, leaf) in entries.iter().skip(entries.len() - leaves.len()).zip(leaves) {
        if record_hash(entry) != *leaf {
            return Err(Error::damaged(resource.to_string(), "an entry does not hash to its leaf in the signed tree"));
        }
        if !resource.is_full() {
            assert!(crate::bundle::push(&mut bundle, entry), "it came out of a bundle");
        }
    }
    let edge = Edge::restored(size, levels, bundle);
    assert!(edge.root() == committed.hash(), "an authenticated edge has the signed root");
    Ok((edge, last_time(resource, entries.last())?))
}

fn last_time(resource: Resource, entry: Option<&Vec<u8>>) -> Result<Timestamp> {
    let entry = Entry::decode(entry.map_or(&[], Vec::as_slice));
    entry.map(|entry| entry.time).map_err(|error| Error::damaged(resource.to_string(), error.to_string()))
}
