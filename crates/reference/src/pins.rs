//! What is known when: positions in the reference's own log, fixed once per tick and written to the journal.
//!
//! A row counts for a tick if it stands below the tick's pin. Rows below *genesis* (where the reference stood when the
//! pipeline first started) are all there from the beginning; for them the row's own `recorded_at` decides, or its
//! valid-from, and an end date counts only once it is reached: otherwise a backfill would foresee who will leave.

use std::collections::BTreeMap;
use std::fmt;

use base::Timestamp;
use events::Offset;
use serde::{Deserialize, Serialize};

use crate::Kind;
use crate::versions::Stamp;

/// A position per kind and partition: rows below it count. Written as a map from `staff/0` to the offset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "BTreeMap<String, Offset>", try_from = "BTreeMap<String, Offset>")]
pub struct Pins(BTreeMap<(Kind, u32), Offset>);

impl Pins {
    /// The position in a partition; the very beginning if none is named.
    pub fn get(&self, kind: Kind, partition: u32) -> Offset {
        self.0.get(&(kind, partition)).copied().unwrap_or(Offset(0))
    }

    /// Names the position in a partition.
    pub fn set(&mut self, kind: Kind, partition: u32, offset: Offset) {
        self.0.insert((kind, partition), offset);
    }

    /// All positions, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u32, Offset)> + '_ {
        self.0.iter().map(|((kind, partition), offset)| (*kind, *partition, *offset))
    }

    /// Whether every position of `self` is reached or passed by `other`.
    pub fn reached_by(&self, other: &Self) -> bool {
        self.iter().all(|(kind, partition, offset)| other.get(kind, partition) >= offset)
    }
}

impl From<Pins> for BTreeMap<String, Offset> {
    fn from(pins: Pins) -> Self {
        pins.iter().map(|(kind, partition, offset)| (format!("{}/{partition}", kind.name()), offset)).collect()
    }
}

/// The text names no partition of the reference.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` names no reference partition: expected staff, patients or relations, `/` and a number, as in `staff/0`")]
pub struct ParsePinsError(pub String);

impl TryFrom<BTreeMap<String, Offset>> for Pins {
    type Error = ParsePinsError;

    fn try_from(map: BTreeMap<String, Offset>) -> Result<Self, Self::Error> {
        let parse = |text: &str| {
            let (kind, partition) = text.split_once('/')?;
            let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
            Some((kind, partition.parse().ok()?))
        };
        let pairs = map.into_iter().map(|(text, offset)| match parse(&text) {
            Some(key) => Ok((key, offset)),
            None => Err(ParsePinsError(text)),
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (kind, partition, offset) in self.iter() {
            write!(f, "{separator}{}/{partition}={offset}", kind.name())?;
            separator = " ";
        }
        Ok(())
    }
}

/// From where a lookup sees: the pins of its tick, genesis, and the tick's end.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Rows below these count.
    pub pins: &'a Pins,
    /// Rows below these were there when the pipeline first started.
    pub genesis: &'a Pins,
    /// The end of the tick.
    pub tick_end: Timestamp,
}

/// `Known` for the rows of one kind, with the positions of the partition asked for last at hand.
pub(crate) struct Sight<'k> {
    known: &'k Known<'k>,
    kind: Kind,
    partition: Option<u32>,
    pin: Offset,
    genesis: Offset,
}

impl<'k> Sight<'k> {
    pub(crate) fn new(known: &'k Known<'k>, kind: Kind) -> Self {
        Self { known, kind, partition: None, pin: Offset(0), genesis: Offset(0) }
    }

    /// Whether the row counts.
    pub(crate) fn sees(&mut self, stamp: &Stamp) -> bool {
        if self.is_old(stamp) {
            return stamp.recorded_at.unwrap_or(stamp.valid_from) < self.known.tick_end;
        }
        stamp.offset < self.pin
    }

    /// The end of what the row says, as far as it may be known.
    pub(crate) fn end(&mut self, stamp: &Stamp, end: Timestamp) -> Timestamp {
        if self.is_old(stamp) && end > self.known.tick_end { Timestamp::MAX } else { end }
    }

    /// When the row was written.
    pub(crate) fn written(&mut self, stamp: &Stamp) -> Timestamp {
        let otherwise = if self.is_old(stamp) { stamp.valid_from } else { stamp.append_time };
        stamp.recorded_at.unwrap_or(otherwise)
    }

    fn is_old(&mut self, stamp: &Stamp) -> bool {
        if self.partition != Some(stamp.partition) {
            self.partition = Some(stamp.partition);
            self.pin = self.known.pins.get(self.kind, stamp.partition);
            self.genesis = self.known.genesis.get(self.kind, stamp.partition);
        }
        stamp.offset < self.genesis
    }
}

/// How far a partition has been read, and until when it stood where: enough to pin any tick.
#[derive(Debug, Default)]
pub(crate) struct Log {
    end: i64,
    /// (offset, append time) of each record that none appended earlier follows, so that both rise. Where producers stamp
    /// what they append, one of next year must not hide what comes after it.
    stands: Vec<(i64, Timestamp)>,
}

impl Log {
    /// Takes note of a record; false if it has been read before.
    pub(crate) fn note(&mut self, offset: Offset, append_time: Timestamp) -> bool {
        if offset.0 < self.end {
            return false;
        }
        self.end = offset.0.saturating_add(1);
        while self.stands.pop_if(|(_, earlier)| *earlier >= append_time).is_some() {}
        self.stands.push((offset.0, append_time));
        true
    }

    /// The offset behind the last record appended before `time`; the beginning if there is none.
    pub(crate) fn behind(&self, time: Timestamp) -> Offset {
        let later = self.stands.partition_point(|(_, append_time)| *append_time < time);
        Offset(later.checked_sub(1).and_then(|last| self.stands.get(last)).map_or(0, |(offset, _)| offset + 1))
    }

    /// A record at or behind `first` that was appended within these times, the later one excluded.
    pub(crate) fn within(&self, first: Offset, from: Timestamp, to: Timestamp) -> Option<Offset> {
        let earlier = self.stands.partition_point(|(offset, time)| *offset < first.0 || *time < from);
        self.stands.get(earlier).filter(|(_, time)| *time < to).map(|(offset, _)| Offset(*offset))
    }

    /// Where to read on.
    pub(crate) fn end(&self) -> Offset {
        Offset(self.end)
    }
}

#[cfg(test)]
mod tests;
