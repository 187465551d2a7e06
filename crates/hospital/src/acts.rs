//! What an incident adds to one person's day: visits and sign-ins of the same make as everybody's.
//! Read next: `render.rs`, which cannot tell them apart.

use std::collections::BTreeMap;

use base::{Millis, Seed, Timestamp};

use crate::draw::Draw;
use crate::flow::Stay;
use crate::origin::Origin;
use crate::plan::Plan;
use crate::roster::Shift;
use crate::scenario::Scenario;
use crate::sitting::{Approach, Away, Sitting};
use crate::truth::Setting;
use crate::visit::{Channel, Task, Visit};
use crate::work::{Context, Worklist};

/// One person's day, as far as it is made.
#[derive(Default)]
pub(crate) struct UserDay {
    pub(crate) visits: Vec<Visit>,
    pub(crate) aways: Vec<Away>,
    pub(crate) extra: Vec<Sitting>,
}

/// Adds the acts of `plan` (index `index`) on this day.
pub(crate) fn act(
    context: &Context<'_>,
    (index, plan): (u32, &Plan),
    shift: Option<&Shift>,
    spray_end: Option<Timestamp>,
    draw: &mut Draw,
    day: &mut UserDay,
) {
    let Some(turn) = plan.days.iter().position(|on| *on == context.day.index) else { return };
    let count = draw.span(plan.charts.0, plan.charts.1).max(1) as usize;
    let channel = channel(context, plan, shift, draw, day);
    let times = times(context, plan, (shift, channel), (count, spray_end), draw);
    let patients = patients(context, plan, (turn, count), shift, draw);
    let mut added = 0;
    for (time, (patient, encounter)) in times.into_iter().zip(patients) {
        let visit = Visit {
            encounter,
            glass: plan.scenario == Scenario::GlassAbuse,
            channel,
            incident: Some(index),
            ..Visit::new(time, patient, task(plan, draw), "incident")
        };
        day.visits.push(visit);
        added += 1;
    }
    if let Some(shift) = shift.filter(|_| plan.padded) {
        pad(&mut day.visits, added, shift, draw);
    }
}

/// From where: most in the house, some from home, intruders from elsewhere.
fn channel(context: &Context<'_>, plan: &Plan, shift: Option<&Shift>, draw: &mut Draw, day: &mut UserDay) -> Channel {
    if let Some(origin) = &plan.away {
        let refused = match (plan.scenario, plan.setting) {
            (Scenario::MfaFatigue, Setting::Loud) => 7 + draw.below(9),
            (Scenario::MfaFatigue, Setting::Quiet) => 3 + draw.below(3),
            (Scenario::StolenCredentials, _) => draw.below(3),
            (Scenario::PasswordSpraying, _) => draw.below(2),
            _ => 0,
        };
        let failures = match plan.scenario {
            Scenario::PasswordSpraying => draw.below(2),
            _ => usize::from(draw.chance(0.2)),
        };
        let approach =
            Approach { failures: failures as u32, refused: refused as u32, by_hand: true, ..Approach::PLAIN };
        day.aways.push(Away { origin: origin.clone(), approach });
        return Channel::Away(day.aways.len() as u32 - 1);
    }
    let remote = context.world.worker(plan.worker).role.works_remotely();
    match plan.scenario {
        Scenario::BorrowedSession => Channel::Beside,
        _ if shift.is_none() => Channel::Remote,
        Scenario::OwnRecordTampering | Scenario::DrugDiversion => Channel::House,
        _ if remote && draw.chance(if plan.setting == Setting::Loud { 0.2 } else { 0.06 }) => Channel::Remote,
        _ => Channel::House,
    }
}

/// When: spread over the shift like other work, or in one go.
fn times(
    context: &Context<'_>,
    plan: &Plan,
    (shift, channel): (Option<&Shift>, Channel),
    (count, spray_end): (usize, Option<Timestamp>),
    draw: &mut Draw,
) -> Vec<Timestamp> {
    let at_work = shift.filter(|_| channel != Channel::Remote);
    let in_one_go = count > 6
        || matches!(channel, Channel::Away(_) | Channel::Remote)
        || matches!(plan.scenario, Scenario::AfterLeaving | Scenario::BorrowedSession);
    if let Some(shift) = at_work.filter(|_| !in_one_go) {
        return (0..count).map(|_| shift.moment(draw)).collect();
    }
    let pace = match plan.setting {
        Setting::Loud => (0.5, 1.8),
        Setting::Quiet => (1.0, 7.0),
    };
    let lengths: Vec<Millis> = (0..count).map(|_| draw.minutes(pace.0, pace.1)).collect();
    let whole: i64 = lengths.iter().map(|length| length.0).sum();
    let beside_owner = match plan.scenario {
        Scenario::ImpossibleTravel | Scenario::BorrowedSession => true,
        _ => draw.chance(0.6),
    };
    let mut time = match (at_work, spray_end) {
        (_, Some(end)) => end,
        (Some(shift), _) if beside_owner || matches!(channel, Channel::House) => {
            let latest = (shift.end - shift.start).0 - whole;
            shift.start + Millis(draw.span(1_200_000, latest.max(1_500_000)))
        }
        _ => {
            let latest = 23.3 - whole as f64 / 3_600_000.0;
            context.day.at(draw.between(17.5, latest.max(17.6)))
        }
    };
    lengths
        .into_iter()
        .map(|length| {
            time = time + length;
            time
        })
        .collect()
}

