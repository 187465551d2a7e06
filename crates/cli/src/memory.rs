//! A simulated hospital behind the engine's ports, without a broker: records in, nothing stored but what is recorded.
//!
//! It hands out one hour at a time and waits until the engine has closed what it could. Topics, lanes and append
//! times are those of a broker whose clock is the hospital's. Read next: `recorder.rs`, which keeps the results.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Clock, Millis, Timestamp};
use engine::PipelineSpec;
use engine::ports::{
    Flow, LaneId, LaneStore, PortError, ReferenceFeed, ReferenceRecord, SharesInMemory, Source, StoredPane, Tier,
    Transaction, Wake,
};
use events::{Format, Offset, Record, Records, TopicId};
use hospital::{Hospital, Item, ReferenceRow, Stream};

use crate::recorder::Recorder;
use crate::report::Failure;
use crate::town::TruthFiles;

/// A clock that stands still: nothing may depend on the machine's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn time_of_day(&self) -> Option<Timestamp> {
        None
    }
}

/// Which input topic carries which stream of a hospital; formats other than native are refused.
pub(crate) fn topics(spec: &PipelineSpec) -> anyhow::Result<BTreeMap<Stream, TopicId>> {
    let mut topics = BTreeMap::new();
    for (id, input) in (0u8..).map(TopicId).zip(spec.inputs()) {
        let stream = match input.stream {
            events::schema::Stream::Access => Stream::Access,
            events::schema::Stream::Auth => Stream::Auth,
        };
        if input.format != Format::Native {
            let what = format!(
                "input `{}` is not in the native format, which is all a simulated hospital speaks",
                input.topic
            );
            return Err(Failure::invalid(what).hint("give a pipeline whose inputs are `native`").into());
        }
        topics.entry(stream).or_insert(id);
    }
    Ok(topics)
}

/// The hospital as it is being played.
pub(crate) struct Play {
    hospital: Hospital,
    truth: TruthFiles,
    topics: BTreeMap<Stream, TopicId>,
    lanes: u32,
    assigned: bool,
    /// Everything before it is out.
    released: Timestamp,
    over: bool,
    day: VecDeque<Item>,
    day_rows: VecDeque<ReferenceRow>,
    queues: BTreeMap<(u32, TopicId), VecDeque<Item>>,
    offsets: BTreeMap<(u32, TopicId), i64>,
    held: BTreeSet<(u32, TopicId)>,
    rows: VecDeque<ReferenceRecord>,
    row_offsets: BTreeMap<&'static str, i64>,
    delivered: Timestamp,
    /// Days played, events handed out.
    pub(crate) progress: (u32, u64),
}

impl Play {
    pub(crate) fn new(
        hospital: Hospital,
        start: Timestamp,
        topics: BTreeMap<Stream, TopicId>,
        lanes: u32,
        truth: TruthFiles,
    ) -> Rc<RefCell<Self>> {
        let initial = hospital.reference();
        let mut play = Self {
            hospital,
            truth,
            topics,
            lanes,
            assigned: false,
            released: start,
            over: false,
            day: VecDeque::new(),
            day_rows: VecDeque::new(),
            queues: BTreeMap::new(),
            offsets: BTreeMap::new(),
            held: BTreeSet::new(),
            rows: VecDeque::new(),
            row_offsets: ["staff", "patients", "relations"].map(|kind| (kind, 0)).into(),
            delivered: start,
            progress: (0, 0),
        };
        initial.into_iter().for_each(|row| play.tell(row));
        Rc::new(RefCell::new(play))
    }

