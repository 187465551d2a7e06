//! The durable steps of a commit, in order. Each says what a crash right after it leaves and who repairs it.
//! Never signs a size before the files for it are staged. Read next: `start.rs`.

use base::Timestamp;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Draft, Ledger, collect, staging};
use crate::checkpoint::CHECKPOINT_PATH;
use crate::head::{HEAD_PATH, Head};
use crate::limits::WRITES_IN_FLIGHT;
use crate::openings::{Batch, commit_name, size_of};
use crate::seal::digest;
use crate::store::Store;
use crate::tree::{Edge, Object};
use crate::{Checkpoint, Entry, EntryContent, EntryKind, Error, Place, Result, SigningKey};

/// A commit worked out and signed, before anything of it is written.
struct Prepared {
    name: String,
    edge: Edge,
    objects: Vec<Object>,
    staged: Vec<u8>,
    note: String,
    checkpoint: Checkpoint,
}

impl Ledger {
    pub(super) async fn commit(&mut self, drafts: Vec<Draft>, source_position: Option<String>) -> Result<()> {
        // Whatever ends this function early, an error or a dropped future, leaves the writer stopped.
        self.stopped = true;
        let first = self.size();
        let prepared = prepare(&self.key, &self.edge, drafts.iter().map(|draft| draft.entry.as_slice()))?;
        let times = drafts.last().and_then(|draft| Entry::decode(&draft.entry).ok()).map(|entry| entry.time);

        // 1. Openings. A crash now leaves a batch no head names: the next start finds it and removes it.
        let previous = (first > 1).then(|| self.head.staging.clone());
        let batch = Batch { first, previous, records: drafts.into_iter().map(|draft| draft.record).collect() };
        self.openings.write(&prepared.name, &batch).await?;

        // 2. Staging. A crash now leaves a staged object no head names; a later start removes it.
        self.place.log.create(&staging::path(&prepared.name), prepared.staged.clone()).await?;

        // 3. The head: from here on the entries count. A crash now is repaired from staging.
        let head = Head {
            sequence: self.head.sequence + 1,
            note: prepared.note.clone(),
            staging: prepared.name.clone(),
            staging_digest: digest(&prepared.staged),
            source_position,
            signed: String::new(),
        };
        self.swap(head.sign(&self.key)?).await?;
        self.committed = prepared.checkpoint;
        self.edge = prepared.edge;
        self.last_time = times.unwrap_or(self.last_time);
        for record in &batch.records {
            // A crash among these costs the next start a walk over batches.
            self.openings.write_ids(self.ids.push(record.key())).await?;
        }

        // 4. Files, then the checkpoint over them. A crash among them is repaired from staging.
        publish_files(&self.place.log, prepared.objects).await?;
        publish_checkpoint(&self.place.log, &self.head.note).await?;
        keep_checkpoint(&self.place.log, &self.committed, &self.head.note).await?;

        // 5. A crash before this leaves an older `latest`, which is as good a guard against being set back.
        self.openings.set_latest(&self.head.note).await?;

        // 6. Only now may staging go, and what attempts left that this commit has ruled out.
        self.place.log.remove(&staging::path(&self.head.staging)).await?;
        self.remove_leftovers().await?;
        self.stopped = false;
        Ok(())
    }

    /// Stores a new source position alone: a batch of nothing new still moves the source on.
    pub(super) async fn move_position(&mut self, source_position: Option<String>) -> Result<()> {
        self.stopped = true;
        let head = Head { sequence: self.head.sequence + 1, source_position, ..self.head.clone() };
        self.swap(head.sign(&self.key)?).await?;
        self.stopped = false;
        Ok(())
    }

