//! Reads a topic as a consumer of committed data sees it now: for sealing, and for tests.

use std::collections::BTreeMap;

use base::Timestamp;
use events::{Header, Offset};
use rdkafka::consumer::Consumer;
use rdkafka::message::Message;

use crate::config::Config;
use crate::error::{Result, corrupt};
use crate::leaders::ends_reaching;
use crate::reader::{Reader, headers};
use crate::restore::drain;
use crate::signal::Signal;

/// A record that a consumer of committed data sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedRecord {
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: Offset,
    /// Append time (or the producer's, as the topic is set).
    pub time: Timestamp,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; absent in a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<Header>,
}

/// Every committed record of a topic, by partition and offset, up to the last stable offsets of this moment.
/// All of it is held in memory.
pub fn read_committed(config: &Config, topic: &str) -> Result<Vec<CommittedRecord>> {
    read_committed_from(config, topic, &BTreeMap::new())
}

/// The same from the given offset of each partition on; from its beginning where none is given. An offset below the
/// log's start, or beyond its end, is `Corrupt`: what was to be read is gone.
pub fn read_committed_from(config: &Config, topic: &str, from: &BTreeMap<u32, i64>) -> Result<Vec<CommittedRecord>> {
    let partitions = crate::admin::Admin::new(config)?.partitions_of(topic)?;
    let mut reader = Reader::new(&config.waited_reader()?, vec![topic.to_owned()], Signal::default())?;
    let mut records = Vec::new();
    for partition in 0..partitions {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let start = from.get(&partition).copied();
        // Asked of a consumer of committed data, the end is the last stable offset: an open transaction is not waited for.
        let (low, end) = ends_reaching(reader.client().client(), topic, number, start.unwrap_or(0))?;
        if let Some(start) = start.filter(|start| *start < low) {
            return Err(corrupt(format!(
                "topic `{topic}` partition {partition}: the records from offset {start} up to the log start {low} were \
                 deleted before they were read; raise the topic's retention"
            )));
        }
        if let Some(start) = start.filter(|start| *start > end) {
            return Err(corrupt(format!(
                "topic `{topic}` partition {partition}: offset {start}, from where it is to be read, is beyond the end \
                 {end}: the topic was cut or created anew"
            )));
        }
        if start.unwrap_or(low) >= end {
            continue;
        }
        let key = (0, number);
        reader.add(key, start)?;
        drain(&mut reader, key, end, |message| {
            records.push(CommittedRecord {
                partition,
                offset: Offset(message.offset()),
                time: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0)),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers: headers(message),
            });
            Ok(())
        })?;
        reader.remove(key)?;
    }
    Ok(records)
}
