//! The archive as a source: input as it was decoded, under the journal that says which ticks closed and how.
//!
//! One run per lane is in memory at a time. Read next: `read.rs`, which reads a run; `store.rs`, where what the engine
//! commits is kept.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Timestamp;
use engine::ports::{Flow, LaneId, LaneStore, PortError, SharesInMemory, Source, StoredPane, Tier, Wake};
use engine::{Former, JournalRecord, PipelineSpec};
use events::{Decoded, Offset, TopicId};

use crate::error::{Error, Result};
use crate::layout::RunId;
use crate::listing::{Lanes, Listing};
use crate::read::{self, ReplayInput};
use crate::resume::Checkpoints;
use crate::store::{Captured, CapturingStore, Keep};

/// A source that hands an archive over again.
pub struct ReplaySource {
    dir: PathBuf,
    inputs: Vec<ReplayInput>,
    lanes: BTreeMap<LaneId, LaneReplay>,
    /// In the archive, replayed or not.
    lane_count: u32,
    captured: Arc<Mutex<Captured>>,
    keep: Keep,
    shares: SharesInMemory,
    checkpoints: Option<Checkpoints>,
    /// Nothing of the journal is followed.
    is_alone: bool,
    assigned: bool,
    exhausted: bool,
}

struct LaneReplay {
    runs: Vec<RunId>,
    /// How many runs have been read.
    read: usize,
    start: Vec<Offset>,
    /// Where a replay goes on: what stands below was read before.
    from: Vec<Offset>,
    queues: Vec<VecDeque<Decoded>>,
    flows: Vec<Flow>,
}

/// The end of the tick that read a record of an input topic: the first tick whose position there lies above `offset`.
/// A record that a lane passes over, such as garbage, is read with the tick that closes next.
pub fn tick_that_read(
    archive: &Listing,
    spec: &PipelineSpec,
    topic: &str,
    lane: LaneId,
    offset: Offset,
) -> Result<Timestamp> {
    let inputs: Vec<&str> = spec.inputs().iter().map(|input| input.topic.as_str()).collect();
    let place = inputs.iter().position(|input| *input == topic);
    let unknown = || Error::Replay(format!("`{topic}` is no input topic; there are {}", inputs.join(", ")));
    let place = place.ok_or_else(unknown)?;
    let Lanes { dir, runs } = &archive.users;
    let absent = || Error::Replay(format!("the archive holds nothing of `{topic}` partition {lane}"));
    let runs = runs.get(&lane).ok_or_else(absent)?;
    let position = |record: &JournalRecord| record.topics.get(place).map_or(Offset(0), |topic| topic.position);
    let (mut low, mut high) = (0, runs.len());
    while low < high {
        let middle = low.midpoint(high);
        let passed = position(&read::end_record(dir, &runs[middle])?) > offset;
        (low, high) = if passed { (low, middle) } else { (middle + 1, high) };
    }
    let mut end = Offset(0);
    for run in &runs[low.min(runs.len() - 1)..] {
        for record in read::records(dir, run)? {
            end = position(&record);
            if let Some(tick_end) = record.tick_end.filter(|_| record.pins.is_some() && end > offset) {
                return Ok(tick_end);
            }
        }
    }
    Err(Error::Replay(format!(
        "`{topic}` partition {lane}: no tick in the archive has read offset {offset}; it ends at {end}"
    )))
}

