//! Units and the people who work in them. Read next: `roster.rs` (who works when).

use std::sync::Arc;

use base::Seed;

use crate::draw::Draw;
use crate::names;
use crate::role::{Role, UnitKind};
use crate::roster::Pattern;
use crate::site::Site;
use crate::town::Town;

/// A unit with its workstations.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) kind: UnitKind,
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) beds: usize,
    pub(crate) workstations: u32,
    pub(crate) staff: Vec<u32>,
}

/// A member of staff. Days count from the start of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    /// The id that stands in events.
    pub(crate) user: Arc<str>,
    pub(crate) login: String,
    pub(crate) badge: u32,
    pub(crate) person: u32,
    pub(crate) role: Role,
    pub(crate) unit: u16,
    pub(crate) pattern: Pattern,
    /// Where in the pattern this person is on day 0.
    pub(crate) phase: i32,
    pub(crate) manager: Option<u32>,
    /// First day of work.
    pub(crate) hired: i32,
    /// Last day of work, and the day the notice was recorded.
    pub(crate) ends: Option<Leaving>,
    /// First and last day of absence.
    pub(crate) leave: Option<(i32, i32)>,
    /// Usual charts opened, as a factor on the role's number.
    pub(crate) pace: f64,
    /// Day on which the password runs out, then every 90 days.
    pub(crate) password_day: i32,
    /// Days the laptop was in use on day 0; a new one comes every 900.
    pub(crate) device_day: i32,
    /// The cohort of a researcher.
    pub(crate) cohort: Vec<u32>,
}

/// The end of somebody's employment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaving {
    /// Last day of work.
    pub(crate) last: i32,
    /// Day on which the directory learned of it.
    pub(crate) noticed: i32,
}

/// The house: its town, units and staff.
pub(crate) struct World {
    pub(crate) town: Town,
    pub(crate) units: Vec<Unit>,
    pub(crate) workers: Vec<Worker>,
    /// 0 = Monday on day 0.
    pub(crate) first_weekday: i32,
    /// Length of the stream.
    pub(crate) days: i32,
}

/// Roles in units that exist once, as shares of all staff: unit, role, share.
const SPECIAL: [(UnitKind, Role, f64); 16] = [
    (UnitKind::IntensiveCare, Role::Nurse, 0.050),
    (UnitKind::IntensiveCare, Role::Physician, 0.010),
    (UnitKind::Emergency, Role::Nurse, 0.065),
    (UnitKind::Emergency, Role::Physician, 0.030),
    (UnitKind::Emergency, Role::Resident, 0.018),
    (UnitKind::Pharmacy, Role::Pharmacist, 0.030),
    (UnitKind::Laboratory, Role::LabTechnician, 0.030),
    (UnitKind::Registration, Role::RegistrationClerk, 0.050),
    (UnitKind::Records, Role::Coder, 0.030),
    (UnitKind::Billing, Role::BillingClerk, 0.025),
    (UnitKind::SocialWork, Role::SocialWorker, 0.020),
    (UnitKind::Research, Role::Researcher, 0.020),
    (UnitKind::Quality, Role::Auditor, 0.012),
    (UnitKind::It, Role::ItAdmin, 0.018),
    (UnitKind::FloatPool, Role::Nurse, 0.025),
    // Filled up with ward staff below.
    (UnitKind::Ward, Role::Nurse, 0.0),
];
const CLINIC: [(Role, u32); 3] = [(Role::Physician, 4), (Role::Nurse, 2), (Role::RegistrationClerk, 1)];
const STAFF_PER_CLINIC: f64 = 60.0;
const STAFF_PER_WARD: usize = 19;

impl World {
    pub(crate) fn new(seed: Seed, site: &Site, staff: u32, days: i32, first_weekday: i32) -> Self {
        let mut town = Town::new(seed, site, staff);
        let mut draw = Draw::new(seed.child("staff"));
        let (mut units, slots) = positions(staff);
        let mut ids: Vec<u32> = (10_000..10_000 + staff * 3).collect();
        draw.shuffle(&mut ids);
        let mut workers = Vec::with_capacity(slots.len());
        for (index, (unit, role)) in slots.into_iter().enumerate() {
            let person = unemployed(&town, &mut draw);
            town.persons[person as usize].staff = Some(index as u32);
            town.persons[person as usize].has_record = draw.chance(site.staff_patients);
            units[usize::from(unit)].staff.push(index as u32);
            let kind = units[usize::from(unit)].kind;
            workers.push(employ(&mut draw, &town, ids[index], person, (unit, role, kind)));
        }
        for unit in &units {
            let manager = draw.pick(&unit.staff);
            for worker in &unit.staff {
                workers[*worker as usize].manager = manager.filter(|manager| manager != worker);
            }
        }
        let mut world = Self { town, units, workers, first_weekday, days };
        world.draw_lives(&mut draw);
        world
    }

