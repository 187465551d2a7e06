//! Whether what a producer committed can be read, and what hangs when one is opened.
//!
//! A broker answers a commit before its markers stand in the partitions. If the coordinator restarts in between, and a
//! partition has no leader at that moment, it takes the partition for a deleted one and counts the transaction as
//! complete without that marker (seen on Apache Kafka 4.4 with one broker: `TransactionMarkerChannelManager` asks
//! `KRaftMetadataCache.getPartitionLeaderEndpoint`, which has no answer then). The records hang: no reader of committed
//! data sees them or anything behind them, and the next marker of the same producer decides over them, in each
//! partition by itself. Two rules make such a transaction whole or nothing:
//!
//! - none begins before the one before it has ended in every partition it wrote to;
//! - what hangs when a producer is opened is ended in every partition at once, before anything else is written. What of
//!   it was seen decides how: `store/sweep.rs` and `rekey/sweep.rs` look for it.

use std::time::Duration;

use engine::ports::PortError;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset as Position, TopicPartitionList};

use crate::admin::Quiet;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, code_of, told, unavailable};
use crate::leaders::{Place, ask_leaders};
use crate::limits::{CLIENT_EVENTS_MAX, COMMIT_MAX, REQUEST_MAX, STABLE_MAX, STABLE_PAUSE, STABLE_PAUSE_MAX};
use crate::reader::headers;

/// The last record of a transaction in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) place: Place,
    pub(crate) offset: i64,
}

/// Asks how far readers get: those of committed data, and those of everything.
pub(crate) struct Stable {
    committed: BaseConsumer<Quiet>,
    everything: BaseConsumer<Quiet>,
}

impl ConsumerContext for Quiet {}

/// Which transaction a record belongs to: `<lane>/<number>`, or where the first of a copy's transaction came from.
pub(crate) const TRANSACTION: &str = "chartwarden-transaction";

/// How many results stand in the transaction of a journal record.
pub(crate) const RESULTS: &str = "chartwarden-results";

/// What a record says of its transaction. It may pass on what it carried before; the last one is ours.
pub(crate) fn stamp_of(message: &BorrowedMessage<'_>) -> Option<Vec<u8>> {
    headers(message).into_iter().rfind(|(name, _)| name == TRANSACTION)?.1
}

/// The key of a record that is written only so that a marker follows it. It has no value.
pub(crate) const BROOM: &[u8] = b"broom";

/// The header of a broom by which `rekey` says that it keeps up with its sources.
pub(crate) const PROGRESS: &str = "chartwarden-progress";

/// Whether a broom says so.
pub(crate) fn is_progress(broom: &BorrowedMessage<'_>) -> bool {
    headers(broom).iter().any(|(name, _)| name == PROGRESS)
}

/// Whether a record was written only so that a marker follows it: readers pass it over.
pub(crate) fn is_broom(message: &BorrowedMessage<'_>) -> bool {
    let ours = || headers(message).iter().any(|(name, _)| name == TRANSACTION);
    message.payload().is_none() && message.key() == Some(BROOM) && ours()
}

