//! Innocents who look odd: the hard negatives. They are planned like incidents, and carry no incident.

use crate::acts::UserDay;
use crate::calendar::Calendar;
use crate::config::HospitalConfig;
use crate::draw::Draw;
use crate::flow::Forced;
use crate::origin::Origin;
use crate::plan::Plan;
use crate::role::{Role, UnitKind};
use crate::roster::{Shift, ShiftKind};
use crate::sitting::{Approach, Away};
use crate::staff::World;
use crate::truth::BenignOddity;
use crate::visit::{Channel, Task, Visit};
use crate::work::{Context, Worklist};

/// A kind of innocent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SameSurname,
    VipOnOwnWard,
    Audit,
    MonthEnd,
    OnCall,
    PasswordExpiry,
    CohortExport,
    Float,
    ReturnFromLeave,
    DoubleShift,
    TelehealthExit,
    TraumaTeam,
    ConferenceTravel,
}

const KINDS: [(Kind, &str); 13] = [
    (Kind::SameSurname, "same_surname_in_care"),
    (Kind::VipOnOwnWard, "vip_on_own_ward"),
    (Kind::Audit, "audit_sample"),
    (Kind::MonthEnd, "month_end_coder"),
    (Kind::OnCall, "on_call_from_home"),
    (Kind::PasswordExpiry, "password_expiry"),
    (Kind::CohortExport, "cohort_export"),
    (Kind::Float, "float_nurse"),
    (Kind::ReturnFromLeave, "return_from_leave"),
    (Kind::DoubleShift, "double_shift"),
    (Kind::TelehealthExit, "telehealth_exit"),
    (Kind::TraumaTeam, "trauma_team"),
    (Kind::ConferenceTravel, "conference_travel"),
];

/// One innocent's odd days.
#[derive(Clone, Debug)]
pub(crate) struct Oddity {
    pub(crate) kind: Kind,
    name: &'static str,
    pub(crate) worker: u32,
    pub(crate) from: i32,
    pub(crate) to: i32,
    /// The patient it turns on.
    pub(crate) patient: Option<u32>,
    /// The other unit.
    pub(crate) unit: Option<u16>,
}

/// Kinds of each per 300 staff and 28 days.
const EACH: f64 = 2.0;
const TRAUMA_TEAM: usize = 12;
/// Draws before a kind is given up: the rarest needs one of a few coders on one of a few days.
const CANDIDATES_MAX: usize = 6_000;

/// Plans the innocents among those who are no culprits.
pub(crate) fn plan(
    config: &HospitalConfig,
    calendar: &Calendar,
    world: &mut World,
    plans: &[Plan],
    forced: &mut Vec<Forced>,
) -> Vec<Oddity> {
    let mut draw = Draw::new(config.seed.child("oddities"));
    let size = f64::from(config.staff) / 300.0 * f64::from(config.days) / 28.0;
    let mut found: Vec<Oddity> = Vec::new();
    for (kind, name) in KINDS {
        for _ in 0..draw.round(size * EACH).max(1) {
            let taken = |worker: u32| {
                plans.iter().any(|plan| plan.worker == worker) || found.iter().any(|it| it.worker == worker)
            };
            let Some((worker, from)) = candidate(world, calendar, kind, taken, &mut draw) else { continue };
            let oddity = Oddity { kind, name, worker, from, to: from, patient: None, unit: None };
            found.extend(detail(world, oddity, forced, &mut draw));
        }
    }
    found
}

/// Somebody fit for it, and a day they work.
fn candidate(
    world: &World,
    calendar: &Calendar,
    kind: Kind,
    taken: impl Fn(u32) -> bool,
    draw: &mut Draw,
) -> Option<(u32, i32)> {
    for _ in 0..CANDIDATES_MAX {
        let worker = draw.below(world.workers.len()) as u32;
        let day = draw.below(world.days.max(1) as usize) as i32;
        let someone = world.worker(worker);
        let unit = world.unit(someone.unit).kind;
        let shift = world.rostered(worker, day);
        let ward_nurse = someone.role == Role::Nurse && unit == UnitKind::Ward;
        let fits = match kind {
            Kind::SameSurname | Kind::VipOnOwnWard | Kind::Float => ward_nurse && shift.is_some(),
            Kind::DoubleShift => ward_nurse && shift == Some(ShiftKind::Day),
            Kind::Audit => someone.role == Role::Auditor && shift.is_some(),
            Kind::MonthEnd => someone.role == Role::Coder && shift.is_some() && calendar.day(day).is_month_end(),
            Kind::OnCall => world.is_on_call(worker, day),
            Kind::CohortExport => someone.role == Role::Researcher && shift.is_some(),
            Kind::TelehealthExit => someone.role == Role::Physician && unit == UnitKind::Clinic && shift.is_some(),
            Kind::ConferenceTravel => someone.role == Role::Physician && shift == Some(ShiftKind::Office),
            Kind::TraumaTeam => unit == UnitKind::Emergency && shift == Some(ShiftKind::Day),
            Kind::ReturnFromLeave => someone.leave.is_none() && someone.ends.is_none() && someone.hired < -30,
            Kind::PasswordExpiry => shift.is_some(),
        };
        if fits && !taken(worker) {
            return Some((worker, day));
        }
    }
    None
}

