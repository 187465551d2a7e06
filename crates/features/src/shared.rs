//! Shared facts: what is usual in the whole house, although every lane sees only its own users.
//!
//! At the end of each local day a lane tells all others its share, as aggregate states. A tick of day D goes by the facts of
//! day D - 2, once every lane has told its share of it: a fixed day, so that two runs of the same input say the same, and
//! one so far back that nobody waits who is not more than a day ahead of the slowest. A lane begins by telling that it had
//! nothing before, so that the others need not wait for days it never saw, and goes by shared facts from the next day on.
//! Facts of users' groups (a role, a unit) are columns of feature rows; facts of what rows are about (a patient, an address)
//! are columns of the rows themselves, for windows to aggregate, and so are those of groups where the pipeline asks for it.
//! Design: a share is told before a tick waits for anybody's, so that lanes never wait for each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use base::{Millis, Timestamp};
use events::schema::Stream;

use crate::baseline::BaselinePlan;
use crate::error::{Error, Result};
use crate::journal::Digests;
use crate::lane::Lane;
use crate::limits::SHARED_DAYS_SPARE;
use crate::panes::{Tier, row_bytes};
use crate::plan::{Program, empty, renamed};
use crate::rows::gather;
use crate::sections;
use crate::sorted::find;
use crate::spec::{BaselineSpec, ProgramSpec, WindowSpec};
use crate::sql::tables_named;
use crate::window::WindowPlans;

/// What the names of a share's sections begin with; the baseline's name follows.
fn prefix(digests: &Digests) -> String {
    format!("share.{}/", digests.told_under())
}

/// One baseline over all lanes.
#[derive(Debug)]
pub(crate) struct SharedPlan {
    /// The window group whose days it is over.
    group: usize,
    states: WindowPlans,
    days: u32,
    name: String,
}

impl SharedPlan {
    /// The window group whose days it is over.
    pub(crate) fn group_of(spec: &BaselineSpec, windows: &[WindowSpec]) -> Result<usize> {
        let named = tables_named(&spec.sql)?;
        let over = windows.iter().position(|window| window.days && named == [days_of(window)]);
        over.ok_or_else(|| {
            let days = windows.iter().filter(|window| window.days).map(|window| format!("`{}`", days_of(window)));
            Error::Sql {
                file: spec.sql.file.clone(),
                line: 1,
                problem: format!(
                    "what lanes share is over one of {}, not {named:?}",
                    days.collect::<Vec<_>>().join(", ")
                ),
                hint: Some("write one SELECT ... FROM <window>_days; only baselines by `user_key` may join".to_owned()),
            }
        })
    }

    /// Over the days of a window group, whose columns `days` are.
    pub(crate) fn compile(spec: &BaselineSpec, windows: &[WindowSpec], group: usize, days: &SchemaRef) -> Result<Self> {
        let keys: Vec<_> = spec.keys.iter().map(String::as_str).collect();
        let states = WindowPlans::compile(&spec.sql, &days_of(&windows[group]), days, &keys)?;
        Ok(Self { group, states, days: spec.days, name: spec.name.clone() })
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.states.result_schema()
    }
}

/// The relation of a window's days.
fn days_of(window: &WindowSpec) -> String {
    format!("{}_days", window.name)
}

/// What is known of the entities that rows of a stream are about, or of a group of their users, as columns behind the
/// stream's own.
#[derive(Debug)]
pub(crate) struct EntityFacts {
    baseline: usize,
    stream: Stream,
    /// Columns of the stream.
    keys: Vec<usize>,
    /// Columns of the baseline, behind its keys.
    fields: Vec<Field>,
}

impl EntityFacts {
    /// Those of one baseline in one stream, whose columns so far are `sealed`; none where it has not all the keys.
    pub(crate) fn new(
        (baseline, spec): (usize, &BaselineSpec),
        facts: &SchemaRef,
        (stream, sealed): (Stream, &SchemaRef),
    ) -> Result<Option<Self>> {
        let texts =
            |key: &String| Some(sealed.column_with_name(key)?).filter(|(_, key)| *key.data_type() == DataType::Utf8);
        let keys: Option<Vec<_>> = spec.keys.iter().map(|key| texts(key).map(|(place, _)| place)).collect();
        let Some(keys) = keys else { return Ok(None) };
        let fields = facts.fields().iter().skip(keys.len());
        let fields: Vec<_> = fields.map(|field| renamed(field, format!("{}_{}", spec.name, field.name()))).collect();
        match fields.iter().find(|field| sealed.column_with_name(field.name()).is_some()) {
            Some(twice) => Err(Error::Misfit(format!(
                "baseline `{}`: `{}` has a column `{}` already; rename the baseline or its column",
                spec.name,
                stream.name(),
                twice.name()
            ))),
            None => Ok(Some(Self { baseline, stream, keys, fields })),
        }
    }

