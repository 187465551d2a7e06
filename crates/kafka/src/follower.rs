//! What lanes read and committed, for an archiver: inputs, journal, results and reference, each partition given and
//! not shared. It is never a member of a group, so it can neither take a lane nor hold one up.
//!
//! A journal record is handed over only once everything that belongs to its transaction has been. It says itself how far
//! it pins the reference, and how many results stand beside it: no broker is asked, since one that was frozen, and does
//! not know yet that it leads no longer, would tell of too early an end. Only where a former version wrote the record, or
//! where results do not come because they were deleted, it is asked where they end. Inputs are read only up to the
//! positions of the newest journal record handed over, so a follower that is behind holds little.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Timestamp;
use engine::JournalRecord;
use engine::ports::{Followed, Follower, LaneId, Message as Sent, ReferenceRecord};
use events::{Offset, Records, TopicId};
use rdkafka::message::{BorrowedMessage, Message};

use crate::admin::Admin;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, corrupt};
use crate::limits::{BEHIND_MAX, POLL_BYTES_MAX, POLL_RECORDS_MAX, POLL_SHARE_MIN, REFERENCE_STATISTICS_MS, SLEEP_MAX};
use crate::reader::{Key, Reader, headers, with_record};
use crate::signal::Signal;
use crate::stable::{RESULTS, TRANSACTION};
use crate::store::number_of;

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
    /// The transaction of the newest result handed over, and how many of its results have been.
    came: (u64, u64),
    held: Option<Held>,
}

/// Journal records that wait for what belongs to them.
struct Held {
    records: Vec<Vec<u8>>,
    /// How far they say each input topic was read.
    positions: Vec<i64>,
    /// How far they pin the reference.
    pins: Vec<(Key, i64)>,
    results: Awaited,
    /// When it is asked where results end, unless these have come by then.
    ask: Deadline,
    /// Where they ended when that was asked.
    end: Option<i64>,
}

/// The last results that belong to journal records.
#[derive(Clone, Copy)]
enum Awaited {
    /// There are none.
    Nothing,
    /// Those of a transaction: its number, and how many they are.
    Counted(u64, u64),
    /// Former versions do not count them.
    Unknown,
}

impl Awaited {
    /// Adds the next journal record.
    fn add(&mut self, message: &BorrowedMessage<'_>, lane: LaneId) {
        match (number_of(message, lane), result_count(message)) {
            (Some(_), Some(0)) => {}
            (Some(number), Some(count)) => *self = Self::Counted(number, count),
            _ => *self = Self::Unknown,
        }
    }

    /// Whether they have come. Results stand in the order of their transactions.
    fn have_come(self, came: (u64, u64)) -> bool {
        match self {
            Self::Nothing => true,
            Self::Counted(number, count) => came >= (number, count),
            Self::Unknown => false,
        }
    }

    /// How long they are waited for.
    fn patience(self) -> Duration {
        match self {
            Self::Nothing | Self::Counted(..) => BEHIND_MAX,
            Self::Unknown => Duration::ZERO,
        }
    }
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

    /// Everything that has arrived, in the order that the archive needs.
    fn arrived(&mut self) -> Result<Vec<Followed>> {
        self.reader.serve()?;
        self.hold_journal()?;
        let mut followed = Vec::new();
        self.take_reference(&mut followed)?;
        self.take_results(&mut followed)?;
        self.ask_ends()?;
        self.release_journal(&mut followed);
        self.take_inputs(&mut followed)?;
        Ok(followed)
    }

    fn hold_journal(&mut self) -> Result<()> {
        for (id, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.held.is_none()) {
            let (mut records, mut results) = (Vec::new(), Awaited::Nothing);
            self.reader.take((self.inputs, lane.partition), POLL_SHARE_MIN, POLL_BYTES_MAX, |message| {
                records.extend(message.payload().map(<[u8]>::to_vec));
                results.add(message, *id);
                Ok(())
            })?;
            if records.is_empty() {
                continue;
            }
            let (positions, pins) = reach(*id, &records, &self.reference)?;
            let ask = Deadline::after(results.patience());
            lane.held = Some(Held { records, positions, pins, results, ask, end: None });
        }
        Ok(())
    }

