//! Sealed panes of one lane, by tier, and which of them are still needed.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use base::Timestamp;

/// The tiers panes are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// One pane per tick: its rows, or at the end of a scoring step the states of all rows of the step.
    Minute,
    /// One pane per hour.
    Hour,
    /// One pane per local day: what its windows came to.
    Day,
    /// What was seen on a local day. It is remembered for much longer than what windows came to.
    Seen,
    /// What a lane tells all others of a local day.
    Shared,
}

impl Tier {
    /// All tiers, finest first.
    pub const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::Day, Self::Seen, Self::Shared];

    /// The name used in the journal, in topics and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Seen => "seen",
            Self::Shared => "shared",
        }
    }
}

/// Batches of one kind by the end of their span.
pub(crate) type ByEnd = BTreeMap<Timestamp, RecordBatch>;

/// The panes of one window group.
#[derive(Debug, Default)]
pub(crate) struct GroupPanes {
    /// States per scoring step, by its end.
    pub(crate) minute: ByEnd,
    /// States per hour.
    pub(crate) hour: ByEnd,
    /// Results per day.
    pub(crate) day: ByEnd,
}

impl GroupPanes {
    /// The panes of `tier` with ends in (`after`, `to`].
    pub(crate) fn within(&self, tier: Tier, after: Timestamp, to: Timestamp) -> Vec<RecordBatch> {
        use std::ops::Bound::{Excluded, Included};
        if after >= to {
            return Vec::new();
        }
        let panes = self.tier(tier).into_iter().flat_map(|panes| panes.range((Excluded(after), Included(to))));
        panes.map(|(_, batch)| batch.clone()).collect()
    }

    /// The panes of a tier that windows have.
    pub(crate) fn tier(&self, tier: Tier) -> Option<&ByEnd> {
        match tier {
            Tier::Minute => Some(&self.minute),
            Tier::Hour => Some(&self.hour),
            Tier::Day => Some(&self.day),
            Tier::Seen | Tier::Shared => None,
        }
    }

    pub(crate) fn tier_mut(&mut self, tier: Tier) -> Option<&mut ByEnd> {
        match tier {
            Tier::Minute => Some(&mut self.minute),
            Tier::Hour => Some(&mut self.hour),
            Tier::Day => Some(&mut self.day),
            Tier::Seen | Tier::Shared => None,
        }
    }

    pub(crate) fn byte_count(&self) -> usize {
        let panes = Tier::ALL.into_iter().filter_map(|tier| self.tier(tier)).flat_map(BTreeMap::values);
        panes.map(row_bytes).sum()
    }
}

/// What the rows take. Columns of a batch that was read share one buffer, so that the room behind each cannot be added up.
pub(crate) fn row_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

/// Drops what ends before `first`.
pub(crate) fn drop_before<T>(panes: &mut BTreeMap<Timestamp, T>, first: Timestamp) {
    *panes = panes.split_off(&first);
}