    /// The stream's columns with these behind them.
    pub(crate) fn widen(&self, sealed: &SchemaRef) -> SchemaRef {
        let fields = sealed.fields().iter().map(|field| field.as_ref().clone());
        Arc::new(Schema::new(fields.chain(self.fields.iter().cloned()).collect::<Vec<_>>()))
    }

    /// The stream they are columns of.
    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// What one of its columns means.
    pub(crate) fn meaning(&self, spec: &ProgramSpec, column: &str) -> Option<String> {
        let BaselineSpec { name, keys, days, .. } = &spec.baselines[self.baseline];
        let field = self.fields.iter().find(|field| field.name() == column)?;
        let column = field.name().trim_start_matches(name.as_str()).trim_start_matches('_');
        let keys = keys.join(", ");
        Some(format!("{column} of baseline `{name}` for this {keys}, over {days} days up to the day before yesterday"))
    }
}

/// The local day that a tick falls in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Today {
    start: Timestamp,
    /// The next day starts here.
    pub(crate) end: Timestamp,
    /// The end of the day before yesterday: today goes by what lanes shared up to there.
    shared: Timestamp,
}

impl Lane {
    /// The day of the tick that ends at `end`.
    pub(crate) fn today(&mut self, end: Timestamp) -> Today {
        match self.today {
            Some(today) if today.start < end && end <= today.end => today,
            _ => {
                let local = &mut self.memory.local;
                let start = local.day_start(end - Millis(1));
                let today =
                    Today { start, end: local.day_end(end - Millis(1)), shared: local.day_start(start - Millis(1)) };
                self.today = Some(today);
                today
            }
        }
    }

    /// The end of the day whose shared facts the tick that ends at `end` goes by; none where there are none yet.
    pub fn shared_day(&mut self, end: Timestamp) -> Option<Timestamp> {
        let told = &self.stored[&Tier::Shared];
        let (first, last) = (*told.first()?, *told.last()?);
        Some(self.today(end).shared).filter(|day| first <= *day && *day <= last)
    }

    /// Goes by these facts from now on: those of the day that ended at `day_end`, in the order of the shared baselines.
    pub fn put_shared(&mut self, day_end: Timestamp, facts: &[RecordBatch]) {
        let shared = self.plans.baselines.iter().zip(&mut self.baselines).filter(|(plan, _)| plan.shared().is_some());
        for ((_, kept), facts) in shared.zip(facts) {
            if kept.as_ref().is_none_or(|(at, _)| *at != day_end) {
                *kept = Some((day_end, facts.clone()));
            }
        }
        self.shared_in_use = Some(day_end);
    }

    /// The end of the day whose shared facts it goes by, or went by when it was stored.
    pub fn shared_in_use(&self) -> Option<Timestamp> {
        self.shared_in_use
    }

    /// What is known of the entities that sealed rows of a stream are about, behind their columns.
    pub(crate) fn know_entities(&self, stream: Stream, columns: &mut Vec<ArrayRef>) -> Result<()> {
        for facts in self.program.entities.iter().filter(|facts| facts.stream == stream) {
            let known = self.baselines[facts.baseline].as_ref().map(|(_, known)| known);
            let keys: Vec<_> = facts.keys.iter().map(|key| columns[*key].as_string::<i32>()).collect();
            let rows = known.map_or_else(|| UInt32Array::new_null(keys[0].len()), |known| find(&keys, known));
            for (column, field) in (keys.len()..).zip(&facts.fields) {
                columns.push(gather(known, column, &rows, field.data_type())?);
            }
        }
        Ok(())
    }

    /// Tells all lanes what there is of the day that ends with this tick; at its first tick, that there was nothing before.
    pub(crate) fn tell_share(&mut self, end: Timestamp) -> Result<()> {
        if !self.program.spec.shares() {
            return Ok(());
        }
        let today = self.today(end);
        let born = self.stored[&Tier::Shared].is_empty().then_some(today.start);
        let prefix = prefix(self.digests());
        for day_end in born.into_iter().chain((today.end == end).then_some(end)) {
            let mut shares = Vec::new();
            for plan in self.plans.baselines.iter().filter_map(|plan| plan.shared()) {
                let rows = self.panes[plan.group].day.get(&day_end).cloned();
                let rows = rows.unwrap_or_else(|| empty(&self.plans.groups[plan.group].result_schema()));
                shares.push((format!("{prefix}{}", plan.name), plan.states.partial(vec![rows])?));
            }
            let sections: Vec<_> = shares.iter().map(|(name, share)| (name.clone(), share)).collect();
            self.new_panes.push((Tier::Shared, day_end, sections::write(&sections)?));
            self.stored.entry(Tier::Shared).or_default().insert(day_end);
        }
        Ok(())
    }
}

