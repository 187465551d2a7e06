//! Normal clinical work: which charts a shift opens, when, why, and which reasons are recorded.
//! Read next: `office.rs` (work away from the bed), `sitting.rs` (at which workstation).

use std::collections::BTreeMap;

use base::{Millis, Timestamp};

use crate::calendar::LocalDay;
use crate::draw::Draw;
use crate::flow::{Flow, Stay};
use crate::role::{Role, UnitKind};
use crate::roster::{Shift, ShiftKind};
use crate::rows::{ReferenceRow, Relation};
use crate::site::Site;
use crate::staff::World;
use crate::visit::{Channel, Task, Visit};

/// What everybody's day depends on.
pub(crate) struct Context<'a> {
    pub(crate) world: &'a World,
    pub(crate) site: &'a Site,
    pub(crate) flow: &'a Flow,
    pub(crate) day: &'a LocalDay,
    pub(crate) crews: Crews,
}

/// Who works together: people of one role on one kind of shift in one unit share its patients.
pub(crate) struct Crews(BTreeMap<(u16, Role, u8), Vec<u32>>);

impl Crews {
    pub(crate) fn new(world: &World, day: i32) -> Self {
        let mut crews: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for index in 0..world.workers.len() as u32 {
            if let Some(kind) = world.rostered(index, day) {
                let key = (world.unit_on(index, day), world.worker(index).role, kind as u8);
                crews.entry(key).or_default().push(index);
            }
        }
        Self(crews)
    }

    /// Place of a worker in the crew, and its size; somebody outside joins as one more.
    pub(crate) fn place(&self, worker: u32, role: Role, shift: &Shift) -> (usize, usize) {
        let crew = self.0.get(&(shift.unit, role, shift.kind as u8)).map_or(&[][..], Vec::as_slice);
        match crew.iter().position(|member| *member == worker) {
            Some(place) => (place, crew.len()),
            None => (crew.len(), crew.len() + 1),
        }
    }
}

/// One person's day in the making.
pub(crate) struct Worklist<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) worker: u32,
    pub(crate) role: Role,
    pub(crate) pace: f64,
    pub(crate) draw: &'a mut Draw,
    pub(crate) visits: &'a mut Vec<Visit>,
    pub(crate) rows: &'a mut Vec<ReferenceRow>,
}

