//! Lanes that come and go: taken up, lost, opened again, given up.
//!
//! A lane is taken up only where what it knows still stands: its state, its journal, and the reference it has read.

use base::{Millis, Timestamp};
use events::TopicId;
use features::SharedFacts;
use reference::Pins;

use super::{Engine, Owned};
use crate::error::{Error, Result};
use crate::idle::{Decided, Quiet};
use crate::ports::{Flow, LaneId, PortError};
use crate::stopwatch::Stopwatch;
use crate::when::{when, when_if_any};
use crate::worker::Worker;

impl Engine<'_> {
    /// Opens a lane. What passes is tried again later; nothing of the lane is held meanwhile.
    pub(super) fn take_up(&mut self, lane: LaneId, now: Timestamp) -> Result<()> {
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
        self.source.reaches(lane, &worker.positions())?;
        self.source.start(lane, &worker.resume())?;
        if is_live {
            self.is_past(&worker, now);
        }
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

    /// What a topic of a lane has passed, the broker's time has passed too: no lateness is below the clocks' skew. A lane
    /// that was silent before a restart, and still is, hears of no other time.
    fn is_past(&mut self, worker: &Worker, now: Timestamp) {
        let topics = (0u8..).map(TopicId).take(self.spec.inputs().len());
        let passed = topics.map(|topic| worker.lane().walker(topic).watermark()).max();
        let latest = self.latest();
        if let Some(passed) = passed.filter(|passed| (Timestamp::MIN + Millis(1)..=latest).contains(passed)) {
            self.broker.is_past(passed, now);
        }
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

    pub(super) fn lost(&mut self, lane: LaneId, error: PortError) -> Result<()> {
        let why = self.troubles.note(lane, error)?;
        if let Some(owned) = self.lanes.get(&lane) {
            self.last_commits.insert(lane, owned.committed_at);
        }
        self.give_up(lane, why);
        Ok(())
    }

    pub(super) fn open_again(&mut self, now: Timestamp) -> Result<()> {
        let due = self.troubles.due(|lane| self.lanes.contains_key(&lane));
        due.into_iter().try_for_each(|lane| self.take_up(lane, now))
    }

    pub(super) fn give_up(&mut self, lane: LaneId, why: &str) {
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
