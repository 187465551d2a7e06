//! What becomes of a producer's records, for producers that only ask for the first that was not delivered; and whether
//! a producer has been fenced.

use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};

use crate::error::code_of;

/// Remembers the first record that was not delivered, and its topic.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Option<(KafkaError, String)>>);

impl Failures {
    /// The first failure since it was last asked for.
    pub(crate) fn take(&self) -> Option<(KafkaError, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

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
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| (error.clone(), message.topic().to_owned()));
        }
    }
}

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
