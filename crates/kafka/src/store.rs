//! What one lane stored, and the transactions that add to it.
//!
//! The lane's transactional id fences: opening a store makes the broker abort what a former owner had open and refuse
//! its commit. Crash table of `commit`: before the commit marker nothing is visible, the next owner's `open` aborts
//! it and the lane resumes from the record before; after it everything is, the offsets included; where the broker lost
//! markers, it is found before anything follows, and the transaction is made whole or undone.
//! Read next: `store/producer.rs` (how a transaction is tried until its end is known), `stable.rs` (how it is seen that
//! it has ended), `store/letters.rs`.

mod letters;
mod producer;
mod sweep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::Timestamp;
use engine::ports::{LaneId, LaneStore, PortError, StoredPane, Tier, Transaction};
use events::Offset;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::Message;
use rdkafka::{Offset as Position, TopicPartitionList};

use crate::admin::{Admin, wait};
use crate::config::{Config, Topics};
use crate::error::{Result, code_of, told, unavailable};
use crate::group::Member;
use crate::leaders::Place;
use crate::limits::RECORD_BYTES_SURE;
use crate::panes::{Joiner, Span, split};
use crate::restore::Restorer;
use crate::stable::{RESULTS, Stable, Written};
use crate::topics::record_room;
use letters::Enclosed;
use producer::{Committed, Outgoing, Producer};
use sweep::Hanging;
pub(crate) use sweep::number_of;

/// The key under which the head holds the stamp of the last transaction; the engine never sees it.
const STAMP: &[u8] = b"transaction";
/// The key under which the head holds the number of the transaction that renewed the lane's state, if one did: panes of
/// earlier ones count no more.
const RENEWED: &[u8] = b"renewed";

/// What a store shares with the source that opened it.
pub(crate) struct Outside {
    /// Questions and deletions.
    pub(crate) admin: Arc<Admin>,
    /// Where the group metadata of transactions comes from.
    pub(crate) member: Arc<Member>,
    /// How far readers get.
    pub(crate) stable: Arc<Stable>,
    /// False once the lane has been revoked or opened anew.
    pub(crate) open: Arc<AtomicBool>,
}

/// The store of one lane.
pub(crate) struct Store {
    lane: LaneId,
    partition: i32,
    config: Config,
    topics: Topics,
    outside: Outside,
    producer: Producer,
    restorer: Restorer,
    /// Where each stored pane stands; known once the tier has been read.
    spans: BTreeMap<Tier, BTreeMap<Timestamp, Span>>,
    /// Records of a tier below this offset have been deleted.
    trimmed: BTreeMap<Tier, i64>,
    /// Of the last committed transaction; known once the head has been read.
    number: Option<u64>,
    /// Of the transaction that renewed the state; known once the head has been read.
    renewed: u64,
    /// Bytes of a record that the dead-letter topic takes; asked for when it matters.
    letter_room: Option<usize>,
    /// What the last transaction wrote, until it has been seen to be readable.
    unproven: Vec<Written>,
    /// A commit whose end is unknown, or a fatal error: nothing more may be sent.
    broken: bool,
}

impl Store {
    /// Fences whoever had the lane, waits until its open transaction has ended, and ends what hangs.
    pub(crate) fn open(config: &Config, lane: LaneId, outside: Outside, restorer: Restorer) -> Result<Self> {
        let producer = Producer::open(config, lane)?;
        let store = Self {
            lane,
            partition: i32::try_from(lane.0).unwrap_or(i32::MAX),
            topics: config.topics(),
            config: config.clone(),
            outside,
            producer,
            restorer,
            spans: BTreeMap::new(),
            trimmed: BTreeMap::new(),
            number: None,
            renewed: 0,
            letter_room: None,
            unproven: Vec::new(),
            broken: false,
        };
        store.sweep()?;
        Ok(store)
    }

    /// Ends what a former transaction left hanging (see `sweep.rs`).
    fn sweep(&self) -> Result<()> {
        let Outside { admin, stable, .. } = &self.outside;
        let own = self.own_places();
        let mut shared = Vec::new();
        let ours = [&self.config.findings_topic, &self.config.dead_letter_topic];
        for topic in ours.into_iter().chain(&self.topics.crossings) {
            let partitions = i32::try_from(admin.partitions_of(topic)?).unwrap_or(i32::MAX);
            shared.extend((0..partitions).map(|partition| (topic.clone(), partition)));
        }
        let Some(Hanging { places, number, committed }) =
            sweep::look(&self.config, &self.outside, self.lane, &own, &shared)?
        else {
            return Ok(());
        };
        tracing::warn!(lane = %self.lane, number, committed, ?places, "a former transaction hangs: ending it");
        let stamp = sweep::stamp(self.lane, number.unwrap_or(0));
        let records = places.iter().map(|place| {
            let mut broom = Outgoing::broom(place);
            broom.headers.push(sweep::header(&stamp));
            broom
        });
        self.producer.sweep(&records.collect::<Vec<_>>(), committed)?;
        stable.swept(&own)
    }

