//! What lanes tell each other, read whole by every process: all partitions of the shared topic, as they are committed.
//!
//! Nobody asks whether the end has been reached: who needs a share waits until it is there. Of a transaction that came to
//! nothing although it could be read (see `store/sweep.rs`) a share may be seen too early; the lane tells the same again.

use base::Timestamp;
use engine::ports::{LaneId, StoredPane, Tier};
use rdkafka::message::Message;

use crate::config::Config;
use crate::error::Result;
use crate::panes::Joiner;
use crate::reader::Reader;
use crate::signal::Signal;

/// The reader of all lanes' shares.
pub(crate) struct Shares {
    reader: Reader,
    lanes: Vec<(LaneId, Joiner)>,
}

impl Shares {
    /// Starts reading the shares of so many lanes from the beginning. `signal` is set when something arrives.
    pub(crate) fn connect(config: &Config, lanes: u32, signal: Signal) -> Result<Self> {
        let topic = config.topics().panes_of(Tier::Shared).to_owned();
        let mut reader = Reader::new(&config.leisurely_reader()?, vec![topic.clone()], signal)?;
        let mut joiners = Vec::new();
        for lane in (0..lanes).map(LaneId) {
            reader.add(partition(lane), None)?;
            let place = format!("topic `{topic}` partition {lane}");
            joiners.push((lane, Joiner::new(Tier::Shared, Timestamp::MIN, place)));
        }
        Ok(Self { reader, lanes: joiners })
    }

    /// What has arrived since it was last asked.
    pub(crate) fn take(&mut self) -> Result<Vec<(LaneId, StoredPane)>> {
        self.reader.serve()?;
        let mut arrived = Vec::new();
        for (lane, joiner) in &mut self.lanes {
            self.reader.take(partition(*lane), usize::MAX, usize::MAX, |message| {
                joiner.push(message.offset(), message.key(), message.payload().unwrap_or_default())
            })?;
            arrived.extend(joiner.take().into_iter().map(|share| (*lane, share)));
        }
        Ok(arrived)
    }
}

fn partition(lane: LaneId) -> (usize, i32) {
    (0, i32::try_from(lane.0).unwrap_or(i32::MAX))
}
