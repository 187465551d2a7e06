//! The flow of patients: admissions, transfers, discharges, emergency visits, appointments, deaths; and the records
//! of who had a reason to open which chart. Read next: `work.rs`, which does the work these stays ask for.

use std::collections::BTreeMap;

use base::{Millis, Seed, Timestamp};

use crate::calendar::LocalDay;
use crate::draw::Draw;
use crate::limits;
use crate::role::{Role, UnitKind};
use crate::rows::{self, ReferenceRow, Relation};
use crate::site::Site;
use crate::staff::World;

/// Time of one patient in one unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stay {
    pub(crate) patient: u32,
    pub(crate) encounter: u32,
    pub(crate) unit: u16,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) attending: u32,
}

/// An admission that must happen, for the sake of a story.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forced {
    pub(crate) day: i32,
    pub(crate) patient: u32,
    pub(crate) unit: u16,
}

/// What changes in a patient's own row at some instant.
#[derive(Clone, Copy, Debug)]
enum Change {
    Ward(Option<u16>),
    Death,
}

/// All stays of the last days and of the days already planned.
pub(crate) struct Flow {
    stays: Vec<Stay>,
    by_unit: Vec<Vec<u32>>,
    ended: Vec<u32>,
    booked: BTreeMap<i32, Vec<Stay>>,
    changes: BTreeMap<(Timestamp, u32), Change>,
    busy_until: Vec<Timestamp>,
    forced: Vec<Forced>,
    encounters: u32,
}

/// One day of the flow being made.
struct Step<'a> {
    flow: &'a mut Flow,
    world: &'a World,
    site: &'a Site,
    day: &'a LocalDay,
    draw: Draw,
    rows: &'a mut Vec<ReferenceRow>,
}

impl Flow {
    pub(crate) fn new(world: &World, forced: Vec<Forced>) -> Self {
        Self {
            stays: Vec::new(),
            by_unit: vec![Vec::new(); world.units.len()],
            ended: Vec::new(),
            booked: BTreeMap::new(),
            changes: BTreeMap::new(),
            busy_until: vec![Timestamp::MIN; world.town.persons.len()],
            forced,
            encounters: 400_000,
        }
    }

    /// Plays one day; rows may be recorded on this day or any later one.
    pub(crate) fn step(
        &mut self,
        world: &mut World,
        site: &Site,
        day: &LocalDay,
        seed: Seed,
        rows: &mut Vec<ReferenceRow>,
    ) {
        let draw = Draw::new(seed.child("flow").index(day.index as u64));
        let mut step = Step { flow: self, world, site, day, draw, rows };
        step.force();
        step.emergencies();
        step.admissions();
        step.book();
        self.apply_changes(world, site, day, rows);
        self.index(day);
    }

    /// Stays in a unit that touch this day or the night after it, in order of their making.
    pub(crate) fn present(&self, unit: u16) -> impl Iterator<Item = &Stay> + '_ {
        self.by_unit[usize::from(unit)].iter().map(|index| &self.stays[*index as usize])
    }

    /// Stays that ended before this day, at most two weeks ago.
    pub(crate) fn ended(&self) -> impl ExactSizeIterator<Item = &Stay> + '_ {
        self.ended.iter().map(|index| &self.stays[*index as usize])
    }

    /// Whether somebody is in the house at `time`.
    pub(crate) fn is_here(&self, patient: u32, time: Timestamp) -> bool {
        self.busy_until[patient as usize] > time
    }

    fn apply_changes(&mut self, world: &mut World, site: &Site, day: &LocalDay, rows: &mut Vec<ReferenceRow>) {
        let later = self.changes.split_off(&(day.end(), 0));
        for ((time, person), change) in std::mem::replace(&mut self.changes, later) {
            let ward = match change {
                Change::Ward(ward) => ward,
                Change::Death => {
                    world.town.persons[person as usize].deceased = true;
                    None
                }
            };
            rows.push(rows::patient(world, site, person, ward, time));
        }
    }

    fn index(&mut self, day: &LocalDay) {
        let oldest = day.start() - Millis::days(limits::STAY_MEMORY_DAYS);
        self.stays.retain(|stay| stay.to >= oldest);
        self.stays.extend(self.booked.remove(&day.index).unwrap_or_default());
        let until = day.start() + Millis::hours(34);
        self.by_unit.iter_mut().for_each(Vec::clear);
        self.ended.clear();
        for (index, stay) in self.stays.iter().enumerate() {
            if stay.to < day.start() {
                self.ended.push(index as u32);
            } else if stay.from < until {
                self.by_unit[usize::from(stay.unit)].push(index as u32);
            }
        }
    }
}

