//! What a person watching sees of a running engine; written once a turn, read by whoever shows it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base::Timestamp;
use events::TopicId;
use findings::Finding;

use crate::ports::LaneId;
use crate::worker::{Done, Worker};

/// Where one lane stands.
#[derive(Clone, Debug, Default)]
pub struct LaneProgress {
    /// End of its last closed tick.
    pub tick_end: Option<Timestamp>,
    /// Its watermark.
    pub watermark: Option<Timestamp>,
    /// Next offset to read, per input topic.
    pub next: Vec<i64>,
    /// Committed position, per input topic.
    pub positions: Vec<i64>,
    /// Rows that wait for their tick, per input topic.
    pub open_rows: Vec<usize>,
    /// Counts below the positions, per input topic.
    pub counts: Vec<features::Counts>,
    /// Open cases.
    pub open_cases: usize,
    /// It waits for the reference to be known through this time.
    pub waits_for_reference: Option<Timestamp>,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Lanes of this process.
    pub lanes: BTreeMap<LaneId, LaneProgress>,
    /// Events walked.
    pub events: u64,
    /// Ticks closed.
    pub ticks: u64,
    /// Feature rows of users and of pairs.
    pub rows: (u64, u64),
    /// Findings committed.
    pub findings: u64,
    /// Title and first sentence of the newest finding.
    pub last_finding: Option<(String, String)>,
    /// Lanes of watches of this process.
    pub watches: BTreeMap<LaneId, WatchProgress>,
}

/// Where one lane of watches stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct WatchProgress {
    /// Up to where every lane of users has spoken to it.
    pub watermark: Option<Timestamp>,
    /// Open cases.
    pub open_cases: usize,
    /// Steps that wait for lanes that have not spoken of them.
    pub waiting: usize,
    /// Records not yet read, as far as known.
    pub lag: Option<u64>,
}

impl Snapshot {
    fn found(&mut self, findings: &[Finding]) {
        self.findings += findings.len() as u64;
        if let Some(finding) = findings.last() {
            let sentence = finding.sentences.first().cloned().unwrap_or_default();
            self.last_finding = Some((finding.title.clone(), sentence));
        }
    }
}

/// A place that the engine writes and others read.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Snapshot>);

impl Progress {
    /// A copy of the newest state.
    pub fn snapshot(&self) -> Snapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note(&self, lane: LaneId, worker: &Worker, done: &Done, waits: Option<Timestamp>) {
        let mut snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.events += done.events.iter().sum::<usize>() as u64;
        snapshot.ticks += done.ticks;
        snapshot.rows.0 += done.user_rows;
        snapshot.rows.1 += done.pair_rows;
        snapshot.found(&done.findings);
        let record = worker.last_record();
        let topics = record.map_or(0, |record| record.topics.len());
        let walkers = || (0..topics).map(|topic| worker.lane().walker(TopicId(topic as u8)));
        let seen = LaneProgress {
            tick_end: worker.lane().last_tick(),
            watermark: Some(worker.lane().watermark()).filter(|watermark| *watermark > Timestamp::MIN),
            next: walkers().map(|walker| walker.next().0).collect(),
            positions: walkers().map(|walker| walker.position().0).collect(),
            open_rows: walkers().map(|walker| walker.open_row_count()).collect(),
            counts: record.map(|record| record.counts.clone()).unwrap_or_default(),
            open_cases: worker.open_cases(),
            waits_for_reference: waits,
        };
        snapshot.lanes.insert(lane, seen);
    }

    pub(crate) fn watched(&self, lane: LaneId, seen: WatchProgress, findings: &[Finding]) {
        let mut snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.found(findings);
        snapshot.watches.insert(lane, seen);
    }

    pub(crate) fn forget_watch(&self, lane: LaneId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).watches.remove(&lane);
    }

    pub(crate) fn lanes(&self, ours: Vec<LaneId>) {
        let mut snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.lanes.retain(|lane, _| ours.contains(lane));
    }
}