/// Whose charts today, with the encounter where there is one.
fn patients(
    context: &Context<'_>,
    plan: &Plan,
    (turn, count): (usize, usize),
    shift: Option<&Shift>,
    draw: &mut Draw,
) -> Vec<(u32, u32)> {
    let fixed = matches!(
        plan.scenario,
        Scenario::HouseholdMember
            | Scenario::CoWorker
            | Scenario::VipCuriosity
            | Scenario::CrowdCuriosity
            | Scenario::ColleagueCrowd
            | Scenario::ExPartner
            | Scenario::OwnRecordTampering
    );
    if fixed {
        return (0..count).map(|place| (plan.targets[(turn + place) % plan.targets.len()], 0)).collect();
    }
    if !plan.targets.is_empty() {
        // Each day takes the next of the list, so that nobody is opened twice before the list is through.
        let per_day = plan.charts.1 as usize;
        let from = turn * per_day;
        return (0..count).map(|place| (plan.targets[(from + place) % plan.targets.len()], 0)).collect();
    }
    let unit = shift.map_or(context.world.worker(plan.worker).unit, |shift| shift.unit);
    let stays: Vec<Stay> = if plan.scenario == Scenario::DrugDiversion {
        let gone = context.flow.ended().filter(|stay| stay.unit == unit);
        gone.copied().collect()
    } else {
        (0..context.world.units.len() as u16)
            .filter(|other| *other != unit && context.world.unit(*other).kind.has_beds())
            .flat_map(|other| context.flow.present(other).copied())
            .collect()
    };
    (0..count)
        .map(|_| match draw.pick(&stays) {
            Some(stay) => (stay.patient, stay.encounter),
            None => (context.world.town.ill(draw), 0),
        })
        .collect()
}

fn task(plan: &Plan, draw: &mut Draw) -> Task {
    let (tasks, weights): (&[Task], &[f64]) = match plan.scenario {
        Scenario::NameFishing => (&[Task::Search], &[1.0]),
        Scenario::OwnRecordTampering => (&[Task::Amend], &[1.0]),
        Scenario::DrugDiversion => (&[Task::Dispense], &[1.0]),
        Scenario::LeaverHarvest => (&[Task::Review, Task::Extract, Task::Print], &[0.5, 0.3, 0.2]),
        Scenario::ResearchBeyond => (&[Task::Review, Task::Extract], &[0.75, 0.25]),
        _ => (&[Task::Review, Task::Glance, Task::Print], &[0.76, 0.2, 0.04]),
    };
    tasks[draw.weighted(weights)]
}

/// Covering accesses replace other work: two ordinary visits go for each act, one covering visit comes, so that the
/// day's volume stays what it was.
fn pad(visits: &mut Vec<Visit>, acts: usize, shift: &Shift, draw: &mut Draw) {
    for _ in 0..acts * 2 {
        let ordinary: Vec<usize> = (0..visits.len()).filter(|index| visits[*index].incident.is_none()).collect();
        if ordinary.len() <= acts + 3 {
            break;
        }
        visits.remove(ordinary[draw.below(ordinary.len())]);
    }
    let known: Vec<Visit> = visits.iter().filter(|visit| visit.incident.is_none()).cloned().collect();
    for _ in 0..acts.min(known.len()) {
        let model = known[draw.below(known.len())].clone();
        visits.push(Visit { time: shift.moment(draw), why: "cover", ..model });
    }
}

/// One address tries many accounts: a failed sign-in for each victim. Returns the instant it ends.
pub(crate) fn spray(
    context: &Context<'_>,
    (index, plan): (u32, &Plan),
    seed: Seed,
    failed: &mut BTreeMap<u32, Vec<Sitting>>,
) -> Option<Timestamp> {
    let origin: &Origin = plan.away.as_ref()?;
    if plan.victims.is_empty() || plan.days.first() != Some(&context.day.index) {
        return None;
    }
    let mut draw = Draw::new(seed.child("spray").index(u64::from(index)));
    let mut time = context.day.at(draw.between(0.5, 19.0));
    for victim in &plan.victims {
        time = time + Millis(draw.span(4_000, if plan.setting == Setting::Loud { 40_000 } else { 200_000 }));
        let approach = Approach { failures: 1, refused: 0, by_hand: false, succeeds: false };
        failed.entry(*victim).or_default().push(Sitting {
            start: time,
            end: time,
            origin: origin.clone(),
            approach,
            logoff: false,
            session: draw.bits(),
            incident: Some(index),
            why: "sign_in",
            visits: Vec::new(),
        });
    }
    Some(time + Millis(draw.span(5_000, 400_000)))
}

impl Worklist<'_> {
    /// Everything a person does by the rules today: shifts, cover, an evening look.
    pub(crate) fn ordinary(&mut self, shifts: &[Shift]) {
        shifts.iter().for_each(|shift| self.shift(shift));
        let remote = self.context.world.worker(self.worker).role.works_remotely();
        if remote && !shifts.is_empty() && self.draw.chance(0.05) {
            self.evening_look();
        }
        if self.context.world.is_on_call(self.worker, self.context.day.index) {
            self.on_call();
        }
    }
}

#[cfg(test)]
mod tests;
