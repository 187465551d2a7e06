//! One lane: what a tick does, from rows that wait to state that is stored.
//!
//! A tick runs in steps, so that whoever scores stands between them: `begin_tick` seals, `pair_rows` asks for scores
//! of pairs, `put_pair_scores` takes them, `user_rows` gives the feature rows, `end_tick` gives what is to be stored.
//! Nothing is durable until the caller has committed what `end_tick` returned; a crash before that leaves the lane
//! where its last committed journal record stands.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use base::{FastMap, Millis, Timestamp};
use events::schema::Stream;
use events::{Offset, TopicId};
use reference::{Known, Pins, Reference};

use crate::day::LocalTime;
use crate::enrich::{Enrich, Memory, resolve};
use crate::error::{Error, Result};
use crate::facts::LastFacts;
use crate::journal::{Counts, Digests, JournalRecord};
use crate::open_step::OpenStep;
use crate::pair_scores;
use crate::panes::{ByEnd, GroupPanes, Tier};
use crate::plan::{Plans, Program, Relation};
use crate::seal::sort_tick;
use crate::seen::{Seen, SeenToday};
use crate::shared::Today;
use crate::state::StoredPanes;
use crate::walker::{Disposition, Walked, Walker};

/// The settings of a lane that are not SQL.
#[derive(Clone, Debug)]
pub struct LaneConfig {
    /// Input topics in the pipeline's order: what they carry and their lateness.
    pub topics: Vec<(Stream, Millis)>,
    /// Definitions in force.
    pub digests: Digests,
    /// Raised by an upgrade.
    pub epoch: u32,
}

/// What a tick leaves to be stored.
#[derive(Clone, Debug)]
pub struct TickOutput {
    /// The journal record.
    pub record: JournalRecord,
    /// Newly sealed panes.
    pub panes: Vec<(Tier, Timestamp, Vec<u8>)>,
    /// Where an hour ends, the last facts of the users it touched; absent of those it forgot.
    pub facts: Vec<(String, Option<Vec<u8>>)>,
    /// Where a scoring step ends, what each watch is told: states by entity and user, absent where nothing happened.
    pub crossing: Vec<Option<RecordBatch>>,
}

/// Parts of one record, by what became of them.
#[derive(Debug)]
struct Tally {
    offset: Offset,
    counts: Counts,
}

#[derive(Debug)]
struct Topic {
    stream: Stream,
    walker: Walker,
    tallies: VecDeque<Tally>,
    counts: Counts,
}

/// The state of one lane.
pub struct Lane {
    pub(crate) program: Arc<Program>,
    config: LaneConfig,
    pub(crate) plans: Plans,
    topics: Vec<Topic>,
    pub(crate) memory: Memory,
    pub(crate) panes: Vec<GroupPanes>,
    /// By the inputs of `plans`.
    pub(crate) open: Vec<OpenStep>,
    pub(crate) pending: ByEnd,
    pub(crate) stored: BTreeMap<Tier, BTreeSet<Timestamp>>,
    pub(crate) seen_hour: SeenToday,
    pub(crate) seen_day: SeenToday,
    /// Users touched in the hour, whose facts stand in panes of ticks.
    pub(crate) facts_hour: BTreeSet<String>,
    /// Users of the hour that ended last whose facts, or their absence, are still to be told.
    pub(crate) facts_due: BTreeSet<String>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) unfolded_hour: Option<Timestamp>,
    pub(crate) unfolded_day: Option<Timestamp>,
    pub(crate) today: Option<Today>,
    pub(crate) shared_in_use: Option<Timestamp>,
    pub(crate) active_users: BTreeSet<String>,
    pub(crate) windows: HashMap<(usize, usize), (Timestamp, RecordBatch)>,
    pub(crate) baselines: Vec<Option<(Timestamp, RecordBatch)>>,
    sequence: u64,
    genesis: Pins,
    pub(crate) new_panes: Vec<(Tier, Timestamp, Vec<u8>)>,
    /// By watch, what the step that ends with the tick has for it.
    pub(crate) crossing: Vec<Option<RecordBatch>>,
    tick: Option<Timestamp>,
}

