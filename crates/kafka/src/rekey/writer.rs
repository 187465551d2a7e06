//! One transaction after the other into the target topic. Whatever goes wrong ends the writer; the next one, under the
//! same transactional id, finds out from the broker how the last transaction ended.

use base::{Clock as _, SystemClock, Timestamp};
use engine::ports::PortError;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset as Position, TopicPartitionList};

use crate::config::Config;
use crate::deadline::Deadline;
use crate::delivery::{Deliveries, is_fenced, serve};
use crate::error::{answer, code_of, told, unavailable};
use crate::limits::{COMMIT_MAX, COMMIT_STEP, OPEN_MAX, SEND_MAX};
use crate::stable::{BROOM, PROGRESS, Stable, TRANSACTION, Written};

use super::sweep::{Hanging, Stamp};

/// A record on its way to the target topic.
pub(super) struct Keyed {
    pub(super) lane: i32,
    /// Where it stood in its source partition.
    pub(super) offset: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Option<OwnedHeaders>,
    pub(super) time: Option<i64>,
    pub(super) outcome: &'static str,
}

impl Keyed {
    /// A record that is written only so that a marker follows it.
    fn broom(lane: i32) -> Self {
        Self { lane, offset: 0, key: Some(BROOM.to_vec()), value: None, headers: None, time: None, outcome: "" }
    }

    /// One that says that everything of the sources is copied, but for what was written just now.
    pub(super) fn progress(lane: i32) -> Self {
        let header = Header { key: PROGRESS, value: None::<&[u8]> };
        Self { headers: Some(OwnedHeaders::new().insert(header)), ..Self::broom(lane) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Why a session ends.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Opening again may heal it.
    Again(PortError),
    /// A person must, or another process has taken over.
    Over(PortError),
}

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Unavailable(_) => Self::Again(error),
            other => Self::Over(other),
        }
    }
}

pub(super) struct Writer {
    id: String,
    /// When it was opened: part of its stamps.
    opened: Timestamp,
    inner: BaseProducer<Deliveries>,
    stable: Stable,
    /// What the last transaction wrote, until it has been seen to be readable.
    unproven: Vec<Written>,
    /// The source offsets it moved, as long.
    moved: TopicPartitionList,
}

impl Writer {
    /// Fences every earlier writer under this id and waits until what it had open has ended.
    pub(super) fn open(config: &Config, id: &str) -> Result<Self, Trouble> {
        let inner = BaseProducer::from_config_and_context(&config.producer(Some(id))?, Deliveries::default())
            .map_err(|error| told("kafka configuration", &error))?;
        let writer = Self {
            id: id.to_owned(),
            opened: SystemClock.now(),
            inner,
            stable: Stable::new(config)?,
            unproven: Vec::new(),
            moved: TopicPartitionList::new(),
        };
        let deadline = Deadline::after(OPEN_MAX);
        writer.repeat(deadline, "taking over", || writer.inner.init_transactions(COMMIT_STEP))?;
        Ok(writer)
    }

    /// Ends what a former transaction left hanging, in the lanes of the target and among the offsets of the group.
    pub(super) fn sweep(&self, target: &str, hanging: &Hanging, group: &ConsumerGroupMetadata) -> Result<(), Trouble> {
        let brooms: Vec<Keyed> = hanging.places.iter().map(|(_, lane)| Keyed::broom(*lane)).collect();
        // An offset of the target itself: it moves none of the sources', and gets the marker to them. It stays in the
        // group, where tools that tell lags show it.
        let mut positions = TopicPartitionList::new();
        if hanging.offsets {
            let added = positions.add_partition_offset(target, 0, Position::Offset(0));
            added.map_err(|error| told("target offset", &error))?;
        }
        let stamp = self.stamp(target, 0, 0);
        let deadline = Deadline::after(COMMIT_MAX);
        let mut ended = self.transact(target, brooms.iter(), &stamp, &positions, group, deadline);
        if hanging.committed {
            ended = ended.and_then(|()| self.commit(deadline));
        }
        if !hanging.committed || ended.is_err() {
            self.repeat(deadline, "aborting", || self.inner.abort_transaction(COMMIT_STEP))?;
        }
        ended
    }

