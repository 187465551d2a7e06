//! How good a reason is: a ladder from "own team now" down to "never", over the relations of one patient.
//!
//! A relation holds from its start to its end, or to the start of the next version of the same relation. Each relation
//! stands on one rung for one access; the best rung is the reason. A relation the accessing user wrote around the time
//! of the access has a rung of its own near the bottom, whatever else it says: an order must not clear its author.

use base::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use crate::RelationKind;
use crate::limits::{APPOINTMENT_AHEAD, SELF_AUTHORED_WITHIN};
use crate::pins::Sight;
use crate::symbols::Symbol;
use crate::versions::Stamp;

/// How close the best reason is; smaller is better.
///
/// The rungs by time are about relations of the user or the user's unit that ended; what other units did once is no
/// reason. "Within 24 h" means that it ended no more than 24 hours before the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Rung {
    /// The user has a relation with the patient now.
    OwnTeamNow = 0,
    /// The user's unit has one, or a colleague of the same unit.
    OwnUnitNow = 1,
    /// Some other unit or user has one.
    OtherUnitNow = 2,
    /// Own, ended no more than 24 hours ago.
    Within24h = 3,
    /// Own, ended no more than 72 hours ago.
    Within72h = 4,
    /// Own, ended no more than 14 days ago.
    Within14d = 5,
    /// Own, ended before that.
    Ever = 6,
    /// There is only what the user wrote after the access, or within 24 hours before it.
    SelfAuthored = 7,
    /// There is none.
    Never = 8,
}

impl Rung {
    /// All rungs, best first.
    pub const ALL: [Self; 9] = [
        Self::OwnTeamNow,
        Self::OwnUnitNow,
        Self::OtherUnitNow,
        Self::Within24h,
        Self::Within72h,
        Self::Within14d,
        Self::Ever,
        Self::SelfAuthored,
        Self::Never,
    ];

    /// The rung as a number, 0 the best.
    pub fn index(self) -> u8 {
        self as u8
    }

    /// The name in columns and sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::OwnTeamNow => "own_team_now",
            Self::OwnUnitNow => "own_unit_now",
            Self::OtherUnitNow => "other_unit_now",
            Self::Within24h => "within_24h",
            Self::Within72h => "within_72h",
            Self::Within14d => "within_14d",
            Self::Ever => "ever",
            Self::SelfAuthored => "self_authored",
            Self::Never => "never",
        }
    }
}

/// The best reason found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// How close it is.
    pub rung: Rung,
    /// What kind of relation it rests on; of several on the same rung the first in the order of kinds.
    pub kind: Option<RelationKind>,
    /// Whether the user's unit (or a colleague of it) has or had any relation with the patient, on whatever rung.
    pub unit_match: bool,
}

impl Reason {
    /// No reason at all.
    pub const NONE: Self = Self { rung: Rung::Never, kind: None, unit_match: false };
}

/// One version of a relation, seen from its patient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelationVersion {
    pub(crate) id: u64,
    pub(crate) kind: RelationKind,
    pub(crate) user: Option<Symbol>,
    pub(crate) unit: Option<Symbol>,
    pub(crate) author: Option<Symbol>,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) stamp: Stamp,
}

impl RelationVersion {
    /// The same version as one that never holds: for a patient it is no longer about.
    pub(crate) fn ended(&self) -> Self {
        Self { end: Timestamp::MIN, ..*self }
    }

    fn order(&self) -> (u64, (Timestamp, events::Offset, u32)) {
        (self.id, self.stamp.order())
    }
}

/// How a relation stands to the accessing user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// It names the user.
    pub(crate) own: bool,
    /// It names the user's unit, or a colleague of it.
    pub(crate) of_unit: bool,
    /// The user wrote it.
    pub(crate) author: bool,
}

/// Adds a version in its place.
pub(crate) fn add(relations: &mut Vec<RelationVersion>, version: RelationVersion) {
    let place = relations.partition_point(|known| known.order() < version.order());
    relations.insert(place, version);
}

/// The best reason among a patient's relations, which stand in order.
pub(crate) fn best_reason(
    relations: &[RelationVersion],
    at: Timestamp,
    sight: &mut Sight<'_>,
    standing: &mut impl FnMut(&RelationVersion) -> Standing,
) -> Reason {
    let mut best = Reason::NONE;
    for versions in relations.chunk_by(|one, other| one.id == other.id) {
        // From the last to the first, so that each version knows where its successor begins. Of versions with the same
        // valid-from the later offset comes first and hides the others.
        let mut successor: Option<Timestamp> = None;
        for version in versions.iter().rev() {
            if successor == Some(version.stamp.valid_from) || !sight.sees(&version.stamp) {
                continue;
            }
            let end = sight.end(&version.stamp, version.end).min(successor.unwrap_or(Timestamp::MAX));
            successor = Some(version.stamp.valid_from);
            if let Some(time) = when(version, end, at) {
                let standing = standing(version);
                let self_authored = standing.author && sight.written(&version.stamp) > at - SELF_AUTHORED_WITHIN;
                best.improve(version.kind, rung(time, standing), standing.of_unit, self_authored);
            }
        }
    }
    best
}

/// Where an access lies to a relation that has begun.
enum When {
    During,
    After(Millis),
}

fn when(version: &RelationVersion, end: Timestamp, at: Timestamp) -> Option<When> {
    let ahead = if version.kind == RelationKind::Appointment { APPOINTMENT_AHEAD } else { Millis(0) };
    if end <= version.start || at + ahead < version.start {
        return None;
    }
    Some(if at < end { When::During } else { When::After(at - end) })
}

fn rung(when: When, standing: Standing) -> Rung {
    match when {
        When::During if standing.own => Rung::OwnTeamNow,
        When::During if standing.of_unit => Rung::OwnUnitNow,
        When::During => Rung::OtherUnitNow,
        When::After(_) if !standing.own && !standing.of_unit => Rung::Never,
        When::After(since) if since <= Millis::hours(24) => Rung::Within24h,
        When::After(since) if since <= Millis::hours(72) => Rung::Within72h,
        When::After(since) if since <= Millis::days(14) => Rung::Within14d,
        When::After(_) => Rung::Ever,
    }
}

impl Reason {
    fn improve(&mut self, kind: RelationKind, rung: Rung, of_unit: bool, self_authored: bool) {
        if rung == Rung::Never {
            return;
        }
        self.unit_match |= of_unit && !self_authored;
        let rung = if self_authored { Rung::SelfAuthored } else { rung };
        let better = rung < self.rung || (rung == self.rung && self.kind.is_some_and(|known| kind < known));
        if better {
            self.rung = rung;
            self.kind = Some(kind);
        }
    }
}
