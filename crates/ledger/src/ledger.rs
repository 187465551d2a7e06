//! The one writer of a log. Owns what a submission must be, that an id becomes one entry however often it comes,
//! and that nothing is signed after a write went wrong: the writer stops, and opening the ledger again finds out
//! where it stands. Never reads a clock or draws a salt. Read next: `ledger/commit.rs` for the durable steps in
//! order, `ledger/start.rs` for what repairs each, `ledger/erase.rs`, `ledger/proofs.rs`,
//! `ledger/collect.rs`.

mod collect;
mod commit;
mod erase;
mod proofs;
pub(crate) mod staging;
mod start;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use base::Timestamp;
use object_store::UpdateVersion;

use crate::checkpoint::CHECKPOINT_PATH;
use crate::entry::check_body;
use crate::head::{HEAD_PATH, Head};
use crate::limits::{
    COMMIT_CONTENT_BYTES_MAX, COMMIT_ENTRIES_MAX, CONTENT_BYTES_MAX, ID_BYTES_MAX, LEDGER_ENTRIES_MAX,
    SOURCE_POSITION_BYTES_MAX,
};
use crate::openings::{IdIndex, IdKey, LATEST, OpeningStore, Record};
use crate::store::remove_unfinished;
use crate::tree::Edge;
use crate::{Checkpoint, Entry, EntryContent, EntryKind, Error, Opening, Place, Result, SigningKey, commitment};

/// Something to append.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who it is, for good: a second submission of the same id is the same entry. At most 256 bytes.
    pub id: String,
    /// What it is about. `Genesis` and `Erasure` are the ledger's own.
    pub kind: EntryKind,
    /// The bytes to commit to, at most 256 KiB; for a public kind the JSON body anyone will read, at most 4 KiB.
    pub content: Vec<u8>,
}

impl Submission {
    /// Whether it can become an entry; if not, what is wrong with it, and the bound.
    pub fn check(&self) -> Result<()> {
        let bad = |reason: String| Err(Error::Submission { id: self.id.chars().take(64).collect(), reason });
        if self.id.is_empty() || self.id.len() > ID_BYTES_MAX {
            return bad(format!("its id has {} bytes, expected 1 to {ID_BYTES_MAX}", self.id.len()));
        }
        if matches!(self.kind, EntryKind::Genesis | EntryKind::Erasure) {
            return bad(format!("the ledger writes {} entries itself", self.kind));
        }
        if self.kind.is_public() {
            return check_body(&self.content).or_else(|error| bad(error.to_string()));
        }
        if self.content.len() > CONTENT_BYTES_MAX {
            return bad(format!("its content has {} bytes, at most {CONTENT_BYTES_MAX}", self.content.len()));
        }
        Ok(())
    }
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its id.
    pub id: String,
    /// The index of its entry.
    pub index: u64,
    /// Whether it was appended just now; otherwise it stood there already.
    pub is_new: bool,
}

/// A log that this process writes.
#[derive(Debug)]
pub struct Ledger {
    place: Place,
    openings: OpeningStore,
    key: SigningKey,
    head: Head,
    version: UpdateVersion,
    committed: Checkpoint,
    edge: Edge,
    ids: IdIndex,
    last_time: Timestamp,
    /// Batches of openings that no commit named; removed once the next commit rules out that one still will.
    orphans: Vec<String>,
    /// Staged commits that were longer than the log at the start; removed once the log has outgrown them.
    staged: Vec<String>,
    /// A write went wrong, or an append was dropped half-way.
    stopped: bool,
}

/// An entry about to be committed, and what is kept about it in confidence.
struct Draft {
    entry: Vec<u8>,
    record: Record,
}

impl Ledger {
    /// Begins a ledger in an empty directory with its genesis entry. A creation that died half-way can be repeated
    /// or, if it got as far as the head, opened.
    pub async fn create(dir: &Path, key: &SigningKey, now: Timestamp) -> Result<()> {
        fs::create_dir_all(dir).map_err(|source| Error::io(dir, source))?;
        Self::create_at(&Place::local(dir)?, key, now).await
    }

