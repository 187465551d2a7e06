//! One lane's transactional producer: a transaction is tried until its end is known, or the lane is given up.
//!
//! Rules: a commit that timed out is asked for again and never followed by another transaction; after an abort the
//! same bytes are produced again; a fatal error ends the lane. The queue is drained in steps of a millisecond before
//! rdkafka's own flush is called, which would wait 100 ms each time.

use std::thread;

use base::Timestamp;
use engine::ports::{LaneId, Message as Sent, PortError, Tier};
use events::Header;
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header as Named, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};

use crate::config::Config;
use crate::deadline::Deadline;
use crate::delivery::{Deliveries, Reports, is_fenced, serve};
use crate::error::{Result, answer, code_of, told, unavailable};
use crate::group::Member;
use crate::leaders::Place;
use crate::limits::{ABORT_PAUSE, ABORTS_MAX, COMMIT_MAX, COMMIT_STEP, OPEN_MAX, SEND_MAX};
use crate::panes::Span;
use crate::stable::{BROOM, Written};

/// A record on its way out.
pub(crate) struct Outgoing<'a> {
    /// Topic.
    pub(crate) topic: &'a str,
    /// Partition; by key where absent.
    pub(crate) partition: Option<i32>,
    /// Key.
    pub(crate) key: Option<&'a [u8]>,
    /// Value; absent in a tombstone.
    pub(crate) value: Option<&'a [u8]>,
    /// Headers.
    pub(crate) headers: Vec<Header>,
    /// Of which pane this is a part.
    pub(crate) pane: Option<(Tier, Timestamp)>,
}

impl<'a> Outgoing<'a> {
    /// A message with key and value.
    pub(crate) fn message(topic: &'a str, partition: Option<i32>, message: &'a Sent) -> Self {
        let (key, value, headers) =
            (Some(message.key.as_slice()), Some(message.value.as_slice()), message.headers.clone());
        Self { topic, partition, key, value, headers, pane: None }
    }

    /// A record that is written only so that a marker follows it.
    pub(crate) fn broom((topic, partition): &'a Place) -> Self {
        Self { topic, partition: Some(*partition), key: Some(BROOM), value: None, headers: Vec::new(), pane: None }
    }
}

/// What to do after a step failed.
enum Verdict {
    /// The same step again.
    Again,
    /// Abort, and produce everything again.
    Abort,
    /// Give the lane up.
    Over(PortError),
}

/// What failed, and why: a reason to abort.
struct Failed {
    error: KafkaError,
    doing: String,
}

/// One step of a transaction as rdkafka answers it.
type Step = std::result::Result<(), KafkaError>;

/// An attempt that went through or must be aborted; errors around it end the lane.
type Attempt = std::result::Result<(), Failed>;

/// The producer of one lane.
pub(crate) struct Producer {
    lane: LaneId,
    inner: BaseProducer<Deliveries>,
}

/// What a committed transaction left on the broker.
pub(crate) struct Committed {
    /// Where each pane stands.
    pub(crate) panes: Vec<(Tier, Timestamp, Span)>,
    /// Its last record in each partition.
    pub(crate) written: Vec<Written>,
}

impl Producer {
    /// Builds the lane's producer and fences all former ones.
    pub(crate) fn open(config: &Config, lane: LaneId) -> Result<Self> {
        let id = format!("{}-lane-{lane}", config.prefix);
        let inner = BaseProducer::from_config_and_context(&config.producer(Some(&id))?, Deliveries::default())
            .map_err(|error| told("kafka configuration", &error))?;
        let producer = Self { lane, inner };
        let deadline = Deadline::after(OPEN_MAX);
        loop {
            let Err(error) = producer.inner.init_transactions(COMMIT_STEP) else { return Ok(producer) };
            match producer.verdict(&error, "taking over the lane") {
                Verdict::Over(error) => return Err(error),
                Verdict::Again if !deadline.passed() => {}
                Verdict::Again => {
                    return Err(unavailable(format!(
                        "lane {lane}: fencing the former owner of `{id}` took more than {} s; check the broker's \
                         transaction coordinator",
                        OPEN_MAX.as_secs()
                    )));
                }
                Verdict::Abort => return Err(told(&format!("lane {lane}: taking over `{id}`"), &error)),
            }
        }
    }