    /// Partitions that only this lane's producer writes to.
    fn own_places(&self) -> Vec<Place> {
        self.topics.state().map(|topic| (topic.clone(), self.partition)).collect()
    }

    /// Waits until what the last transaction wrote can be read.
    fn prove(&mut self) -> Result<()> {
        self.ended(&self.unproven).inspect_err(|_| self.broken = true)?;
        self.unproven.clear();
        Ok(())
    }

    /// Waits until a transaction has ended wherever it wrote.
    fn ended(&self, written: &[Written]) -> Result<()> {
        let waited = self.outside.stable.wait(written);
        waited.map_err(|error| unavailable(format!("lane {}: {error}; open the lane again", self.lane)))
    }

    fn check_usable(&self) -> Result<()> {
        if !self.outside.open.load(Ordering::Acquire) || !self.outside.member.holds(self.lane) {
            return Err(PortError::Fenced(self.lane));
        }
        if self.broken {
            return Err(unavailable(format!(
                "lane {}: an earlier commit has an unknown end; open the lane again",
                self.lane
            )));
        }
        Ok(())
    }

    /// Every record of a transaction with its destination. Records that keep a lane's state go to its partition; what
    /// people read is spread by key.
    fn outgoing<'a>(
        &'a self,
        transaction: &'a Transaction,
        stamp: &'a [u8],
        panes: &'a [PaneRecord<'a>],
    ) -> Vec<Outgoing<'a>> {
        let own = Some(self.partition);
        let mut out = Vec::new();
        for finding in &transaction.findings {
            out.push(Outgoing::message(&self.config.findings_topic, None, finding));
        }
        for letter in &transaction.dead_letters {
            let source = &self.config.input_topics[letter.topic.index()];
            let enclosed = Enclosed::new(letter, self.letter_room.unwrap_or(RECORD_BYTES_SURE));
            out.push(Outgoing {
                topic: &self.config.dead_letter_topic,
                partition: None,
                key: enclosed.key,
                value: enclosed.value,
                headers: enclosed.headers(letter, source, self.lane),
                pane: None,
            });
        }
        for result in &transaction.results {
            out.push(Outgoing::message(&self.topics.results, own, result));
        }
        for (watch, lane, crossing) in &transaction.crossings {
            let to = i32::try_from(lane.0).unwrap_or(i32::MAX);
            out.push(Outgoing::message(&self.topics.crossings[watch.index()], Some(to), crossing));
        }
        for pane in panes {
            out.push(Outgoing {
                topic: self.topics.panes_of(pane.tier),
                partition: own,
                key: Some(pane.key.as_bytes()),
                value: Some(pane.value),
                headers: Vec::new(),
                pane: Some((pane.tier, pane.end)),
            });
        }
        let head = transaction.head.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
        let renewed = transaction.renewed.then_some((RENEWED, Some(stamp)));
        for (key, value) in head.chain([(STAMP, Some(stamp))]).chain(renewed) {
            let (topic, key) = (&self.topics.head, Some(key));
            out.push(Outgoing { topic, partition: own, key, value, headers: Vec::new(), pane: None });
        }
        let results = transaction.results.len().to_string().into_bytes();
        for record in &transaction.journal {
            let mut told = Outgoing::message(&self.topics.journal, own, record);
            told.headers.push((RESULTS.to_owned(), Some(results.clone())));
            out.push(told);
        }
        out.iter_mut().for_each(|record| record.headers.push(sweep::header(stamp)));
        out
    }

    fn positions(&self, positions: &[Offset]) -> Result<TopicPartitionList> {
        let topics = &self.config.input_topics;
        assert_eq!(positions.len(), topics.len(), "a commit has one position per input topic");
        let mut list = TopicPartitionList::new();
        for (topic, position) in topics.iter().zip(positions) {
            list.add_partition_offset(topic, self.partition, Position::Offset(position.0)).map_err(|error| {
                told(&format!("lane {}: position {position} of topic `{topic}`", self.lane), &error)
            })?;
        }
        Ok(list)
    }

    /// Offsets below which a tier's records may go: the first part of the first pane still needed.
    fn cut(&self, tier: Tier, first: Timestamp) -> Option<i64> {
        let spans = self.spans.get(&tier)?;
        let needed = spans.range(first..).map(|(_, span)| span.first).min();
        needed.or_else(|| spans.values().map(|span| span.last + 1).max())
    }
}

/// One record of a split pane.
struct PaneRecord<'a> {
    tier: Tier,
    end: Timestamp,
    key: String,
    value: &'a [u8],
}

fn pane_records(panes: &[(Tier, StoredPane)]) -> Result<Vec<PaneRecord<'_>>> {
    let mut records = Vec::new();
    for (tier, pane) in panes {
        let parts = split(*tier, pane)?.into_iter();
        records.extend(parts.map(|(key, value)| PaneRecord { tier: *tier, end: pane.end, key, value }));
    }
    Ok(records)
}

