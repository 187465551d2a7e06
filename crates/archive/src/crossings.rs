//! What a lane told the watches in a replay.

use base::Timestamp;
use engine::Crossing;
use engine::ports::{LaneId, Message};
use events::TopicId;

use crate::error::{Error, Result};
use crate::spool::Spool;

/// Records for watches in the order they were committed.
#[derive(Debug, Default)]
pub struct Crossings(Spool<Place>);

#[derive(Clone, Copy, Debug)]
struct Place {
    watch: TopicId,
    to: LaneId,
    /// The end of the step it is about.
    end: Timestamp,
    /// Bytes of its key, which stands before its value.
    key: usize,
}

impl Crossings {
    /// Adds one: which watch is told, which lane of it, and the record.
    pub fn push(&mut self, watch: TopicId, to: LaneId, crossing: &Message) -> Result<()> {
        let end = Crossing::end_of(&crossing.key).ok_or_else(|| {
            let key = String::from_utf8_lossy(&crossing.key);
            Error::Replay(format!("what is told a watch has the key `{key}`, which names no step"))
        })?;
        let key = crossing.key.len();
        self.0.push(Place { watch, to, end, key }, &[crossing.key.as_slice(), &crossing.value].concat())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.count()
    }

    /// The end of the step that the one at this place is about, if there are so many.
    pub(crate) fn end(&self, place: usize) -> Option<Timestamp> {
        self.0.known_of(place).map(|place| place.end)
    }

    /// Those behind the first so many: which watch, which lane of it, and the record.
    pub(crate) fn after(&self, count: usize) -> impl Iterator<Item = Result<(TopicId, LaneId, Message)>> {
        (count..self.count()).zip(self.0.known().skip(count)).map(|(place, Place { watch, to, key, .. })| {
            let mut record = self.0.read(place)?;
            let value = record.split_off(*key);
            Ok((*watch, *to, Message { key: record, value, headers: Vec::new() }))
        })
    }
}