/// What each kind needs: a patient in a bed, a changed roster, more people.
fn detail(world: &mut World, mut oddity: Oddity, forced: &mut Vec<Forced>, draw: &mut Draw) -> Vec<Oddity> {
    let unit = world.worker(oddity.worker).unit;
    match oddity.kind {
        Kind::SameSurname | Kind::VipOnOwnWard => {
            let surname = world.town.persons[world.worker(oddity.worker).person as usize].surname;
            let wanted = |it: &u32| {
                let person = &world.town.persons[*it as usize];
                let fits = if oddity.kind == Kind::VipOnOwnWard { person.vip } else { person.surname == surname };
                fits && person.has_record && person.staff.is_none()
            };
            let all: Vec<u32> = (0..world.town.persons.len() as u32).filter(wanted).collect();
            let Some(patient) = draw.pick(&all) else { return Vec::new() };
            oddity.patient = Some(patient);
            oddity.to = oddity.from + 3;
            forced.push(Forced { day: oddity.from, patient, unit });
        }
        Kind::Float => {
            let others: Vec<u16> = world.units_of(UnitKind::Ward).filter(|ward| *ward != unit).collect();
            oddity.unit = Some(draw.pick(&others).unwrap_or_else(|| world.unit_of(UnitKind::IntensiveCare)));
        }
        Kind::PasswordExpiry => world.workers[oddity.worker as usize].password_day = oddity.from,
        Kind::ReturnFromLeave => {
            let length = draw.span(14, 40) as i32;
            world.workers[oddity.worker as usize].leave = Some((oddity.from - length, oddity.from - 1));
            oddity.to = oddity.from + 3;
        }
        Kind::Audit => oddity.to = oddity.from + 2,
        Kind::TraumaTeam => return trauma_team(world, &oddity, forced, draw),
        _ => {}
    }
    vec![oddity]
}

fn trauma_team(world: &World, first: &Oddity, forced: &mut Vec<Forced>, draw: &mut Draw) -> Vec<Oddity> {
    let day = first.from;
    let patient = world.town.ill(draw);
    if !world.town.has_chart(patient) {
        return Vec::new();
    }
    forced.push(Forced { day, patient, unit: world.unit_of(UnitKind::Emergency) });
    let clinical = |worker: &u32| {
        let role = world.worker(*worker).role;
        let here = matches!(world.rostered(*worker, day), Some(ShiftKind::Day | ShiftKind::Office));
        here && matches!(role, Role::Nurse | Role::Physician | Role::Resident | Role::Pharmacist | Role::LabTechnician)
    };
    let mut team: Vec<u32> = (0..world.workers.len() as u32).filter(clinical).collect();
    draw.shuffle(&mut team);
    team.truncate(TRAUMA_TEAM);
    team.push(first.worker);
    team.sort_unstable();
    team.dedup();
    team.into_iter().map(|worker| Oddity { worker, patient: Some(patient), ..first.clone() }).collect()
}

impl Oddity {
    /// For the truth.
    pub(crate) fn told(&self, world: &World, calendar: &Calendar) -> BenignOddity {
        let user = std::sync::Arc::clone(&world.worker(self.worker).user);
        let (from, to) = (calendar.day(self.from).start(), calendar.day(self.to).at(32.0));
        BenignOddity { kind: self.name, user, from, to }
    }

    pub(crate) fn covers(&self, day: i32) -> bool {
        (self.from..=self.to).contains(&day)
    }
}

/// What an innocent's odd day adds to the ordinary one, whose visits are made already.
pub(crate) fn add(context: &Context<'_>, oddity: &Oddity, shifts: &[Shift], draw: &mut Draw, day: &mut UserDay) {
    let Some(shift) = shifts.first() else { return };
    let index = context.day.index;
    let mut rows = Vec::new();
    let worker = context.world.worker(oddity.worker);
    let mut list = Worklist {
        context,
        worker: oddity.worker,
        role: worker.role,
        pace: worker.pace,
        draw,
        visits: &mut day.visits,
        rows: &mut rows,
    };
    match oddity.kind {
        Kind::CohortExport => list.cohort(shift, 45.0, 0.85),
        Kind::TraumaTeam => trauma(oddity, list.visits, list.draw, context),
        Kind::TelehealthExit => {
            let origin = Origin::exit(context.world, context.site, oddity.worker, index, draw);
            go_away(day, origin);
        }
        Kind::ConferenceTravel => {
            let origin = Origin::hotel(context.world, context.site, oddity.worker, index, draw);
            day.visits.truncate(8);
            day.visits.iter_mut().for_each(|visit| visit.task = Task::Review);
            go_away(day, origin);
        }
        _ => {}
    }
}

fn trauma(oddity: &Oddity, visits: &mut Vec<Visit>, draw: &mut Draw, context: &Context<'_>) {
    let Some(patient) = oddity.patient else { return };
    let unit = context.world.unit_of(UnitKind::Emergency);
    let Some(stay) = context.flow.present(unit).find(|stay| stay.patient == patient) else { return };
    let begin = context.day.at(8.2).max(stay.from);
    for _ in 0..2 + draw.below(2) {
        let time = begin + draw.minutes(2.0, 100.0);
        let task = [Task::Review, Task::Order, Task::Chart][draw.weighted(&[0.6, 0.2, 0.2])];
        visits.push(Visit { encounter: stay.encounter, ..Visit::new(time, patient, task, "trauma_team") });
    }
}

fn go_away(day: &mut UserDay, origin: Origin) {
    day.aways.push(Away { origin, approach: Approach::PLAIN });
    let channel = Channel::Away(day.aways.len() as u32 - 1);
    day.visits.iter_mut().for_each(|visit| visit.channel = channel);
}
