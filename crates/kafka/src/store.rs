//! What one lane stored, and the transactions that add to it.
//!
//! The lane's transactional id fences: opening a store makes the broker abort what a former owner had open and refuse
//! its commit. Crash table of `commit`: before the commit marker nothing is visible, the next owner's `open` aborts
//! it and the lane resumes from the record before; after it everything is, the offsets included.
//! Read next: `store/producer.rs` (how a transaction is tried until its end is known), `store/letters.rs`.

mod letters;
mod producer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::Timestamp;
use engine::ports::{LaneId, LaneStore, PortError, StoredPane, Tier, Transaction};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::Message;
use rdkafka::{Offset as Position, TopicPartitionList};

use crate::admin::{Admin, wait};
use crate::config::{Config, Topics};
use crate::error::{Result, code_of, told, unavailable};
use crate::group::Member;
use crate::panes::{Joiner, Span, split};
use crate::restore::Restorer;
use producer::{Outgoing, Producer};

/// What a store shares with the source that opened it.
pub(crate) struct Outside {
    /// Questions and deletions.
    pub(crate) admin: Arc<Admin>,
    /// Where the group metadata of transactions comes from.
    pub(crate) member: Arc<Member>,
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
    /// Until the first commit.
    restorer: Option<Restorer>,
    /// Where each stored pane stands; known once the tier has been read.
    spans: BTreeMap<Tier, BTreeMap<Timestamp, Span>>,
    /// Records of a tier below this offset have been deleted.
    trimmed: BTreeMap<Tier, i64>,
    /// A commit whose end is unknown, or a fatal error: nothing more may be sent.
    broken: bool,
}

impl Store {
    /// Fences whoever had the lane and waits until its open transaction has ended.
    pub(crate) fn open(config: &Config, lane: LaneId, outside: Outside, restorer: Restorer) -> Result<Self> {
        let producer = Producer::open(config, lane)?;
        Ok(Self {
            lane,
            partition: i32::try_from(lane.0).unwrap_or(i32::MAX),
            topics: config.topics(),
            config: config.clone(),
            outside,
            producer,
            restorer: Some(restorer),
            spans: BTreeMap::new(),
            trimmed: BTreeMap::new(),
            broken: false,
        })
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

    fn restorer(&self) -> Result<&Restorer> {
        self.restorer.as_ref().ok_or_else(|| {
            unavailable(format!("lane {}: state is read before the first commit; open the lane again", self.lane))
        })
    }

    /// Every record of a transaction with its destination. Records that keep a lane's state go to its partition; what
    /// people read is spread by key.
    fn outgoing<'a>(&'a self, transaction: &'a Transaction, panes: &'a [PaneRecord<'a>]) -> Vec<Outgoing<'a>> {
        let own = Some(self.partition);
        let mut out = Vec::new();
        for finding in &transaction.findings {
            out.push(Outgoing::message(&self.config.findings_topic, None, finding));
        }
        for letter in &transaction.dead_letters {
            let source = &self.config.input_topics[letter.topic.index()];
            out.push(Outgoing {
                topic: &self.config.dead_letter_topic,
                partition: None,
                key: letter.key.as_deref(),
                value: letter.value.as_deref(),
                headers: letters::headers(letter, source, self.lane),
                pane: None,
            });
        }
        for result in &transaction.results {
            out.push(Outgoing::message(&self.topics.results, own, result));
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
        for (key, value) in &transaction.head {
            let (key, value) = (Some(key.as_slice()), value.as_deref());
            out.push(Outgoing {
                topic: &self.topics.head,
                partition: own,
                key,
                value,
                headers: Vec::new(),
                pane: None,
            });
        }
        for record in &transaction.journal {
            out.push(Outgoing::message(&self.topics.journal, own, record));
        }
        out
    }

    fn positions(&self, transaction: &Transaction) -> Result<TopicPartitionList> {
        let topics = &self.config.input_topics;
        assert_eq!(transaction.positions.len(), topics.len(), "a commit has one position per input topic");
        let mut list = TopicPartitionList::new();
        for (topic, position) in topics.iter().zip(&transaction.positions) {
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
        self.restorer()?.read(&self.topics.head, self.partition, |message| {
            let key = message.key().unwrap_or_default().to_vec();
            match message.payload() {
                Some(value) => head.insert(key, value.to_vec()),
                None => head.remove(&key),
            };
            Ok(())
        })?;
        Ok(head)
    }

    fn panes(&mut self, tier: Tier, first: Timestamp) -> Result<Vec<StoredPane>> {
        let topic = self.topics.panes_of(tier);
        let mut joiner = Joiner::new(tier, first, format!("topic `{topic}` partition {}", self.partition));
        self.restorer()?.read(topic, self.partition, |message| {
            joiner.push(message.offset(), message.key(), message.payload().unwrap_or_default())
        })?;
        let (panes, spans) = joiner.finish()?;
        self.spans.insert(tier, spans);
        Ok(panes)
    }

    fn commit(&mut self, transaction: Transaction) -> Result<()> {
        self.check_usable()?;
        self.restorer = None;
        let panes = pane_records(&transaction.panes)?;
        let positions = self.positions(&transaction)?;
        let outgoing = self.outgoing(&transaction, &panes);
        match self.producer.commit(&outgoing, &positions, &self.outside.member) {
            Ok(spans) => {
                for (tier, end, span) in spans {
                    // Only a tier that was read is known wholly, and only then may it be trimmed.
                    if let Some(known) = self.spans.get_mut(&tier) {
                        known.insert(end, span);
                    }
                }
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
            Err(error) => return Err(told(&doing(), &error)),
        }
        self.trimmed.insert(tier, cut);
        if let Some(spans) = self.spans.get_mut(&tier) {
            spans.retain(|_, span| span.last >= cut);
        }
        Ok(())
    }
}
