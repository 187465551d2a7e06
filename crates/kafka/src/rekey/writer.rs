//! One transaction after the other into the target topic. Whatever goes wrong ends the writer; the next one, under the
//! same transactional id, finds out from the broker how the last transaction ended.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine::ports::PortError;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};

use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{answer, code_of, told, unavailable};
use crate::limits::{COMMIT_MAX, COMMIT_STEP, OPEN_MAX, SEND_MAX};

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

/// Remembers the first record that was not delivered.
#[derive(Debug, Default)]
struct Failures(Mutex<Option<KafkaError>>);

impl ClientContext for Failures {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        crate::admin::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            tracing::debug!(%error, topic = message.topic(), "not delivered");
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        }
    }
}

pub(super) struct Writer {
    id: String,
    inner: BaseProducer<Failures>,
}

impl Writer {
    /// Fences every earlier writer under this id and waits until what it had open has ended.
    pub(super) fn open(config: &Config, id: &str) -> Result<Self, Trouble> {
        let inner = BaseProducer::from_config_and_context(&config.producer(Some(id))?, Failures::default())
            .map_err(|error| told("kafka configuration", &error))?;
        let writer = Self { id: id.to_owned(), inner };
        let deadline = Deadline::after(OPEN_MAX);
        writer.repeat(deadline, "taking over", || writer.inner.init_transactions(COMMIT_STEP))?;
        Ok(writer)
    }

    /// Writes the copies and the source offsets behind them as one transaction.
    pub(super) fn write<'c>(
        &self,
        target: &str,
        copies: impl Iterator<Item = &'c Keyed>,
        positions: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), Trouble> {
        let deadline = Deadline::after(COMMIT_MAX);
        self.inner.begin_transaction().map_err(|error| self.trouble(&error, "beginning a transaction"))?;
        let ended = self.send_all(target, copies).and_then(|()| {
            self.repeat(deadline, "sending offsets", || {
                self.inner.send_offsets_to_transaction(positions, group, COMMIT_STEP)
            })?;
            self.repeat(deadline, "committing", || self.inner.commit_transaction(COMMIT_STEP))
        });
        if ended.is_err() {
            // Frees what readers wait for. If it fails as well, the next writer's opening does it.
            drop(self.inner.abort_transaction(COMMIT_STEP));
        }
        ended
    }

    fn send_all<'c>(&self, target: &str, copies: impl Iterator<Item = &'c Keyed>) -> Result<(), Trouble> {
        let deadline = Deadline::after(SEND_MAX);
        let doing = || format!("writing to topic `{target}`");
        for copy in copies {
            let mut next = BaseRecord::<[u8], [u8]>::to(target).partition(copy.lane);
            next.key = copy.key.as_deref();
            next.payload = copy.value.as_deref();
            next.timestamp = copy.time;
            next.headers.clone_from(&copy.headers);
            while let Err((error, unsent)) = self.inner.send(next) {
                if code_of(&error) != Some(Code::QueueFull) || deadline.passed() {
                    return Err(self.trouble(&error, &doing()));
                }
                self.inner.poll(Duration::from_millis(1));
                next = unsent;
            }
        }
        while self.inner.in_flight_count() > 0 {
            self.inner.poll(Duration::from_millis(1));
            if deadline.passed() {
                let seconds = SEND_MAX.as_secs();
                return Err(Trouble::Again(unavailable(format!("{}: no answer for {seconds} s", doing()))));
            }
        }
        let failed = self.inner.context().0.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(Ok(()), |error| Err(self.trouble(&error, &doing())))
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
            if !again || self.is_fenced(&error) || deadline.passed() {
                return Err(self.trouble(&error, doing));
            }
            tracing::debug!(error = answer(&error), "{doing}: trying on");
            self.inner.poll(Duration::from_millis(1));
        }
    }

    fn is_fenced(&self, error: &KafkaError) -> bool {
        let fenced = |code| {
            matches!(
                code,
                Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::TransactionCoordinatorFenced
            )
        };
        code_of(error).is_some_and(fenced) || self.inner.client().fatal_error().is_some_and(|(code, _)| fenced(code))
    }

    fn trouble(&self, error: &KafkaError, doing: &str) -> Trouble {
        if self.is_fenced(error) {
            return Trouble::Over(unavailable(format!(
                "another process has taken over `{}`; one process writes a target topic, the others wait outside",
                self.id
            )));
        }
        told(doing, error).into()
    }
}
