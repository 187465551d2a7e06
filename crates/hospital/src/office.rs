//! Normal work away from the bed: registration, pharmacy, laboratory, coding, bills, social work, research, audit, IT.
//! Also what happens to everybody: slips, and rules that must be overridden.

use base::{Millis, Timestamp};

use crate::draw::Draw;
use crate::flow::Stay;
use crate::role::{Role, UnitKind};
use crate::roster::Shift;
use crate::visit::{Task, Visit};
use crate::work::{Context, Worklist};

impl Worklist<'_> {
    /// The work of all roles without beds.
    pub(crate) fn office(&mut self, shift: &Shift) {
        match self.role {
            Role::RegistrationClerk => self.register(shift),
            Role::Pharmacist => {
                self.inpatients(shift, 44.0, Task::Dispense, "pharmacy_order");
                self.consults(shift, 1.5);
            }
            Role::LabTechnician => self.inpatients(shift, 46.0, Task::Result, "laboratory_order"),
            Role::Coder => {
                let level = if self.context.day.is_month_end() { 1.8 } else { 1.0 };
                self.queue(shift, 38.0 * level, Task::Code, "coding");
            }
            Role::BillingClerk => {
                let level = if self.context.day.is_month_end() { 1.5 } else { 1.0 };
                self.queue(shift, 42.0 * level, Task::Bill, "billing");
            }
            Role::SocialWorker => self.cases(shift),
            Role::Researcher => self.cohort(shift, 22.0, 0.06),
            Role::Auditor => self.audit(shift, 16.0),
            _ => self.support(shift),
        }
    }

    /// Arrivals of the shift, shared with the others at the desks.
    fn register(&mut self, shift: &Shift) {
        let mut arrivals = Vec::new();
        for unit in 0..self.context.world.units.len() as u16 {
            let in_shift = |stay: &&Stay| stay.from >= shift.start && stay.from < shift.end;
            let here = self.context.world.unit(shift.unit).kind == UnitKind::Registration || unit == shift.unit;
            if here {
                arrivals.extend(self.context.flow.present(unit).filter(in_shift).copied());
            }
        }
        let (place, crew) = self.place(shift);
        for (index, stay) in arrivals.iter().enumerate() {
            if index % crew == place || self.draw.chance(0.03) {
                let time = stay.from - Millis(self.draw.span(-600_000, 600_000));
                self.open(stay, time, Task::Register, "registration", false);
            }
        }
    }

    /// Everybody in a bed has orders that need this office.
    fn inpatients(&mut self, shift: &Shift, mean: f64, task: Task, why: &'static str) {
        let mut stays = Vec::new();
        for unit in 0..self.context.world.units.len() as u16 {
            if self.context.world.unit(unit).kind.has_beds() {
                stays.extend(self.context.flow.present(unit).copied());
            }
        }
        for _ in 0..self.draw.round(mean * self.pace) {
            let Some(stay) = self.draw.pick(&stays) else { return };
            let time = shift.moment(self.draw);
            if time <= stay.from || time >= stay.to {
                continue;
            }
            let task = if self.draw.chance(0.75) { task } else { Task::Review };
            self.open(&stay, time, task, why, true);
        }
    }

    /// Discharges of the last days, from the work queue.
    fn queue(&mut self, shift: &Shift, mean: f64, task: Task, why: &'static str) {
        let oldest = self.context.day.start() - Millis::days(8);
        let stays: Vec<Stay> = self.context.flow.ended().filter(|stay| stay.to > oldest).copied().collect();
        for _ in 0..self.draw.round(mean * self.pace) {
            let Some(stay) = self.draw.pick(&stays) else { return };
            let time = shift.moment(self.draw);
            self.open(&stay, time, task, why, true);
        }
    }

    /// A caseload: the same people over days, some after they went home.
    fn cases(&mut self, shift: &Shift) {
        let colleagues = self.context.world.unit(shift.unit).staff.len() as u32;
        let own = self.worker % colleagues;
        let mut stays: Vec<Stay> = Vec::new();
        for unit in self.context.world.units_of(UnitKind::Ward) {
            stays.extend(self.context.flow.present(unit).copied());
        }
        stays.extend(self.context.flow.ended().copied());
        stays.retain(|stay| stay.encounter % (colleagues * 5) == own && stay.from < shift.start);
        stays.dedup_by_key(|stay| stay.encounter);
        stays.truncate(16);
        for stay in stays {
            self.request("referral", stay.patient, shift.start, Some(stay.attending));
            for _ in 0..self.draw.round(1.6 * self.pace) {
                let time = shift.moment(self.draw);
                let task = [Task::Review, Task::Chart][self.draw.below(2)];
                self.open(&stay, time, task, "social_work", true);
            }
        }
    }

    /// Charts of one's own cohort; now and then an export.
    pub(crate) fn cohort(&mut self, shift: &Shift, mean: f64, exports: f64) {
        let cohort = &self.context.world.worker(self.worker).cohort;
        for _ in 0..self.draw.round(mean * self.pace) {
            let Some(patient) = self.draw.pick(cohort) else { return };
            let task = if self.draw.chance(exports) { Task::Extract } else { Task::Review };
            let time = shift.moment(self.draw);
            let listed = self.draw.chance(0.8);
            self.visits.push(Visit { listed, ..Visit::new(time, patient, task, "research_cohort") });
        }
    }

    /// A sample of ended stays, across all units.
    pub(crate) fn audit(&mut self, shift: &Shift, mean: f64) {
        let stays: Vec<Stay> = self.context.flow.ended().copied().collect();
        for _ in 0..self.draw.round(mean * self.pace) {
            let Some(stay) = self.draw.pick(&stays) else { return };
            let time = shift.moment(self.draw);
            if self.context.site.work_queues {
                self.request("work_queue", stay.patient, time, None);
            }
            self.open(&stay, time, Task::Review, "audit", false);
        }
    }

    /// Tickets: somebody's screen shows something wrong.
    fn support(&mut self, shift: &Shift) {
        for _ in 0..self.draw.round(4.0 * self.pace) {
            let Some(stay) = self.elsewhere(shift.unit) else { return };
            let time = shift.moment(self.draw);
            if self.context.site.work_queues {
                self.request("work_queue", stay.patient, time, Some(stay.attending));
            }
            self.open(&stay, time, Task::Glance, "support", false);
        }
    }

    fn place(&self, shift: &Shift) -> (usize, usize) {
        self.context.crews.place(self.worker, self.role, shift)
    }
}

