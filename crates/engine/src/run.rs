//! The main path, top down: what happened, then what follows from it, step by step.
//!
//! One thread of control polls, computes and commits; lanes are computed side by side in between. No transaction is
//! open while the source is polled, so lanes may come and go there. Read next: `run/lanes.rs` (how they do),
//! `run/awaited.rs` (what they wait for), `run/ticks.rs` (what is closed and committed), `worker.rs` (one lane at
//! work).

mod awaited;
mod lanes;
mod ticks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::{Clock, Millis, Timestamp};
use events::{Offset, PseudonymKeys, TopicId};
use features::SharedFacts;
use reference::{Pins, Reference};

use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::idle::{BrokerTime, Decided, Quiet};
use crate::limits::{
    AHEAD_MAX, AHEAD_RESUME, BROKER_AHEAD_MAX, OPEN_ROWS_DUE, OPEN_ROWS_HOLD, OPEN_ROWS_RESUME, POLL_WAIT,
};
use crate::metrics::{Metrics, Stage};
use crate::ports::{Flow, LaneId, ReferenceFeed, Source, Wake};
use crate::progress::Progress;
use crate::spec::PipelineSpec;
use crate::troubles::Troubles;
use crate::when::when;
use crate::worker::{Known, Worker};

/// The main path of one process.
pub struct Engine<'a> {
    spec: &'a PipelineSpec,
    keys: Arc<PseudonymKeys>,
    source: &'a mut dyn Source,
    feed: &'a mut dyn ReferenceFeed,
    clock: &'a dyn Clock,
    metrics: &'a Metrics,
    progress: &'a Progress,
    lanes: BTreeMap<LaneId, Owned>,
    /// When lanes that were lost here and given to nobody else had last committed.
    last_commits: BTreeMap<LaneId, Timestamp>,
    reference: Reference,
    /// Where the reference stood when it was first read to its end here.
    genesis: Option<Pins>,
    reference_asked: Timestamp,
    /// What lanes here and elsewhere have told all others; there once a lane is ours.
    shared: Option<SharedFacts>,
    /// How long a lane waits for what others share before it goes by what they shared earlier; for ever, if absent.
    shares_timeout: Option<Millis>,
    /// Lanes that are far behind go by what compaction has left of the reference.
    compacted_will_do: bool,
    /// By all lanes and the reference.
    broker: BrokerTime,
    /// It has been said that records come from the future.
    told_ahead: bool,
    exhausted: bool,
    troubles: Troubles,
    crew: Crew,
}

/// A lane of ours.
struct Owned {
    worker: Worker,
    quiet: Quiet,
    decided: Decided,
    /// A record has closed a tick since the last report.
    closed_by_record: bool,
    flows: Vec<Flow>,
    /// When it last committed in this process, however often it was opened since; else when it was opened.
    committed_at: Timestamp,
    blocked_until: Option<Timestamp>,
    waits_for_shares: Option<WaitsForShares>,
    turns: u32,
}

/// A lane waits until all lanes have told what they share of a day.
#[derive(Clone, Copy)]
struct WaitsForShares {
    /// The day's end.
    day: Timestamp,
    since: Timestamp,
    /// It has been said.
    told: bool,
}

/// What is known of what lanes do not own.
fn known<'s>(feed: &dyn ReferenceFeed, shared: &'s Option<SharedFacts>) -> Known<'s> {
    Known { reference_through: feed.known_through(), shared: shared.as_ref() }
}

impl<'a> Engine<'a> {
    /// An engine over a checked pipeline and the ports it runs on.
    pub fn new(
        spec: &'a PipelineSpec,
        keys: Arc<PseudonymKeys>,
        source: &'a mut dyn Source,
        feed: &'a mut dyn ReferenceFeed,
        clock: &'a dyn Clock,
        metrics: &'a Metrics,
        progress: &'a Progress,
    ) -> Self {
        Self {
            spec,
            keys,
            source,
            feed,
            clock,
            metrics,
            progress,
            lanes: BTreeMap::new(),
            last_commits: BTreeMap::new(),
            reference: Reference::new(spec.program().zone().clone()),
            genesis: None,
            reference_asked: Timestamp::MIN,
            shared: None,
            shares_timeout: None,
            compacted_will_do: false,
            broker: BrokerTime::default(),
            told_ahead: false,
            exhausted: false,
            troubles: Troubles::default(),
            crew: Crew::new(),
        }
    }

    /// Lets a lane that has waited so long for what others share go by what they shared earlier; the journal names that day.
    /// Otherwise it waits for ever.
    pub fn with_shares_timeout(self, timeout: Option<Millis>) -> Self {
        Self { shares_timeout: timeout, ..self }
    }

    /// Lets a lane go on that is so far behind that the reference it needs may have been compacted.
    pub fn with_compacted_reference(self, will_do: bool) -> Self {
        Self { compacted_will_do: will_do, ..self }
    }