    /// Writes the copies and the source offsets behind them as one transaction.
    pub(super) fn write<'c>(
        &mut self,
        target: &str,
        copies: impl Iterator<Item = &'c Keyed>,
        stamp: &Stamp,
        positions: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), Trouble> {
        self.prove()?;
        let deadline = Deadline::after(COMMIT_MAX);
        let ended =
            self.transact(target, copies, stamp, positions, group, deadline).and_then(|()| self.commit(deadline));
        if ended.is_err() {
            // Frees what readers wait for. If it fails as well, the next writer's opening does it.
            drop(self.inner.abort_transaction(COMMIT_STEP));
        }
        self.unproven = self.inner.context().take().written;
        self.moved = positions.clone();
        ended
    }

    /// What a transaction carries whose first record stood there.
    pub(super) fn stamp(&self, topic: &str, partition: i32, offset: i64) -> Stamp {
        Stamp { writer: self.opened.millis(), topic: topic.to_owned(), partition, offset }
    }

    /// How far readers get.
    pub(super) fn stable(&self) -> &Stable {
        &self.stable
    }

    /// Waits until what the last transaction wrote can be read, and the offsets it moved have moved.
    pub(super) fn prove(&mut self) -> Result<(), Trouble> {
        self.stable.wait(&self.unproven)?;
        self.unproven.clear();
        if self.moved.count() > 0 && self.stable.offsets_open(&self.moved)? {
            return Err(unavailable("the offsets of the last transaction have not moved; opening again").into());
        }
        self.moved = TopicPartitionList::new();
        Ok(())
    }

    fn commit(&self, deadline: Deadline) -> Result<(), Trouble> {
        self.repeat(deadline, "committing", || self.inner.commit_transaction(COMMIT_STEP))
    }

    /// One transaction from its beginning to where it can be committed.
    fn transact<'c>(
        &self,
        target: &str,
        copies: impl Iterator<Item = &'c Keyed>,
        stamp: &Stamp,
        positions: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
        deadline: Deadline,
    ) -> Result<(), Trouble> {
        self.inner.begin_transaction().map_err(|error| self.trouble(&error, "beginning a transaction"))?;
        self.send_all(target, copies, stamp)?;
        if positions.count() == 0 {
            return Ok(());
        }
        let send = || self.inner.send_offsets_to_transaction(positions, group, COMMIT_STEP);
        self.repeat(deadline, "sending offsets", send)
    }

    fn send_all<'c>(
        &self,
        target: &str,
        copies: impl Iterator<Item = &'c Keyed>,
        stamp: &Stamp,
    ) -> Result<(), Trouble> {
        let stamp = stamp.to_string();
        let deadline = Deadline::after(SEND_MAX);
        let doing = || format!("writing to topic `{target}`");
        for (index, copy) in copies.enumerate() {
            let mut next = BaseRecord::<[u8], [u8], usize>::with_opaque_to(target, index + 1).partition(copy.lane);
            next.key = copy.key.as_deref();
            next.payload = copy.value.as_deref();
            next.timestamp = copy.time;
            let headers = copy.headers.clone().unwrap_or_default();
            next.headers = Some(headers.insert(Header { key: TRANSACTION, value: Some(&stamp) }));
            while let Err((error, unsent)) = self.inner.send(next) {
                if code_of(&error) != Some(Code::QueueFull) || deadline.passed() {
                    return Err(self.trouble(&error, &doing()));
                }
                serve(&self.inner);
                next = unsent;
            }
        }
        while self.inner.in_flight_count() > 0 {
            serve(&self.inner);
            if deadline.passed() {
                let seconds = SEND_MAX.as_secs();
                return Err(Trouble::Again(unavailable(format!("{}: no answer for {seconds} s", doing()))));
            }
        }
        let failed = self.inner.context().take_failure();
        failed.map_or(Ok(()), |(error, _)| Err(self.trouble(&error, &doing())))
    }

    /// Repeats a step while the library says that it may be repeated.
    fn repeat(
        &self,
        deadline: Deadline,
        doing: &str,
        mut step: impl FnMut() -> Result<(), KafkaError>,
    ) -> Result<(), Trouble> {
        loop {
            let Err(error) = step() else { return Ok(()) };
            let again = match &error {
                KafkaError::Flush(_) => true,
                KafkaError::Transaction(inner) => inner.is_retriable() && !inner.txn_requires_abort(),
                _ => false,
            };
            if !again || is_fenced(&self.inner, &error) || deadline.passed() {
                return Err(self.trouble(&error, doing));
            }
            tracing::debug!(error = answer(&error), "{doing}: trying on");
            serve(&self.inner);
        }
    }

    fn trouble(&self, error: &KafkaError, doing: &str) -> Trouble {
        if is_fenced(&self.inner, error) {
            return Trouble::Over(unavailable(format!(
                "another process has taken over `{}`; one process writes a target topic, the others wait outside",
                self.id
            )));
        }
        told(doing, error).into()
    }
}