/// Wrong charts opened by mistake, just before the right one.
pub(crate) fn slip(context: &Context<'_>, draw: &mut Draw, visits: &mut Vec<Visit>) {
    for index in 0..visits.len() {
        if !draw.chance(context.site.slips) {
            continue;
        }
        let right = &visits[index];
        let wrong = context.world.town.next_record(right.patient, 1 + draw.below(9) as u32);
        if !context.world.town.has_chart(wrong) {
            continue;
        }
        let time = right.time - Millis(draw.span(5_000, 25_000));
        let visit = Visit {
            encounter: 0,
            incident: None,
            glass: false,
            task: Task::Glance,
            why: "wrong_patient",
            patient: wrong,
            time,
            ..right.clone()
        };
        visits.push(visit);
    }
}

/// Sensitive records and people of note are behind glass for those outside their unit: everybody who opens such a
/// chart from outside overrides the rules, whoever they are.
pub(crate) fn break_glass(context: &Context<'_>, draw: &mut Draw, unit: u16, visits: &mut [Visit]) {
    for visit in visits.iter_mut() {
        let person = &context.world.town.persons[visit.patient as usize];
        if !(person.sensitive || person.vip) || visit.task == Task::Search {
            continue;
        }
        let inside = context.flow.present(unit).any(|stay| stay.patient == visit.patient && covers(stay, visit.time));
        visit.glass |= !inside && draw.chance(0.7);
    }
    // A full emergency department has no time to find the right list.
    if context.world.unit(unit).kind == UnitKind::Emergency {
        for visit in visits.iter_mut() {
            visit.glass |= visit.task != Task::Search && draw.chance(0.01);
        }
    }
}

fn covers(stay: &Stay, time: Timestamp) -> bool {
    stay.from <= time + Millis::hours(2) && time < stay.to + Millis::hours(24)
}
