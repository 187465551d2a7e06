//! The day loop: patients flow, people work, insiders act, the day's events come out in order of time.
//!
//! Events of a night that lie past midnight wait for the next day; those past the end of the stream are cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Millis, Seed, Timestamp};
use serde::Serialize;

use crate::Result;
use crate::acts::{self, UserDay};
use crate::calendar::{Calendar, LocalDay};
use crate::config::HospitalConfig;
use crate::draw::Draw;
use crate::flow::Flow;
use crate::limits;
use crate::oddity::{self, Kind, Oddity};
use crate::office;
use crate::plan::{self, Plan};
use crate::render::{Output, Renderer};
use crate::roster::{Shift, ShiftKind};
use crate::rows::ReferenceRow;
use crate::sitting::{self, Sitter, Sitting};
use crate::staff::World;
use crate::truth::{BenignOddity, Incident, TruthRow};
use crate::visit::Visit;
use crate::work::{Context, Crews, Worklist};
use crate::{catalogue, lives};

/// Which topic an item belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Chart accesses.
    Access,
    /// Sign-ins.
    Auth,
}

/// One event as the house sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// When it happened.
    pub time: Timestamp,
    /// Raw user id: the record's key.
    pub user: Arc<str>,
    /// Which topic.
    pub stream: Stream,
    /// One native JSON object.
    pub json: Vec<u8>,
}

/// What one local day brings.
#[derive(Clone, Debug)]
pub struct Day {
    /// The local date.
    pub date: jiff::civil::Date,
    /// Events in order of time.
    pub items: Vec<Item>,
    /// Reference rows recorded on this day, in order of time.
    pub reference: Vec<ReferenceRow>,
    /// The truth about `items`, in order of time.
    pub truth: Vec<TruthRow>,
}

/// A hospital, played day by day.
pub struct Hospital {
    config: HospitalConfig,
    calendar: Calendar,
    world: World,
    flow: Flow,
    plans: Vec<Plan>,
    oddities: Vec<Oddity>,
    /// Rows recorded later than today, by time and order of making.
    pending: BTreeMap<(Timestamp, u64), ReferenceRow>,
    made: u64,
    carry: Output,
    initial: Vec<ReferenceRow>,
    happened: Vec<Happened>,
    next: i32,
}

/// What came of a plan in the days handed out.
#[derive(Clone, Debug, Default)]
struct Happened {
    span: Option<(Timestamp, Timestamp)>,
    targets: BTreeSet<String>,
    events: u64,
}

impl Hospital {
    /// Builds the town, the house and its staff, and plays the weeks before the start.
    pub fn new(config: HospitalConfig) -> Result<Self> {
        config.check()?;
        let calendar = Calendar::new(&config.time_zone, config.start)?;
        let days = config.days as i32;
        let mut world = World::new(config.seed, &config.site, config.staff, days, calendar.weekday(0));
        let mut forced = Vec::new();
        let plans = plan::plan(&config, &mut world, &mut forced);
        let oddities = oddity::plan(&config, &calendar, &mut world, &plans, &mut forced);
        let flow = Flow::new(&world, forced);
        let happened = vec![Happened::default(); plans.len()];
        let mut hospital = Self {
            config,
            calendar,
            world,
            flow,
            plans,
            oddities,
            pending: BTreeMap::new(),
            made: 0,
            carry: Output::default(),
            initial: Vec::new(),
            happened,
            next: 0,
        };
        hospital.warm_up();
        Ok(hospital)
    }

    /// The rows recorded before the start, in order of time.
    pub fn reference(&self) -> Vec<ReferenceRow> {
        self.initial.clone()
    }

    /// The next local day; `None` after the last.
    pub fn next_day(&mut self) -> Option<Day> {
        if self.next >= self.config.days as i32 {
            return None;
        }
        let day = self.calendar.day(self.next);
        self.play(&day);
        self.next += 1;
        let end = day.end();
        // Stable: events of one millisecond keep the order of their making.
        self.carry.items.sort_by_key(|item| item.time);
        self.carry.truth.sort_by_key(|row| row.time);
        let later = self.carry.items.partition_point(|item| item.time < end);
        let later = self.carry.items.split_off(later);
        let items = std::mem::replace(&mut self.carry.items, later);
        let later = self.carry.truth.partition_point(|row| row.time < end);
        let later = self.carry.truth.split_off(later);
        let truth = std::mem::replace(&mut self.carry.truth, later);
        self.note(&truth);
        Some(Day { date: day.date, items, reference: self.recorded_before(end), truth })
    }

