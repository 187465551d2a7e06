//! Membership of the consumer group: which lanes are ours. It reads no record.
//!
//! The member holds its partitions paused; reading is another client's work (`reader.rs`). So lanes start one by one
//! whatever protocol the group speaks, and a rebalance that leaves a lane here does not disturb its reading.
//! A lane is ours when every input topic's partition of its number is. Read next: `source.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::ports::LaneId;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset as Position, TopicPartitionList};

use crate::config::Config;
use crate::deadline::Stopwatch;
use crate::error::{Result, answer, code_of, invalid, passing, told, unavailable};
use crate::limits::{DOWN_WARN_EVERY, HALF_LANE_WARN, MEMBER_EVENTS_MAX};
use crate::signal::Signal;

/// Partitions that came or went, as (index of the topic, partition).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Moved {
    Given(Vec<(usize, u32)>),
    Taken(Vec<(usize, u32)>),
}

/// What happened to lanes, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Whole lanes that are ours from now on.
    Assigned(Vec<LaneId>),
    /// Lanes that were ours.
    Revoked(Vec<LaneId>),
}

struct MemberContext {
    topics: Vec<String>,
    moved: Mutex<Vec<Moved>>,
    failed: Mutex<Option<KafkaError>>,
    /// When it was last said that no broker can be reached.
    told_down: Mutex<Option<Stopwatch>>,
}

impl MemberContext {
    fn indices(&self, list: &TopicPartitionList) -> Vec<(usize, u32)> {
        let elements = list.elements();
        let index = |topic: &str| self.topics.iter().position(|known| known == topic);
        elements
            .iter()
            .filter_map(|element| Some((index(element.topic())?, u32::try_from(element.partition()).ok()?)))
            .collect()
    }

    fn rebalanced(&self, consumer: &BaseConsumer<Self>, given: bool, list: &mut TopicPartitionList) -> KafkaResult<()> {
        let stepwise = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        if !given {
            return if stepwise { consumer.incremental_unassign(list) } else { consumer.unassign() };
        }
        // Nothing is ever fetched here; starting at the end keeps the library from asking for committed offsets.
        list.set_all_offsets(Position::End)?;
        if stepwise {
            consumer.incremental_assign(list)?
        } else {
            consumer.assign(list)?
        }
        consumer.pause(list)
    }
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        crate::admin::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let mut told = self.told_down.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|told| told.elapsed() >= DOWN_WARN_EVERY);
        if code_of(&error) == Some(Code::AllBrokersDown) && due {
            *told = Some(Stopwatch::start());
            tracing::warn!(reason, "no broker can be reached; trying on");
        } else {
            tracing::debug!(%error, reason, "kafka group member");
        }
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let given = matches!(err, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
        let which = self.indices(list);
        if !given && consumer.assignment_lost() {
            tracing::warn!(partitions = which.len(), "partitions were lost: this member was taken for dead");
        }
        // No transaction is open while the engine polls, so a lane may go at once: nothing has to be ended first.
        if let Err(error) = self.rebalanced(consumer, given, list) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        let moved = if given { Moved::Given(which) } else { Moved::Taken(which) };
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).push(moved);
    }
}

/// Which partitions are here, and which lanes that makes.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    topics: usize,
    here: BTreeMap<u32, BTreeSet<usize>>,
    whole: BTreeSet<LaneId>,
}

impl Holdings {
    pub(crate) fn new(topics: usize) -> Self {
        Self { topics, ..Self::default() }
    }

    fn apply(&mut self, moved: Moved) -> Option<Change> {
        match moved {
            Moved::Given(partitions) => {
                for (topic, lane) in partitions {
                    self.here.entry(lane).or_default().insert(topic);
                }
                let whole = self.here.iter().filter(|(_, topics)| topics.len() == self.topics);
                let new: Vec<_> = whole.map(|(lane, _)| LaneId(*lane)).filter(|l| !self.whole.contains(l)).collect();
                self.whole.extend(&new);
                (!new.is_empty()).then_some(Change::Assigned(new))
            }
            Moved::Taken(partitions) => {
                let mut gone = BTreeSet::new();
                for (topic, lane) in partitions {
                    if let Some(topics) = self.here.get_mut(&lane) {
                        topics.remove(&topic);
                    }
                    gone.extend(self.whole.take(&LaneId(lane)));
                }
                self.here.retain(|_, topics| !topics.is_empty());
                (!gone.is_empty()).then(|| Change::Revoked(gone.into_iter().collect()))
            }
        }
    }