impl Lane {
    /// A lane that has never run: it reads each topic from the given offset, and the reference below `genesis` is
    /// taken as known at its own times.
    pub fn new(program: Arc<Program>, config: LaneConfig, start: &[Offset], genesis: Pins) -> Result<Self> {
        let tick = program.spec.tick;
        let walkers = config.topics.iter().zip(start).map(|((_, late), start)| Walker::new(tick, *late, *start));
        let walkers = walkers.collect();
        Self::assemble(program, config, walkers, genesis)
    }

    /// A lane that goes on where its newest journal record stands.
    pub fn restore(
        program: Arc<Program>,
        config: LaneConfig,
        record: &JournalRecord,
        panes: &StoredPanes,
        facts: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self> {
        if record.topics.len() != config.topics.len() {
            let (stored, now) = (record.topics.len(), config.topics.len());
            return Err(Error::State(format!("the journal knows {stored} input topics and the pipeline has {now}")));
        }
        let tick = program.spec.tick;
        let sealed = record.tick_end.unwrap_or(Timestamp::MIN);
        let walkers = config.topics.iter().zip(&record.topics);
        let walkers = walkers.map(|((_, lateness), at)| Walker::restore(tick, *lateness, at, sealed)).collect();
        let mut lane = Self::assemble(program, config, walkers, record.genesis.clone())?;
        for (topic, counts) in lane.topics.iter_mut().zip(&record.counts) {
            topic.counts = *counts;
        }
        lane.last = record.tick_end;
        let shares = record.tiers.get(Tier::Shared.name()).filter(|shares| shares.first > Timestamp::MIN);
        lane.shared_in_use = shares.map(|shares| shares.first + lane.program.spec.shares_kept());
        lane.sequence = record.sequence + 1;
        lane.take_up(panes, facts)?;
        lane.check_panes(&record.tiers)?;
        Ok(lane)
    }

    fn assemble(program: Arc<Program>, config: LaneConfig, walkers: Vec<Walker>, genesis: Pins) -> Result<Self> {
        let plans = program.plans()?;
        let topics = config.topics.iter().zip(walkers).map(|((stream, _), walker)| Topic {
            stream: *stream,
            walker,
            tallies: VecDeque::new(),
            counts: Counts::default(),
        });
        let memory = Memory {
            facts: FastMap::default(),
            touched: BTreeSet::new(),
            seen: Seen::new(&program.spec.seen),
            seen_today: SeenToday::new(),
            local: LocalTime::new(program.zone.clone()),
        };
        Ok(Self {
            topics: topics.collect(),
            panes: program.spec.windows.iter().map(|_| GroupPanes::default()).collect(),
            baselines: program.spec.baselines.iter().map(|_| None).collect(),
            stored: Tier::ALL.into_iter().map(|tier| (tier, BTreeSet::new())).collect(),
            open: plans.inputs.iter().map(|input| OpenStep::new(input.groups.len())).collect(),
            plans,
            memory,
            pending: ByEnd::new(),
            seen_hour: SeenToday::new(),
            seen_day: SeenToday::new(),
            facts_hour: BTreeSet::new(),
            facts_due: BTreeSet::new(),
            last: None,
            unfolded_hour: None,
            unfolded_day: None,
            today: None,
            shared_in_use: None,
            active_users: BTreeSet::new(),
            windows: HashMap::new(),
            sequence: 0,
            genesis,
            new_panes: Vec::new(),
            crossing: vec![None; program.spec.watches.len()],
            tick: None,
            program,
            config,
        })
    }

    /// Takes the decoded records of a topic: accepted parts, rejected parts as (offset, part), and the offset after the last
    /// record. Returns what became of each accepted part at or above the position; what stands below was handed over before
    /// a restart.
    pub fn offer(
        &mut self,
        topic: TopicId,
        events: RecordBatch,
        rejects: &[(Offset, i32)],
        next: Option<Offset>,
    ) -> Vec<Walked> {
        let topic = &mut self.topics[topic.index()];
        let position = topic.walker.position();
        let mut walked = topic.walker.walk(&Arc::new(events), next);
        walked.retain(|part| part.offset >= position);
        let mut tallies: BTreeMap<Offset, Counts> = BTreeMap::new();
        for part in &walked {
            let counts = tallies.entry(part.offset).or_default();
            counts.read += 1;
            match part.disposition {
                Disposition::Kept => counts.kept += 1,
                Disposition::Late => counts.late += 1,
                Disposition::Duplicate => counts.duplicates += 1,
                Disposition::Sealed => unreachable!("rows of sealed panes stand below the position"),
            }
        }
        for (offset, _) in rejects.iter().filter(|(offset, _)| *offset >= position) {
            let counts = tallies.entry(*offset).or_default();
            counts.read += 1;
            counts.rejects += 1;
        }
        topic.tallies.extend(tallies.into_iter().map(|(offset, counts)| Tally { offset, counts }));
        walked
    }

    /// Decides that a topic read to its end at `end` is idle; see `Walker::decide_idle`.
    pub fn decide_idle(&mut self, topic: TopicId, end: Offset, watermark: Timestamp) -> bool {
        self.topics[topic.index()].walker.decide_idle(end, watermark)
    }

    /// A topic has been read to its end: decisions recorded there by an earlier owner take effect.
    pub fn reached_end(&mut self, topic: TopicId, end: Offset) {
        self.topics[topic.index()].walker.reached_end(end);
    }

    /// Decisions of a journal that is replayed.
    pub fn learn_decisions(&mut self, topic: TopicId, decisions: &[crate::journal::Decision]) {
        self.topics[topic.index()].walker.learn(decisions);
    }

    /// One topic's time.
    pub fn walker(&self, topic: TopicId) -> &Walker {
        &self.topics[topic.index()].walker
    }

    /// The lane's watermark: every topic has passed it.
    pub fn watermark(&self) -> Timestamp {
        self.topics.iter().map(|topic| topic.walker.watermark()).min().unwrap_or(Timestamp::MIN)
    }

    /// The end of the last closed tick.
    pub fn last_tick(&self) -> Option<Timestamp> {
        self.last
    }

    /// Definitions in force.
    pub fn digests(&self) -> &Digests {
        &self.config.digests
    }

    /// Where the reference stood when the pipeline first started.
    pub fn genesis(&self) -> &Pins {
        &self.genesis
    }

    /// The next tick that has anything to do, whether or not it can close yet. `timer` is a point in time that the caller
    /// waits for (a case to be closed).
    pub fn next_due(&mut self, timer: Option<Timestamp>) -> Option<Timestamp> {
        let tick = self.program.spec.tick;
        let ceil = |time: Timestamp, step: Millis| (time - Millis(1)).floor(step) + step;
        let rows = self.topics.iter().filter_map(|topic| topic.walker.first_open()).min();
        let waiting = self.pending.keys().next().map(|end| *end + self.program.spec.explain_grace);
        let last = self.last.unwrap_or(Timestamp::MIN);
        let scoring = (!self.active_users.is_empty()).then(|| ceil(last, self.program.spec.scoring.hop));
        let timer = timer.map(|timer| ceil(timer, tick).max(last + tick));
        let told = self.next_told(rows.is_some());
        [rows, waiting, scoring, self.unfolded_day, timer, told].into_iter().flatten().min()
    }

    /// Others wait for every lane, so each says at every scoring step what it has for watches, and at the end of every day
    /// what it shares, also where that is nothing: from its first tick on, and where it has never had a row, from where its
    /// topics were decided to be idle.
    fn next_told(&mut self, has_rows: bool) -> Option<Timestamp> {
        let (tick, hop) = (self.program.spec.tick, self.program.spec.scoring.hop);
        let (watches, shares) = (!self.program.spec.watches.is_empty(), self.program.spec.shares());
        let watermark = self.watermark();
        match self.last {
            // Days end with a step.
            Some(last) if watches => Some(last.floor(hop) + hop),
            Some(last) if shares => Some(self.today(last + tick).end),
            None if watches || shares => (!has_rows && watermark > Timestamp::MIN).then(|| watermark.floor(hop)),
            _ => None,
        }
    }

    /// Seals the rows of the tick that ends at `end`: enriches them as known at `pins`, aggregates them into panes,
    /// resolves what waited.
    pub fn begin_tick(&mut self, end: Timestamp, reference: &Reference, pins: &Pins) -> Result<()> {
        assert!(self.tick.is_none(), "a tick begins when the one before has ended");
        assert!(self.last.is_none_or(|last| last < end), "ticks close in order");
        assert!(self.watermark() >= end, "a tick closes only behind the watermark");
        let step = |tick_end: Timestamp| (tick_end - Millis(1)).floor(self.program.spec.scoring.hop);
        assert!(self.step_is_empty() || self.last.map(step) == Some(step(end)), "a step ends before another begins");
        self.fold_before(end)?;
        let rows: Vec<_> = (0u8..)
            .zip(&mut self.topics)
            .map(|(id, topic)| (TopicId(id), topic.stream, topic.walker.close(end)))
            .collect();
        let sorted = sort_tick(&rows)?;
        let program = Arc::clone(&self.program);
        let genesis = self.genesis.clone();
        let enrich = Enrich { spec: &program.spec, reference, known: Known { pins, genesis: &genesis, tick_end: end } };
        let mut added = enrich.tick(&sorted, &mut self.memory)?;
        let mut streams = Vec::new();
        for stream in Stream::ALL {
            let rows = sorted.streams[stream as usize].as_ref().zip(added[stream as usize].take());
            streams.push(rows.map(|(rows, added)| self.widen(stream, rows, added)).transpose()?);
        }
        let due = self.take_due(end);
        let resolved = due.map(|pending| resolve(&enrich, &pending, &self.memory.facts)).transpose()?;
        if self.plans.inputs.iter().any(|input| input.relation == Relation::Resolved) {
            self.keep_waiting(end, streams[Stream::Access as usize].as_ref())?;
        }
        for input in 0..self.open.len() {
            let rows = match self.plans.inputs[input].relation {
                Relation::Stream(stream) => streams[stream as usize].as_ref(),
                Relation::Resolved => resolved.as_ref(),
                Relation::PairScores => None,
            };
            if let Some(rows) = rows.filter(|rows| rows.num_rows() > 0) {
                let rows = rows.project(&self.plans.inputs[input].columns)?;
                self.open[input].of_tick = Some(rows.clone());
                self.add_to_step(input, rows)?;
            }
        }
        self.seen_hour.extend(self.memory.seen_today.iter().map(|(key, day)| (key.clone(), *day)));
        let new = self.memory.touched.difference(&self.facts_hour).cloned().collect::<Vec<_>>();
        self.facts_hour.extend(new);
        self.tick = Some(end);
        if self.ends_step(end) {
            self.close_step(end, false)?;
        }
        if self.leaves_pane(end) {
            self.unfolded_hour = Some((end - Millis(1)).floor(Millis::hours(1)) + Millis::hours(1));
            self.unfolded_day = Some(self.memory.local.day_end(end - Millis(1)));
        }
        self.fold_groups(end, false)
    }

    /// Rows of a stream with what the seal adds to them and what is known of the entities they are about.
    fn widen(&self, stream: Stream, rows: &RecordBatch, added: Vec<ArrayRef>) -> Result<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        columns.extend(added);
        self.know_entities(stream, &mut columns)?;
        Ok(RecordBatch::try_new(self.program.relation_schema(Relation::Stream(stream)), columns)?)
    }