impl Worklist<'_> {
    /// All normal work of a shift.
    pub(crate) fn shift(&mut self, shift: &Shift) {
        let first = self.visits.len();
        match (self.role, self.context.world.unit(shift.unit).kind) {
            (Role::Nurse, UnitKind::Clinic) => self.clinic_nurse(shift),
            (Role::Physician, UnitKind::Clinic) => self.clinic_physician(shift),
            (Role::Nurse, _) => self.bedside(shift, 3.6, 0.12),
            (Role::Physician, UnitKind::Emergency) => self.bedside(shift, 3.4, 0.06),
            (Role::Resident, _) => {
                self.bedside(shift, 3.2, 0.15);
                self.consults(shift, 1.0);
            }
            (Role::Physician, _) => {
                self.bedside(shift, 2.6, 0.2);
                self.consults(shift, 3.0);
                self.follow_ups(shift, 2.0);
            }
            _ => self.office(shift),
        }
        self.asked(shift);
        self.overtime(shift, first);
    }

    /// Patients in beds or bays: one's own share several times, the others now and then.
    fn bedside(&mut self, shift: &Shift, opens: f64, cover: f64) {
        let (place, crew) = self.context.crews.place(self.worker, self.role, shift);
        let stays: Vec<Stay> = self.context.flow.present(shift.unit).copied().collect();
        for (index, stay) in stays.iter().enumerate() {
            let (from, to) = (stay.from.max(shift.start), stay.to.min(shift.end));
            if from >= to {
                continue;
            }
            let share = (to - from).0 as f64 / (shift.end - shift.start).0 as f64;
            let mine = (stay.encounter as usize + index) % crew == place;
            let attending = stay.attending == self.worker && self.role == Role::Physician;
            if !(mine || attending) {
                if self.draw.chance(cover * share.max(0.3)) {
                    let time = self.between(from, to);
                    self.open(stay, time, Task::Review, "unit_cover", true);
                }
                continue;
            }
            if from == shift.start {
                let time = from + Millis(self.draw.span(60_000, 1_800_000));
                self.open(stay, time, Task::Glance, "hand_over", true);
            }
            for _ in 0..self.draw.round(opens * self.pace * share.clamp(0.35, 1.0)) {
                let time = self.between(from, to);
                let task = self.clinical_task();
                self.open(stay, time, task, "care_team", true);
            }
        }
    }

    fn clinical_task(&mut self) -> Task {
        let (weights, tasks): ([f64; 4], [Task; 4]) = match self.role {
            Role::Nurse => ([0.42, 0.26, 0.30, 0.02], [Task::Chart, Task::Review, Task::Medicate, Task::Dispense]),
            _ => ([0.34, 0.36, 0.28, 0.02], [Task::Chart, Task::Review, Task::Order, Task::Amend]),
        };
        tasks[self.draw.weighted(&weights)]
    }

    fn clinic_physician(&mut self, shift: &Shift) {
        let own = self.worker;
        let stays: Vec<Stay> =
            self.context.flow.present(shift.unit).filter(|stay| stay.attending == own).copied().collect();
        for stay in stays.iter().filter(|stay| stay.from < self.context.day.end()) {
            if self.draw.chance(0.6) {
                let time = stay.from - self.draw.minutes(1.0, 40.0);
                self.open(stay, time, Task::Review, "appointment", true);
            }
            let task = [Task::Order, Task::Chart][self.draw.below(2)];
            let time = self.between(stay.from, stay.to);
            self.open(stay, time, task, "appointment", true);
        }
        self.follow_ups(shift, 5.0);
        self.consults(shift, 1.0);
    }

    fn clinic_nurse(&mut self, shift: &Shift) {
        let (place, crew) = self.context.crews.place(self.worker, self.role, shift);
        let stays: Vec<Stay> = self.context.flow.present(shift.unit).copied().collect();
        for (index, stay) in stays.iter().enumerate().filter(|(_, stay)| stay.from < self.context.day.end()) {
            if index % crew == place {
                let time = stay.from - self.draw.minutes(-10.0, 12.0);
                let task = [Task::Chart, Task::Review][self.draw.weighted(&[0.7, 0.3])];
                self.open(stay, time, task, "appointment", true);
            }
        }
    }

    /// Results and letters of patients who left in the last days.
    fn follow_ups(&mut self, shift: &Shift, mean: f64) {
        let own = self.worker;
        let oldest = self.context.day.start() - Millis::days(12);
        let seen: Vec<Stay> = self
            .context
            .flow
            .ended()
            .filter(|stay| stay.unit == shift.unit && stay.attending == own && stay.to > oldest)
            .copied()
            .collect();
        for _ in 0..self.draw.round(mean * self.pace) {
            if let Some(stay) = self.draw.pick(&seen) {
                let time = shift.moment(self.draw);
                let task = [Task::Review, Task::Chart][self.draw.weighted(&[0.7, 0.3])];
                self.open(&stay, time, task, "follow_up", false);
            }
        }
    }

    /// Somebody of another unit, on request; the request may be recorded, in time or late.
    pub(crate) fn consults(&mut self, shift: &Shift, mean: f64) {
        let level = self.draw.between(0.5, 1.5);
        for _ in 0..self.draw.round(mean * self.pace * level) {
            let Some(stay) = self.elsewhere(shift.unit) else { return };
            let time = shift.moment(self.draw);
            if self.context.site.consults {
                self.request("referral", stay.patient, time, Some(stay.attending));
            }
            let mut time = time;
            for _ in 0..1 + usize::from(self.draw.chance(0.4)) {
                let task = [Task::Review, Task::Order, Task::Chart][self.draw.weighted(&[0.6, 0.2, 0.2])];
                self.open(&stay, time, task, "consult", false);
                time = time + self.draw.minutes(8.0, 90.0);
            }
        }
    }

    /// A colleague asks on the corridor; nobody writes it down.
    fn asked(&mut self, shift: &Shift) {
        if self.draw.chance(0.55) {
            let Some(stay) = self.elsewhere(shift.unit) else { return };
            let time = shift.moment(self.draw);
            let task = [Task::Glance, Task::Review][self.draw.weighted(&[0.4, 0.6])];
            self.open(&stay, time, task, "asked_by_colleague", false);
        }
        let own = self.context.world.worker(self.worker).person;
        if self.context.world.town.has_chart(own) && self.draw.chance(0.006) {
            let time = shift.moment(self.draw);
            self.visits.push(Visit::new(time, own, Task::Review, "own_record"));
        }
    }

    /// Day teams finish their notes after the shift; night teams go home.
    fn overtime(&mut self, shift: &Shift, first: usize) {
        let likely = match shift.kind {
            ShiftKind::Office | ShiftKind::Day => 0.4,
            ShiftKind::Evening => 0.15,
            ShiftKind::Night => 0.0,
        };
        if !self.draw.chance(likely) || self.visits.len() == first {
            return;
        }
        let length = self.draw.exponential(35.0).min(150.0);
        for _ in 0..1 + self.draw.below(4) {
            let again = first + self.draw.below(self.visits.len() - first);
            let time = shift.end + Millis((length * self.draw.unit() * 60_000.0) as i64);
            let visit = Visit { time, ..self.visits[again].clone() };
            self.visits.push(visit);
        }
    }

    /// Evening and night cover from home.
    pub(crate) fn on_call(&mut self) {
        let unit = self.context.world.worker(self.worker).unit;
        let emergency = self.context.world.unit_of(UnitKind::Emergency);
        for _ in 0..2 + self.draw.below(4) {
            let time = self.context.day.at(self.draw.between(18.0, 29.0));
            let from = if self.draw.chance(0.6) { unit } else { emergency };
            let here: Vec<Stay> =
                self.context.flow.present(from).filter(|stay| stay.from <= time && time < stay.to).copied().collect();
            let Some(stay) = self.draw.pick(&here) else { continue };
            if self.context.site.consults {
                self.request("on_call", stay.patient, time, None);
            }
            let task = [Task::Review, Task::Order][self.draw.weighted(&[0.7, 0.3])];
            self.open(&stay, time, task, "on_call", false);
            self.mark_last(Channel::Remote);
        }
    }

    /// A look at one's own patients in the evening, from home.
    pub(crate) fn evening_look(&mut self) {
        let shift_visits: Vec<Visit> = self.visits.iter().filter(|visit| visit.incident.is_none()).cloned().collect();
        let time = self.context.day.at(self.draw.between(18.5, 22.5));
        for _ in 0..2 + self.draw.below(3) {
            if shift_visits.is_empty() {
                return;
            }
            let known = shift_visits[self.draw.below(shift_visits.len())].clone();
            let time = time + self.draw.minutes(0.0, 40.0);
            let task = [Task::Review, Task::Chart][self.draw.weighted(&[0.6, 0.4])];
            self.visits.push(Visit { time, task, channel: Channel::Remote, ..known });
        }
    }

    pub(crate) fn mark_last(&mut self, channel: Channel) {
        if let Some(visit) = self.visits.last_mut() {
            visit.channel = channel;
        }
    }

    /// A stay somewhere else in the house, today.
    pub(crate) fn elsewhere(&mut self, unit: u16) -> Option<Stay> {
        let units = self.context.world.units.len();
        for _ in 0..20 {
            let other = self.draw.below(units) as u16;
            let kind = self.context.world.unit(other).kind;
            if other == unit || !(kind.has_beds() || kind == UnitKind::Emergency) {
                continue;
            }
            let stays: Vec<Stay> = self.context.flow.present(other).copied().collect();
            if let Some(stay) = self.draw.pick(&stays) {
                return Some(stay);
            }
        }
        None
    }

    /// Records that somebody was asked to look, if this role's requests are recorded here; some are written late,
    /// some by the one who looked.
    pub(crate) fn request(&mut self, kind: &'static str, patient: u32, time: Timestamp, by: Option<u32>) {
        if !self.draw.chance(self.context.site.completeness(self.role)) {
            return;
        }
        // Days are handed out whole: nothing is recorded into the day before.
        let from = (time - self.draw.minutes(1.0, 150.0)).max(self.context.day.start());
        let mut relation = Relation::of_user(kind, patient, self.worker, from);
        relation.author = by.filter(|author| *author != self.worker);
        if self.draw.chance(self.context.site.late_relations) {
            relation.recorded = time + Millis(self.draw.span(60_000, 7_000_000));
            if self.draw.chance(0.2) {
                relation.author = Some(self.worker);
            }
        }
        relation.to = Some(time.max(relation.recorded) + self.draw.minutes(24.0 * 60.0, 72.0 * 60.0));
        let row = relation.row(self.context.world, self.context.site);
        self.rows.push(row);
    }

    pub(crate) fn between(&mut self, from: Timestamp, to: Timestamp) -> Timestamp {
        from + Millis(self.draw.span(0, (to - from).0))
    }

    pub(crate) fn open(&mut self, stay: &Stay, time: Timestamp, task: Task, why: &'static str, at_hand: bool) {
        let listed = at_hand && self.draw.chance(0.92);
        let visit = Visit { encounter: stay.encounter, listed, ..Visit::new(time, stay.patient, task, why) };
        self.visits.push(visit);
    }
}
