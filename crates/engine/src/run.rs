//! The main path, top down: what happened, then what follows from it, step by step.
//!
//! One thread of control polls, computes and commits; lanes are computed side by side in between. No transaction is
//! open while the source is polled, so lanes may come and go there. Read next: `worker.rs`, one lane at work.

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
    AHEAD_MAX, AHEAD_RESUME, BROKER_AHEAD_MAX, COMMIT_BUDGET, DEAD_LETTERS_MAX, DEAD_LETTERS_WAIT, OPEN_ROWS_DUE,
    OPEN_ROWS_HOLD, OPEN_ROWS_RESUME, POLL_WAIT, REFERENCE_POLL, SHARES_WARN,
};
use crate::metrics::{Metrics, Stage};
use crate::ports::{Flow, LaneId, PortError, ReferenceFeed, Source, Wake};
use crate::progress::Progress;
use crate::spec::PipelineSpec;
use crate::stopwatch::Stopwatch;
use crate::troubles::Troubles;
use crate::when::{when, when_if_any};
use crate::worker::{Known, Waits, Worker};

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

    // ---- lanes that come and go

    /// Opens a lane. What passes is tried again later; nothing of the lane is held meanwhile.
    fn take_up(&mut self, lane: LaneId, now: Timestamp) -> Result<()> {
        match self.opened(lane, now) {
            Ok(owned) => {
                self.metrics.assigned(1);
                self.lanes.insert(lane, owned);
                Ok(())
            }
            Err(Error::Port(error)) => self.lost(lane, error),
            Err(error) => Err(error),
        }
    }

    fn opened(&mut self, lane: LaneId, now: Timestamp) -> Result<Owned> {
        let watch = Stopwatch::start();
        let genesis = self.genesis()?;
        let store = self.source.open(lane)?;
        let start = self.source.log_start(lane)?;
        let (guide, lanes) = (self.source.journal(lane)?, self.source.lane_count());
        let is_live = guide.is_none();
        if self.shared.is_none() {
            self.shared = Some(SharedFacts::new(self.spec.program(), self.spec.digests(), lanes)?);
        }
        let worker = Worker::open(lane, self.spec, &self.keys, store, lanes, &start, genesis, guide)?;
        if is_live {
            check_reference(lane, &worker, &crate::reference_rows::pins(self.feed.ends()?)?)?;
            self.check_whole(lane, &worker)?;
        }
        self.shared.iter_mut().for_each(|shared| shared.keep(worker.named_days()));
        self.source.start(lane, &worker.resume())?;
        let tick = when_if_any(worker.lane().last_tick());
        tracing::info!(lane = lane.0, ms = watch.millis(), tick, "lane taken up");
        let topics = self.spec.inputs().len();
        let (quiet, flows) = (Quiet::new(topics), vec![Flow::Read; topics]);
        let (blocked_until, waits_for_shares) = (None, None);
        let committed_at = self.last_commits.get(&lane).copied().unwrap_or(now);
        Ok(Owned {
            worker,
            quiet,
            decided: Decided::NONE,
            closed_by_record: false,
            flows,
            committed_at,
            blocked_until,
            waits_for_shares,
            turns: 0,
        })
    }

    /// A lane that is far behind may need rows as they stood before they were replaced and compacted away.
    fn check_whole(&mut self, lane: LaneId, worker: &Worker) -> Result<()> {
        let Some(tick) = worker.lane().last_tick() else { return Ok(()) };
        let whole = self.feed.whole_since()?;
        let Some((kind, partition, row)) = self.reference.appended(worker.lane().genesis(), tick, whole) else {
            return Ok(());
        };
        let (kind, tick, whole) = (kind.name(), when(tick), when(whole));
        if self.compacted_will_do {
            tracing::warn!(lane = lane.0, kind, partition, tick, whole, "goes by a reference that may be compacted");
            return Ok(());
        }
        Err(PortError::Corrupt(format!(
            "reference `{kind}` partition {partition}: lane {lane} stands at {tick}, and what was replaced before {whole}, as \
             the row at offset {row} may have done, can be compacted away: what was known then can no longer be told for \
             certain; --compacted-reference goes on by what is left"
        ))
        .into())
    }

    fn lost(&mut self, lane: LaneId, error: PortError) -> Result<()> {
        let why = self.troubles.note(lane, error)?;
        if let Some(owned) = self.lanes.get(&lane) {
            self.last_commits.insert(lane, owned.committed_at);
        }
        self.give_up(lane, why);
        Ok(())
    }

    fn open_again(&mut self, now: Timestamp) -> Result<()> {
        let due = self.troubles.due(|lane| self.lanes.contains_key(&lane));
        due.into_iter().try_for_each(|lane| self.take_up(lane, now))
    }

    fn give_up(&mut self, lane: LaneId, why: &str) {
        if self.lanes.remove(&lane).is_some() {
            self.metrics.forget(lane, self.spec);
            tracing::info!(lane = lane.0, why, "lane given up");
        }
    }

    /// Where the reference stands at the very first start: read to its end before any lane is taken up.
    fn genesis(&mut self) -> Result<Pins> {
        if self.genesis.is_none() {
            let ends = self.feed.ends()?;
            // Whatever is appended by now: any time at all makes the feed read to its end.
            self.take_reference(Some(Timestamp::from_millis(0)))?;
            self.genesis = Some(crate::reference_rows::pins(ends)?);
        }
        Ok(self.genesis.clone().unwrap_or_default())
    }

    /// Nothing follows: decisions recorded beyond the last record take effect.
    fn exhaust(&mut self) {
        self.exhausted = true;
        for owned in self.lanes.values_mut() {
            for topic in 0..owned.flows.len() {
                owned.worker.lane_mut().reached_end(TopicId(topic as u8), Offset(i64::MAX));
            }
        }
    }

    // ---- what arrived

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

    /// Silent topics stop holding their lane back; decided by the clock, and therefore recorded.
    fn decide_idle(&mut self, now: Timestamp) {
        for (lane, owned) in &mut self.lanes {
            let before = owned.worker.lane().watermark();
            for (topic, input) in (0u8..).map(TopicId).zip(self.spec.inputs()) {
                let watermark = owned.worker.lane().walker(topic).watermark();
                owned.quiet.listen(topic, watermark, self.source.answers(*lane, topic), now);
                let Some(end) = self.source.at_end(*lane, topic) else { continue };
                owned.worker.lane_mut().reached_end(topic, end);
                if let Some(broker) = owned.quiet.idle(topic, self.spec.idle_after(), now, self.broker) {
                    let value = broker - self.spec.idle_after() - input.lateness;
                    if owned.worker.lane_mut().decide_idle(topic, end, value) {
                        self.metrics.idle_decision(&input.topic);
                    }
                }
            }
            owned.decided.raised(before, owned.worker.lane().watermark());
        }
    }

    /// Reads the reference on; as far as a lane that waits for it needs.
    fn read_reference(&mut self, now: Timestamp) -> Result<()> {
        let known = known(self.feed, &self.shared);
        let mut wanted = None;
        for owned in self.lanes.values_mut() {
            owned.blocked_until = match owned.worker.next_tick(known) {
                Err(Waits::ForReference(through)) => Some(through),
                _ => None,
            };
            // Everything appended by now is as cheap to wait for as what one tick needs.
            let broker = owned.quiet.broker.at(now);
            wanted = wanted.max(owned.blocked_until.map(|due| broker.unwrap_or(due).max(due)));
        }
        if wanted.is_some() || now - self.reference_asked >= REFERENCE_POLL {
            self.reference_asked = now;
            self.take_reference(wanted)?;
        }
        Ok(())
    }

    fn take_reference(&mut self, through: Option<Timestamp>) -> Result<()> {
        let now = self.clock.now();
        let latest = self.latest();
        for row in self.feed.poll(through)? {
            self.broker.saw(std::iter::once(row.append_time), latest, now);
            if let Err(problem) = crate::reference_rows::apply(&mut self.reference, &row, &self.keys) {
                self.metrics.reference_reject(row.kind);
                tracing::warn!(
                    kind = row.kind,
                    partition = row.partition,
                    offset = row.offset.0,
                    %problem,
                    "reference row passed over"
                );
            }
        }
        Ok(())
    }

    /// Takes what lanes, here and elsewhere, have told all others.
    fn read_shares(&mut self, now: Timestamp) -> Result<()> {
        self.wait_for_shares(now);
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let told = self.source.shares()?;
        for (lane, share) in &told {
            shared.take(lane.0, share.end, &share.bytes)?;
            // A day that has ended somewhere has ended for the broker: where all lanes are empty, nothing else tells the time.
            self.broker.is_past(share.end, now);
        }
        if !told.is_empty() {
            self.metrics.shares_held(shared.byte_count());
        }
        Ok(())
    }

    /// Notes which lanes wait for what others share, and since when; says so when that was long ago.
    fn wait_for_shares(&mut self, now: Timestamp) {
        let known = known(self.feed, &self.shared);
        for (lane, owned) in &mut self.lanes {
            let Err(Waits::ForShares(day)) = owned.worker.next_tick(known) else {
                owned.waits_for_shares = None;
                continue;
            };
            let waits = owned.waits_for_shares.filter(|waits| waits.day == day);
            let waits = owned.waits_for_shares.insert(waits.unwrap_or(WaitsForShares { day, since: now, told: false }));
            let silent = || known.shared.map(|shared| shared.silent(day)).unwrap_or_default();
            let waited = now - waits.since;
            if waited >= SHARES_WARN && !std::mem::replace(&mut waits.told, true) {
                let (day_end, silent) = (when(day), silent());
                tracing::warn!(lane = lane.0, day_end, ?silent, "waits for what lanes share that are behind or down");
            }
            if self.shares_timeout.is_some_and(|timeout| waited >= timeout) && owned.worker.settle(known) {
                let (day_end, silent) = (when(day), silent());
                tracing::warn!(lane = lane.0, day_end, ?silent, "goes by what lanes shared earlier");
            }
        }
    }

    // ---- ticks

    /// Closes what is due in every lane, as much as fits one commit, and commits it.
    fn close_ticks(&mut self, now: Timestamp) -> Result<()> {
        let known = known(self.feed, &self.shared);
        let reference = &self.reference;
        let timer = self.metrics.time(Stage::Ticks);
        let work: Vec<_> = self.lanes.iter_mut().collect();
        let failed = self.crew.each(work, |(lane, owned)| match close_and_commit(owned, reference, known, now) {
            Err(Error::Port(error)) => Ok(Some((*lane, error))),
            other => other.map(|()| None),
        })?;
        drop(timer);
        failed.into_iter().flatten().try_for_each(|(lane, error)| self.lost(lane, error))
    }

    /// Rejects and late records leave although no tick closes.
    fn commit_letters(&mut self, now: Timestamp) -> Result<()> {
        let mut failed = Vec::new();
        for (lane, owned) in &mut self.lanes {
            let waiting = owned.worker.waiting_letters();
            let waited = now - owned.committed_at;
            if waiting >= DEAD_LETTERS_MAX || (waiting > 0 && waited >= DEAD_LETTERS_WAIT) {
                match owned.worker.commit_without_tick() {
                    Err(Error::Port(error)) => failed.push((*lane, error)),
                    other => {
                        other?;
                        owned.committed_at = now;
                    }
                }
            }
        }
        failed.into_iter().try_for_each(|(lane, error)| self.lost(lane, error))
    }

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

