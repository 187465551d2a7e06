//! Second keys: entities that users of all lanes meet, watched in lanes of their own.
//!
//! A lane of users says at the end of every scoring step what its users did with the entities of each watch, split by
//! who watches the entity, also where that is nothing ([`Crossing`]). A [`WatchLane`] closes a step once every lane has
//! spoken of it, and no clock decides anything: what a step holds follows from what lanes said, in whatever order it
//! came. It is a pure state machine like [`Lane`](crate::Lane), and runs the same kind of SQL.
//! Read next: `watch/crossing.rs` (what is said), `watch/entities.rs` (the SQL of entities).

mod crossing;
mod entities;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use base::{Millis, Timestamp};
use events::{Offset, TopicId};
use reference::Pins;

use crate::error::{Error, Result};
use crate::journal::{Counts, Digests, JournalRecord, TierRecord, TopicPosition};
use crate::limits::{WATCH_EMPTY_STEPS_MAX, WATCH_WAITING_ROWS_MAX};
use crate::panes::{ByEnd, Tier, drop_before};
use crate::plan::Program;
use crate::sections;
use crate::sorted::rows_of;
use crate::window::WindowPlans;

pub use crossing::Crossing;
pub(crate) use entities::WatchPlan;

/// What has been said of a step that is not closed.
#[derive(Debug)]
struct Said {
    /// The lowest offset at which anything was said of it.
    first: Offset,
    /// By lane and piece.
    states: BTreeMap<(u32, u32), RecordBatch>,
}

/// One watch in a lane.
#[derive(Debug)]
struct Watched {
    users: WindowPlans,
    entities: WatchPlan,
    size: Millis,
    /// The newest step each lane of users has spoken of.
    marks: Vec<Timestamp>,
    said: BTreeMap<Timestamp, Said>,
    next: Offset,
    panes: ByEnd,
    /// Entities of the step under way, and what users did with them.
    touched: Option<RecordBatch>,
}

impl Watched {
    fn watermark(&self) -> Timestamp {
        self.marks.iter().copied().min().unwrap_or(Timestamp::MIN)
    }

    /// What users did with some entities, whose keys are sorted, within the window.
    fn users_of(&self, entities: &StringArray) -> Result<RecordBatch> {
        let panes: Vec<_> = self.panes.values().cloned().collect();
        self.users.finish(rows_of(&panes, &[entities])?)
    }

    fn close(&mut self, end: Timestamp) -> Result<Option<RecordBatch>> {
        let later = self.said.split_off(&(end + Millis(1)));
        let states: Vec<_> =
            std::mem::replace(&mut self.said, later).into_values().flat_map(|said| said.states).collect();
        drop_before(&mut self.panes, end - self.size + Millis(1));
        self.touched = None;
        if states.is_empty() {
            return Ok(None);
        }
        let pane = self.users.reduce(states.into_iter().map(|(_, states)| states).collect())?;
        self.panes.insert(end, pane.clone());
        let users = self.users_of(pane.column(0).as_string::<i32>())?;
        self.touched = Some(users.clone());
        Ok(Some(self.entities.run(users)?).filter(|rows| rows.num_rows() > 0))
    }
}

/// What the end of a step leaves to be stored.
#[derive(Clone, Debug)]
pub struct WatchOutput {
    /// The journal record; its topics are those of the watches. Absent for a step that refills.
    pub record: Option<JournalRecord>,
    /// The step's pane, where anything happened.
    pub pane: Option<Vec<u8>>,
}

/// The state of one lane of every watch of a pipeline.
#[derive(Debug)]
pub struct WatchLane {
    program: Arc<Program>,
    digests: Digests,
    /// The definitions that are understood here.
    under: String,
    watches: Vec<Watched>,
    last: Option<Timestamp>,
    sequence: u64,
    stored: BTreeSet<Timestamp>,
    /// After an upgrade: the step up to which its windows are filled again, and nothing is told.
    refills_to: Option<Timestamp>,
    /// The first step of which states were left out for want of room: they are read again once steps before it are closed.
    left_out: Option<Timestamp>,
}

impl WatchLane {
    /// A lane that has never run, over so many lanes of users; each watch's topic is read from `start`.
    pub fn new(program: Arc<Program>, digests: Digests, lanes: u32, start: &[Offset]) -> Result<Self> {
        let plans = program.watch_plans()?;
        let watches =
            plans.into_iter().zip(&program.spec.watches).zip(start).map(|(((users, entities), spec), start)| Watched {
                users,
                entities,
                size: spec.size,
                marks: vec![Timestamp::MIN; lanes as usize],
                said: BTreeMap::new(),
                next: *start,
                panes: ByEnd::new(),
                touched: None,
            });
        let (watches, stored) = (watches.collect(), BTreeSet::new());
        let under = digests.told_under();
        let (last, refills_to, left_out) = (None, None, None);
        Ok(Self { program, digests, under, watches, last, sequence: 0, stored, refills_to, left_out })
    }

