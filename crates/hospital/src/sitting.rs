//! Sittings: the spans in which somebody is signed in somewhere, made from the visits that need them.
//! The failures, denied pushes and sign-ins of honest people and of intruders are the same few fields here.

use base::{Millis, Timestamp};

use crate::draw::Draw;
use crate::origin::Origin;
use crate::role::Role;
use crate::roster::Shift;
use crate::visit::{Channel, Visit};
use crate::work::Context;

/// One sign-in, what comes before it, and the work done until it ends.
#[derive(Clone, Debug)]
pub(crate) struct Sitting {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) approach: Approach,
    pub(crate) logoff: bool,
    pub(crate) session: u64,
    pub(crate) incident: Option<u32>,
    pub(crate) why: &'static str,
    pub(crate) visits: Vec<Visit>,
}

/// What comes right before a sign-in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Approach {
    /// Wrong passwords.
    pub(crate) failures: u32,
    /// Pushes that were not accepted.
    pub(crate) refused: u32,
    /// Whether refused pushes were denied by hand; otherwise they timed out.
    pub(crate) by_hand: bool,
    /// Whether the sign-in comes about at all.
    pub(crate) succeeds: bool,
}

impl Approach {
    /// Nothing goes wrong.
    pub(crate) const PLAIN: Self = Self { failures: 0, refused: 0, by_hand: false, succeeds: true };
}

/// A place outside house and home that somebody's account is used from on one day.
#[derive(Clone, Debug)]
pub(crate) struct Away {
    pub(crate) origin: Origin,
    pub(crate) approach: Approach,
}

/// Who sits, and in which unit today.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sitter {
    pub(crate) worker: u32,
    pub(crate) unit: u16,
    /// Whether the password ran out over night.
    pub(crate) expired: bool,
}

/// Puts visits into sittings. `visits` are left in order of channel and time.
pub(crate) fn seat(
    context: &Context<'_>,
    sitter: Sitter,
    aways: &[Away],
    visits: &mut Vec<Visit>,
    draw: &mut Draw,
) -> Vec<Sitting> {
    visits.sort_by_key(|visit| (visit.channel, visit.time));
    let roams = context.world.worker(sitter.worker).role.roams();
    let mut sittings: Vec<Sitting> = Vec::new();
    let mut last: Option<(Channel, Timestamp)> = None;
    // The sitting that goes on, and the one it was left for, whose session is still open.
    let (mut now, mut left): (usize, Option<usize>) = (0, None);
    for visit in visits.drain(..) {
        let gap = last.filter(|(channel, _)| *channel == visit.channel).map(|(_, time)| visit.time - time);
        let goes_on = gap.filter(|gap| *gap < Millis::minutes(if roams { 35 } else { 75 }));
        let may_walk = roams && visit.channel == Channel::House;
        let walks = may_walk && goes_on.is_some_and(|gap| gap > Millis::seconds(150)) && draw.chance(0.16);
        let back = left.filter(|_| walks && draw.chance(likely_to_go_back(sitter.worker)));
        match back {
            Some(former) => (now, left) = (former, Some(now)),
            None if goes_on.is_some() && !walks => {}
            None => {
                left = walks.then_some(now);
                now = sittings.len();
                let new = sitting(context, sitter, aways, (&visit, gap.is_some(), &sittings), draw);
                sittings.push(new);
            }
        }
        last = Some((visit.channel, visit.time));
        let sitting = &mut sittings[now];
        sitting.end = visit.time + Millis(draw.span(90_000, 400_000));
        sitting.incident = visit.incident.and(sitting.incident);
        sitting.visits.push(visit);
    }
    sittings
}

/// How often somebody who walks to another workstation goes back to the session left open instead of signing in at a
/// third: for some a habit.
fn likely_to_go_back(worker: u32) -> f64 {
    if worker.is_multiple_of(6) { 0.4 } else { 0.04 }
}

fn sitting(
    context: &Context<'_>,
    sitter: Sitter,
    aways: &[Away],
    (visit, again, before): (&Visit, bool, &[Sitting]),
    draw: &mut Draw,
) -> Sitting {
    let start = visit.time - Millis(draw.span(12_000, 70_000));
    let (origin, approach) = match visit.channel {
        Channel::House => (desk(context, sitter, draw), slip_of_the_hand(sitter, again, draw)),
        Channel::Beside => {
            let owners = before.iter().rev().find(|sitting| !sitting.origin.remote && sitting.start <= visit.time);
            let origin = other_desk(context, sitter, owners.map(|sitting| &sitting.origin), draw);
            (origin, slip_of_the_hand(sitter, again, draw))
        }
        Channel::Remote => {
            let origin = Origin::home(context.world, context.site, sitter.worker, context.day.index, draw);
            let bad_reception = u32::from(draw.chance(0.05)) * (1 + draw.below(2) as u32);
            let by_hand = draw.chance(0.2);
            (origin, Approach { refused: bad_reception, by_hand, ..slip_of_the_hand(sitter, again, draw) })
        }
        Channel::Away(index) => match aways.get(index as usize) {
            Some(away) if !again => (away.origin.clone(), away.approach),
            Some(away) => (away.origin.clone(), Approach::PLAIN),
            None => (desk(context, sitter, draw), Approach::PLAIN),
        },
    };
    Sitting {
        start,
        end: start,
        origin,
        approach,
        logoff: draw.chance(0.8),
        session: draw.bits(),
        incident: visit.incident,
        why: "sign_in",
        visits: Vec::new(),
    }
}

/// A workstation: who roams takes any of the unit's, the others have their own.
fn desk(context: &Context<'_>, sitter: Sitter, draw: &mut Draw) -> Origin {
    let workstations = context.world.unit(sitter.unit).workstations;
    let roams = context.world.worker(sitter.worker).role.roams();
    let number = if roams || draw.chance(0.04) { draw.below(workstations as usize) as u32 } else { sitter.worker };
    Origin::house(context.world, context.site, sitter.unit, number % workstations)
}

/// Any workstation of the unit but the one that its owner sits at.
fn other_desk(context: &Context<'_>, sitter: Sitter, owners: Option<&Origin>, draw: &mut Draw) -> Origin {
    let workstations = context.world.unit(sitter.unit).workstations;
    let origin = |number| Origin::house(context.world, context.site, sitter.unit, number % workstations);
    let number = draw.below(workstations as usize) as u32;
    let found = origin(number);
    let is_taken = owners.is_some_and(|owners| owners.workstation == found.workstation);
    if is_taken { origin(number + 1) } else { found }
}

/// Typing errors, and the morning after a password ran out.
fn slip_of_the_hand(sitter: Sitter, again: bool, draw: &mut Draw) -> Approach {
    let failures = if sitter.expired && !again {
        2 + draw.below(5)
    } else if draw.chance(0.035) {
        1 + draw.below(2)
    } else {
        0
    };
    Approach { failures: failures as u32, ..Approach::PLAIN }
}

/// The badge is tapped on the ward, a fingerprint is read in the pharmacy, a password is typed elsewhere.
pub(crate) fn factor(context: &Context<'_>, role: Role, sitting: &Sitting, shift: Option<&Shift>) -> &'static str {
    if sitting.origin.remote {
        return "password";
    }
    match role {
        Role::Pharmacist if context.site.biometrics => "biometric",
        Role::ItAdmin => "webauthn",
        Role::Nurse | Role::Resident if shift.is_some() && !sitting.session.is_multiple_of(5) => "hardware",
        _ => "password",
    }
}
