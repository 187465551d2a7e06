//! Where the process ends: the traits that a broker, an archive or a test stands behind.
//!
//! The engine polls, computes and commits in one thread of control; no transaction is open while a [`Source`] is
//! polled, so lanes may be taken away inside `poll` without further care. Implementations: `kafka` (live),
//! `archive` (replay). Read next: `run.rs`, the loop that drives them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Timestamp;
use events::{Decoded, Header, Offset, Records, TopicId};
use features::JournalRecord;
pub use features::Tier;
use serde::{Deserialize, Serialize};

/// One partition number across all input topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaneId(pub u32);

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error at the edge of the process, already told in words.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The world is not ready: try later.
    #[error("{0}")]
    Unavailable(String),
    /// Configuration or input that cannot work: mend it first.
    #[error("{0}")]
    Invalid(String),
    /// What was read is not what was written.
    #[error("{0}")]
    Corrupt(String),
    /// Another owner has taken the lane; nothing of the transaction is visible and the lane must be given up.
    #[error("lane {0} was taken over by another process")]
    Fenced(LaneId),
}

impl PortError {
    /// What to do about it.
    pub fn kind(&self) -> base::Kind {
        match self {
            Self::Unavailable(_) | Self::Fenced(_) => base::Kind::Unavailable,
            Self::Invalid(_) => base::Kind::Invalid,
            Self::Corrupt(_) => base::Kind::Corrupt,
        }
    }
}

/// Something that happened at a [`Source`].
#[derive(Debug)]
pub enum Wake {
    /// Records of one topic and lane, in offset order.
    Records {
        /// The lane.
        lane: LaneId,
        /// The topic.
        topic: TopicId,
        /// The records.
        records: Records,
    },
    /// Records of one topic and lane that were decoded before: a replay of an archive.
    Decoded {
        /// The lane.
        lane: LaneId,
        /// The topic.
        topic: TopicId,
        /// The events and rejects.
        decoded: Decoded,
    },
    /// Nothing will ever follow: a replay has handed over everything.
    Exhausted,
    /// Lanes that are ours from now on, every topic of each. Nothing of them is read before [`Source::start`].
    Assigned(Vec<LaneId>),
    /// Lanes that were taken away; their stores are closed.
    Revoked(Vec<LaneId>),
}

/// Whether a topic of a lane is to be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read.
    Read,
    /// Hold: the topic is ahead of the one the lane waits for, or the lane has ticks to close first.
    Hold,
}

/// Where input records come from and lanes are handed out.
pub trait Source {
    /// Waits at most `wait` and returns what happened, in order; empty when nothing did. The engine waits for nothing
    /// (zero) while it has ticks to close.
    fn poll(&mut self, wait: Duration) -> Result<Vec<Wake>, PortError>;

    /// Takes a lane up: fences whoever had it before, and gives access to what it stored.
    fn open(&mut self, lane: LaneId) -> Result<Box<dyn LaneStore>, PortError>;

    /// The first offset present of each input topic of the lane, in the order of [`TopicId`].
    fn log_start(&mut self, lane: LaneId) -> Result<Vec<Offset>, PortError>;

    /// That each input topic of an opened lane reaches as far as the lane has taken it in: `Corrupt` where it was cut below
    /// that. Most sources cannot be cut.
    fn reaches(&mut self, _lane: LaneId, _to: &[Offset]) -> Result<(), PortError> {
        Ok(())
    }

    /// Starts reading each input topic of an opened lane at the given offset, none of them held. An offset below the log's start is
    /// `Corrupt`: records that the lane still needs are gone.
    fn start(&mut self, lane: LaneId, from: &[Offset]) -> Result<(), PortError>;

    /// Holds or reads a topic of a lane. Holding loses nothing.
    fn set_flow(&mut self, lane: LaneId, topic: TopicId, flow: Flow) -> Result<(), PortError>;

    /// The end of the log, if the topic has been read up to it: the offset of the last end-of-partition event when
    /// it equals the last known high watermark. `None` while records are waiting, and always in a replay, where
    /// idle decisions come from the journal.
    fn at_end(&self, lane: LaneId, topic: TopicId) -> Option<Offset>;

    /// Whether nothing will ever follow what was read of the topic: it is a file that has ended, and holds nobody back.
    fn is_over(&self, _lane: LaneId, _topic: TopicId) -> bool {
        false
    }

