//! Who does what and when: incidents planned before the first day, stratified so that no seed is without them.
//!
//! Culprits are drawn from the people who work anyway, whatever their role or pace, and have clean days before.

use base::Seed;

use crate::config::HospitalConfig;
use crate::draw::Draw;
use crate::flow::Forced;
use crate::origin::Origin;
use crate::role::UnitKind;
use crate::roster::ShiftKind;
use crate::scenario::Scenario;
use crate::staff::{Leaving, World};
use crate::targets;
use crate::truth::Setting;

/// One incident to come.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) worker: u32,
    pub(crate) setting: Setting,
    pub(crate) padded: bool,
    /// Acting days, ascending.
    pub(crate) days: Vec<i32>,
    /// Charts a day: at least, and fewer than.
    pub(crate) charts: (i64, i64),
    /// Whose charts; empty where the day decides.
    pub(crate) targets: Vec<u32>,
    /// Where an intruder sits.
    pub(crate) away: Option<Origin>,
    /// Accounts tried in vain.
    pub(crate) victims: Vec<u32>,
}

/// Share of incidents by somebody who already had another.
const REPEATS: f64 = 0.1;
/// Largest share of staff that may become culprits.
const CULPRITS_MAX: f64 = 0.4;

/// Plans all incidents; `forced` gets the admissions their motives need.
pub(crate) fn plan(config: &HospitalConfig, world: &mut World, forced: &mut Vec<Forced>) -> Vec<Plan> {
    let mix = &config.scenarios;
    let mut draw = Draw::new(config.seed.child("plans"));
    let mean = mix.mean(config.staff, config.days);
    if mean <= 0.0 || mix.weights.iter().all(|(_, weight)| *weight <= 0.0) {
        return Vec::new();
    }
    let spread = draw.between(0.85, 1.15);
    let most = (f64::from(config.staff) * CULPRITS_MAX) as usize;
    let count = draw.round(mean * spread).clamp(1, most);
    let (loud_from, padded_from) = (draw.unit(), draw.unit());
    let mut plans: Vec<Plan> = Vec::new();
    let mut deck: Vec<Scenario> = Vec::new();
    let (mut paddable, mut tries) = (0, 0);
    while plans.len() < count && tries < count * 20 + 100 {
        tries += 1;
        if deck.is_empty() {
            deck = shuffled(&mix.weights, &mut draw);
        }
        let Some(scenario) = deck.pop() else { break };
        let loud = crosses(loud_from, plans.len(), mix.loud_share);
        let padded = scenario.can_be_padded() && crosses(padded_from, paddable, mix.padded_share);
        let setting = if loud { Setting::Loud } else { Setting::Quiet };
        let seed = config.seed.child("plan").index(tries as u64);
        if let Some(plan) = one(config, world, &plans, (scenario, setting, padded), seed) {
            paddable += usize::from(scenario.can_be_padded());
            let admission = scenario.is_about_a_vip().then(|| admission(world, &plan, &mut draw));
            let mut followers = Vec::new();
            if scenario.is_a_crowd() {
                let busy = admission.as_ref().map(|admission| admission.unit);
                followers = crowd(world, &plans, &plan, busy, seed);
            }
            forced.extend(admission);
            plans.push(plan);
            plans.extend(followers);
        }
    }
    plans
}

/// The kinds in a random order in which the heavy ones come early, to be popped from the end.
fn shuffled(weights: &[(Scenario, f64)], draw: &mut Draw) -> Vec<Scenario> {
    // Efraimidis and Spirakis 2006: the smallest exponential arrival comes first.
    let mut arrivals: Vec<(f64, Scenario)> = weights
        .iter()
        .filter(|(_, weight)| *weight > 0.0)
        .map(|(scenario, weight)| (draw.exponential(1.0) / weight, *scenario))
        .collect();
    arrivals.sort_by(|left, right| right.0.total_cmp(&left.0));
    arrivals.into_iter().map(|(_, scenario)| scenario).collect()
}

/// Stratified choice: of any run of consecutive indices a share of `share` is chosen, give or take one.
fn crosses(from: f64, index: usize, share: f64) -> bool {
    let level = |index: usize| libm::floor(from + index as f64 * share);
    level(index + 1) > level(index)
}

fn one(
    config: &HospitalConfig,
    world: &mut World,
    plans: &[Plan],
    (scenario, setting, padded): (Scenario, Setting, bool),
    seed: Seed,
) -> Option<Plan> {
    let mut draw = Draw::new(seed);
    let again = draw.chance(REPEATS) && !plans.is_empty();
    for _ in 0..120 {
        let known: Vec<u32> = plans.iter().map(|plan| plan.worker).collect();
        let worker = match draw.pick(&known) {
            Some(culprit) if again => culprit,
            _ => draw.below(world.workers.len()) as u32,
        };
        let leaves = matches!(scenario, Scenario::AfterLeaving | Scenario::LeaverHarvest);
        if (known.contains(&worker) && (!again || leaves)) || !scenario.suits(world.worker(worker).role) {
            continue;
        }
        let volume = scenario.volume(setting, &mut draw);
        let Some(days) = acting_days(config, world, worker, (scenario, volume.days), &mut draw) else { continue };
        let wanted = days.len() * volume.charts.1 as usize;
        let Some(targets) = targets::targets(world, worker, scenario, (setting, wanted), &mut draw) else { continue };
        let away = scenario.is_takeover().then(|| {
            let far = setting == Setting::Loud || scenario == Scenario::ImpossibleTravel;
            Origin::stranger(&config.site, far, &mut draw)
        });
        let victims = victims(world, worker, (scenario, setting), days[0], &mut draw);
        leave(world, worker, scenario, &days, &mut draw);
        return Some(Plan { scenario, worker, setting, padded, days, charts: volume.charts, targets, away, victims });
    }
    None
}