    /// Writes what only the whole stream shows.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.truth.finish(&self.hospital)
    }

    fn tell(&mut self, row: ReferenceRow) {
        let Some(next) = self.row_offsets.get_mut(row.kind) else { return };
        let offset = Offset(*next);
        *next += 1;
        let value = Some(row.json);
        self.rows.push_back(ReferenceRecord { kind: row.kind, partition: 0, offset, append_time: row.time, value });
    }

    /// Makes one more hour available.
    fn release(&mut self) -> anyhow::Result<()> {
        while self.day.is_empty() && self.day_rows.is_empty() && !self.over {
            let Some(day) = self.hospital.next_day() else {
                self.over = true;
                return Ok(());
            };
            self.truth.add(&day.truth)?;
            self.progress.0 += 1;
            self.day = day.items.into();
            self.day_rows = day.reference.into();
        }
        self.released = self.released + Millis::hours(1);
        while self.day_rows.front().is_some_and(|row| row.time < self.released) {
            let Some(row) = self.day_rows.pop_front() else { break };
            self.tell(row);
        }
        while self.day.front().is_some_and(|item| item.time < self.released) {
            let Some(item) = self.day.pop_front() else { break };
            if let Some(topic) = self.topics.get(&item.stream) {
                self.progress.1 += 1;
                let lane = kafka::partition_of(item.user.as_bytes(), self.lanes);
                self.queues.entry((lane, *topic)).or_default().push_back(item);
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Vec<Wake> {
        let mut wakes = Vec::new();
        for (place, queue) in &mut self.queues {
            if queue.is_empty() || (self.held.contains(place) && !self.over) {
                continue;
            }
            let mut records = Records::default();
            let next = self.offsets.entry(*place).or_default();
            for item in queue.drain(..) {
                records.push(Record {
                    offset: Offset(*next),
                    append_time: item.time,
                    key: Some(item.user.as_bytes()),
                    value: Some(&item.json),
                    headers: &[],
                });
                *next += 1;
            }
            wakes.push(Wake::Records { lane: LaneId(place.0), topic: place.1, records });
        }
        wakes
    }
}

/// Where the engine reads events.
pub(crate) struct MemorySource {
    play: Rc<RefCell<Play>>,
    recorders: BTreeMap<LaneId, Arc<Mutex<Recorder>>>,
    shares: SharesInMemory,
}

impl MemorySource {
    pub(crate) fn new(play: Rc<RefCell<Play>>, recorders: Vec<Arc<Mutex<Recorder>>>) -> Self {
        let recorders = (0u32..).map(LaneId).zip(recorders).collect();
        Self { play, recorders, shares: SharesInMemory::default() }
    }
}

impl Source for MemorySource {
    fn poll(&mut self, wait: Duration) -> Result<Vec<Wake>, PortError> {
        let mut play = self.play.borrow_mut();
        if !std::mem::replace(&mut play.assigned, true) {
            return Ok(vec![Wake::Assigned(self.recorders.keys().copied().collect())]);
        }
        if wait.is_zero() {
            // Ticks are due: time stands still until they are closed.
            return Ok(Vec::new());
        }
        let mut wakes = play.take();
        if wakes.is_empty() {
            play.release().map_err(|error| PortError::Unavailable(format!("the simulated hospital: {error:#}")))?;
            wakes = play.take();
        }
        if wakes.is_empty() && play.over {
            wakes.push(Wake::Exhausted);
        }
        Ok(wakes)
    }

    fn open(&mut self, lane: LaneId) -> Result<Box<dyn LaneStore>, PortError> {
        let recorder = self.recorders.get(&lane).ok_or(PortError::Fenced(lane))?;
        let (recorder, shares) = (Arc::clone(recorder), self.shares.clone());
        Ok(Box::new(MemoryStore { lane, recorder, shares }))
    }

    fn log_start(&mut self, _lane: LaneId) -> Result<Vec<Offset>, PortError> {
        let topics = self.play.borrow().topics.values().map(|topic| topic.index() + 1).max().unwrap_or(0);
        Ok(vec![Offset(0); topics])
    }

    fn start(&mut self, _lane: LaneId, _from: &[Offset]) -> Result<(), PortError> {
        Ok(())
    }

    fn set_flow(&mut self, lane: LaneId, topic: TopicId, flow: Flow) -> Result<(), PortError> {
        let held = &mut self.play.borrow_mut().held;
        match flow {
            Flow::Hold => held.insert((lane.0, topic)),
            Flow::Read => held.remove(&(lane.0, topic)),
        };
        Ok(())
    }

    fn at_end(&self, _lane: LaneId, _topic: TopicId) -> Option<Offset> {
        None
    }

    fn shares(&mut self) -> Result<Vec<(LaneId, StoredPane)>, PortError> {
        Ok(self.shares.take())
    }

    fn lane_count(&self) -> u32 {
        self.recorders.len() as u32
    }

    fn lag(&self, lane: LaneId, topic: TopicId) -> Option<u64> {
        self.play.borrow().queues.get(&(lane.0, topic)).map(|queue| queue.len() as u64)
    }
}

/// Where the engine reads reference rows.
pub(crate) struct MemoryFeed(pub(crate) Rc<RefCell<Play>>);

impl ReferenceFeed for MemoryFeed {
    fn poll(&mut self, _through: Option<Timestamp>) -> Result<Vec<ReferenceRecord>, PortError> {
        let mut play = self.0.borrow_mut();
        play.delivered = play.released;
        Ok(std::mem::take(&mut play.rows).into())
    }

    fn known_through(&self) -> Timestamp {
        self.0.borrow().delivered
    }

    fn ends(&mut self) -> Result<Vec<(&'static str, u32, Offset)>, PortError> {
        Ok(self.0.borrow().row_offsets.iter().map(|(kind, end)| (*kind, 0, Offset(*end))).collect())
    }
}

/// Keeps results, findings and what lanes tell each other; other panes and heads are for restarts, and there is none.
struct MemoryStore {
    lane: LaneId,
    shares: SharesInMemory,
    recorder: Arc<Mutex<Recorder>>,
}

impl LaneStore for MemoryStore {
    fn head(&mut self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, PortError> {
        Ok(BTreeMap::new())
    }

    fn panes(&mut self, _tier: Tier, _first: Timestamp) -> Result<Vec<StoredPane>, PortError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, transaction: Transaction) -> Result<(), PortError> {
        self.shares.keep(self.lane, &transaction);
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is stored that the lane could go on from: opened again, it would record a house with a hole.
        recorder.keep(&transaction).map_err(|error| {
            let told = PortError::Invalid(format!("what is recorded cannot be kept: {error:#}"));
            recorder.failure = Some(error);
            told
        })
    }

    fn trim(&mut self, _tier: Tier, _first: Timestamp) -> Result<(), PortError> {
        Ok(())
    }
}
