//! The journal: what each tick of a lane decided, in a form that restore, archive and replay all read.

use std::collections::BTreeMap;

use base::{Digest, Timestamp};
use events::Offset;
use reference::Pins;
use serde::{Deserialize, Serialize};

/// A recorded idle decision: from this offset on, the topic's watermark is at least this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Decision {
    /// The end of the log when it was taken; it applies before the record at this offset.
    pub offset: Offset,
    /// The watermark it sets.
    pub watermark: Timestamp,
}

/// Where one topic of a lane stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPosition {
    /// Side outputs are handed over up to here; also the group's committed offset.
    pub position: Offset,
    /// Where whoever takes the lane up must read from.
    pub resume: Offset,
    /// The watermark at `resume`.
    pub watermark: Timestamp,
    /// Idle decisions not in an earlier committed record, and every one at or above `resume`.
    pub decisions: Vec<Decision>,
}

/// Parts of one topic below the position, by what became of them: the sum is everything that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Parts read.
    pub read: u64,
    /// Rows of panes.
    pub kept: u64,
    /// Late.
    pub late: u64,
    /// Duplicates.
    pub duplicates: u64,
    /// Rejects.
    pub rejects: u64,
}

impl Counts {
    /// Conservation: everything read is accounted for.
    pub fn balance(&self) -> bool {
        self.read == self.kept + self.late + self.duplicates + self.rejects
    }
}

/// Under which definitions a lane's state was computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// The pipeline's settings, but for where it meets Kafka.
    pub spec: Digest,
    /// Those of the settings that say what is read, how, and which ticks close.
    pub reading: Digest,
    /// Its SQL.
    pub sql: Digest,
    /// Its models.
    pub model: Digest,
    /// Name and version of the engine and of the state layout.
    pub engine: String,
}

impl Digests {
    /// Names the definitions that what lanes tell each other may depend on.
    pub fn told_under(&self) -> String {
        let engine = self.engine.replace([' ', '/'], "-");
        format!("{}.{}.{}.{engine}", self.spec.short(), self.sql.short(), self.model.short())
    }
}

/// One record of the journal: a tick, or a commit without a tick (which repeats the last tick end).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// Ordinal in the lane, from 0 (the genesis record).
    pub sequence: u64,
    /// The tick's end; `None` until a first tick has closed.
    pub tick_end: Option<Timestamp>,
    /// The reference version the tick was sealed with; absent in a commit without a tick.
    pub pins: Option<Pins>,
    /// Where the reference stood when the pipeline first started.
    pub genesis: Pins,
    /// Input topics, in the pipeline's order.
    pub topics: Vec<TopicPosition>,
    /// Parts below each topic's position since the beginning, in the pipeline's order.
    pub counts: Vec<Counts>,
    /// Per tier: end of the first pane still needed, and how many panes are held from there on.
    pub tiers: BTreeMap<String, TierRecord>,
    /// Definitions in force.
    pub digests: Digests,
    /// Raised by an upgrade.
    pub epoch: u32,
    /// Where the tick went by what was shared up to another day than the rule names, that day's end: it had waited for a
    /// lane for too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Timestamp>,
    /// In the record of an upgrade, the cases that were open, by user: whoever takes the lane up or replays it goes on
    /// with these and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<BTreeMap<String, String>>,
}

/// Which panes of a tier are still needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierRecord {
    /// End of the first pane still needed.
    pub first: Timestamp,
    /// How many panes there are from `first` on.
    pub panes: usize,
}