/// Days on which somebody acts: days they work, close together; `None` if they work too few.
fn acting_days(
    config: &HospitalConfig,
    world: &World,
    worker: u32,
    (scenario, wanted): (Scenario, usize),
    draw: &mut Draw,
) -> Option<Vec<i32>> {
    let (first, end) = (config.first_incident_day as i32, config.days as i32);
    let someone = world.worker(worker);
    let leaves = matches!(scenario, Scenario::AfterLeaving | Scenario::LeaverHarvest);
    if leaves && (someone.ends.is_some() || someone.leave.is_some() || !world.is_active(someone, first - 1)) {
        return None;
    }
    if scenario == Scenario::AfterLeaving {
        // Any day will do for somebody who no longer has a roster.
        let start = draw.span(i64::from(first), i64::from(end)) as i32;
        return Some((start..end.min(start + wanted as i32)).collect());
    }
    // A night that starts on the last day would be cut at midnight.
    let works = |day: &i32| match world.rostered(worker, *day) {
        Some(ShiftKind::Night) => *day + 1 < end,
        Some(_) => true,
        None => false,
    };
    let mut days: Vec<i32> = (first..end).filter(works).collect();
    if days.is_empty() || (wanted > 2 && days.len() < 3) {
        return None;
    }
    let block = (wanted + 1 + wanted / 2).min(days.len());
    // Wrapping round makes every day equally likely, so that no weekday gives an incident away.
    let start = draw.below(days.len());
    days.rotate_left(start);
    days.truncate(block);
    while days.len() > wanted {
        days.remove(draw.below(days.len()));
    }
    days.sort_unstable();
    Some(days)
}

fn victims(
    world: &World,
    worker: u32,
    (scenario, setting): (Scenario, Setting),
    day: i32,
    draw: &mut Draw,
) -> Vec<u32> {
    if scenario != Scenario::PasswordSpraying {
        return Vec::new();
    }
    let wanted = if setting == Setting::Loud { draw.span(22, 50) } else { draw.span(8, 16) } as usize;
    let mut all: Vec<u32> = (0..world.workers.len() as u32)
        .filter(|other| *other != worker && world.is_active(world.worker(*other), day))
        .collect();
    draw.shuffle(&mut all);
    all.truncate(wanted);
    all
}

/// Those who look at the same chart on the same day: people at work, in other units than the one that cares for the patient
/// and not the patient.
fn crowd(world: &World, plans: &[Plan], first: &Plan, ward: Option<u16>, seed: Seed) -> Vec<Plan> {
    let mut draw = Draw::new(seed.child("crowd"));
    let day = first.days[0];
    let culprit = |worker: u32| worker == first.worker || plans.iter().any(|plan| plan.worker == worker);
    let mut others: Vec<u32> = (0..world.workers.len() as u32)
        .filter(|worker| !culprit(*worker) && Some(world.worker(*worker).unit) != ward)
        .filter(|worker| !first.targets.contains(&world.worker(*worker).person))
        .filter(|worker| world.rostered(*worker, day).is_some_and(|kind| kind != ShiftKind::Night))
        .collect();
    draw.shuffle(&mut others);
    others.truncate(if first.setting == Setting::Loud { draw.span(9, 20) } else { draw.span(4, 8) } as usize);
    let follower = |worker| Plan { worker, days: vec![day], ..first.clone() };
    others.into_iter().map(follower).collect()
}

/// Gives notice where the scenario needs somebody who leaves.
fn leave(world: &mut World, worker: u32, scenario: Scenario, days: &[i32], draw: &mut Draw) {
    let (first, last) = (days[0], days[days.len() - 1]);
    let ends = match scenario {
        Scenario::AfterLeaving => Leaving { last: first - 1, noticed: first - draw.span(7, 30) as i32 },
        Scenario::LeaverHarvest => {
            Leaving { last: last + draw.span(1, 14) as i32, noticed: first - draw.span(1, 12) as i32 }
        }
        _ => return,
    };
    world.workers[worker as usize].ends = Some(ends);
}

/// Somebody of note is admitted to a ward that is not the culprit's, the day before or on the first day.
fn admission(world: &World, plan: &Plan, draw: &mut Draw) -> Forced {
    let own = world.worker(plan.worker).unit;
    let wards: Vec<u16> = world.units_of(UnitKind::Ward).filter(|ward| *ward != own).collect();
    let unit = draw.pick(&wards).unwrap_or_else(|| world.unit_of(UnitKind::IntensiveCare));
    let patient = plan.targets.first().copied().unwrap_or(0);
    Forced { day: plan.days[0] - draw.below(2) as i32, patient, unit }
}
