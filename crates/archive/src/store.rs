//! What a replay commits: kept in memory, to be compared with the archive, written out, or stored as a lane's new state.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::Timestamp;
use engine::State;
use engine::ports::{LaneId, LaneStore, Message, PortError, SharesInMemory, StoredPane, Tier, Transaction};
use events::TopicId;

use crate::findings::{ArchivedFinding, finding_id};
use crate::follow::result_key;
use crate::layout::FINDINGS;

/// What of a replay is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// What it told: results and journal.
    #[default]
    Results,
    /// Where it got to: the state of each lane.
    State,
    /// Both, so that it can go on.
    Both,
}

/// Everything a replay committed.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    /// By lane.
    pub lanes: BTreeMap<LaneId, CapturedLane>,
    /// Of all results.
    pub(crate) bytes: usize,
}

/// What one lane committed.
#[derive(Clone, Debug, Default)]
pub struct CapturedLane {
    /// Results in the order they were committed: key `<stream>/<tick end>`.
    pub results: Vec<Message>,
    /// Journal records, oldest first, as JSON.
    pub journal: Vec<Vec<u8>>,
    /// What it told watches.
    pub crossings: Vec<(TopicId, LaneId, Message)>,
    /// State, if that is kept.
    pub state: State,
}

impl CapturedLane {
    /// Messages of one stream with their tick ends, in order.
    pub(crate) fn of<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = (Timestamp, &'a Message)> {
        let of = move |message: &'a Message| {
            let (name, end) = result_key(&message.key)?;
            (name == stream).then_some((end, message))
        };
        self.results.iter().filter_map(of)
    }
}

impl Captured {
    /// All findings, by (tick end, lane, ordinal).
    pub fn findings(&self) -> Vec<ArchivedFinding> {
        let mut findings: Vec<ArchivedFinding> = Vec::new();
        for (lane, captured) in &self.lanes {
            let mut last = None;
            for (tick_end, message) in captured.of(FINDINGS) {
                let ordinal = last.filter(|(end, _)| *end == tick_end).map_or(0, |(_, ordinal)| ordinal + 1);
                last = Some((tick_end, ordinal));
                let (id, value) = (finding_id(&message.value), message.value.clone());
                findings.push(ArchivedFinding { tick_end, lane: *lane, ordinal, id, value });
            }
        }
        findings.sort_by_key(ArchivedFinding::order);
        findings
    }
}

/// The store of one lane of a replay: empty at the start unless the replay goes on, and nothing leaves the process.
pub(crate) struct CapturingStore {
    pub(crate) lane: LaneId,
    pub(crate) captured: Arc<Mutex<Captured>>,
    pub(crate) keep: Keep,
    /// What the lane tells all others.
    pub(crate) shares: SharesInMemory,
}

impl LaneStore for CapturingStore {
    fn head(&mut self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, PortError> {
        let mut captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        captured.lanes.get_mut(&self.lane).map_or(Ok(BTreeMap::new()), |lane| lane.state.head())
    }

    fn panes(&mut self, tier: Tier, first: Timestamp) -> Result<Vec<StoredPane>, PortError> {
        let mut captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        captured.lanes.get_mut(&self.lane).map_or(Ok(Vec::new()), |lane| lane.state.panes(tier, first))
    }

    fn commit(&mut self, transaction: Transaction) -> Result<(), PortError> {
        self.shares.keep(self.lane, &transaction);
        let mut captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        captured.bytes += transaction.results.iter().map(|result| result.value.len()).sum::<usize>();
        let lane = captured.lanes.entry(self.lane).or_default();
        let mut rest = transaction;
        if self.keep != Keep::State {
            lane.results.append(&mut rest.results);
            lane.journal.extend(std::mem::take(&mut rest.journal).into_iter().map(|message| message.value));
            lane.crossings.append(&mut rest.crossings);
        }
        if self.keep != Keep::Results {
            lane.state.absorb(rest);
        }
        Ok(())
    }

    fn trim(&mut self, tier: Tier, first: Timestamp) -> Result<(), PortError> {
        let mut captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        captured.lanes.entry(self.lane).or_default().state.trim(tier, first);
        Ok(())
    }
}
