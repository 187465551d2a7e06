//! What a lane told in a replay.

use std::collections::BTreeMap;

use base::Timestamp;
use engine::ports::Message;

use crate::error::Result;
use crate::follow::result_key;
use crate::spool::Spool;

/// Results in the order they were committed: key `<stream>/<tick end>`.
#[derive(Debug, Default)]
pub struct Results(Spool<Vec<u8>>);

impl Results {
    pub(crate) fn push(&mut self, result: &Message) -> Result<()> {
        self.0.push(result.key.clone(), &result.value)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.count()
    }

    /// Bytes of all values.
    pub(crate) fn byte_count(&self) -> u64 {
        self.0.byte_count()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Result<Message>> {
        self.after(0)
    }

    /// Those behind the first so many.
    pub(crate) fn after(&self, count: usize) -> impl Iterator<Item = Result<Message>> {
        (count..self.count()).map(|place| self.read(place))
    }

    pub(crate) fn read(&self, place: usize) -> Result<Message> {
        let key = self.0.known_of(place).cloned().unwrap_or_default();
        Ok(Message { key, value: self.0.read(place)?, headers: Vec::new() })
    }

    /// Where those of one stream stand, by tick.
    pub(crate) fn by_tick(&self, stream: &str) -> BTreeMap<Timestamp, Vec<usize>> {
        let mut ticks: BTreeMap<Timestamp, Vec<usize>> = BTreeMap::new();
        for (place, key) in self.0.known().enumerate() {
            if let Some((_, end)) = result_key(key).filter(|(name, _)| name == stream) {
                ticks.entry(end).or_default().push(place);
            }
        }
        ticks
    }
}