    /// Runs until `stop` is set or a replay is exhausted. What was closed is committed; what event time has not
    /// closed stays for the next start.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<()> {
        self.metrics.lanes(self.lanes.len(), self.source.lane_count());
        while !self.may_stop(stop) && (!self.exhausted || self.has_ticks()) {
            self.step()?;
        }
        for (lane, waits) in self.lanes.iter().filter_map(|(lane, owned)| Some((lane, owned.waits_for_shares?))) {
            let silent = self.shared.as_ref().map(|shared| shared.silent(waits.day)).unwrap_or_default();
            let day_end = when(waits.day);
            tracing::warn!(lane = lane.0, day_end, ?silent, "ends while it waits for what lanes share");
        }
        self.troubles.none_waits(|lane| self.lanes.contains_key(&lane))
    }

    /// One turn: read, walk, decide, close, commit, pace.
    pub fn step(&mut self) -> Result<()> {
        let busy = self.has_ticks();
        let wakes = self.source.poll(if busy { Duration::ZERO } else { POLL_WAIT })?;
        let now = self.clock.now();
        let mut arrived: BTreeMap<LaneId, Vec<Wake>> = BTreeMap::new();
        let mut assigned = BTreeSet::new();
        let mut ends = false;
        for wake in wakes {
            match wake {
                Wake::Assigned(lanes) => assigned.extend(lanes),
                Wake::Revoked(lanes) => {
                    for lane in lanes {
                        assigned.remove(&lane);
                        self.troubles.over(lane);
                        self.give_up(lane, "given to another consumer");
                        if self.last_commits.remove(&lane).is_some() {
                            self.metrics.forget(lane, self.spec);
                        }
                    }
                }
                Wake::Records { lane, .. } | Wake::Decoded { lane, .. } => {
                    arrived.entry(lane).or_default().push(wake);
                }
                Wake::Exhausted => ends = true,
            }
        }
        // What was read so far is for those who were here: whoever takes a lane up again begins at another offset.
        self.walk(arrived, now);
        assigned.into_iter().try_for_each(|lane| self.take_up(lane, now))?;
        self.open_again(now)?;
        if ends {
            self.exhaust();
        }
        self.decide_idle(now);
        self.read_reference(now)?;
        self.close_ticks(now)?;
        self.commit_letters(now)?;
        self.read_shares(now)?;
        self.pace()?;
        self.report(now);
        Ok(())
    }

    fn may_stop(&mut self, stop: &AtomicBool) -> bool {
        stop.load(Ordering::Relaxed) && self.troubles.may_stop(|lane| self.lanes.contains_key(&lane))
    }

    fn has_ticks(&mut self) -> bool {
        let known = known(self.feed, &self.shared);
        self.lanes.values_mut().any(|owned| matches!(owned.worker.next_tick(known), Ok(Some(_))))
    }

    // ---- what arrived

    /// Nothing follows: decisions recorded beyond the last record take effect.
    fn exhaust(&mut self) {
        self.exhausted = true;
        for owned in self.lanes.values_mut() {
            for topic in 0..owned.flows.len() {
                owned.worker.lane_mut().reached_end(TopicId(topic as u8), Offset(i64::MAX));
            }
        }
    }

    fn walk(&mut self, arrived: BTreeMap<LaneId, Vec<Wake>>, now: Timestamp) {
        let latest = self.latest();
        let mut work: Vec<(&mut Owned, Vec<Wake>)> = Vec::new();
        let mut arrived = arrived;
        for (lane, owned) in &mut self.lanes {
            if let Some(wakes) = arrived.remove(lane) {
                work.push((owned, wakes));
            }
        }
        let _timer = self.metrics.time(Stage::Decode);
        self.crew
            .each(work, |(owned, wakes)| {
                for wake in wakes {
                    match wake {
                        Wake::Records { topic, records, .. } => {
                            let times = records.iter().map(|record| record.append_time);
                            owned.quiet.is_ahead |= owned.quiet.broker.saw(times, latest, now);
                            owned.worker.take(topic, &records);
                        }
                        Wake::Decoded { topic, decoded, .. } => owned.worker.offer(topic, decoded, None),
                        Wake::Assigned(_) | Wake::Revoked(_) | Wake::Exhausted => {}
                    }
                }
                Ok(())
            })
            .unwrap_or_else(|error: Error| unreachable!("walking cannot fail: {error}"));
        self.lanes.values().for_each(|owned| self.broker.learn(owned.quiet.broker));
        let ahead = self.lanes.iter().find(|(_, owned)| owned.quiet.is_ahead).map(|(lane, _)| lane.0);
        if let (Some(lane), false) = (ahead, self.told_ahead) {
            self.told_ahead = true;
            tracing::warn!(
                lane,
                "records were appended later than it is here: this machine's clock is behind, or a producer's is ahead; silence \
                 is not judged by them"
            );
        }
    }

    /// The latest time of a broker that is believed.
    fn latest(&self) -> Timestamp {
        self.clock.time_of_day().map_or(Timestamp::MAX, |now| now + BROKER_AHEAD_MAX)
    }

    /// Silent topics stop holding their lane back; decided by the clock, and therefore recorded. Those that are over keep up
    /// with the others.
    fn decide_idle(&mut self, now: Timestamp) {
        let topics = || (0u8..).map(TopicId).zip(self.spec.inputs());
        for (lane, owned) in &mut self.lanes {
            let before = owned.worker.lane().watermark();
            let newest = topics().map(|(topic, _)| owned.worker.lane().walker(topic).watermark()).max();
            for (topic, input) in topics() {
                let watermark = owned.worker.lane().walker(topic).watermark();
                owned.quiet.listen(topic, watermark, self.source.answers(*lane, topic), now);
                let Some(end) = self.source.at_end(*lane, topic) else { continue };
                owned.worker.lane_mut().reached_end(topic, end);
                let silent = owned.quiet.idle(topic, self.spec.idle_after(), now, self.broker);
                let decided = if self.source.is_over(*lane, topic) {
                    newest
                } else {
                    silent.map(|broker| broker - self.spec.idle_after() - input.lateness)
                };
                if decided.is_some_and(|value| owned.worker.lane_mut().decide_idle(topic, end, value)) {
                    self.metrics.idle_decision(&input.topic);
                }
            }
            owned.decided.raised(before, owned.worker.lane().watermark());
        }
    }

    // ---- what is held, and what is told

    /// Holds topics that are ahead of the one their lane waits for. That one is never held; only a lane that waits for
    /// none of them, because it has ticks to close first, is held as a whole.
    fn pace(&mut self) -> Result<()> {
        let known = known(self.feed, &self.shared);
        for (lane, owned) in &mut self.lanes {
            let due = !matches!(owned.worker.next_tick(known), Ok(None));
            let walkers = |topic: usize| owned.worker.lane().walker(TopicId(topic as u8));
            let slowest = (0..owned.flows.len()).map(|topic| walkers(topic).watermark()).min();
            let slowest = slowest.unwrap_or(Timestamp::MIN);
            let open: usize = (0..owned.flows.len()).map(|topic| walkers(topic).open_row_count()).sum();
            for topic in 0..owned.flows.len() {
                let ahead = walkers(topic).watermark() - slowest;
                let (ahead_max, due_max) = match owned.flows[topic] {
                    Flow::Read => (AHEAD_MAX, OPEN_ROWS_DUE),
                    Flow::Hold => (AHEAD_RESUME, OPEN_ROWS_RESUME),
                };
                let much = ahead > ahead_max || (ahead > Millis(0) && open > OPEN_ROWS_HOLD) || (due && open > due_max);
                let wanted = if much { Flow::Hold } else { Flow::Read };
                if wanted != owned.flows[topic] {
                    self.source.set_flow(*lane, TopicId(topic as u8), wanted)?;
                    owned.flows[topic] = wanted;
                }
            }
        }
        Ok(())
    }

    fn report(&mut self, now: Timestamp) {
        /// Summing the panes' sizes takes a millisecond: at the first turn and once in so many after it.
        const STATE_BYTES_EVERY: u32 = 100;
        for (lane, owned) in &mut self.lanes {
            let done = std::mem::take(&mut owned.worker.done);
            self.metrics.done(self.spec, &done);
            self.metrics.lane(*lane, self.spec, &owned.worker, owned.quiet.broker.at(now), self.source);
            for (input, events) in self.spec.inputs().iter().zip(&done.events) {
                self.metrics.received(input, *events);
            }
            self.metrics.checkpoint(*lane, now - owned.committed_at);
            let waited = owned.waits_for_shares.map_or(Millis(0), |waits| now - waits.since);
            self.metrics.shares(*lane, waited, owned.worker.lane().shared_in_use());
            if done.ticks > 0 {
                self.troubles.over(*lane);
            }
            if std::mem::take(&mut owned.closed_by_record) {
                self.metrics.committed(owned.quiet.broker.newest().map(|newest| self.clock.now() - newest));
            }
            owned.turns += 1;
            let bytes = (owned.turns % STATE_BYTES_EVERY == 1).then(|| owned.worker.lane().state_bytes());
            self.metrics.ticked(*lane, done.ticks, bytes);
            self.progress.note(*lane, &owned.worker, &done, owned.blocked_until);
        }
        for (lane, committed_at) in self.last_commits.iter().filter(|(lane, _)| !self.lanes.contains_key(*lane)) {
            self.metrics.checkpoint(*lane, now - *committed_at);
        }
        self.metrics.lanes(self.lanes.len(), self.source.lane_count());
        self.progress.lanes(self.lanes.keys().copied().collect());
    }
}

#[cfg(test)]
mod tests;