/// A lane knows how far it has read the reference: where that ends earlier by now, other rows stand at its offsets.
fn check_reference(lane: LaneId, worker: &Worker, ends: &Pins) -> Result<()> {
    let last = worker.last_record().and_then(|record| record.pins.as_ref());
    let known = last.into_iter().chain([worker.lane().genesis()]).flat_map(Pins::iter);
    let Some((kind, partition, pin)) =
        known.into_iter().find(|(kind, partition, pin)| ends.get(*kind, *partition) < *pin)
    else {
        return Ok(());
    };
    let end = ends.get(kind, partition);
    Err(PortError::Corrupt(format!(
        "reference `{}` partition {partition}: lane {lane} has read it to offset {pin}, and it ends at {end}: the topic was cut \
         or created anew, and what was known when can no longer be told; begin anew under another `state_prefix`",
        kind.name()
    ))
    .into())
}

fn close_and_commit(owned: &mut Owned, reference: &Reference, known: Known<'_>, now: Timestamp) -> Result<()> {
    let watch = Stopwatch::start();
    while let Ok(Some(due)) = owned.worker.next_tick(known) {
        if !owned.worker.close(due, reference, known)? {
            break;
        }
        owned.closed_by_record |= !owned.decided.holds(due);
        if owned.worker.is_full() || watch.elapsed() >= COMMIT_BUDGET {
            break;
        }
    }
    if owned.worker.has_open() {
        owned.worker.commit()?;
        owned.committed_at = now;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
