//! What lanes read and committed, for an archiver: inputs, journal, results and reference, each partition given and
//! not shared. It is never a member of a group, so it can neither take a lane nor hold one up.
//!
//! A journal record is handed over only once everything that belongs to its transactions has been: when it is seen,
//! the ends of the lane's results and of all reference partitions are asked for, and read up to first. Inputs are read
//! only up to the positions of the newest journal record handed over, so a follower that is behind holds little.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::Timestamp;
use engine::JournalRecord;
use engine::ports::{Followed, Follower, LaneId, Message as Sent, ReferenceRecord};
use events::{Offset, Records, TopicId};
use rdkafka::message::Message;

use crate::admin::Admin;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, corrupt};
use crate::limits::{POLL_BYTES_MAX, POLL_RECORDS_MAX, POLL_SHARE_MIN, REFERENCE_STATISTICS_MS, SLEEP_MAX};
use crate::reader::{Key, Reader, headers, with_record};
use crate::signal::Signal;
use crate::stable::TRANSACTION;

/// Follows lanes on a cluster.
pub struct KafkaFollower {
    reader: Reader,
    admin: Admin,
    topics: Vec<String>,
    inputs: usize,
    reference: Vec<(&'static str, Key)>,
    lanes: BTreeMap<LaneId, FollowedLane>,
}

struct FollowedLane {
    partition: i32,
    /// Right after the last record handed over, per input topic.
    next: Vec<i64>,
    /// How far the journal says each input topic was read.
    positions: Vec<i64>,
    held: VecDeque<Held>,
}

/// Journal records that wait for what belongs to them.
struct Held {
    records: Vec<Vec<u8>>,
    targets: Vec<(Key, i64)>,
}

impl KafkaFollower {
    /// Starts reading every reference topic from its beginning; lanes are read once they are started.
    pub fn connect(config: &Config) -> Result<Self> {
        config.check()?;
        let admin = Admin::new(config)?;
        let names = config.topics();
        let mut topics = config.input_topics.clone();
        topics.extend([names.journal, names.results]);
        let first_reference = topics.len();
        topics.extend(config.reference_topics.iter().map(|(_, topic)| topic.clone()));
        let client = config.whole_reader(REFERENCE_STATISTICS_MS)?;
        let mut reader = Reader::new(&client, topics.clone(), Signal::default())?;
        let mut reference = Vec::new();
        for (index, (kind, topic)) in (first_reference..).zip(&config.reference_topics) {
            for partition in 0..i32::try_from(admin.partitions_of(topic)?).unwrap_or(i32::MAX) {
                reader.add((index, partition), None)?;
                reference.push((*kind, (index, partition)));
            }
        }
        let inputs = config.input_topics.len();
        Ok(Self { reader, admin, topics, inputs, reference, lanes: BTreeMap::new() })
    }

    fn journal(&self, lane: &FollowedLane) -> Key {
        (self.inputs, lane.partition)
    }

    /// Everything that has arrived, in the order that the archive needs.
    fn arrived(&mut self) -> Result<Vec<Followed>> {
        self.reader.serve()?;
        self.hold_journal()?;
        let mut followed = Vec::new();
        self.take_reference(&mut followed)?;
        self.take_results(&mut followed)?;
        self.release_journal(&mut followed)?;
        self.take_inputs(&mut followed)?;
        Ok(followed)
    }

    fn hold_journal(&mut self) -> Result<()> {
        let mut reference_ends = None;
        for id in self.lanes.keys().copied().collect::<Vec<_>>() {
            let lane = &self.lanes[&id];
            if !lane.held.is_empty() {
                continue;
            }
            let (key, results) = (self.journal(lane), (self.inputs + 1, lane.partition));
            let mut records = Vec::new();
            self.reader.take(key, POLL_SHARE_MIN, POLL_BYTES_MAX, |message| {
                records.extend(message.payload().map(<[u8]>::to_vec));
                Ok(())
            })?;
            if records.is_empty() {
                continue;
            }
            if reference_ends.is_none() {
                let keys: Vec<Key> = self.reference.iter().map(|(_, key)| *key).collect();
                reference_ends = Some(self.ends(&keys)?);
            }
            let mut targets = reference_ends.clone().unwrap_or_default();
            targets.extend(self.ends(&[results])?);
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.held.push_back(Held { records, targets });
            }
        }
        Ok(())
    }

    /// High watermarks of the partitions that hold anything.
    fn ends(&self, keys: &[Key]) -> Result<Vec<(Key, i64)>> {
        let mut ends = Vec::new();
        for key in keys {
            let (low, high) = self.admin.watermarks(&self.topics[key.0], key.1)?;
            if low < high {
                ends.push((*key, high));
            }
        }
        Ok(ends)
    }