impl ReplaySource {
    /// Opens what an archive held for a replay of all its lanes: what they share, each needs.
    pub fn open(archive: &Listing, spec: &PipelineSpec) -> Result<Self> {
        let Lanes { dir, runs } = &archive.users;
        let inputs = spec.inputs().iter();
        let inputs: Vec<_> =
            inputs.map(|input| ReplayInput { topic: input.topic.clone(), stream: input.stream }).collect();
        let mut opened = BTreeMap::new();
        for (lane, runs) in runs {
            let first = runs.first().map(|run| read::records(dir, run)).transpose()?;
            let Some(first) = first.and_then(|records| records.into_iter().next()) else { continue };
            if first.topics.len() != inputs.len() {
                let (stored, now) = (first.topics.len(), inputs.len());
                let problem = format!("lane {lane}: the archive has {stored} input topics and the pipeline {now}");
                return Err(Error::Replay(problem));
            }
            let start = first.topics.iter().map(|topic| topic.position).collect();
            let queues = inputs.iter().map(|_| VecDeque::new()).collect();
            let flows = vec![Flow::Read; inputs.len()];
            let from = Vec::clone(&start);
            opened.insert(*lane, LaneReplay { runs: runs.clone(), read: 0, start, from, queues, flows });
        }
        let lane_count = archive.lane_count();
        let (dir, captured, keep, shares) = (dir.clone(), Arc::default(), Keep::default(), SharesInMemory::default());
        Ok(Self {
            dir,
            inputs,
            lanes: opened,
            lane_count,
            captured,
            keep,
            shares,
            checkpoints: None,
            is_alone: false,
            assigned: false,
            exhausted: false,
        })
    }

