//! The journal that a replay follows: which tick closes next, and as of which reference version.
//!
//! What was written under other definitions is followed as well, so that state can be computed anew from the beginning.
//! There every tick of the journal closes, also one that only a case of then asked for, and ticks that only these
//! definitions ask for close in between, as of their own ends.

use std::collections::{BTreeMap, VecDeque};

use base::Timestamp;
use features::{Digests, JournalRecord};
use reference::Pins;

/// Records that are still to be followed, oldest first.
pub(crate) struct Guide {
    records: VecDeque<JournalRecord>,
    now: Digests,
}

/// The tick that a journal closes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuidedTick {
    pub(crate) end: Option<Timestamp>,
    /// Whether other definitions were in force.
    pub(crate) foreign: bool,
    /// The day whose shared facts it goes by, where that is not the one the rule names.
    pub(crate) shared: Option<Timestamp>,
}

impl Guide {
    /// What follows in `records` for a lane that stands at a tick, if it closed any.
    pub(crate) fn new(records: Vec<JournalRecord>, stands: Option<Timestamp>, now: Digests) -> Self {
        let done = |record: &JournalRecord| stands.is_some() && record.tick_end <= stands;
        Self { records: records.into_iter().skip_while(done).collect(), now }
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &JournalRecord> {
        self.records.iter()
    }

    /// The tick that closes next; none once the journal is at its end.
    pub(crate) fn next(&self) -> Option<GuidedTick> {
        let record = self.records.iter().find(|record| record.pins.is_some())?;
        let (end, shared) = (record.tick_end, record.shared);
        Some(GuidedTick { end, foreign: record.digests != self.now, shared })
    }

    /// The days whose shared facts ticks go by that are not the ones the rule names.
    pub(crate) fn older_days(&self) -> impl Iterator<Item = Timestamp> {
        self.records.iter().filter_map(|record| record.shared)
    }

    /// The reference version of the tick that closes now.
    pub(crate) fn take(&mut self) -> Option<Pins> {
        let place = self.records.iter().position(|record| record.pins.is_some())?;
        self.records.drain(..=place).next_back()?.pins
    }

    /// Passes records without a tick; gives the cases that an upgrade among them carried over.
    pub(crate) fn carried(&mut self) -> Option<BTreeMap<String, String>> {
        let mut carried = None;
        while let Some(record) = self.records.pop_front_if(|record| record.pins.is_none()) {
            // Cases of other definitions are those of a form that need not be known here.
            carried = record.carried.filter(|_| record.digests == self.now).or(carried);
        }
        carried
    }
}