    fn take_due(&mut self, end: Timestamp) -> Option<RecordBatch> {
        let due = *self.pending.keys().next().filter(|pane| **pane + self.program.spec.explain_grace <= end)?;
        self.pending.remove(&due)
    }

    /// Sets aside the accesses that a later fact may still explain, and overrides that charting may follow.
    fn keep_waiting(&mut self, end: Timestamp, access: Option<&RecordBatch>) -> Result<()> {
        let Some(access) = access else { return Ok(()) };
        let flag = |name: &str| access.column_by_name(name).map(|column| column.as_boolean());
        let (Some(explained), Some(glass)) = (flag("explained"), flag("break_glass")) else { return Ok(()) };
        let waits = |row: usize| !explained.value(row) || glass.value(row);
        let waits: BooleanArray = (0..access.num_rows()).map(|row| Some(waits(row))).collect();
        let waiting = filter_record_batch(access, &waits)?;
        if waiting.num_rows() > 0 {
            self.pending.insert(end, waiting);
        }
        Ok(())
    }

    /// Takes the scores of `pair_rows`, in millionths, row by row.
    pub fn put_pair_scores(&mut self, pairs: &RecordBatch, scores: &[i64]) -> Result<()> {
        let end = self.tick.expect("scores belong to a tick that has begun");
        let input = self.open.len() - 1;
        let rows = pair_scores::rows(pairs, scores)?.project(&self.plans.inputs[input].columns)?;
        self.add_to_step(input, rows)?;
        self.close_step(end, true)
    }

