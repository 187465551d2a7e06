//! Who works when. Pure functions of a worker and a day, so that plans can look ahead.

use base::Timestamp;

use crate::calendar::LocalDay;
use crate::draw::Draw;
use crate::role::{Role, UnitKind};
use crate::staff::{Worker, World};

/// How somebody's days repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Monday to Friday.
    Office,
    /// Early, late and night in turn, weekends included.
    Rotating,
    /// Always nights.
    Nights,
    /// Early and late in turn, weekends included.
    Days,
}

/// A kind of shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShiftKind {
    Office,
    Day,
    Evening,
    Night,
}

/// One person's shift on one day; `unit` may be another than the own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    pub(crate) kind: ShiftKind,
    pub(crate) unit: u16,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

const ROTATING: &[u8; 14] = b"DDDD-EEE--NNN-";
const NIGHTS: &[u8; 14] = b"NNNN---NNNN---";
const DAYS: &[u8; 14] = b"DDD-EE-DDE-DD-";

impl Pattern {
    /// The pattern of a role in a unit.
    pub(crate) fn of(role: Role, kind: UnitKind, draw: &mut Draw) -> Self {
        let bedside = kind.has_beds() || matches!(kind, UnitKind::Emergency | UnitKind::FloatPool);
        match role {
            Role::Nurse | Role::Resident if bedside => [Self::Rotating, Self::Nights][draw.weighted(&[0.9, 0.1])],
            Role::Physician if kind == UnitKind::Emergency => Self::Rotating,
            Role::LabTechnician => Self::Rotating,
            Role::RegistrationClerk if kind == UnitKind::Registration => Self::Rotating,
            Role::Pharmacist => Self::Days,
            _ => Self::Office,
        }
    }

    /// The word of the staff directory.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Office | Self::Days => "day",
            Self::Rotating => "rotating",
            Self::Nights => "night",
        }
    }

    fn shift(self, worker: &Worker, weekday: i32, day: i32) -> Option<ShiftKind> {
        let letters = match self {
            Self::Office => return (weekday < 5).then_some(ShiftKind::Office),
            Self::Rotating => ROTATING,
            Self::Nights => NIGHTS,
            Self::Days => DAYS,
        };
        match letters[(day + worker.phase).rem_euclid(14) as usize] {
            b'D' => Some(ShiftKind::Day),
            b'E' => Some(ShiftKind::Evening),
            b'N' => Some(ShiftKind::Night),
            _ => None,
        }
    }
}

impl World {
    /// Whether somebody is employed and not on leave.
    pub(crate) fn is_active(&self, worker: &Worker, day: i32) -> bool {
        day >= worker.hired
            && worker.ends.is_none_or(|ends| day <= ends.last)
            && worker.leave.is_none_or(|(from, to)| day < from || day > to)
    }

    /// The shift somebody is rostered for.
    pub(crate) fn rostered(&self, worker: u32, day: i32) -> Option<ShiftKind> {
        let worker = self.worker(worker);
        let weekday = (self.first_weekday + day).rem_euclid(7);
        if self.is_active(worker, day) { worker.pattern.shift(worker, weekday, day) } else { None }
    }

    /// Whether a physician covers the evening and night from home.
    pub(crate) fn is_on_call(&self, index: u32, day: i32) -> bool {
        let worker = self.worker(index);
        worker.role == Role::Physician
            && worker.pattern == Pattern::Office
            && self.is_active(worker, day)
            && (day + worker.phase).rem_euclid(7) == 0
    }

    /// The unit somebody works in on a day: float nurses go where they are needed.
    pub(crate) fn unit_on(&self, index: u32, day: i32) -> u16 {
        let worker = self.worker(index);
        if self.unit(worker.unit).kind != UnitKind::FloatPool {
            return worker.unit;
        }
        let wards: Vec<u16> = self.units_of(UnitKind::Ward).collect();
        wards[(day + worker.phase * 5).rem_euclid(wards.len() as i32) as usize]
    }
}

impl Shift {
    /// A shift of this kind on `day`, with the person's own minutes.
    pub(crate) fn new(kind: ShiftKind, unit: u16, day: &LocalDay, draw: &mut Draw) -> Self {
        let (start, end) = match kind {
            ShiftKind::Office => (8.0, 16.5),
            ShiftKind::Day => (7.0, 15.25),
            ShiftKind::Evening => (15.0, 23.25),
            ShiftKind::Night => (23.0, 31.25),
        };
        let early = draw.between(-0.12, 0.2);
        let start = day.at(start + if kind == ShiftKind::Office { early * 3.0 } else { early });
        Self { kind, unit, start, end: day.at(end + draw.between(-0.15, 0.1)) }
    }

    /// An instant within the shift, with less around the break in the middle.
    pub(crate) fn moment(&self, draw: &mut Draw) -> Timestamp {
        let length = (self.end - self.start).0;
        loop {
            let at = draw.unit();
            if !(0.46..0.53).contains(&at) || draw.chance(0.3) {
                return self.start + base::Millis((at * length as f64) as i64);
            }
        }
    }
}