/// What all lanes have told, and what it comes to.
#[derive(Debug)]
pub struct SharedFacts {
    plans: Vec<SharedPlan>,
    /// What sections of shares under these definitions begin with.
    prefix: String,
    /// By lane: the days it told of, by their ends, with its states in the order of `plans`.
    told: Vec<BTreeMap<Timestamp, Vec<RecordBatch>>>,
    /// How far back what was told is kept.
    kept: Millis,
    /// By the end of the day.
    facts: BTreeMap<Timestamp, Vec<RecordBatch>>,
    /// Days that somebody will go by however far the lanes have come.
    named: BTreeSet<Timestamp>,
}

impl SharedFacts {
    /// Over so many lanes; `digests` are those in force.
    pub fn new(program: &Program, digests: &Digests, lanes: u32) -> Result<Self> {
        let plans = program.plans()?.baselines.into_iter().filter_map(BaselinePlan::into_shared).collect();
        let (told, kept) = (vec![BTreeMap::new(); lanes as usize], program.spec.shares_kept());
        let (facts, named) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { plans, prefix: prefix(digests), told, kept, facts, named })
    }

    /// Takes what a lane told of the day that ended at `day_end`, of each lane in the order of its days, and works out what
    /// all have told by now; anew, where something is told again. What was told under other definitions counts for nothing.
    pub fn take(&mut self, lane: u32, day_end: Timestamp, share: &[u8]) -> Result<()> {
        let mut shares = BTreeMap::new();
        for (name, share) in sections::read(share)? {
            if let Some(name) = name.strip_prefix(&self.prefix) {
                shares.insert(name.to_owned(), share);
            }
        }
        let ours: Option<Vec<_>> = self.plans.iter().map(|plan| shares.remove(&plan.name)).collect();
        let Some(ours) = ours else { return Ok(()) };
        let lanes = self.told.len();
        let told = self.told.get_mut(lane as usize);
        let told =
            told.ok_or_else(|| Error::State(format!("lane {lane} told a share, but there are {lanes} lanes")))?;
        told.insert(day_end, ours);
        self.facts.retain(|end, _| *end < day_end);
        let Some(slowest) = self.newest_of_all() else { return Ok(()) };
        let known = self.facts.last_key_value().map_or(Timestamp::MIN, |(end, _)| *end);
        let days = self.told.iter().flat_map(|told| told.range(..=slowest).rev().map(|(end, _)| *end));
        let days: BTreeSet<_> = days.filter(|end| *end > known).collect();
        for day_end in days {
            let facts = self.work_out(day_end)?;
            self.facts.insert(day_end, facts);
        }
        self.forget(slowest);
        Ok(())
    }

    /// Keeps the facts of these days once they are known: a journal that is replayed names them, and the lanes there may be
    /// weeks past them.
    pub fn keep(&mut self, days: impl IntoIterator<Item = Timestamp>) {
        self.named.extend(days);
    }

    /// Bytes of what was told and what it came to, in memory. A lane that is away lets them grow: it will need them.
    pub fn byte_count(&self) -> usize {
        let batches = self.told.iter().flat_map(BTreeMap::values).chain(self.facts.values()).flatten();
        batches.map(row_bytes).sum()
    }

    fn work_out(&self, day_end: Timestamp) -> Result<Vec<RecordBatch>> {
        let facts = self.plans.iter().enumerate().map(|(place, plan)| {
            // Half a day less: days of a clock change are an hour longer or shorter.
            let after = day_end - Millis::days(i64::from(plan.days)) + Millis::hours(12);
            let days = self.told.iter().flat_map(|told| told.range(after..=day_end));
            plan.states.finish(days.map(|(_, shares)| shares[place].clone()).collect())
        });
        facts.collect()
    }

    /// The facts of the day that ended at `day_end`, once every lane has told its share of it.
    pub fn of(&self, day_end: Timestamp) -> Option<&[RecordBatch]> {
        self.facts.get(&day_end).map(Vec::as_slice)
    }

    /// The lanes that have not told their share of a day.
    pub fn silent(&self, day_end: Timestamp) -> Vec<u32> {
        let tells = |told: &BTreeMap<Timestamp, _>| told.last_key_value().is_some_and(|(newest, _)| *newest >= day_end);
        (0..).zip(&self.told).filter(|(_, told)| !tells(told)).map(|(lane, _)| lane).collect()
    }

    /// The end of the newest day that every lane has told its share of.
    pub fn newest_of_all(&self) -> Option<Timestamp> {
        let newest = self.told.iter().map(|told| told.last_key_value().map(|(end, _)| *end));
        newest.min().flatten()
    }

    /// Drops what not even the slowest lane will look at again.
    fn forget(&mut self, slowest: Timestamp) {
        let first = slowest - self.kept;
        self.told.iter_mut().for_each(|told| *told = told.split_off(&first));
        let first = slowest - Millis::days(i64::from(SHARED_DAYS_SPARE));
        self.facts.retain(|end, _| *end >= first || self.named.contains(end));
    }
}

#[cfg(test)]
mod tests;
