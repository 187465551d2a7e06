//! What lanes told their watches in a replay, as the source of a replay of the watches.
//!
//! Nothing of it is archived: it follows from the input like everything else that lanes commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Timestamp;
use engine::JournalRecord;
use engine::ports::{Flow, LaneId, LaneStore, PortError, SharesInMemory, Source, StoredPane, Wake};
use events::{Offset, Record, Records, TopicId};

use crate::error::Result;
use crate::layout;
use crate::read;
use crate::replay::lane_count;
use crate::store::{Captured, CapturingStore, Keep};

/// A source of lanes of watches.
pub struct WatchSource {
    archive: Option<PathBuf>,
    watches: usize,
    lanes: u32,
    waiting: Vec<Wake>,
    captured: Arc<Mutex<Captured>>,
    assigned: bool,
}

impl WatchSource {
    /// Of so many watches: takes what lanes of users told them in a replay. Where the archive says that an upgrade carried
    /// cases over, they go on with those.
    pub fn new(archive: Option<&Path>, told: &mut Captured, watches: usize) -> Result<Self> {
        let files = told.lanes.len().try_into().unwrap_or(u32::MAX);
        let lanes = archive.map_or(Ok(files), lane_count)?;
        let mut logs: BTreeMap<(LaneId, TopicId), Records> = BTreeMap::new();
        let mut waiting = Vec::new();
        for lane in told.lanes.values_mut() {
            for (watch, to, message) in std::mem::take(&mut lane.crossings) {
                let log = logs.entry((to, watch)).or_default();
                let (offset, append_time) = (Offset(log.len() as i64), Timestamp::from_millis(0));
                let (key, value) = (Some(message.key.as_slice()), Some(message.value.as_slice()));
                log.push(Record { offset, append_time, key, value, headers: &[] });
            }
        }
        waiting.extend(logs.into_iter().map(|((lane, topic), records)| Wake::Records { lane, topic, records }));
        let archive = archive.map(|archive| archive.join(layout::WATCHES));
        Ok(Self { archive, watches, lanes, waiting, captured: Arc::default(), assigned: false })
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
        let mut wakes = std::mem::take(&mut self.waiting);
        wakes.push(Wake::Exhausted);
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
        for run in layout::runs(archive)?.iter().filter(|run| run.lane == lane) {
            records.extend(read::records(archive, run)?);
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