    /// Asks where results end that nothing else shows to have come.
    fn ask_ends(&mut self) -> Result<()> {
        let results = self.inputs + 1;
        for lane in self.lanes.values_mut() {
            let Some(held) = &mut lane.held else { continue };
            if held.end.is_some() || held.results.have_come(lane.came) || !held.ask.passed() {
                continue;
            }
            let next = self.reader.next((results, lane.partition)).unwrap_or(0);
            let (low, high) = self.admin.watermarks_led(&self.topics[results], lane.partition, next)?;
            held.end = Some(if low < high { high } else { 0 });
        }
        Ok(())
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
        for (id, lane) in &mut self.lanes {
            let (mut messages, came) = (Vec::new(), &mut lane.came);
            self.reader.take((self.inputs + 1, lane.partition), POLL_RECORDS_MAX, POLL_BYTES_MAX, |message| {
                if let Some(number) = number_of(message, *id) {
                    *came = (number, if number == came.0 { came.1 + 1 } else { 1 });
                }
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

    fn release_journal(&mut self, followed: &mut Vec<Followed>) {
        let results = self.inputs + 1;
        for (id, lane) in &mut self.lanes {
            let (reader, came, key) = (&self.reader, lane.came, (results, lane.partition));
            let is_whole = |held: &mut Held| {
                let ended = |end: i64| end == 0 || reader.reached(key, end);
                (held.results.have_come(came) || held.end.is_some_and(ended))
                    && held.pins.iter().all(|(key, pin)| reader.reached(*key, *pin))
            };
            if let Some(held) = lane.held.take_if(is_whole) {
                lane.positions = held.positions;
                followed.push(Followed::Journal { lane: *id, records: held.records });
            }
        }
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
        let followed = FollowedLane { partition, next, positions: Vec::new(), came: (0, 0), held: None };
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

/// How many results a journal record says stand in its transaction.
fn result_count(message: &BorrowedMessage<'_>) -> Option<u64> {
    let (_, count) = headers(message).into_iter().rfind(|(name, _)| name == RESULTS)?;
    std::str::from_utf8(&count?).ok()?.parse().ok()
}

/// How far each input topic was read, and how far which partitions of the reference are pinned.
type Reach = (Vec<i64>, Vec<(Key, i64)>);

/// How far journal records say that this goes.
fn reach(lane: LaneId, records: &[Vec<u8>], reference: &[(&'static str, Key)]) -> Result<Reach> {
    let (mut positions, mut pins) = (None::<Vec<i64>>, None);
    for raw in records.iter().rev() {
        let record: JournalRecord = serde_json::from_slice(raw)
            .map_err(|error| corrupt(format!("lane {lane}: a journal record cannot be read: {error}")))?;
        positions.get_or_insert_with(|| record.topics.iter().map(|topic| topic.position.0).collect());
        // A commit without a tick pins nothing: the tick before it does.
        let is_pinned = record.pins.is_some();
        pins = Some(record.pins.unwrap_or(record.genesis));
        if is_pinned {
            break;
        }
    }
    let mut pinned = Vec::new();
    for (kind, partition, pin) in pins.iter().flat_map(|pins| pins.iter()) {
        let is_here = |(known, key): &(&str, Key)| *known == kind.name() && u32::try_from(key.1) == Ok(partition);
        pinned.extend(reference.iter().copied().find(is_here).map(|(_, key)| (key, pin.0)).filter(|(_, pin)| *pin > 0));
    }
    Ok((positions.unwrap_or_default(), pinned))
}

#[cfg(test)]
mod tests;