    /// Commits records and positions as one transaction. `ended` waits until an aborted one has ended everywhere.
    pub(crate) fn commit(
        &self,
        records: &[Outgoing<'_>],
        positions: &TopicPartitionList,
        member: &Member,
        ended: impl Fn(&[Written]) -> Result<()>,
    ) -> Result<Committed> {
        let deadline = Deadline::after(COMMIT_MAX);
        let mut aborts = 0;
        loop {
            // The newer group protocol counts a member's epochs up while it keeps its lanes.
            let metadata = member.metadata()?;
            let mut done = self.write(records, deadline)?;
            if done.is_ok() {
                let send = || self.inner.send_offsets_to_transaction(positions, &metadata, COMMIT_STEP);
                done = self.repeat(deadline, "sending offsets", send)?;
            }
            if done.is_ok() {
                done = self.repeat(deadline, "committing", || self.inner.commit_transaction(COMMIT_STEP))?;
            }
            let Err(failed) = done else {
                let Reports { offsets, written, .. } = self.inner.context().take();
                return Ok(Committed { panes: placed(records, offsets), written });
            };
            self.abort(deadline)?;
            if code_of(&failed.error) == Some(Code::MessageTimedOut) {
                // Where records of it stand that the broker never answered for is not known, so neither is whether they have
                // ended there: that is for the next opening to see.
                let doing = format!("lane {}: {}", self.lane, failed.doing);
                return Err(unavailable(format!("{doing}: no answer in time; open the lane again")));
            }
            aborts += 1;
            if aborts >= ABORTS_MAX || deadline.passed() || is_final(&failed.error) {
                let doing = format!("lane {}: {}, transaction aborted {aborts} times", self.lane, failed.doing);
                return Err(told(&doing, &failed.error));
            }
            let error = answer(&failed.error);
            tracing::warn!(lane = %self.lane, aborts, error, "{}: transaction aborted; producing it again", failed.doing);
            thread::sleep(ABORT_PAUSE);
            ended(&self.inner.context().take().written)?;
        }
    }

    /// A transaction without positions, committed or aborted: what hangs where it writes ends with it.
    pub(crate) fn sweep(&self, records: &[Outgoing<'_>], commit: bool) -> Result<()> {
        let deadline = Deadline::after(COMMIT_MAX);
        let mut done = self.write(records, deadline)?;
        if commit && done.is_ok() {
            done = self.repeat(deadline, "committing", || self.inner.commit_transaction(COMMIT_STEP))?;
        }
        if !commit || done.is_err() {
            self.abort(deadline)?;
        }
        done.map_err(|failed| told(&format!("lane {}: {}", self.lane, failed.doing), &failed.error))
    }

    /// Begins a transaction and writes its records.
    fn write(&self, records: &[Outgoing<'_>], deadline: Deadline) -> Result<Attempt> {
        drop(self.inner.context().take());
        self.inner.begin_transaction().map_err(|error| self.over(&error, "beginning a transaction"))?;
        match self.send_all(records)? {
            Ok(()) => self.drain(deadline),
            failed => Ok(failed),
        }
    }

    fn send_all(&self, records: &[Outgoing<'_>]) -> Result<Attempt> {
        let deadline = Deadline::after(SEND_MAX);
        for (index, record) in records.iter().enumerate() {
            let mut next = BaseRecord::<[u8], [u8], usize>::with_opaque_to(record.topic, index + 1);
            next.partition = record.partition;
            next.key = record.key;
            next.payload = record.value;
            next.headers = owned(&record.headers);
            while let Err((error, unsent)) = self.inner.send(next) {
                if code_of(&error) != Some(Code::QueueFull) || deadline.passed() {
                    return self.failed(error, format!("writing to topic `{}`", record.topic));
                }
                serve(&self.inner);
                next = unsent;
            }
        }
        Ok(Ok(()))
    }

    /// Waits until the broker has answered for every record.
    fn drain(&self, deadline: Deadline) -> Result<Attempt> {
        while self.inner.in_flight_count() > 0 {
            serve(&self.inner);
            if deadline.passed() {
                return self.failed(KafkaError::MessageProduction(Code::MessageTimedOut), "writing records".to_owned());
            }
        }
        let failed = self.inner.context().take_failure();
        failed.map_or(Ok(Ok(())), |(error, topic)| self.failed(error, format!("writing to topic `{topic}`")))
    }

    /// A failure to write: over, or a reason to abort.
    fn failed(&self, error: KafkaError, doing: String) -> Result<Attempt> {
        match self.verdict(&error, &doing) {
            Verdict::Over(error) => Err(error),
            Verdict::Abort | Verdict::Again => Ok(Err(Failed { error, doing })),
        }
    }

    /// Repeats a step while it may be repeated.
    fn repeat(&self, deadline: Deadline, doing: &str, mut step: impl FnMut() -> Step) -> Result<Attempt> {
        loop {
            let Err(error) = step() else { return Ok(Ok(())) };
            match self.verdict(&error, doing) {
                Verdict::Over(error) => return Err(error),
                Verdict::Abort => return Ok(Err(Failed { error, doing: doing.to_owned() })),
                Verdict::Again if !deadline.passed() => {
                    tracing::warn!(lane = %self.lane, error = answer(&error), "{doing}: trying on");
                    serve(&self.inner);
                }
                Verdict::Again => {
                    return Err(unavailable(format!(
                        "lane {}: {doing} had no answer for {} s ({}); its end is unknown, open the lane again",
                        self.lane,
                        COMMIT_MAX.as_secs(),
                        answer(&error)
                    )));
                }
            }
        }
    }

    /// Ends an attempt that failed. What it wrote stays invisible.
    fn abort(&self, deadline: Deadline) -> Result<()> {
        self.inner.purge(PurgeConfig::default().queue());
        while self.inner.in_flight_count() > 0 && !deadline.passed() {
            serve(&self.inner);
        }
        let ended = self.repeat(deadline, "aborting", || self.inner.abort_transaction(COMMIT_STEP))?;
        ended.map_err(|failed| told(&format!("lane {}: aborting a transaction", self.lane), &failed.error))
    }

    fn verdict(&self, error: &KafkaError, doing: &str) -> Verdict {
        match error {
            _ if is_fenced(&self.inner, error) => Verdict::Over(PortError::Fenced(self.lane)),
            _ if self.inner.client().fatal_error().is_some() => Verdict::Over(self.over(error, doing)),
            KafkaError::Flush(_) => Verdict::Again,
            KafkaError::Transaction(inner) if inner.txn_requires_abort() => Verdict::Abort,
            KafkaError::Transaction(inner) if inner.is_retriable() => Verdict::Again,
            KafkaError::Transaction(_) => Verdict::Over(self.over(error, doing)),
            _ => Verdict::Abort,
        }
    }

    fn over(&self, error: &KafkaError, doing: &str) -> PortError {
        if is_fenced(&self.inner, error) {
            return PortError::Fenced(self.lane);
        }
        // Missing rights and the like are for a person to mend.
        let plain = told(&format!("lane {}: {doing}", self.lane), error);
        if matches!(plain, PortError::Invalid(_)) {
            return plain;
        }
        let reason = self.inner.client().fatal_error().map_or_else(|| answer(error), |(_, reason)| reason);
        unavailable(format!("lane {}: {doing}: {reason}; open the lane again", self.lane))
    }
}

/// Errors that producing the same bytes again cannot mend: what is sent is refused, or the group has expelled this
/// member, which only a poll can tell the engine.
fn is_final(error: &KafkaError) -> bool {
    matches!(
        code_of(error),
        Some(
            Code::UnknownMemberId
                | Code::IllegalGeneration
                | Code::FencedInstanceId
                | Code::MessageSizeTooLarge
                | Code::InvalidMessageSize
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::TopicAuthorizationFailed
                | Code::InvalidRecord
        )
    )
}

fn owned(headers: &[Header]) -> Option<OwnedHeaders> {
    if headers.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(headers.len());
    Some(headers.iter().fold(empty, |all, (key, value)| all.insert(Named { key, value: value.as_deref() })))
}

fn placed(records: &[Outgoing<'_>], mut offsets: Vec<(usize, i64)>) -> Vec<(Tier, Timestamp, Span)> {
    offsets.sort_unstable();
    let mut placed: Vec<(Tier, Timestamp, Span)> = Vec::new();
    for (index, offset) in offsets {
        let Some((tier, end)) = records[index].pane else { continue };
        match placed.last_mut() {
            Some((last_tier, last_end, span)) if (*last_tier, *last_end) == (tier, end) => span.last = offset,
            _ => placed.push((tier, end, Span { first: offset, last: offset })),
        }
    }
    placed
}