impl LaneStore for Store {
    fn head(&mut self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut head = BTreeMap::new();
        self.restorer.read(&self.topics.head, self.partition, |message| {
            let key = message.key().unwrap_or_default().to_vec();
            match message.payload() {
                Some(value) => head.insert(key, value.to_vec()),
                None => head.remove(&key),
            };
            Ok(())
        })?;
        let mut number = |key: &[u8]| {
            let stamp = head.remove(key);
            stamp.and_then(|stamp| sweep::number_in(&stamp, self.lane)).unwrap_or(0)
        };
        (self.number, self.renewed) = (Some(number(STAMP)), number(RENEWED));
        Ok(head)
    }

    fn panes(&mut self, tier: Tier, first: Timestamp) -> Result<Vec<StoredPane>> {
        // Which panes count stands in the head.
        if self.number.is_none() {
            self.head()?;
        }
        let topic = self.topics.panes_of(tier);
        let mut joiner = Joiner::new(tier, first, format!("topic `{topic}` partition {}", self.partition));
        let (lane, renewed, newest) = (self.lane, self.renewed, self.number.unwrap_or(0));
        self.restorer.read(topic, self.partition, |message| {
            // Beyond the head stands what is left of a transaction that came to nothing.
            let number = sweep::number_of(message, lane);
            if number.is_some_and(|number| number > newest)
                || (renewed > 0 && number.is_none_or(|number| number < renewed))
            {
                return Ok(());
            }
            joiner.push(message.offset(), message.key(), message.payload().unwrap_or_default())
        })?;
        let (panes, spans) = joiner.finish()?;
        self.spans.insert(tier, spans);
        Ok(panes)
    }

    fn commit(&mut self, transaction: Transaction) -> Result<()> {
        self.check_usable()?;
        self.prove()?;
        if self.number.is_none() {
            self.head()?;
        }
        let number = self.number.unwrap_or(0) + 1;
        if self.letter_room.is_none() && transaction.dead_letters.iter().any(Enclosed::is_large) {
            self.letter_room = Some(record_room(&self.outside.admin, &self.config.dead_letter_topic));
        }
        let panes = pane_records(&transaction.panes)?;
        let positions = self.positions(&transaction.positions)?;
        let stamp = sweep::stamp(self.lane, number);
        let outgoing = self.outgoing(&transaction, &stamp, &panes);
        match self.producer.commit(&outgoing, &positions, &self.outside.member, |written| self.ended(written)) {
            Ok(Committed { panes, written }) => {
                if transaction.renewed {
                    self.renewed = number;
                    self.spans = Tier::ALL.into_iter().map(|tier| (tier, BTreeMap::new())).collect();
                }
                for (tier, end, span) in panes {
                    // Only a tier that is known wholly may be trimmed. Of a record that was sent twice the broker may
                    // not say where it stands.
                    if span.first < 0 || span.last < 0 {
                        self.spans.remove(&tier);
                    } else if let Some(known) = self.spans.get_mut(&tier) {
                        known.insert(end, span);
                    }
                }
                self.unproven = written;
                self.number = Some(number);
                Ok(())
            }
            Err(error) => {
                self.broken = true;
                Err(error)
            }
        }
    }

    fn trim(&mut self, tier: Tier, first: Timestamp) -> Result<()> {
        self.check_usable()?;
        // Until the transaction that needs them no more can be read, it may still come to nothing.
        self.prove()?;
        let Some(cut) = self.cut(tier, first).filter(|cut| *cut > self.trimmed.get(&tier).copied().unwrap_or(0)) else {
            return Ok(());
        };
        let topic = self.topics.panes_of(tier);
        let doing = || format!("topic `{topic}` partition {}: deleting records below offset {cut}", self.partition);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, self.partition, Position::Offset(cut)).map_err(|e| told(&doing(), &e))?;
        let answered = wait(self.outside.admin.client().delete_records(&list, &Admin::options()));
        let outcome = answered.and_then(|list| list.elements().iter().try_for_each(|element| element.error()));
        match outcome {
            Ok(()) => {}
            // The broker in memory cannot; it forgets old records by itself.
            Err(error) if matches!(code_of(&error), Some(Code::UnsupportedFeature | Code::UnsupportedVersion)) => {
                tracing::debug!(topic, "this broker cannot delete records");
            }
            Err(error) => match told(&doing(), &error) {
                // A leader that moves must not cost the lane: the next cut takes these as well.
                PortError::Unavailable(text) => {
                    tracing::warn!(problem = text, "panes that nobody needs any more stay for now");
                    return Ok(());
                }
                error => return Err(error),
            },
        }
        self.trimmed.insert(tier, cut);
        if let Some(spans) = self.spans.get_mut(&tier) {
            spans.retain(|_, span| span.last >= cut);
        }
        Ok(())
    }
}