    fn take_reference(&mut self, followed: &mut Vec<Followed>) -> Result<()> {
        let mut rows = Vec::new();
        for (kind, key) in &self.reference {
            let partition = u32::try_from(key.1).unwrap_or(u32::MAX);
            self.reader.take(*key, POLL_RECORDS_MAX, POLL_BYTES_MAX, |message| {
                rows.push(ReferenceRecord {
                    kind,
                    partition,
                    offset: Offset(message.offset()),
                    append_time: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0)),
                    value: message.payload().map(<[u8]>::to_vec),
                });
                Ok(())
            })?;
        }
        if !rows.is_empty() {
            followed.push(Followed::Reference(rows));
        }
        Ok(())
    }

    fn take_results(&mut self, followed: &mut Vec<Followed>) -> Result<()> {
        for (id, lane) in &self.lanes {
            let mut messages = Vec::new();
            self.reader.take((self.inputs + 1, lane.partition), POLL_RECORDS_MAX, POLL_BYTES_MAX, |message| {
                // Which transaction it was says nothing about the result, and differs from run to run.
                let headers = headers(message).into_iter().filter(|(name, _)| name != TRANSACTION).collect();
                messages.push(Sent {
                    key: message.key().unwrap_or_default().to_vec(),
                    value: message.payload().unwrap_or_default().to_vec(),
                    headers,
                });
                Ok(())
            })?;
            if !messages.is_empty() {
                followed.push(Followed::Results { lane: *id, messages });
            }
        }
        Ok(())
    }

    fn release_journal(&mut self, followed: &mut Vec<Followed>) -> Result<()> {
        for (id, lane) in &mut self.lanes {
            let reader = &self.reader;
            let ready = |held: &mut Held| held.targets.iter().all(|(key, high)| reader.reached(*key, *high));
            while let Some(held) = lane.held.pop_front_if(ready) {
                if let Some(raw) = held.records.last() {
                    let newest: JournalRecord = serde_json::from_slice(raw)
                        .map_err(|error| corrupt(format!("lane {id}: a journal record cannot be read: {error}")))?;
                    lane.positions = newest.topics.iter().map(|topic| topic.position.0).collect();
                }
                followed.push(Followed::Journal { lane: *id, records: held.records });
            }
        }
        Ok(())
    }

    fn take_inputs(&mut self, followed: &mut Vec<Followed>) -> Result<()> {
        for (id, lane) in &mut self.lanes {
            for (topic, number) in (0..self.inputs).zip(0u8..) {
                if lane.positions.get(topic).is_none_or(|position| lane.next[topic] >= *position) {
                    continue;
                }
                let mut records = Records::default();
                let next = &mut lane.next[topic];
                self.reader.take((topic, lane.partition), POLL_RECORDS_MAX, POLL_BYTES_MAX, |message| {
                    *next = message.offset() + 1;
                    with_record(message, |record| records.push(record));
                    Ok(())
                })?;
                if !records.is_empty() {
                    followed.push(Followed::Input { lane: *id, topic: TopicId(number), records });
                }
            }
        }
        Ok(())
    }
}

impl Follower for KafkaFollower {
    /// Inputs without an offset are read from where their log starts.
    fn start(&mut self, lane: LaneId, inputs: &[Offset], journal: Option<(Offset, Offset)>) -> Result<()> {
        let partition = i32::try_from(lane.0).unwrap_or(i32::MAX);
        for topic in 0..self.inputs {
            self.reader.add((topic, partition), inputs.get(topic).map(|offset| offset.0))?;
        }
        self.reader.add((self.inputs, partition), journal.map(|(journal, _)| journal.0))?;
        self.reader.add((self.inputs + 1, partition), journal.map(|(_, results)| results.0))?;
        let next = (0..self.inputs).map(|topic| inputs.get(topic).map_or(i64::MIN, |offset| offset.0)).collect();
        let followed = FollowedLane { partition, next, positions: Vec::new(), held: VecDeque::new() };
        self.lanes.insert(lane, followed);
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<Vec<Followed>> {
        let deadline = Deadline::after(wait);
        loop {
            let followed = self.arrived()?;
            if !followed.is_empty() || deadline.passed() {
                return Ok(followed);
            }
            // Statistics, which tell the ends, wake nobody: look again soon.
            self.reader.sleep(deadline.left().min(SLEEP_MAX));
        }
    }
}