    /// Lets input and reference alone decide which ticks close, and what they know.
    pub fn without_journal(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// Keeps this of what the replay commits.
    pub fn keeping(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Keeps how far the replay is in `folder`, and goes on from what an earlier one of the same archive and pipeline kept
    /// there. Says how many events and ticks that one had done.
    pub fn resuming(mut self, folder: &Path, spec: &PipelineSpec) -> Result<(Self, u64, u64)> {
        let (checkpoints, captured) = Checkpoints::open(folder, &self.dir, spec)?;
        let (mut events, mut ticks) = (0, 0);
        for (lane, kept) in &captured.lanes {
            for ((tier, end), bytes) in &kept.state.panes {
                if *tier == Tier::Shared {
                    self.shares.push(*lane, StoredPane { end: *end, bytes: bytes.clone() });
                }
            }
            let former = Former::read(*lane, kept.state.head.clone()).map_err(|error| Error::file(folder, error))?;
            let Some(newest) = former.as_ref().map(Former::record) else { continue };
            events += newest.counts.iter().map(|counts| counts.read - counts.rejects).sum::<u64>();
            ticks += newest.sequence;
        }
        self.captured = Arc::new(Mutex::new(captured));
        (self.checkpoints, self.keep) = (Some(checkpoints), Keep::Both);
        Ok((self, events, ticks))
    }

    /// Removes what was kept of how far the replay is: it has come to its end.
    pub fn forget(&self) -> Result<()> {
        self.checkpoints.as_ref().map_or(Ok(()), Checkpoints::remove)
    }

    /// The lanes that are replayed.
    pub fn lanes(&self) -> Vec<LaneId> {
        self.lanes.keys().copied().collect()
    }

    /// Takes what the replay has committed so far.
    pub fn take_captured(&self) -> Captured {
        std::mem::take(&mut *self.captured.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lane(&mut self, lane: LaneId) -> std::result::Result<&mut LaneReplay, PortError> {
        let absent = || PortError::Invalid(format!("the archive holds nothing of lane {lane}"));
        self.lanes.get_mut(&lane).ok_or_else(absent)
    }
}

impl LaneReplay {
    /// Reads runs until every topic that is read has something to hand over, or nothing is left.
    fn fill(&mut self, dir: &Path, inputs: &[ReplayInput]) -> Result<()> {
        let starved = |lane: &Self| {
            lane.flows.iter().zip(&lane.queues).any(|(flow, queue)| *flow == Flow::Read && queue.is_empty())
        };
        while starved(self) && self.read < self.runs.len() {
            let run = &self.runs[self.read];
            let end = read::end_record(dir, run)?;
            let ends: Vec<_> = end.topics.iter().map(|topic| topic.position).collect();
            self.read += 1;
            if ends.iter().zip(&self.from).all(|(end, from)| end <= from) {
                continue;
            }
            let chunks = read::inputs(dir, run, inputs, &ends)?;
            for ((queue, chunks), from) in self.queues.iter_mut().zip(chunks).zip(&self.from) {
                queue.extend(chunks.into_iter().filter_map(|chunk| read::rest(chunk, *from)));
            }
        }
        Ok(())
    }

    /// The next chunk of each topic that is read. When only topics on hold are left and no tick is `due`, nothing can
    /// wait for the others any more, and they are handed over as well.
    fn next(&mut self, lane: LaneId, due: bool) -> Vec<Wake> {
        let readable = |(flow, queue): (&Flow, &VecDeque<Decoded>)| *flow == Flow::Read && !queue.is_empty();
        let any = self.flows.iter().zip(&self.queues).any(readable);
        let mut wakes = Vec::new();
        for ((topic, flow), queue) in (0u8..).map(TopicId).zip(&self.flows).zip(&mut self.queues) {
            if *flow == Flow::Read || !(any || due) {
                wakes.extend(queue.pop_front().map(|decoded| Wake::Decoded { lane, topic, decoded }));
            }
        }
        wakes
    }
}

impl Source for ReplaySource {
    fn poll(&mut self, wait: Duration) -> std::result::Result<Vec<Wake>, PortError> {
        if !self.assigned {
            self.assigned = true;
            return Ok(vec![Wake::Assigned(self.lanes())]);
        }
        if let Some(checkpoints) = &mut self.checkpoints {
            // Between two turns, every lane has committed.
            checkpoints.keep(&self.captured.lock().unwrap_or_else(PoisonError::into_inner))?;
        }
        let due = wait.is_zero();
        let mut wakes = Vec::new();
        for (id, lane) in &mut self.lanes {
            lane.fill(&self.dir, &self.inputs)?;
            wakes.extend(lane.next(*id, due));
        }
        if wakes.is_empty() && !due && !self.exhausted {
            self.exhausted = true;
            wakes.push(Wake::Exhausted);
        }
        Ok(wakes)
    }

    fn open(&mut self, lane: LaneId) -> std::result::Result<Box<dyn LaneStore>, PortError> {
        self.lane(lane)?;
        let (captured, shares) = (Arc::clone(&self.captured), self.shares.clone());
        Ok(Box::new(CapturingStore { lane, captured, keep: self.keep, shares }))
    }

    fn log_start(&mut self, lane: LaneId) -> std::result::Result<Vec<Offset>, PortError> {
        Ok(self.lane(lane)?.start.clone())
    }

    fn start(&mut self, lane: LaneId, from: &[Offset]) -> std::result::Result<(), PortError> {
        let lane_replay = self.lane(lane)?;
        let start = &lane_replay.start;
        if from.iter().zip(start).any(|(from, start)| from < start) {
            let problem = format!("lane {lane}: the archive starts at {start:?}, and cannot be read from {from:?}");
            return Err(PortError::Invalid(problem));
        }
        lane_replay.from = from.to_vec();
        Ok(())
    }

    fn set_flow(&mut self, lane: LaneId, topic: TopicId, flow: Flow) -> std::result::Result<(), PortError> {
        if let Some(place) = self.lane(lane)?.flows.get_mut(topic.index()) {
            *place = flow;
        }
        Ok(())
    }

    fn shares(&mut self) -> std::result::Result<Vec<(LaneId, StoredPane)>, PortError> {
        Ok(self.shares.take())
    }

    fn lane_count(&self) -> u32 {
        self.lane_count
    }

    fn at_end(&self, _lane: LaneId, _topic: TopicId) -> Option<Offset> {
        None
    }

    fn journal(&mut self, lane: LaneId) -> std::result::Result<Option<Vec<JournalRecord>>, PortError> {
        if self.is_alone {
            return Ok(None);
        }
        let runs = self.lane(lane)?.runs.clone();
        let mut records = Vec::new();
        for run in &runs {
            records.extend(read::records(&self.dir, run)?);
        }
        Ok(Some(records))
    }

    fn lag(&self, lane: LaneId, topic: TopicId) -> Option<u64> {
        let lane = self.lanes.get(&lane)?;
        let queue = lane.queues.get(topic.index())?;
        (lane.read == lane.runs.len()).then(|| queue.iter().map(|decoded| decoded.part_count as u64).sum())
    }
}
