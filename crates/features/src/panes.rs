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
    /// One pane per local day.
    Day,
}

impl Tier {
    /// All tiers, finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The name used in the journal, in topics and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
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
        let panes = self.tier(tier).range((Excluded(after), Included(to)));
        panes.map(|(_, batch)| batch.clone()).collect()
    }

    pub(crate) fn tier(&self, tier: Tier) -> &ByEnd {
        match tier {
            Tier::Minute => &self.minute,
            Tier::Hour => &self.hour,
            Tier::Day => &self.day,
        }
    }

    pub(crate) fn tier_mut(&mut self, tier: Tier) -> &mut ByEnd {
        match tier {
            Tier::Minute => &mut self.minute,
            Tier::Hour => &mut self.hour,
            Tier::Day => &mut self.day,
        }
    }

    pub(crate) fn byte_count(&self) -> usize {
        let bytes = |panes: &ByEnd| panes.values().map(RecordBatch::get_array_memory_size).sum::<usize>();
        Tier::ALL.into_iter().map(|tier| bytes(self.tier(tier))).sum()
    }
}

/// Drops what ends before `first`.
pub(crate) fn drop_before<T>(panes: &mut BTreeMap<Timestamp, T>, first: Timestamp) {
    *panes = panes.split_off(&first);
}