    /// Whether what the topic is read from answers. While it does not, silence says nothing.
    fn answers(&self, _lane: LaneId, _topic: TopicId) -> bool {
        true
    }

    /// What lanes, here and elsewhere, have told all others ([`Tier::Shared`]) and committed, as far as it has arrived and
    /// was not handed over before; of each lane in the order it was told, since the beginning. Only after [`poll`](Self::poll).
    fn shares(&mut self) -> Result<Vec<(LaneId, StoredPane)>, PortError>;

    /// How many lanes there are in all, here and elsewhere.
    fn lane_count(&self) -> u32;

    /// The journal that a replay of the lane must follow, oldest record first. Live sources have none: they write it.
    fn journal(&mut self, _lane: LaneId) -> Result<Option<Vec<JournalRecord>>, PortError> {
        Ok(None)
    }

    /// Records not yet read, per topic of the lane, as far as known: for the lag metric.
    fn lag(&self, lane: LaneId, topic: TopicId) -> Option<u64>;
}

/// A sealed pane as stored: opaque to the store, of any size (a store may split it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPane {
    /// The end of the span of event time it covers; unique within a tier and lane.
    pub end: Timestamp,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A record that goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Key.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
    /// Headers.
    pub headers: Vec<Header>,
}

/// A record that could not be used (rejected or late), passed on as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The input topic it came from.
    pub topic: TopicId,
    /// Where it stood.
    pub offset: Offset,
    /// Which part of the record is meant.
    pub part: i32,
    /// Reason code: a [`events`] reject reason, or `late`.
    pub reason: &'static str,
    /// A short text that does not quote the payload.
    pub detail: String,
    /// Original key, in the first letter of a record.
    pub key: Option<Vec<u8>>,
    /// Original value, in the first letter of a record.
    pub value: Option<Vec<u8>>,
    /// Original headers, in the first letter of a record.
    pub headers: Vec<Header>,
    /// In further letters of the same record, the part whose letter holds all that.
    pub record_with: Option<i32>,
}

impl DeadLetter {
    /// Bytes of the record that it holds.
    pub fn record_bytes(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + length(value));
        length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }
}

/// Everything the ticks of one commit produced. It becomes visible to readers of committed data as a whole or not at
/// all.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// Findings, ordered by (tick end, ordinal); the key is the finding's id.
    pub findings: Vec<Message>,
    /// Rejects and late records up to the new positions.
    pub dead_letters: Vec<DeadLetter>,
    /// Feature and score rows of scoring ticks (Arrow IPC streams), keyed by stream name and tick end.
    pub results: Vec<Message>,
    /// Newly sealed panes.
    pub panes: Vec<(Tier, StoredPane)>,
    /// Head entries to set (or, where the value is absent, to delete): the journal's newest record, case states, last facts.
    pub head: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Journal records, oldest first.
    pub journal: Vec<Message>,
    /// What watches are told: which watch, which lane of it, and the record.
    pub crossings: Vec<(TopicId, LaneId, Message)>,
    /// Next position to report for each input topic, in the order of [`TopicId`].
    pub positions: Vec<Offset>,
    /// Panes stored before it count no more: the lane's state was computed anew.
    pub renewed: bool,
}

impl Transaction {
    /// Bytes of keys and values, for the limit on a transaction's size.
    pub fn byte_count(&self) -> usize {
        let message = |m: &Message| m.key.len() + m.value.len();
        let letter = |d: &DeadLetter| d.record_bytes() + d.detail.len();
        self.findings.iter().map(message).sum::<usize>()
            + self.results.iter().map(message).sum::<usize>()
            + self.journal.iter().map(message).sum::<usize>()
            + self.crossings.iter().map(|(_, _, crossing)| message(crossing)).sum::<usize>()
            + self.dead_letters.iter().map(letter).sum::<usize>()
            + self.panes.iter().map(|(_, pane)| pane.bytes.len()).sum::<usize>()
            + self.head.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum::<usize>()
    }
}