    /// All incidents planned, with what came of them in the days handed out so far.
    pub fn incidents(&self) -> Vec<Incident> {
        let told = |(index, (plan, happened)): (usize, (&Plan, &Happened))| Incident {
            id: index as u32,
            scenario: plan.scenario.name(),
            user: Arc::clone(&self.world.worker(plan.worker).user),
            setting: plan.setting,
            padded: plan.padded,
            first: happened.span.map(|span| span.0),
            last: happened.span.map(|span| span.1),
            targets: happened.targets.iter().cloned().collect(),
            events: happened.events,
            benign_twin: catalogue::twin(plan.scenario),
        };
        self.plans.iter().zip(&self.happened).enumerate().map(told).collect()
    }

    /// Everybody who looks odd and is innocent.
    pub fn oddities(&self) -> Vec<BenignOddity> {
        self.oddities.iter().map(|oddity| oddity.told(&self.world, &self.calendar)).collect()
    }

    fn warm_up(&mut self) {
        let first = self.calendar.day(-limits::WARM_UP_DAYS);
        let mut rows = lives::register(&self.world, &self.config.site, &first, self.config.seed);
        for index in -limits::WARM_UP_DAYS..0 {
            let day = self.calendar.day(index);
            rows.extend(lives::live(&mut self.world, &self.config, &day));
            self.flow.step(&mut self.world, &self.config.site, &day, self.config.seed, &mut rows);
            self.keep(&mut rows);
        }
        // The last night before the start reaches into the first day.
        let day = self.calendar.day(-1);
        self.work(&day);
        let start = self.config.start;
        self.carry.items.retain(|item| item.time >= start);
        self.carry.truth.retain(|row| row.time >= start);
        self.initial = self.recorded_before(start);
    }

    fn play(&mut self, day: &LocalDay) {
        let mut rows = lives::live(&mut self.world, &self.config, day);
        self.flow.step(&mut self.world, &self.config.site, day, self.config.seed, &mut rows);
        self.keep(&mut rows);
        self.work(day);
    }

    /// Everybody's day.
    fn work(&mut self, day: &LocalDay) {
        let crews = Crews::new(&self.world, day.index);
        let context = Context { world: &self.world, site: &self.config.site, flow: &self.flow, day, crews };
        let seed = self.config.seed.child("day").index(day.index as u64);
        let mut failed: BTreeMap<u32, Vec<Sitting>> = BTreeMap::new();
        let mut ends = vec![None; self.plans.len()];
        for (index, plan) in self.plans.iter().enumerate() {
            ends[index] = acts::spray(&context, (index as u32, plan), seed, &mut failed);
        }
        let stories = Stories::of(&self.plans, &self.oddities, day.index, &ends);
        let mut rows = Vec::new();
        for worker in 0..context.world.workers.len() as u32 {
            let extra = failed.remove(&worker).unwrap_or_default();
            let person = Person { worker, seed: seed.index(u64::from(worker)) };
            person.day(&context, &stories, extra, &mut rows, &mut self.carry);
        }
        lives::machines(&context, seed, &mut self.carry);
        self.keep(&mut rows);
    }

    fn keep(&mut self, rows: &mut Vec<ReferenceRow>) {
        for row in rows.drain(..) {
            self.made += 1;
            self.pending.insert((row.time, self.made), row);
        }
    }

    fn recorded_before(&mut self, end: Timestamp) -> Vec<ReferenceRow> {
        let later = self.pending.split_off(&(end, 0));
        std::mem::replace(&mut self.pending, later).into_values().collect()
    }

    fn note(&mut self, truth: &[TruthRow]) {
        for row in truth {
            let Some(incident) = row.incident else { continue };
            let happened = &mut self.happened[incident.id as usize];
            let first = happened.span.map_or(row.time, |span| span.0);
            happened.span = Some((first, row.time));
            happened.events += 1;
            happened.targets.extend(row.patient.clone());
        }
    }
}

