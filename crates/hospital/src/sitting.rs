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
    for visit in visits.drain(..) {
        let stays = last.is_some_and(|(channel, time)| {
            let gap = visit.time - time;
            let walks = roams && channel == Channel::House && gap > Millis::seconds(150) && draw.chance(0.16);
            channel == visit.channel && gap < Millis::minutes(if roams { 35 } else { 75 }) && !walks
        });
        if !stays {
            let again = last.is_some_and(|(channel, _)| channel == visit.channel);
            sittings.push(sitting(context, sitter, aways, (&visit, again), draw));
        }
        last = Some((visit.channel, visit.time));
        if let Some(sitting) = sittings.last_mut() {
            sitting.end = visit.time + Millis(draw.span(90_000, 400_000));
            sitting.incident = if stays && visit.incident.is_none() { None } else { sitting.incident };
            sitting.visits.push(visit);
        }
    }
    sittings
}

fn sitting(
    context: &Context<'_>,
    sitter: Sitter,
    aways: &[Away],
    (visit, again): (&Visit, bool),
    draw: &mut Draw,
) -> Sitting {
    let start = visit.time - Millis(draw.span(12_000, 70_000));
    let (origin, approach) = match visit.channel {
        Channel::House | Channel::Beside => (desk(context, sitter, draw), slip_of_the_hand(sitter, again, draw)),
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