    /// Attempts that never counted leave openings, which are confidential, and staged files. They could still win
    /// as long as the head they built on stood; it stands no more.
    async fn remove_leftovers(&mut self) -> Result<()> {
        for orphan in std::mem::take(&mut self.orphans) {
            // With the same salts an attempt repeats its name; then it is no orphan any more.
            if orphan != self.head.staging {
                self.openings.remove(&orphan).await?;
            }
        }
        let size = self.size();
        let (ahead, outgrown): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.staged).into_iter().partition(|name| size_of(name) > Some(size));
        self.staged = ahead;
        for name in outgrown {
            self.place.log.remove(&staging::path(&name)).await?;
        }
        Ok(())
    }

    async fn swap(&mut self, head: Head) -> Result<()> {
        let swapped = self.place.heads.swap(Some(self.version.clone()), &head).await?;
        self.version = swapped.ok_or(Error::HeadMoved { size: self.committed.size })?;
        self.head = head;
        Ok(())
    }
}

/// Begins a ledger: the genesis entry, committed by the same steps but for openings, which it has none of.
pub(super) async fn create(place: &Place, key: &SigningKey, now: Timestamp) -> Result<()> {
    let not_empty = |found: String| Error::NotEmpty { place: place.name.clone(), found };
    let found = place.log.list("").await?.into_iter().find(|name| !is_leftover(name));
    found.map_or(Ok(()), |found| Err(not_empty(found)))?;
    let body = format!("{{\"format\":\"chartwarden-ledger/1\",\"origin\":{}}}", serde_json::Value::from(key.origin()));
    let time = now.max(Timestamp::from_millis(0));
    let genesis =
        Entry { kind: EntryKind::Genesis, clock_held: false, time, content: EntryContent::Body(body.into_bytes()) };
    let prepared = prepare(key, &Edge::default(), [genesis.encode().as_slice()])?;
    place.log.create(&staging::path(&prepared.name), prepared.staged.clone()).await?;
    let head = Head {
        sequence: 1,
        note: prepared.note.clone(),
        staging: prepared.name.clone(),
        staging_digest: digest(&prepared.staged),
        source_position: None,
        signed: String::new(),
    };
    place.heads.swap(None, &head.sign(key)?).await?.ok_or_else(|| not_empty(HEAD_PATH.to_owned()))?;
    publish_files(&place.log, prepared.objects).await?;
    publish_checkpoint(&place.log, &prepared.note).await?;
    keep_checkpoint(&place.log, &prepared.checkpoint, &prepared.note).await?;
    place.log.remove(&staging::path(&prepared.name)).await
}

/// What a creation that died before its head leaves; it does not stand in the way of another.
fn is_leftover(name: &str) -> bool {
    name.starts_with("staging/") || name == "state/lock" || name == "state/head.next"
}

fn prepare<'a>(key: &SigningKey, edge: &Edge, entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Prepared> {
    let mut grown = edge.clone();
    let mut objects = Vec::new();
    for entry in entries {
        // Once an entry is in the tree nothing takes it out: look at it once more with the reader's eyes.
        Entry::decode(entry).map_err(|error| Error::Bug(format!("an entry of our own: {error}")))?;
        grown.push(entry, &mut objects);
    }
    objects.extend(grown.partials(edge.size()));
    let note = Checkpoint::sign(key, grown.size(), grown.root())?;
    let checkpoint = Checkpoint::open(&note, key.verifier()).map_err(Error::Bug)?;
    let note = String::from_utf8(note).map_err(|_| Error::Bug("a checkpoint is text".to_owned()))?;
    let name = commit_name(grown.size(), grown.root());
    Ok(Prepared { name, staged: staging::encode(&objects), edge: grown, objects, note, checkpoint })
}

/// Writes tiles and bundles; each has one possible content, so writing it again does no harm.
pub(super) async fn publish_files(log: &Store, objects: Vec<Object>) -> Result<()> {
    let write = |object: Object| async move { log.create(&object.resource.to_string(), object.bytes).await };
    stream::iter(objects).map(write).buffer_unordered(WRITES_IN_FLIGHT).try_collect().await
}

/// Publishes a checkpoint whose files are all there.
pub(super) async fn publish_checkpoint(log: &Store, note: &str) -> Result<()> {
    log.replace(CHECKPOINT_PATH, note.to_owned()).await
}

/// Keeps a checkpoint beside the ones before it.
pub(super) async fn keep_checkpoint(log: &Store, checkpoint: &Checkpoint, note: &str) -> Result<()> {
    log.create(&collect::kept_path(checkpoint.size), note.to_owned()).await
}