    /// Innocent people are hired, go on leave and give notice.
    fn draw_lives(&mut self, draw: &mut Draw) {
        let days = self.days;
        let per_period = f64::from(days.max(1)) / 28.0;
        for index in 0..self.workers.len() {
            if self.workers[index].role == Role::Researcher {
                let size = 120 + draw.below(80);
                self.workers[index].cohort = (0..size).map(|_| self.town.ill(draw)).collect();
            }
            let worker = &mut self.workers[index];
            if draw.chance((0.015 * per_period).min(0.3)) {
                let last = draw.span(2, i64::from(days.max(3))) as i32;
                worker.ends = Some(Leaving { last, noticed: last - draw.span(7, 35) as i32 });
            } else if draw.chance((0.015 * per_period).min(0.2)) {
                worker.hired = draw.span(1, i64::from(days.max(2))) as i32;
            } else if draw.chance((0.06 * per_period).min(0.5)) {
                let from = draw.span(-10, i64::from(days)) as i32;
                worker.leave = Some((from, from + draw.span(4, 20) as i32));
            }
        }
    }

    pub(crate) fn worker(&self, index: u32) -> &Worker {
        &self.workers[index as usize]
    }

    pub(crate) fn unit(&self, index: u16) -> &Unit {
        &self.units[usize::from(index)]
    }

    /// The first unit of this kind; every kind exists.
    pub(crate) fn unit_of(&self, kind: UnitKind) -> u16 {
        self.units.iter().position(|unit| unit.kind == kind).unwrap_or(0) as u16
    }

    /// All units of this kind.
    pub(crate) fn units_of(&self, kind: UnitKind) -> impl Iterator<Item = u16> + '_ {
        self.units.iter().enumerate().filter(move |(_, unit)| unit.kind == kind).map(|(index, _)| index as u16)
    }
}

fn unemployed(town: &Town, draw: &mut Draw) -> u32 {
    loop {
        let person = town.anybody(draw);
        if town.persons[person as usize].staff.is_none() {
            return person;
        }
    }
}

fn employ(draw: &mut Draw, town: &Town, id: u32, person: u32, (unit, role, kind): (u16, Role, UnitKind)) -> Worker {
    let someone = &town.persons[person as usize];
    let initial = &names::given(someone.given)[..1];
    let login = format!("{initial}{}{id}", names::surname(someone.surname)).to_lowercase();
    let pattern = Pattern::of(role, kind, draw);
    Worker {
        user: format!("e{id}").into(),
        login,
        badge: 700_000 + id * 7 % 90_000,
        person,
        role,
        unit,
        pattern,
        phase: draw.below(28) as i32,
        manager: None,
        hired: -(draw.span(60, 4_000) as i32),
        ends: None,
        leave: None,
        pace: draw.between(0.75, 1.3),
        password_day: draw.below(90) as i32,
        device_day: draw.below(900) as i32,
        cohort: Vec::new(),
    }
}

/// The units of a house of this size, and who is employed where.
fn positions(staff: u32) -> (Vec<Unit>, Vec<(u16, Role)>) {
    let mut units: Vec<Unit> = Vec::new();
    let mut slots = Vec::new();
    let total = f64::from(staff);
    for (kind, role, share) in SPECIAL.into_iter().filter(|(_, _, share)| *share > 0.0) {
        if units.last().is_none_or(|unit| unit.kind != kind) {
            units.push(unit(kind, None));
        }
        let count = libm::round(total * share).max(1.0) as usize;
        slots.extend(std::iter::repeat_n(((units.len() - 1) as u16, role), count));
    }
    for number in 0..libm::round(total / STAFF_PER_CLINIC).max(2.0) as usize {
        units.push(unit(UnitKind::Clinic, Some(number + 1)));
        for (role, count) in CLINIC {
            slots.extend(std::iter::repeat_n(((units.len() - 1) as u16, role), count as usize));
        }
    }
    let left = (staff as usize).saturating_sub(slots.len());
    let wards = (left / STAFF_PER_WARD).max(1);
    let first = units.len();
    units.extend((0..wards).map(|number| unit(UnitKind::Ward, Some(number + 1))));
    for place in 0..left {
        // Of every ward's first four, two are physicians and two residents; nurses fill the rest.
        let role = match place / wards {
            0 | 1 => Role::Physician,
            2 | 3 => Role::Resident,
            _ => Role::Nurse,
        };
        slots.push(((first + place % wards) as u16, role));
    }
    for (index, unit) in units.iter_mut().enumerate() {
        let people = slots.iter().filter(|(at, _)| usize::from(*at) == index).count();
        unit.workstations = (people as u32 * 2 / 3).max(4);
        unit.beds = if unit.kind.has_beds() { (people + 1).max(6) } else { 0 };
    }
    (units, slots)
}

fn unit(kind: UnitKind, number: Option<usize>) -> Unit {
    let (name, code) = kind.words();
    let (name, code) = match number {
        Some(number) => (format!("{name} {number}"), format!("{code}{number:02}")),
        None => (name.to_owned(), code.to_owned()),
    };
    Unit { kind, name, code, beds: 0, workstations: 0, staff: Vec::new() }
}