    /// Lanes of which only some topics are here, with the indices of those.
    pub(crate) fn halves(&self) -> impl Iterator<Item = (LaneId, &BTreeSet<usize>)> {
        self.here.iter().filter(|(_, topics)| topics.len() < self.topics).map(|(lane, topics)| (LaneId(*lane), topics))
    }
}

/// This process in its group.
pub(crate) struct Member {
    consumer: BaseConsumer<MemberContext>,
    holdings: Mutex<Holdings>,
    half_since: Mutex<Option<(Stopwatch, bool)>>,
    half_max: Duration,
    group: String,
}

impl Member {
    /// Joins the group (the joining itself happens in later polls).
    pub(crate) fn join(config: &Config, signal: &Signal) -> Result<Arc<Self>> {
        let context = MemberContext {
            topics: config.input_topics.clone(),
            moved: Mutex::default(),
            failed: Mutex::default(),
            told_down: Mutex::default(),
        };
        let mut consumer = BaseConsumer::from_config_and_context(&config.member()?, context)
            .map_err(|error| told("kafka configuration", &error))?;
        let wake = signal.clone();
        consumer.set_nonempty_callback(move || wake.set());
        let topics: Vec<_> = config.input_topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|error| told(&format!("group `{}`: subscribing", config.group), &error))?;
        Ok(Arc::new(Self {
            consumer,
            holdings: Mutex::new(Holdings::new(topics.len())),
            half_since: Mutex::default(),
            half_max: config.half_lane_max,
            group: config.group.clone(),
        }))
    }

    /// Serves the group protocol and returns what happened to lanes.
    pub(crate) fn poll(&self) -> Result<Vec<Change>> {
        for _ in 0..MEMBER_EVENTS_MAX {
            match self.consumer.poll(Duration::ZERO) {
                None | Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) if passing(&error) => tracing::debug!(%error, "kafka group member"),
                Some(Err(error)) => return Err(self.told(&error)),
            }
        }
        let context = self.consumer.context();
        if let Some(error) = context.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(self.told(&error));
        }
        let moved = std::mem::take(&mut *context.moved.lock().unwrap_or_else(PoisonError::into_inner));
        let mut holdings = self.holdings.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = moved.into_iter().filter_map(|moved| holdings.apply(moved)).collect();
        self.check_halves(&holdings)?;
        Ok(changes)
    }

    /// Whether a lane is ours at this moment.
    pub(crate) fn holds(&self, lane: LaneId) -> bool {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner).whole.contains(&lane)
    }

    /// What a transaction carries so that the group can refuse it from who is no longer a member.
    pub(crate) fn metadata(&self) -> Result<ConsumerGroupMetadata> {
        self.consumer
            .group_metadata()
            .ok_or_else(|| unavailable(format!("group `{}`: this process has not joined yet", self.group)))
    }

    fn check_halves(&self, holdings: &Holdings) -> Result<()> {
        let mut since = self.half_since.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((lane, here)) = holdings.halves().next() else {
            *since = None;
            return Ok(());
        };
        let (watch, warned) = *since.get_or_insert_with(|| (Stopwatch::start(), false));
        let topics = &self.consumer.context().topics;
        let name = |index: &usize| topics[*index].as_str();
        let here_names: Vec<_> = here.iter().map(name).collect();
        let other_names: Vec<_> = (0..topics.len()).filter(|index| !here.contains(index)).map(|i| name(&i)).collect();
        let text = format!(
            "group `{}`: lane {lane} is split: {} here, {} with another member",
            self.group,
            here_names.join(", "),
            other_names.join(", ")
        );
        if watch.elapsed() >= self.half_max {
            return Err(invalid(format!(
                "{text}, for {} s; every member must use the `range` assignor: partition.assignment.strategy=range, or \
                 group.remote.assignor=range with group.protocol=consumer",
                self.half_max.as_secs()
            )));
        }
        if watch.elapsed() >= HALF_LANE_WARN && !warned {
            tracing::warn!("{text}; waiting for the rest");
            *since = Some((watch, true));
        }
        Ok(())
    }

    fn told(&self, error: &KafkaError) -> engine::ports::PortError {
        let doing = format!("group `{}`", self.group);
        match code_of(error) {
            Some(Code::FencedInstanceId | Code::UnreleasedInstanceId) => unavailable(format!(
                "{doing}: {}; another process uses the same instance id, or its session has not ended yet",
                answer(error)
            )),
            Some(Code::InconsistentGroupProtocol | Code::UnsupportedAssignor) => invalid(format!(
                "{doing}: {}; every member must use the `range` assignor and the same group.protocol",
                answer(error)
            )),
            _ => told(&doing, error),
        }
    }
}

#[cfg(test)]
mod tests;
