//! Which tick closes next, and as of what: the reference, and what lanes share. A replay follows its journal in both.

use arrow::array::RecordBatch;
use base::Timestamp;
use features::SharedFacts;
use reference::{Pins, Reference};

use super::Worker;
use crate::error::{Error, Result};
use crate::guide::Guide;

/// What is known of what lanes do not own.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Reference rows appended before this time.
    pub(crate) reference_through: Timestamp,
    /// What lanes have told all others.
    pub(crate) shared: Option<&'a SharedFacts>,
}

impl Known<'_> {
    fn facts(&self, day_end: Timestamp) -> Option<&[RecordBatch]> {
        self.shared.and_then(|shared| shared.of(day_end))
    }
}

/// What a tick that is due still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Everything in the reference that was appended before this time.
    ForReference(Timestamp),
    /// What every lane shares of the day that ended then.
    ForShares(Timestamp),
}

impl Worker {
    /// The next tick, if it can close: the lane's watermark has passed it, and what it needs of the reference and of other
    /// lanes is known. `Err` names what is not.
    pub(crate) fn next_tick(&mut self, known: Known<'_>) -> std::result::Result<Option<Timestamp>, Waits> {
        let timer = self.judge.next_close();
        let due = match self.guide.as_ref().map(Guide::next) {
            None => self.lane.next_due(timer),
            // A replay ends with its journal, whatever its input would still close.
            Some(None) => None,
            Some(Some(next)) if next.foreign => self.lane.next_due(None).into_iter().chain(next.end).min(),
            // A lane that began while it was idle closed a tick that its rows do not ask for.
            Some(Some(next)) if self.lane.last_tick().is_none() => {
                self.lane.next_due(timer).into_iter().chain(next.end).min()
            }
            Some(Some(_)) => self.lane.next_due(timer),
        };
        let Some(due) = due.filter(|due| *due <= self.lane.watermark()) else { return Ok(None) };
        if self.guide.is_none() && due > known.reference_through {
            return Err(Waits::ForReference(due));
        }
        match self.shared_day(due, known).filter(|day| known.facts(*day).is_none()) {
            Some(day) => Err(Waits::ForShares(day)),
            None => Ok(Some(due)),
        }
    }

    /// The day whose shared facts a tick goes by: the one that the rule names, unless that was waited for too long, here
    /// or by whom a replay follows.
    fn shared_day(&mut self, end: Timestamp, known: Known<'_>) -> Option<Timestamp> {
        let day = self.lane.shared_day(end)?;
        let guided = self.guide.as_ref().and_then(Guide::next).filter(|next| next.end == Some(end));
        let older = match guided {
            Some(next) => next.shared,
            None if self.settles && known.facts(day).is_none() => self.older_day(known),
            None => None,
        };
        Some(older.unwrap_or(day))
    }

    /// The days whose shared facts the journal names that this lane replays.
    pub(crate) fn named_days(&self) -> impl Iterator<Item = Timestamp> {
        self.guide.iter().flat_map(Guide::older_days)
    }

    /// Goes on without the shares that it has waited for, if there is anything older.
    pub(crate) fn settle(&mut self, known: Known<'_>) -> bool {
        self.settles = self.older_day(known).is_some();
        self.settles
    }

    /// The newest day that all lanes have shared, no older than the one gone by so far: of what lies before it, a part may
    /// have been deleted.
    fn older_day(&self, known: Known<'_>) -> Option<Timestamp> {
        let newest = known.shared.and_then(SharedFacts::newest_of_all)?;
        Some(newest).filter(|newest| Some(*newest) >= self.lane.shared_in_use())
    }

    /// Goes by what lanes have shared; says of which day, where that is not the one the rule names.
    pub(super) fn go_by_shared(&mut self, end: Timestamp, known: Known<'_>) -> Option<Timestamp> {
        let day = self.shared_day(end, known)?;
        self.lane.put_shared(day, known.facts(day)?);
        let older = (Some(day) != self.lane.shared_day(end)).then_some(day);
        self.settles &= older.is_some();
        older
    }

    /// The reference version of a tick: from the journal in a replay, else where the reference stands at its end.
    pub(super) fn pins(&mut self, end: Timestamp, reference: &Reference) -> Result<Option<Pins>> {
        let Some(guide) = &mut self.guide else { return Ok(Some(reference.pin_at(end, self.lane.genesis()))) };
        let Some(next) = guide.next() else { return Ok(None) };
        if next.foreign && Some(end) < next.end {
            return Ok(Some(reference.pin_at(end, self.lane.genesis())));
        }
        if next.end != Some(end) {
            let named = |tick: Option<Timestamp>| tick.map_or("no tick".to_owned(), |tick| tick.millis().to_string());
            let (journal, input) = (named(next.end), named(Some(end)));
            return Err(Error::Journal { lane: self.id, journal, input });
        }
        Ok(guide.take())
    }
}