    /// Opens the ledger in `dir` for writing, repairing what a crash left. `openings` is the confidential directory
    /// that goes with it; it lies outside `dir` and is held by one writer at a time.
    pub async fn open(dir: &Path, key: SigningKey, openings: &Path) -> Result<Self> {
        if !dir.is_dir() {
            return Err(Error::NoLedger { place: dir.display().to_string() });
        }
        // The lock comes before the head is read, so that nobody moves the head in between.
        let openings = OpeningStore::local(openings, dir)?;
        remove_unfinished(dir)?;
        Self::start(Place::local(dir)?, key, openings).await
    }

    /// Whether a ledger was begun in `dir`, be it that a crash left it without a checkpoint: opening it publishes one.
    pub fn is_begun(dir: &Path) -> bool {
        dir.join(HEAD_PATH).exists() || dir.join(CHECKPOINT_PATH).exists()
    }

    /// Whether `openings` belongs to a ledger that was opened before.
    pub fn has_openings(openings: &Path) -> bool {
        openings.join(LATEST).exists()
    }

    /// Begins a ledger in an empty place.
    pub async fn create_at(place: &Place, key: &SigningKey, now: Timestamp) -> Result<()> {
        commit::create(place, key, now).await
    }

    /// Opens a ledger over other stores than directories. The caller promises that no other writer uses `openings`.
    pub async fn open_at(
        place: Place,
        key: SigningKey,
        openings: std::sync::Arc<dyn object_store::ObjectStore>,
    ) -> Result<Self> {
        Self::start(place, key, OpeningStore::objects(openings)).await
    }

    /// Appends a batch and signs for it; when this returns, everything is durable and published. Submissions whose
    /// ids the ledger holds, or that come twice in the batch, are answered with the entry they have: their content
    /// is not compared. `source_position` is stored in the head together with the last entry (`None` keeps the one
    /// there is), so that the caller can go on after a crash exactly behind what was committed; a batch longer than
    /// 1,024 new entries is committed in parts, and a crash between them leaves the position before all of it.
    /// `salts` must give 32 fresh random bytes each time. After an error that is not about a submission the writer
    /// has stopped: open the ledger again and submit the same batch.
    pub async fn append(
        &mut self,
        batch: &[Submission],
        source_position: Option<String>,
        now: Timestamp,
        salts: &mut (dyn FnMut() -> [u8; 32] + Send),
    ) -> Result<Vec<Appended>> {
        self.check_running()?;
        batch.iter().try_for_each(Submission::check)?;
        check_position(source_position.as_deref())?;
        let (appended, fresh) = self.without_known(batch);
        check_room(self.size(), fresh.len())?;
        let drafts = self.draft(&fresh, now, salts)?;
        let position = source_position.or_else(|| self.head.source_position.clone());
        if drafts.is_empty() {
            if position != self.head.source_position {
                self.move_position(position).await?;
            }
            return Ok(appended);
        }
        let mut rest = drafts;
        while !rest.is_empty() {
            let after = rest.split_off(commit_length(&rest));
            let position = if after.is_empty() { position.clone() } else { self.head.source_position.clone() };
            self.commit(rest, position).await?;
            rest = after;
        }
        Ok(appended)
    }

    /// Number of entries, the genesis entry included.
    pub fn size(&self) -> u64 {
        self.committed.size
    }

    /// The source position stored with the last commit.
    pub fn source_position(&self) -> Option<&str> {
        self.head.source_position.as_deref()
    }

    /// The signed checkpoint over all entries.
    pub fn checkpoint(&self) -> &[u8] {
        self.head.note.as_bytes()
    }

