//! What lanes told their watches in a replay, as the source of a replay of the watches.
//!
//! Nothing of it is archived: it follows from the input like everything else that lanes commit. It is handed over step by
//! step of all lanes, so that little of it waits in a watch for lanes that have not spoken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Timestamp;
use engine::JournalRecord;
use engine::ports::{Flow, LaneId, LaneStore, Message, PortError, SharesInMemory, Source, StoredPane, Wake};
use events::{Offset, Record, Records, TopicId};

use crate::crossings::Crossings;
use crate::error::Result;
use crate::limits::CHUNK_STEPS;
use crate::listing::{Lanes, Listing};
use crate::read;
use crate::store::{Captured, CapturingStore, Keep};

/// A source of lanes of watches.
pub struct WatchSource {
    archive: Option<Lanes>,
    watches: usize,
    lanes: u32,
    /// What each lane told, and how much of it has been handed over.
    told: Vec<(Crossings, usize)>,
    /// The next offset in what each lane of each watch reads.
    next: BTreeMap<(LaneId, TopicId), i64>,
    captured: Arc<Mutex<Captured>>,
    assigned: bool,
}

impl WatchSource {
    /// Of so many watches: takes what lanes of users told them in a replay. Where the archive says that an upgrade carried
    /// cases over, they go on with those.
    pub fn new(archive: Option<&Listing>, told: &mut Captured, watches: usize) -> Self {
        let files = told.lanes.len().try_into().unwrap_or(u32::MAX);
        let lanes = archive.map_or(files, Listing::lane_count);
        let told = told.lanes.values_mut().map(|lane| (std::mem::take(&mut lane.crossings), 0)).collect();
        let archive = archive.map(|archive| archive.watches.clone());
        let (next, captured) = (BTreeMap::new(), Arc::default());
        Self { archive, watches, lanes, told, next, captured, assigned: false }
    }

    /// The next steps, of every lane: so many of them, or what is left.
    fn next_steps(&mut self) -> Result<Vec<Wake>> {
        let mut logs: BTreeMap<(LaneId, TopicId), Records> = BTreeMap::new();
        for _ in 0..CHUNK_STEPS {
            let Some(end) = self.next_end() else { break };
            for (told, next) in &mut self.told {
                let from = *next;
                while told.end(*next).is_some_and(|at| at <= end) {
                    *next += 1;
                }
                for crossing in told.after(from).take(*next - from) {
                    let (watch, to, Message { key, value, .. }) = crossing?;
                    let offset = self.next.entry((to, watch)).or_default();
                    let append_time = Timestamp::from_millis(0);
                    let record = Record {
                        offset: Offset(*offset),
                        append_time,
                        key: Some(&key),
                        value: Some(&value),
                        headers: &[],
                    };
                    logs.entry((to, watch)).or_default().push(record);
                    *offset += 1;
                }
            }
        }
        Ok(logs.into_iter().map(|((lane, topic), records)| Wake::Records { lane, topic, records }).collect())
    }

    /// The end of the earliest step that has not been handed over.
    fn next_end(&self) -> Option<Timestamp> {
        self.told.iter().filter_map(|(told, next)| told.end(*next)).min()
    }

    /// Takes what the replay has committed so far.
    pub fn take_captured(&self) -> Captured {
        std::mem::take(&mut *self.captured.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Source for WatchSource {
    fn poll(&mut self, _wait: Duration) -> std::result::Result<Vec<Wake>, PortError> {
        if !std::mem::replace(&mut self.assigned, true) {
            return Ok(vec![Wake::Assigned((0..self.lanes).map(LaneId).collect())]);
        }
        let mut wakes = self.next_steps()?;
        wakes.extend(self.next_end().is_none().then_some(Wake::Exhausted));
        Ok(wakes)
    }

    fn open(&mut self, lane: LaneId) -> std::result::Result<Box<dyn LaneStore>, PortError> {
        let (captured, shares) = (Arc::clone(&self.captured), SharesInMemory::default());
        Ok(Box::new(CapturingStore { lane, captured, keep: Keep::Results, shares }))
    }

    fn log_start(&mut self, _lane: LaneId) -> std::result::Result<Vec<Offset>, PortError> {
        Ok(vec![Offset(0); self.watches])
    }

    fn start(&mut self, _lane: LaneId, _from: &[Offset]) -> std::result::Result<(), PortError> {
        Ok(())
    }

    fn set_flow(&mut self, _lane: LaneId, _topic: TopicId, _flow: Flow) -> std::result::Result<(), PortError> {
        Ok(())
    }

    fn journal(&mut self, lane: LaneId) -> std::result::Result<Option<Vec<JournalRecord>>, PortError> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let mut records = Vec::new();
        for run in archive.runs.get(&lane).into_iter().flatten() {
            records.extend(read::records(&archive.dir, run)?);
        }
        Ok(Some(records))
    }

    fn shares(&mut self) -> std::result::Result<Vec<(LaneId, StoredPane)>, PortError> {
        Ok(Vec::new())
    }

    fn lane_count(&self) -> u32 {
        self.lanes
    }

    fn at_end(&self, _lane: LaneId, _topic: TopicId) -> Option<Offset> {
        None
    }

    fn lag(&self, _lane: LaneId, _topic: TopicId) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests;
