//! Watches: lanes of entities that users of all lanes meet, beside the lanes of users.
//!
//! A loop of its own, with a group, state and transactions of its own: a lane of users never waits for it. What comes in
//! is what lanes of users committed, each step once; what goes out is findings about entities. Read next:
//! `watch/worker.rs`, one lane at work; `features::WatchLane`, what a step is.

mod worker;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use events::{Records, TopicId};

use crate::error::{Error, Result};
use crate::limits::POLL_WAIT;
use crate::metrics::Metrics;
use crate::ports::{LaneId, Source, Wake};
use crate::progress::{Progress, WatchProgress};
use crate::spec::PipelineSpec;
use crate::troubles::Troubles;
use crate::when::when_if_any;
use worker::WatchWorker;

/// Stream of a watch's entities among results: `<this><name>`.
pub const STREAM: &str = "watch.";

/// The watches of one process.
pub struct Watcher<'a> {
    spec: &'a PipelineSpec,
    source: &'a mut dyn Source,
    metrics: &'a Metrics,
    progress: &'a Progress,
    lanes: BTreeMap<LaneId, WatchWorker>,
    troubles: Troubles,
    exhausted: bool,
}

impl<'a> Watcher<'a> {
    /// Over a checked pipeline and a source whose topics are those of its watches, in their order.
    pub fn new(
        spec: &'a PipelineSpec,
        source: &'a mut dyn Source,
        metrics: &'a Metrics,
        progress: &'a Progress,
    ) -> Self {
        let (lanes, troubles) = (BTreeMap::new(), Troubles::default());
        Self { spec, source, metrics, progress, lanes, troubles, exhausted: false }
    }

    /// Runs until `stop` is set or a replay is exhausted. What was closed is committed.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<()> {
        let mut goes_on = true;
        while goes_on && !self.may_stop(stop) {
            goes_on = self.turn()? || !self.exhausted;
        }
        self.troubles.none_waits(|lane| self.lanes.contains_key(&lane))
    }

    fn may_stop(&mut self, stop: &AtomicBool) -> bool {
        stop.load(Ordering::Relaxed) && self.troubles.may_stop(|lane| self.lanes.contains_key(&lane))
    }

    /// One turn: read, close what every lane has spoken of, commit. Says whether anything was closed.
    fn turn(&mut self) -> Result<bool> {
        for wake in self.source.poll(POLL_WAIT)? {
            match wake {
                Wake::Assigned(lanes) => lanes.into_iter().try_for_each(|lane| self.take_up(lane))?,
                Wake::Revoked(lanes) => lanes.into_iter().for_each(|lane| {
                    self.troubles.over(lane);
                    self.give_up(lane, "given to another consumer");
                }),
                Wake::Records { lane, topic, records } => self.read(lane, topic, &records)?,
                Wake::Decoded { .. } => {}
                Wake::Exhausted => self.exhausted = true,
            }
        }
        for lane in self.troubles.due(|lane| self.lanes.contains_key(&lane)) {
            self.take_up(lane)?;
        }
        let mut closed = false;
        for lane in self.lanes.keys().copied().collect::<Vec<_>>() {
            closed |= self.close(lane)?;
        }
        Ok(closed)
    }

    fn take_up(&mut self, lane: LaneId) -> Result<()> {
        match self.opened(lane) {
            Ok(worker) => drop(self.lanes.insert(lane, worker)),
            Err(Error::Port(error)) => drop(self.troubles.note(lane, error)?),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn opened(&mut self, lane: LaneId) -> Result<WatchWorker> {
        let store = self.source.open(lane)?;
        let start = self.source.log_start(lane)?;
        let journal = self.source.journal(lane)?;
        let worker = WatchWorker::open(lane, self.spec, store, self.source.lane_count(), &start, journal)?;
        self.source.reaches(lane, &worker.positions())?;
        self.source.start(lane, &worker.resume())?;
        tracing::info!(lane = lane.0, step = when_if_any(worker.last_step()), "lane of watches taken up");
        Ok(worker)
    }

    fn give_up(&mut self, lane: LaneId, why: &str) {
        if self.lanes.remove(&lane).is_some() {
            self.metrics.forget_watch(lane);
            self.progress.forget_watch(lane);
            tracing::info!(lane = lane.0, why, "lane of watches given up");
        }
    }

    fn read(&mut self, lane: LaneId, topic: TopicId, records: &Records) -> Result<()> {
        self.lanes.get_mut(&lane).map_or(Ok(()), |worker| worker.take(topic, records))
    }

    fn close(&mut self, lane: LaneId) -> Result<bool> {
        let Some(worker) = self.lanes.get_mut(&lane) else { return Ok(false) };
        let closed = match worker.close_and_commit() {
            Err(Error::Port(error)) => {
                let why = self.troubles.note(lane, error)?;
                self.give_up(lane, why);
                return Ok(false);
            }
            closed => closed?,
        };
        if closed {
            self.troubles.over(lane);
        }
        if let Some(from) = worker.read_again() {
            tracing::info!(lane = lane.0, "lane of watches reads again what there was no room for");
            self.source.start(lane, &from)?;
        }
        let found = std::mem::take(&mut worker.found);
        let topics = (0u8..).map(TopicId).take(self.spec.watches().len());
        let lag = topics.map(|topic| self.source.lag(lane, topic)).sum();
        let seen = WatchProgress { lag, ..worker.progress() };
        self.metrics.watched(lane, &seen);
        self.metrics.found(self.spec, &found);
        self.progress.watched(lane, seen, &found);
        Ok(closed)
    }
}
