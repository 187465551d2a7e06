//! What stands at the ends of partitions, for whoever has to find out how a transaction ended.

use rdkafka::message::BorrowedMessage;

use crate::error::Result;
use crate::leaders::Place;
use crate::reader::Reader;
use crate::restore::drain;
use crate::signal::Signal;

/// Reads ends of partitions, one after the other.
pub(crate) struct Tail {
    reader: Reader,
    topics: Vec<String>,
}

impl Tail {
    /// A reader of the topics of these places.
    pub(crate) fn new<'a>(places: impl Iterator<Item = &'a Place>, client: &rdkafka::ClientConfig) -> Result<Self> {
        let mut topics: Vec<String> = places.map(|(topic, _)| topic.clone()).collect();
        topics.sort_unstable();
        topics.dedup();
        Ok(Self { reader: Reader::new(client, topics.clone(), Signal::default())?, topics })
    }

    /// Gives each record of a place from one offset up to another to `each`, as far as this client may see them.
    pub(crate) fn read(
        &mut self,
        place: &Place,
        from: i64,
        to: i64,
        mut each: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<()> {
        let Some(topic) = self.topics.iter().position(|topic| *topic == place.0).filter(|_| from < to) else {
            return Ok(());
        };
        let key = (topic, place.1);
        self.reader.add(key, Some(from))?;
        let drained = drain(&mut self.reader, key, to, |message| {
            each(message);
            Ok(())
        });
        self.reader.remove(key)?;
        drained
    }
}