    /// A lane that goes on where its newest journal record stands, with the panes from the first one needed on.
    pub fn restore(
        program: Arc<Program>,
        digests: Digests,
        lanes: u32,
        record: &JournalRecord,
        panes: &[(Timestamp, Vec<u8>)],
    ) -> Result<Self> {
        let start: Vec<_> = record.topics.iter().map(|topic| topic.resume).collect();
        if program.spec.watches.len() != start.len() {
            let (stored, now) = (start.len(), program.spec.watches.len());
            return Err(Error::State(format!("the journal knows {stored} watches and the pipeline has {now}")));
        }
        let mut lane = Self::new(program, digests, lanes, &start)?;
        lane.sequence = record.sequence + 1;
        if record.carried.is_some() {
            // Lanes repeat what they said within the window under the definitions of now.
            lane.refills_to = record.tick_end;
            return Ok(lane);
        }
        lane.last = record.tick_end;
        for watch in &mut lane.watches {
            // All have spoken of the step that was closed last; what was said of later ones is read again.
            watch.marks.fill(record.tick_end.unwrap_or(Timestamp::MIN));
        }
        for (end, bytes) in panes {
            for (name, batch) in sections::read(bytes)? {
                let place = lane.program.spec.watches.iter().position(|watch| watch.name == name);
                let place = place.ok_or_else(|| Error::State(format!("a pane holds the unknown watch `{name}`")))?;
                lane.watches[place].panes.insert(*end, batch);
            }
            lane.stored.insert(*end);
        }
        if let Some(counted) = record.tiers.get(Tier::Minute.name()) {
            let found = lane.stored.range(counted.first..).count();
            if found != counted.panes {
                let (end, expected) = (counted.first.millis(), counted.panes);
                return Err(Error::MissingPane { tier: Tier::Minute.name(), end, expected, found });
            }
        }
        Ok(lane)
    }

    /// Where to read the topic of each watch from.
    pub fn resume(&self) -> Vec<Offset> {
        let from = |watch: &Watched| watch.said.values().map(|said| said.first).min().unwrap_or(watch.next);
        self.watches.iter().map(from).collect()
    }

    /// How far the topic of each watch has been taken in.
    pub fn positions(&self) -> Vec<Offset> {
        self.watches.iter().map(|watch| watch.next).collect()
    }

    /// Takes what stands at an offset of a watch's topic.
    pub fn take(&mut self, watch: TopicId, crossing: Crossing, offset: Offset) -> Result<()> {
        let watch = &mut self.watches[watch.index()];
        watch.next = Offset(offset.0 + 1);
        let lanes = watch.marks.len();
        let mark = watch.marks.get_mut(crossing.lane as usize).ok_or_else(|| {
            Error::Crossing(format!("offset {offset} is of lane {}, but there are {lanes} lanes", crossing.lane))
        })?;
        // Of a step that is closed, read again; or of other definitions, from before an upgrade.
        if self.last.is_some_and(|last| crossing.end <= last) || crossing.under != self.under {
            return Ok(());
        }
        if crossing.is_last {
            *mark = crossing.end.max(*mark);
        }
        let said = watch.said.entry(crossing.end).or_insert_with(|| Said { first: offset, states: BTreeMap::new() });
        said.first = said.first.min(offset);
        if crossing.piece == 0 {
            // Said once more: what stood there before was as many pieces, or others.
            said.states.retain(|(lane, _), _| *lane != crossing.lane);
        }
        if self.left_out.is_none_or(|first| crossing.end < first) {
            said.states.extend(crossing.states.map(|states| ((crossing.lane, crossing.piece), states)));
            self.make_room();
        }
        Ok(())
    }

    /// While a lane is down, what others say of later steps waits: so much of it in memory, the earliest steps first.
    fn make_room(&mut self) {
        while self.waiting_rows() > WATCH_WAITING_ROWS_MAX {
            let holds = |watch: &Watched, newest: bool| {
                let mut steps = watch.said.iter().filter(|(_, said)| !said.states.is_empty()).map(|(end, _)| *end);
                if newest { steps.next_back() } else { steps.next() }
            };
            let newest = self.watches.iter().filter_map(|watch| holds(watch, true)).max();
            let oldest = self.watches.iter().filter_map(|watch| holds(watch, false)).min();
            // A single step has to fit.
            let Some(newest) = newest.filter(|newest| oldest.is_some_and(|oldest| oldest < *newest)) else { return };
            for said in self.watches.iter_mut().filter_map(|watch| watch.said.get_mut(&newest)) {
                said.states.clear();
            }
            self.left_out = Some(newest);
        }
    }

    fn waiting_rows(&self) -> usize {
        let said = self.watches.iter().flat_map(|watch| watch.said.values());
        said.flat_map(|said| said.states.values()).map(RecordBatch::num_rows).sum()
    }