impl Stable {
    /// Builds the clients; nothing is asked yet.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let client = |of: &ClientConfig| {
            BaseConsumer::from_config_and_context(of, Quiet::default())
                .map_err(|error| told("kafka configuration", &error))
        };
        let mut asker = config.reader(0, "error")?;
        let committed = client(&asker)?;
        Ok(Self { committed, everything: client(asker.set("isolation.level", "read_uncommitted"))? })
    }

    /// Waits until all of `written` can be read: its transaction has ended in each of the partitions.
    pub(crate) fn wait(&self, written: &[Written]) -> Result<()> {
        let places: Vec<Place> = written.iter().map(|written| written.place.clone()).collect();
        let (deadline, mut patience) = (Deadline::after(COMMIT_MAX), Deadline::after(STABLE_MAX));
        let mut pause = STABLE_PAUSE;
        loop {
            match self.ends(&places) {
                // A broker that is coming back says nothing about what hangs.
                Err(PortError::Unavailable(_)) if !deadline.passed() => patience = Deadline::after(STABLE_MAX),
                Err(error) => return Err(error),
                Ok(ends) => {
                    let open = written.iter().zip(ends).find(|(written, end)| *end <= written.offset);
                    let Some((Written { place: (topic, partition), offset }, end)) = open else { return Ok(()) };
                    if patience.passed() {
                        return Err(unavailable(format!(
                            "topic `{topic}` partition {partition}: what was committed cannot be read after {} s: readers \
                             get to offset {end}, it reaches to {offset}",
                            STABLE_MAX.as_secs()
                        )));
                    }
                }
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(STABLE_PAUSE_MAX);
        }
    }

    /// Those of the places where something has not ended: for a producer that has nothing open and writes there alone,
    /// what hangs.
    pub(crate) fn open_places(&self, places: &[Place]) -> Result<Vec<Place>> {
        let committed = self.ends(places)?;
        let everything = ends(&self.everything, places)?;
        let open = places.iter().zip(committed.iter().zip(everything)).filter(|(_, (stable, high))| *stable < high);
        Ok(open.map(|(place, _)| place.clone()).collect())
    }

    /// An error where records still hang after a sweep.
    pub(crate) fn swept(&self, places: &[Place]) -> Result<()> {
        self.open_places(places)?.into_iter().next().map_or(Ok(()), |(topic, partition)| {
            Err(unavailable(format!(
                "topic `{topic}` partition {partition}: a transaction of a foreign producer hangs; find it with Kafka's \
                 `kafka-transactions.sh find-hanging`, and end it with `kafka-transactions.sh abort`"
            )))
        })
    }

    /// The group's offsets as they were last committed. What an open transaction is to move them to is not told.
    pub(crate) fn offsets(&self, of: &TopicPartitionList) -> Result<TopicPartitionList> {
        let doing = "asking for the group's offsets";
        let found = self.everything.committed_offsets(of.clone(), REQUEST_MAX).map_err(|error| told(doing, &error))?;
        let failed = found.elements().iter().find_map(|element| element.error().err());
        failed.map_or(Ok(found), |error| Err(told(doing, &error)))
    }

    /// Whether an open transaction is to move one of the offsets. Silence is taken for one.
    pub(crate) fn offsets_open(&self, of: &TopicPartitionList) -> Result<bool> {
        let open =
            |error: &KafkaError| matches!(code_of(error), Some(Code::UnstableOffsetCommit | Code::OperationTimedOut));
        let found = match self.committed.committed_offsets(of.clone(), STABLE_MAX) {
            Err(error) if open(&error) => return Ok(true),
            Err(error) => return Err(told("asking for the group's offsets", &error)),
            Ok(found) => found,
        };
        Ok(found.elements().iter().any(|element| element.error().is_err_and(|error| open(&error))))
    }

    /// The last stable offset of each place: everything below it has ended.
    pub(crate) fn ends(&self, places: &[Place]) -> Result<Vec<i64>> {
        ends(&self.committed, places)
    }
}

fn ends(client: &BaseConsumer<Quiet>, places: &[Place]) -> Result<Vec<i64>> {
    // Nobody else looks at what the client has to say.
    for _ in 0..CLIENT_EVENTS_MAX {
        if client.poll(Duration::ZERO).is_none() {
            break;
        }
    }
    ask_leaders(client.client(), || ask(client, places).map_err(|(place, error)| (place.clone(), error)))
}

/// One question about all of the places; the one that was not answered comes with the error.
fn ask<'p>(
    client: &BaseConsumer<Quiet>,
    places: &'p [Place],
) -> std::result::Result<Vec<i64>, (&'p Place, KafkaError)> {
    let Some(first) = places.first() else { return Ok(Vec::new()) };
    let mut list = TopicPartitionList::new();
    for place in places {
        list.add_partition_offset(&place.0, place.1, Position::End).map_err(|error| (place, error))?;
    }
    // The time of "the end" is the number that stands for it as an offset.
    let found = client.offsets_for_times(list, REQUEST_MAX).map_err(|error| (first, error))?;
    let end = |place: &'p Place| {
        let none = || KafkaError::OffsetFetch(Code::NoOffset);
        let element = found.find_partition(&place.0, place.1).ok_or_else(|| (place, none()))?;
        element.error().map_err(|error| (place, error))?;
        let Position::Offset(offset) = element.offset() else { return Err((place, none())) };
        Ok(offset)
    };
    places.iter().map(end).collect()
}