impl Step<'_> {
    /// Somebody alive, with a record, not in the house, whose row the register has.
    fn someone(&mut self, at: Timestamp) -> u32 {
        let mut patient = self.world.town.ill(&mut self.draw);
        for _ in 0..50 {
            let person = &self.world.town.persons[patient as usize];
            if person.has_record && !person.deceased && !self.flow.is_here(patient, at) {
                break;
            }
            patient = self.world.town.ill(&mut self.draw);
        }
        patient
    }

    fn force(&mut self) {
        let due: Vec<Forced> = self.flow.forced.iter().filter(|it| it.day == self.day.index).copied().collect();
        for Forced { patient, unit, .. } in due {
            let at = self.day.at(self.draw.between(0.5, 6.5));
            if self.world.unit(unit).kind == UnitKind::Emergency {
                self.emergency(patient, at, 8.0);
            } else {
                self.admit(patient, unit, at);
            }
        }
    }

    fn emergencies(&mut self) {
        let mean = self.world.workers.len() as f64 * 0.24;
        let level = self.draw.between(0.85, 1.15);
        let visits = self.draw.round(mean * level);
        for _ in 0..visits {
            let hour = [2.0, 8.0, 14.0, 20.0][self.draw.weighted(&[0.12, 0.30, 0.33, 0.25])];
            let hour = f64::max(hour + self.draw.between(-3.0, 3.0), 0.0);
            let at = self.day.at(hour);
            let patient = self.someone(at);
            let hours = self.draw.between(1.5, 5.5);
            self.emergency(patient, at, hours);
        }
    }

    fn emergency(&mut self, patient: u32, at: Timestamp, hours: f64) {
        let unit = self.world.unit_of(UnitKind::Emergency);
        let to = at + Millis((hours * 3_600_000.0) as i64);
        let Some(stay) = self.open(patient, unit, at, to) else { return };
        self.flow.stays.push(stay);
        self.record_unit_stay(&stay);
        self.record_team(&stay);
        self.record_office(&stay, at, to);
        if self.draw.chance(0.5) {
            self.record_unit("order", &stay, UnitKind::Laboratory, Role::LabTechnician, to);
        }
    }

    /// Fills free beds: most wards are nearly full.
    fn admissions(&mut self) {
        let afternoon = self.day.at(14.0);
        for unit in 0..self.world.units.len() as u16 {
            if self.world.unit(unit).kind != UnitKind::Ward {
                continue;
            }
            let taken = self.flow.stays.iter().filter(|stay| stay.unit == unit && stay.to > afternoon).count();
            let wanted = (self.world.unit(unit).beds as f64 * self.draw.between(0.8, 0.97)) as usize;
            for _ in taken..wanted.max(taken) {
                let at = self.day.at(self.draw.between(8.0, 21.0));
                let patient = self.someone(at);
                self.admit(patient, unit, at);
            }
        }
    }

    /// One inpatient encounter: perhaps intensive care first, perhaps a transfer, then home or death.
    fn admit(&mut self, patient: u32, ward: u16, from: Timestamp) {
        let days = (0.8 + self.draw.exponential(3.4)).min(20.0) as i64 + 1;
        let to = self.day.at(self.draw.between(10.0, 16.0)) + Millis::days(days);
        let mut legs = vec![(ward, from, to)];
        if days >= 3 && self.draw.chance(0.12) {
            let moved = from + self.draw.minutes(14.0 * 60.0, 44.0 * 60.0);
            legs = vec![(self.world.unit_of(UnitKind::IntensiveCare), from, moved), (ward, moved, to)];
        } else if days >= 2 && self.draw.chance(0.15) {
            let wards: Vec<u16> = self.world.units_of(UnitKind::Ward).filter(|other| *other != ward).collect();
            let moved = from + self.draw.minutes(10.0 * 60.0, 30.0 * 60.0);
            if let Some(other) = self.draw.pick(&wards) {
                legs = vec![(ward, from, moved), (other, moved, to)];
            }
        }
        let Some(whole) = self.open(patient, ward, from, to) else { return };
        for (unit, from, to) in legs {
            let attending = self.physician(unit).unwrap_or(whole.attending);
            let stay = Stay { unit, from, to, attending, ..whole };
            self.flow.stays.push(stay);
            self.record_unit_stay(&stay);
            self.record_team(&stay);
            self.flow.changes.insert((from, patient), Change::Ward(Some(unit)));
        }
        self.record_unit("order", &whole, UnitKind::Pharmacy, Role::Pharmacist, to);
        self.record_unit("order", &whole, UnitKind::Laboratory, Role::LabTechnician, to);
        self.record_office(&whole, from, to);
        let mortal = self.world.town.persons[patient as usize].staff.is_none();
        let change = if mortal && self.draw.chance(0.02) { Change::Death } else { Change::Ward(None) };
        self.flow.changes.insert((to, patient), change);
    }

    /// Appointments a week ahead.
    fn book(&mut self) {
        let ahead = limits::APPOINTMENT_AHEAD_DAYS;
        let on = self.day.index + ahead;
        for unit in self.world.units_of(UnitKind::Clinic).collect::<Vec<_>>() {
            let staff = &self.world.unit(unit).staff;
            let clerk = staff.iter().copied().find(|it| self.world.worker(*it).role == Role::RegistrationClerk);
            for physician in staff.clone() {
                let worker = self.world.worker(physician);
                if worker.role != Role::Physician || self.world.rostered(physician, on).is_none() {
                    continue;
                }
                for slot in 0..16 + self.draw.below(5) {
                    self.appointment(unit, physician, clerk, slot as f64);
                }
            }
        }
    }

    fn appointment(&mut self, unit: u16, physician: u32, clerk: Option<u32>, slot: f64) {
        let ahead = limits::APPOINTMENT_AHEAD_DAYS;
        let from = self.day.at(8.5 + slot * 0.4) + Millis::days(i64::from(ahead));
        let to = from + Millis::minutes(24);
        let patient = self.someone(from);
        self.flow.encounters += 1;
        let stay = Stay { patient, encounter: self.flow.encounters, unit, from, to, attending: physician };
        self.flow.booked.entry(self.day.index + ahead).or_default().push(stay);
        let recorded = self.day.at(self.draw.between(8.0, 17.0));
        let user = Relation::of_user("appointment", patient, physician, from);
        let base = Relation { to: Some(to), author: clerk, recorded, ..user };
        if self.is_recorded(Role::Physician) {
            self.rows.push(base.row(self.world, self.site));
        }
        if self.is_recorded(Role::Nurse) {
            self.rows.push(Relation { user: None, unit: Some(unit), ..base }.row(self.world, self.site));
        }
        self.record_office(&stay, from, to);
    }

    fn open(&mut self, patient: u32, unit: u16, from: Timestamp, to: Timestamp) -> Option<Stay> {
        let attending = self.physician(unit)?;
        self.flow.encounters += 1;
        let busy = &mut self.flow.busy_until[patient as usize];
        *busy = (*busy).max(to);
        Some(Stay { patient, encounter: self.flow.encounters, unit, from, to, attending })
    }

    /// A physician of the unit who is not on leave; somebody of the unit if there is none.
    fn physician(&mut self, unit: u16) -> Option<u32> {
        let active = |it: &&u32| self.world.is_active(self.world.worker(**it), self.day.index);
        let staff: Vec<u32> = self.world.unit(unit).staff.iter().filter(active).copied().collect();
        let physicians: Vec<u32> =
            staff.iter().filter(|it| self.world.worker(**it).role == Role::Physician).copied().collect();
        self.draw
            .pick(&physicians)
            .or_else(|| self.draw.pick(&staff))
            .or_else(|| self.world.unit(unit).staff.first().copied())
    }

    fn is_recorded(&mut self, role: Role) -> bool {
        self.draw.chance(self.site.completeness(role))
    }

    /// The begin now, the end once it comes: the same key twice.
    fn record(&mut self, relation: Relation, to: Timestamp) {
        self.rows.push(relation.row(self.world, self.site));
        let ended = Relation { to: Some(to), recorded: to.max(relation.recorded), ..relation };
        self.rows.push(ended.row(self.world, self.site));
    }

    fn record_unit_stay(&mut self, stay: &Stay) {
        if self.is_recorded(Role::Nurse) {
            self.record(Relation::of_unit("encounter", stay.patient, stay.unit, stay.from), stay.to);
        }
    }

    fn record_team(&mut self, stay: &Stay) {
        if self.is_recorded(Role::Physician) {
            self.record(Relation::of_user("care_team", stay.patient, stay.attending, stay.from), stay.to);
        }
    }

    fn record_unit(&mut self, kind: &'static str, stay: &Stay, unit: UnitKind, role: Role, to: Timestamp) {
        if self.is_recorded(role) {
            let from = stay.from + self.draw.minutes(2.0, 20.0);
            let unit = self.world.unit_of(unit);
            self.record(Relation::of_unit(kind, stay.patient, unit, from), to.max(from));
        }
    }

    /// Work queues of registration, coding and billing.
    fn record_office(&mut self, stay: &Stay, from: Timestamp, to: Timestamp) {
        if !self.site.work_queues {
            return;
        }
        let offices = [
            (UnitKind::Registration, Role::RegistrationClerk, from - Millis::hours(1), 5),
            (UnitKind::Records, Role::Coder, to, 24 * 9),
            (UnitKind::Billing, Role::BillingClerk, to, 24 * 9),
        ];
        for (unit, role, from, hours) in offices {
            if self.is_recorded(role) {
                let unit = self.world.unit_of(unit);
                let from = from.max(self.day.start());
                let queued = Relation::of_unit("work_queue", stay.patient, unit, from);
                let row = Relation { to: Some(from + Millis::hours(hours)), ..queued };
                self.rows.push(row.row(self.world, self.site));
            }
        }
    }
}