    /// Where nothing can be closed any more without what was left out: forgets what waits, and says where the topic of
    /// each watch is to be read from again.
    pub fn read_again(&mut self) -> Option<Vec<Offset>> {
        let left_out = self.left_out.filter(|left_out| *left_out <= self.watermark())?;
        let closed_before = self.watches.iter().flat_map(|watch| watch.said.range(..left_out));
        if closed_before.filter(|(_, said)| !said.states.is_empty()).count() > 0 {
            return None;
        }
        let resume = self.resume();
        let mark = self.last.unwrap_or(Timestamp::MIN);
        for (watch, next) in self.watches.iter_mut().zip(&resume) {
            watch.said.clear();
            watch.marks.fill(mark);
            watch.next = *next;
        }
        self.left_out = None;
        Some(resume)
    }

    /// Every lane of users has spoken of every step up to here.
    pub fn watermark(&self) -> Timestamp {
        self.watches.iter().map(Watched::watermark).min().unwrap_or(Timestamp::MIN)
    }

    /// The end of the last closed step.
    pub fn last_step(&self) -> Option<Timestamp> {
        self.last
    }

    /// Steps that lanes have spoken of and that wait for others.
    pub fn waiting_steps(&self) -> usize {
        self.watches.iter().map(|watch| watch.said.len()).max().unwrap_or(0)
    }

    /// The next step with anything to do, if it can be closed. `timer` is a point in time that the caller waits for.
    pub fn next_due(&self, timer: Option<Timestamp>) -> Option<Timestamp> {
        let (hop, watermark) = (self.program.spec.scoring.hop, self.watermark());
        let said = || self.watches.iter().flat_map(|watch| watch.said.range(..=watermark));
        let first = said().filter(|(_, said)| !said.states.is_empty()).map(|(end, _)| *end).min();
        let many = self.watches.iter().any(|watch| watch.said.range(..=watermark).count() >= WATCH_EMPTY_STEPS_MAX);
        let empty = said().map(|(end, _)| *end).max().filter(|_| many);
        let is_whole = |end: &Timestamp| self.left_out.is_none_or(|left_out| *end < left_out);
        let after = self.last.map_or(Timestamp::MIN, |last| last + hop);
        let timer = timer.map(|timer| ((timer - Millis(1)).floor(hop) + hop).max(after));
        first.into_iter().chain(empty).chain(timer).min().filter(|due| *due <= watermark && is_whole(due))
    }

    /// Whether a step only fills the windows again after an upgrade.
    pub fn refills(&self, end: Timestamp) -> bool {
        self.refills_to.is_some_and(|until| end <= until)
    }

    /// Closes a step: the rows of the entities that were met in it, by watch, over the whole window.
    pub fn close(&mut self, end: Timestamp) -> Result<Vec<Option<RecordBatch>>> {
        assert!(self.last.is_none_or(|last| last < end), "steps close in order");
        assert!(self.watermark() >= end, "a step closes only when every lane has spoken of it");
        self.last = Some(end);
        self.watches.iter_mut().map(|watch| watch.close(end)).collect()
    }

    /// What users did with an entity of the step that was closed last, within the window.
    pub fn users(&self, watch: usize, entity: &str) -> Result<Option<RecordBatch>> {
        let Some(users) = &self.watches[watch].touched else { return Ok(None) };
        let keys = users.column(0).as_string::<i32>();
        let mask: BooleanArray = keys.iter().map(|key| Some(key == Some(entity))).collect();
        Ok(Some(filter_record_batch(users, &mask)?))
    }

    /// Ends the step that was closed last. Before any, what there is to be stored of a lane that begins.
    pub fn end(&mut self) -> Result<WatchOutput> {
        let mut pane = None;
        let mut first = Timestamp::MIN;
        if let Some(end) = self.last {
            let named = self.watches.iter().zip(&self.program.spec.watches);
            let sections: Vec<_> =
                named.filter_map(|(watch, spec)| Some((spec.name.clone(), watch.panes.get(&end)?))).collect();
            if !sections.is_empty() {
                pane = Some(sections::write(&sections)?);
                self.stored.insert(end);
            }
            let size = self.watches.iter().map(|watch| watch.size).max().unwrap_or(Millis(0));
            first = end - size + Millis(1);
            self.stored = self.stored.split_off(&first);
        }
        if self.last.is_some_and(|last| self.refills(last)) {
            return Ok(WatchOutput { record: None, pane });
        }
        let resume = self.resume();
        let topics = resume.into_iter().map(|offset| TopicPosition {
            position: offset,
            resume: offset,
            watermark: self.last.unwrap_or(Timestamp::MIN),
            decisions: Vec::new(),
        });
        let record = JournalRecord {
            sequence: self.sequence,
            tick_end: self.last,
            pins: self.last.map(|_| Pins::default()),
            genesis: Pins::default(),
            topics: topics.collect(),
            counts: vec![Counts::default(); self.watches.len()],
            tiers: BTreeMap::from([(Tier::Minute.name().to_owned(), TierRecord { first, panes: self.stored.len() })]),
            digests: self.digests.clone(),
            epoch: 0,
            shared: None,
            carried: None,
        };
        self.sequence += 1;
        Ok(WatchOutput { record: Some(record), pane })
    }
}

#[cfg(test)]
mod tests;