/// What one lane stored, and the way to store more. `open` has fenced every earlier owner.
pub trait LaneStore: Send {
    /// The head entries, newest value of each key, read up to the high watermark.
    fn head(&mut self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, PortError>;

    /// The stored panes of a tier whose end is at or after `first`, in order of their ends.
    fn panes(&mut self, tier: Tier, first: Timestamp) -> Result<Vec<StoredPane>, PortError>;

    /// Commits a transaction: on `Ok` the store calls it committed. One that readers have not seen may still come to
    /// nothing, as a whole, if the store dies: the next commit then answers `Unavailable`, and opening the lane again
    /// tells where it stands. `Unavailable` has been retried within and leaves the outcome unknown. `Fenced` is final.
    fn commit(&mut self, transaction: Transaction) -> Result<(), PortError>;

    /// Deletes stored panes that end before `first`, all of which a committed journal record no longer needs. Those that
    /// cannot be deleted now are left to the next call. Waits until what was committed last can be read, and fails as a
    /// commit does where that does not come about.
    fn trim(&mut self, tier: Tier, first: Timestamp) -> Result<(), PortError>;
}

/// What lanes tell each other where none of it leaves the process: their stores put in what they commit, their source
/// hands it out.
#[derive(Clone, Debug, Default)]
pub struct SharesInMemory(Arc<Mutex<Vec<(LaneId, StoredPane)>>>);

impl SharesInMemory {
    /// Keeps what a committed transaction tells all lanes.
    pub fn keep(&self, lane: LaneId, transaction: &Transaction) {
        let shares = transaction.panes.iter().filter(|(tier, _)| *tier == Tier::Shared);
        self.kept().extend(shares.map(|(_, share)| (lane, share.clone())));
    }

    /// Adds what a lane told before.
    pub fn push(&self, lane: LaneId, share: StoredPane) {
        self.kept().push((lane, share));
    }

    /// What was kept since it was last asked.
    pub fn take(&self) -> Vec<(LaneId, StoredPane)> {
        std::mem::take(&mut self.kept())
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(LaneId, StoredPane)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which reference topic or file a row came from, as the feed's configuration orders them.
#[derive(Clone, Debug)]
pub struct ReferenceRecord {
    /// What kind of row: `staff`, `patients` or `relations`.
    pub kind: &'static str,
    /// Partition of the reference topic.
    pub partition: u32,
    /// Offset in it.
    pub offset: Offset,
    /// When it was appended.
    pub append_time: Timestamp,
    /// The row; absent in a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Where reference rows come from. Every process reads all of them.
pub trait ReferenceFeed {
    /// Rows not delivered before, in offset order per partition. With `through`, reads on until everything appended
    /// before that broker time has been delivered (bounded by the implementation's own timeout); without, returns
    /// what has arrived.
    fn poll(&mut self, through: Option<Timestamp>) -> Result<Vec<ReferenceRecord>, PortError>;

    /// Everything appended before this broker time has been delivered.
    fn known_through(&self) -> Timestamp;

    /// The end offset of each (kind, partition) at this moment: the genesis of a pipeline that starts now.
    fn ends(&mut self) -> Result<Vec<(&'static str, u32, Offset)>, PortError>;

    /// Of rows that were replaced before this broker time, compaction may have left the newer ones alone. A feed that keeps
    /// every version is whole since ever.
    fn whole_since(&mut self) -> Result<Timestamp, PortError> {
        Ok(Timestamp::MIN)
    }
}

/// Something committed that an archiver follows.
#[derive(Debug)]
pub enum Followed {
    /// Records of an input topic of a lane, in offset order.
    Input {
        /// The lane.
        lane: LaneId,
        /// The topic.
        topic: TopicId,
        /// The records.
        records: Records,
    },
    /// Journal records of a lane, oldest first.
    Journal {
        /// The lane.
        lane: LaneId,
        /// The records, as `JournalRecord` JSON.
        records: Vec<Vec<u8>>,
    },
    /// Results of a lane, in the order they were committed: key `<stream>/<tick end>`.
    Results {
        /// The lane.
        lane: LaneId,
        /// The messages.
        messages: Vec<Message>,
    },
    /// Rows of the reference.
    Reference(Vec<ReferenceRecord>),
}

/// Where an archiver reads what lanes read and committed. It belongs to no group of the lanes and holds nothing up.
pub trait Follower: Send {
    /// Starts reading a lane: each input topic from the given offset, journal and results from their `(journal, results)`
    /// offsets (the log start where absent).
    fn start(&mut self, lane: LaneId, inputs: &[Offset], journal: Option<(Offset, Offset)>) -> Result<(), PortError>;

    /// Waits at most `wait` and returns what was committed since, in order per lane and topic.
    fn poll(&mut self, wait: Duration) -> Result<Vec<Followed>, PortError>;
}