    pub(crate) fn pair_score_group(&self) -> usize {
        self.panes.len() - 1
    }

    /// Whether the tick under way is one at which users and pairs are scored.
    pub(crate) fn scores_at(&self, end: Timestamp) -> bool {
        self.ends_step(end) && !self.active_users.is_empty()
    }

    /// Whether a scoring step ends with this tick.
    pub(crate) fn ends_step(&self, end: Timestamp) -> bool {
        end.millis() % self.program.spec.scoring.hop.0 == 0
    }

    pub(crate) fn tick_under_way(&self) -> Timestamp {
        self.tick.expect("a tick is under way")
    }

    /// Ends the tick: what is to be stored, and the journal record.
    pub fn end_tick(&mut self, pins: &Pins) -> Result<TickOutput> {
        let end = self.tick_under_way();
        self.fold_groups(end, true)?;
        self.tell_share(end)?;
        self.store_minute(end)?;
        if self.ends_step(end) {
            self.active_users.clear();
        }
        self.tick = None;
        self.last = Some(end);
        let record = self.record(Some(pins.clone()));
        let facts = std::mem::take(&mut self.facts_due).into_iter().map(|user| {
            let bytes = self.memory.facts.get(&user).map(LastFacts::to_bytes).transpose()?;
            Ok((user, bytes))
        });
        let facts = facts.collect::<Result<_>>()?;
        let crossing = match self.ends_step(end) {
            true => self.crossing.iter_mut().map(Option::take).collect(),
            false => Vec::new(),
        };
        Ok(TickOutput { record, panes: std::mem::take(&mut self.new_panes), facts, crossing })
    }