    /// The entry of an id.
    pub fn index_of(&self, id: &str) -> Option<u64> {
        self.ids.get(IdKey::of(EntryKind::Finding, id))
    }

    fn check_running(&self) -> Result<()> {
        if self.stopped { Err(Error::Stopped { size: self.size() }) } else { Ok(()) }
    }

    /// Answers for the whole batch, and the submissions that have no entry yet.
    fn without_known<'a>(&self, batch: &'a [Submission]) -> (Vec<Appended>, Vec<&'a Submission>) {
        let mut fresh = Vec::new();
        let mut seen = HashMap::new();
        let appended = batch.iter().map(|submission| {
            let key = IdKey::of(submission.kind, &submission.id);
            let known = self.ids.get(key).or_else(|| seen.get(&key).copied());
            let index = known.unwrap_or_else(|| {
                let index = self.size() + fresh.len() as u64;
                seen.insert(key, index);
                fresh.push(submission);
                index
            });
            Appended { id: submission.id.clone(), index, is_new: known.is_none() }
        });
        (appended.collect(), fresh)
    }

    fn draft(
        &self,
        fresh: &[&Submission],
        now: Timestamp,
        salts: &mut (dyn FnMut() -> [u8; 32] + Send),
    ) -> Result<Vec<Draft>> {
        let mut drawn = HashSet::new();
        let draft = |submission: &&Submission| {
            let (id, kind) = (submission.id.clone(), submission.kind);
            let mut record = Record { id, kind, opening: None, body: None, erased: None };
            let content = if kind.is_public() {
                record.body = Some(String::from_utf8_lossy(&submission.content).into_owned());
                EntryContent::Body(submission.content.clone())
            } else {
                let salt = salts();
                if !drawn.insert(salt) {
                    // Equal salts would show which entries have equal content, and let content be guessed.
                    return Err(Error::Bug("the source of salts gave the same salt twice".to_owned()));
                }
                record.opening = Some(Opening { salt, content: submission.content.clone() });
                EntryContent::Commitment(commitment(&salt, &submission.content))
            };
            Ok(Draft { entry: self.entry(kind, now, content)?.encode(), record })
        };
        fresh.iter().map(draft).collect()
    }

    /// Time never runs backwards in a ledger: where the clock does, the last time is held and the entry says so.
    fn entry(&self, kind: EntryKind, now: Timestamp, content: EntryContent) -> Result<Entry> {
        if now.millis() < 0 {
            return Err(Error::Submission {
                id: kind.to_string(),
                reason: format!("time {} ms is before 1970", now.millis()),
            });
        }
        Ok(Entry { kind, clock_held: now < self.last_time, time: now.max(self.last_time), content })
    }
}

/// How many of the drafts the next commit takes.
fn commit_length(drafts: &[Draft]) -> usize {
    let mut bytes = 0;
    let fits = |draft: &&Draft| {
        bytes += draft.record.opening.as_ref().map_or(0, |opening| opening.content.len());
        bytes <= COMMIT_CONTENT_BYTES_MAX
    };
    drafts.iter().take(COMMIT_ENTRIES_MAX).take_while(fits).count().max(1)
}

fn check_position(position: Option<&str>) -> Result<()> {
    match position.map(str::len) {
        Some(length) if length > SOURCE_POSITION_BYTES_MAX => Err(Error::Submission {
            id: "source position".to_owned(),
            reason: format!("{length} bytes, at most {SOURCE_POSITION_BYTES_MAX}"),
        }),
        _ => Ok(()),
    }
}

fn check_room(size: u64, more: usize) -> Result<()> {
    if size.checked_add(more as u64).is_some_and(|size| size <= LEDGER_ENTRIES_MAX) {
        return Ok(());
    }
    let reason = format!("{size} entries and {more} more are over {LEDGER_ENTRIES_MAX}: begin a new ledger");
    Err(Error::Submission { id: "batch".to_owned(), reason })
}

#[cfg(test)]
mod tests;
