//! What the broker reports of a producer's records, and whether a producer has been fenced.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};

use crate::error::code_of;
use crate::limits::SERVE_PAUSE;
use crate::stable::Written;

/// Reports since they were last asked for.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// The first record that was not delivered, and its topic.
    pub(crate) failed: Option<(KafkaError, String)>,
    /// (tag less one, offset) of delivered records that were tagged.
    pub(crate) offsets: Vec<(usize, i64)>,
    /// The last of them in each partition.
    pub(crate) written: Vec<Written>,
}

impl Reports {
    fn delivered(&mut self, topic: &str, partition: i32, offset: i64) {
        let here = |written: &&mut Written| written.place.1 == partition && written.place.0 == topic;
        match self.written.iter_mut().find(here) {
            Some(written) => written.offset = written.offset.max(offset),
            None => self.written.push(Written { place: (topic.to_owned(), partition), offset }),
        }
    }
}

/// Receives them.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(Mutex<Reports>);

impl Deliveries {
    /// Everything reported since.
    pub(crate) fn take(&self) -> Reports {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first failure since.
    pub(crate) fn take_failure(&self) -> Option<(KafkaError, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failed.take()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        crate::admin::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Deliveries {
    /// A record's tag; [`UNTAGGED`] where nobody asks for its offset.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        let reports = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(message) if tag != UNTAGGED => {
                let mut reports = reports();
                reports.delivered(message.topic(), message.partition(), message.offset());
                reports.offsets.push((tag - 1, message.offset()));
            }
            Ok(_) => {}
            Err((error, message)) => {
                reports().failed.get_or_insert_with(|| (error.clone(), message.topic().to_owned()));
            }
        }
    }
}

/// Rests for a moment, then takes what a producer's client has to report. rdkafka's own wait, given a millisecond, asks
/// without a pause until it is over: that was two fifths of what a small window job cost.
pub(crate) fn serve<C: ProducerContext>(producer: &BaseProducer<C>) {
    thread::sleep(SERVE_PAUSE);
    loop {
        let before = producer.in_flight_count();
        producer.poll(Duration::ZERO);
        if producer.in_flight_count() >= before {
            break;
        }
    }
}

/// The tag of a record whose offset nobody asks for.
pub(crate) const UNTAGGED: usize = 0;

/// Whether `error` means that another producer has taken over the transactional id of `producer`.
pub(crate) fn is_fenced<C: ProducerContext>(producer: &BaseProducer<C>, error: &KafkaError) -> bool {
    let fenced = |code| {
        matches!(
            code,
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::TransactionCoordinatorFenced
        )
    };
    code_of(error).is_some_and(fenced) || producer.client().fatal_error().is_some_and(|(code, _)| fenced(code))
}