    /// A journal record without a tick: positions move to everything read.
    pub fn commit_without_tick(&mut self) -> JournalRecord {
        for topic in &mut self.topics {
            topic.walker.catch_up();
        }
        self.record(None)
    }

    fn record(&mut self, pins: Option<Pins>) -> JournalRecord {
        let topics: Vec<_> = self.topics.iter_mut().map(|topic| topic.walker.record()).collect();
        for (topic, at) in self.topics.iter_mut().zip(&topics) {
            while let Some(tally) = topic.tallies.pop_front_if(|tally| tally.offset < at.position) {
                topic.counts.read += tally.counts.read;
                topic.counts.kept += tally.counts.kept;
                topic.counts.late += tally.counts.late;
                topic.counts.duplicates += tally.counts.duplicates;
                topic.counts.rejects += tally.counts.rejects;
            }
        }
        let tiers = self.forget();
        let sequence = self.sequence;
        self.sequence += 1;
        JournalRecord {
            sequence,
            tick_end: self.last,
            pins,
            genesis: self.genesis.clone(),
            topics,
            counts: self.topics.iter().map(|topic| topic.counts).collect(),
            tiers,
            digests: self.config.digests.clone(),
            epoch: self.config.epoch,
            shared: None,
            carried: None,
        }
    }

    /// Bytes of panes held in memory.
    pub fn state_bytes(&self) -> usize {
        self.panes.iter().map(GroupPanes::byte_count).sum()
    }

    /// Users with facts, and (user, value) pairs remembered as seen.
    pub fn state_keys(&self) -> (usize, usize) {
        (self.memory.facts.len(), self.memory.seen.len())
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