/// The incidents and oddities of one day, by worker.
struct Stories<'a> {
    plans: &'a [Plan],
    acting: BTreeMap<u32, Vec<u32>>,
    odd: BTreeMap<u32, Vec<&'a Oddity>>,
    spray_ends: &'a [Option<Timestamp>],
}

impl<'a> Stories<'a> {
    fn of(plans: &'a [Plan], oddities: &'a [Oddity], day: i32, spray_ends: &'a [Option<Timestamp>]) -> Self {
        let mut acting: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (index, plan) in plans.iter().enumerate().filter(|(_, plan)| plan.days.contains(&day)) {
            acting.entry(plan.worker).or_default().push(index as u32);
        }
        let mut odd: BTreeMap<u32, Vec<&Oddity>> = BTreeMap::new();
        for oddity in oddities.iter().filter(|oddity| oddity.covers(day)) {
            odd.entry(oddity.worker).or_default().push(oddity);
        }
        Self { plans, acting, odd, spray_ends }
    }
}

/// Days are handed out whole: what was drawn into the last minutes of yesterday moves into the first of today,
/// with room for the sign-in before it.
fn keep_within(day: &LocalDay, visits: &mut [Visit]) {
    let floor = day.start() + Millis::minutes(8);
    for visit in visits.iter_mut().filter(|visit| visit.time < floor) {
        visit.time = floor + (floor - visit.time);
    }
}

/// One member of staff on one day, with the seed of that day.
struct Person {
    worker: u32,
    seed: Seed,
}

impl Person {
    fn day(
        &self,
        context: &Context<'_>,
        stories: &Stories<'_>,
        extra: Vec<Sitting>,
        rows: &mut Vec<ReferenceRow>,
        out: &mut Output,
    ) {
        let mut draw = Draw::new(self.seed.child("work"));
        let worker = context.world.worker(self.worker);
        let odd = stories.odd.get(&self.worker).map_or(&[][..], Vec::as_slice);
        let (unit, shifts) = self.shifts(context, odd, &mut draw);
        let mut day = UserDay { extra, ..UserDay::default() };
        let audit = odd.iter().any(|oddity| oddity.kind == Kind::Audit);
        let mut list = Worklist {
            context,
            worker: self.worker,
            role: worker.role,
            pace: worker.pace,
            draw: &mut draw,
            visits: &mut day.visits,
            rows,
        };
        list.ordinary(&shifts);
        if let Some(shift) = shifts.first().filter(|_| audit) {
            list.audit(shift, 40.0);
        }
        for oddity in odd {
            oddity::add(context, oddity, &shifts, &mut draw, &mut day);
        }
        for index in stories.acting.get(&self.worker).map_or(&[][..], Vec::as_slice) {
            let plan = &stories.plans[*index as usize];
            let end = stories.spray_ends[*index as usize];
            acts::act(context, (*index, plan), shifts.first(), end, &mut draw, &mut day);
        }
        if day.visits.is_empty() && day.extra.is_empty() {
            return;
        }
        office::slip(context, &mut draw, &mut day.visits);
        keep_within(context.day, &mut day.visits);
        office::break_glass(context, &mut draw, unit, &mut day.visits);
        let expired = (context.day.index - worker.password_day).rem_euclid(90) == 0;
        let sitter = Sitter { worker: self.worker, unit, expired };
        let sittings = sitting::seat(context, sitter, &day.aways, &mut day.visits, &mut draw);
        let mut renderer = Renderer::new(context, stories.plans, (self.worker, unit), self.seed, out);
        for sitting in sittings.iter().chain(&day.extra) {
            renderer.sitting(sitting, shifts.first());
        }
    }

    /// Where and when this person works today.
    fn shifts(&self, context: &Context<'_>, odd: &[&Oddity], draw: &mut Draw) -> (u16, Vec<Shift>) {
        let usual = context.world.unit_on(self.worker, context.day.index);
        let unit = odd.iter().find_map(|oddity| oddity.unit).unwrap_or(usual);
        let mut shifts = Vec::new();
        if let Some(kind) = context.world.rostered(self.worker, context.day.index) {
            shifts.push(Shift::new(kind, unit, context.day, draw));
            if odd.iter().any(|oddity| oddity.kind == Kind::DoubleShift) {
                shifts.push(Shift::new(ShiftKind::Evening, unit, context.day, draw));
            }
        }
        (unit, shifts)
    }
}

#[cfg(test)]
mod tests;
