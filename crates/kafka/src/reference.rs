//! Reference topics, read whole by every process: all partitions from their beginnings, and then as rows arrive.
//!
//! "Everything appended before T has been delivered" is proved by asking for the high watermarks when T is no longer
//! in the future and reading up to them. With that, the same tick sees the same rows in every run.

use std::collections::VecDeque;
use std::sync::Arc;

use base::{Clock, Millis, Timestamp};
use engine::ports::{ReferenceFeed, ReferenceRecord};
use events::Offset;
use rdkafka::message::Message;

use crate::admin::Admin;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, corrupt, unavailable};
use crate::limits::{CLOCK_MARGIN_MS, READ_STALL_MAX, REFERENCE_STATISTICS_MS, SLEEP_MAX};
use crate::reader::{Key, Reader};
use crate::signal::Signal;
use crate::topics::compaction_lag;

/// The reference topics of a pipeline.
pub struct KafkaReferenceFeed {
    topics: Vec<(&'static str, String)>,
    keys: Vec<Key>,
    reader: Reader,
    admin: Admin,
    clock: Arc<dyn Clock>,
    known_through: Timestamp,
    pending: VecDeque<ReferenceRecord>,
}

impl KafkaReferenceFeed {
    /// Starts reading every reference topic from its beginning. `clock` tells how far "read to the end now" reaches;
    /// a minute is taken off it for brokers whose clocks are behind.
    pub fn connect(config: &Config, clock: Arc<dyn Clock>) -> Result<Self> {
        config.check()?;
        let admin = Admin::new(config)?;
        let names = config.reference_topics.iter().map(|(_, topic)| topic.clone()).collect();
        let mut reader = Reader::new(&config.whole_reader(REFERENCE_STATISTICS_MS)?, names, Signal::default())?;
        let mut keys = Vec::new();
        for (index, (_, topic)) in config.reference_topics.iter().enumerate() {
            for partition in 0..i32::try_from(admin.partitions_of(topic)?).unwrap_or(i32::MAX) {
                reader.add((index, partition), None)?;
                keys.push((index, partition));
            }
        }
        Ok(Self {
            topics: config.reference_topics.clone(),
            keys,
            reader,
            admin,
            clock,
            known_through: Timestamp::MIN,
            pending: VecDeque::new(),
        })
    }

    /// Nothing is appended after it. A clock that does not tell the time says nothing about the future either.
    fn latest(&self) -> Timestamp {
        self.clock.time_of_day().unwrap_or(Timestamp::MAX)
    }

    /// Takes what has arrived; says whether anything had.
    fn take_arrived(&mut self) -> Result<bool> {
        self.reader.serve()?;
        let before = self.pending.len();
        for key in self.keys.clone() {
            let (kind, partition) = (self.topics[key.0].0, u32::try_from(key.1).unwrap_or(u32::MAX));
            let pending = &mut self.pending;
            self.reader.take(key, usize::MAX, usize::MAX, |message| {
                pending.push_back(ReferenceRecord {
                    kind,
                    partition,
                    offset: Offset(message.offset()),
                    append_time: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0)),
                    value: message.payload().map(<[u8]>::to_vec),
                });
                Ok(())
            })?;
        }
        Ok(self.pending.len() > before)
    }

    /// Reads on until every partition has been read up to its high watermark of now. What lies in the future may still be
    /// appended to.
    fn take_through(&mut self, through: Timestamp) -> Result<()> {
        // It may have been ahead when the process began.
        let now = self.clock.now().min(self.latest());
        let mut targets = Vec::new();
        for key in &self.keys {
            let topic = &self.topics[key.0].1;
            let next = self.reader.next(*key);
            let (low, high) = self.admin.watermarks_reaching(topic, key.1, next.unwrap_or(0))?;
            if let Some(read) = next.filter(|read| *read > high) {
                return Err(corrupt(format!(
                    "reference topic `{topic}` partition {}: it was read to offset {read} and ends at {high}: it was cut or \
                     created anew; begin anew under another `state_prefix`",
                    key.1
                )));
            }
            if low < high {
                targets.push((*key, high));
            }
        }
        let mut deadline = Deadline::after(READ_STALL_MAX);
        loop {
            if self.take_arrived()? {
                deadline = Deadline::after(READ_STALL_MAX);
            }
            targets.retain(|(key, high)| !self.reader.reached(*key, *high));
            let Some((key, high)) = targets.first() else { break };
            if deadline.passed() {
                return Err(unavailable(format!(
                    "reference topic `{}` partition {}: {} s without a row on the way to offset {high}; check that its \
                     leader is up and that no producer holds a transaction open there",
                    self.topics[key.0].1,
                    key.1,
                    READ_STALL_MAX.as_secs()
                )));
            }
            self.reader.sleep(deadline.left().min(SLEEP_MAX));
        }
        self.known_through = self.known_through.max(through).max(now - Millis(CLOCK_MARGIN_MS));
        Ok(())
    }
}

impl ReferenceFeed for KafkaReferenceFeed {
    fn poll(&mut self, through: Option<Timestamp>) -> Result<Vec<ReferenceRecord>> {
        let latest = self.latest();
        match through.map(|through| through.min(latest)).filter(|through| *through > self.known_through) {
            Some(through) => self.take_through(through)?,
            None => {
                self.take_arrived()?;
            }
        }
        // What had arrived before an error is kept for the next call.
        Ok(self.pending.drain(..).collect())
    }

    fn known_through(&self) -> Timestamp {
        self.known_through
    }

    fn ends(&mut self) -> Result<Vec<(&'static str, u32, Offset)>> {
        let ends = self.keys.iter().map(|key| {
            let (kind, topic) = &self.topics[key.0];
            let (_, high) = self.admin.watermarks(topic, key.1)?;
            Ok((*kind, u32::try_from(key.1).unwrap_or(u32::MAX), Offset(high)))
        });
        ends.collect()
    }

    fn whole_since(&mut self) -> Result<Timestamp> {
        // Where time stands still, nothing grows old enough to be compacted.
        let Some(now) = self.clock.time_of_day().map(|now| now + Millis(CLOCK_MARGIN_MS)) else {
            return Ok(Timestamp::MIN);
        };
        let mut whole = Timestamp::MIN;
        for (_, topic) in &self.topics {
            whole = whole.max(compaction_lag(&self.admin, topic)?.map_or(Timestamp::MIN, |lag| now - lag));
        }
        Ok(whole)
    }
}
