//! What a replay commits: kept here, to be compared with the archive, written out, or stored as a lane's new state.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::Timestamp;
use engine::State;
use engine::ports::{LaneId, LaneStore, PortError, SharesInMemory, StoredPane, Tier, Transaction};

use crate::crossings::Crossings;
use crate::findings::{ArchivedFinding, finding_id};
use crate::layout::FINDINGS;
use crate::results::Results;

/// What of a replay is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// What it told: results, and what watches were told.
    #[default]
    Results,
    /// Where it got to: the state of each lane.
    State,
    /// Both, so that it can go on.
    Both,
}

/// Everything a replay committed.
#[derive(Debug, Default)]
pub struct Captured {
    /// By lane.
    pub lanes: BTreeMap<LaneId, CapturedLane>,
}

/// What one lane committed.
#[derive(Debug, Default)]
pub struct CapturedLane {
    /// Features, scores and findings.
    pub results: Results,
    /// What it told watches.
    pub crossings: Crossings,
    /// State, if that is kept.
    pub state: State,
}

impl Captured {
    /// All findings, by (tick end, lane, ordinal).
    pub fn findings(&self) -> crate::Result<Vec<ArchivedFinding>> {
        let mut findings: Vec<ArchivedFinding> = Vec::new();
        for (lane, captured) in &self.lanes {
            for (tick_end, places) in captured.results.by_tick(FINDINGS) {
                for (ordinal, place) in (0..).zip(places) {
                    let value = captured.results.read(place)?.value;
                    findings.push(ArchivedFinding { tick_end, lane: *lane, ordinal, id: finding_id(&value), value });
                }
            }
        }
        findings.sort_by_key(ArchivedFinding::order);
        Ok(findings)
    }

    /// Bytes of all results.
    pub(crate) fn byte_count(&self) -> u64 {
        self.lanes.values().map(|lane| lane.results.byte_count()).sum()
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
        let lane = captured.lanes.entry(self.lane).or_default();
        let mut rest = transaction;
        if self.keep != Keep::State {
            std::mem::take(&mut rest.results).iter().try_for_each(|result| lane.results.push(result))?;
            for (watch, to, crossing) in std::mem::take(&mut rest.crossings) {
                lane.crossings.push(watch, to, &crossing)?;
            }
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
