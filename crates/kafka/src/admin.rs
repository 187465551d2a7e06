//! Questions and orders to the cluster itself: metadata, watermarks, topic settings, deletion of records.
//!
//! rdkafka answers with futures that its own thread completes; they are waited for here, without a runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;

use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, invalid, told, unavailable};
use crate::leaders::{ends, ends_reaching, look_up, warn_of_defect};
use crate::limits::{REFUSAL_LOOKS, REFUSAL_MAX, REFUSAL_PAUSE, REQUEST_MAX, TOPIC_KNOWN_MAX, VISIBLE_PAUSE};

/// A client that neither reads nor writes records.
pub(crate) struct Admin {
    client: AdminClient<Quiet>,
    /// Settings of a consumer that asks the same brokers.
    asker: ClientConfig,
    bootstrap: String,
}

/// Sends the library's own log lines where ours go.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// Why a connection last failed that a broker was there for: calls that suffer from it do not say.
    refused: Mutex<Option<String>>,
}

impl Quiet {
    /// What was heard of it since it was last asked for.
    fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        /// What librdkafka 2.12 says of a refused name or password, of a certificate, of the wrong kind of listener.
        const REFUSED: [&str; 3] = ["SASL authentication error", "SSL handshake failed", "might be caused by"];
        tracing::debug!(%error, reason, "kafka client");
        // Behind the name of the broker.
        if let Some(why) = REFUSED.iter().find_map(|word| reason.find(word).map(|at| &reason[at..])) {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
        }
    }
}

/// One log line of librdkafka.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        // A connection that was lost or refused, many at a time; the calls that suffer from it say so themselves.
        _ if facility == "FAIL" => tracing::debug!(facility, "librdkafka: {text}"),
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::warn!(facility, "librdkafka: {text}");
        }
        _ => tracing::debug!(facility, "librdkafka: {text}"),
    }
}

impl Admin {
    /// Builds the client; nothing is sent yet.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        // Whoever reads or writes topics asks about them first.
        warn_of_defect();
        let client = AdminClient::from_config_and_context(&config.admin()?, Quiet::default())
            .map_err(|error| told("kafka configuration", &error))?;
        Ok(Self { client, asker: config.reader(0, "error")?, bootstrap: config.bootstrap.clone() })
    }

    /// rdkafka's client.
    pub(crate) fn client(&self) -> &AdminClient<Quiet> {
        &self.client
    }

    /// The brokers this client was told of.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Options with our time limit.
    pub(crate) fn options() -> AdminOptions {
        AdminOptions::new().request_timeout(Some(REQUEST_MAX)).operation_timeout(Some(REQUEST_MAX))
    }

    /// How many partitions a topic has; `None` where it does not exist.
    pub(crate) fn partitions(&self, topic: &str) -> Result<Option<u32>> {
        let doing = || format!("topic `{topic}` on `{}`: asking for its partitions", self.bootstrap);
        let metadata = match self.client.inner().fetch_metadata(Some(topic), REQUEST_MAX) {
            Ok(metadata) => metadata,
            Err(error) => {
                let refused = |why| {
                    let what = "check security.protocol, sasl.* and ssl.* under [kafka.properties]";
                    unavailable(format!("{}: {why}; {what}", doing()))
                };
                return Err(self.refused().map_or_else(|| told(&doing(), &error), refused));
            }
        };
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let count = found.filter(|found| found.error().is_none()).map_or(0, |found| found.partitions().len());
        Ok(u32::try_from(count).ok().filter(|count| *count > 0))
    }

    /// Why no broker speaks with us, where one is there. An administrator's client does not hear of it; a consumer's does.
    fn refused(&self) -> Option<String> {
        let asker = BaseConsumer::from_config_and_context(&self.asker, Quiet::default()).ok()?;
        drop(asker.fetch_metadata(None, REFUSAL_MAX));
        // What it has to say of itself comes by and by.
        (0..REFUSAL_LOOKS).find_map(|_| {
            drop(asker.poll(REFUSAL_PAUSE));
            asker.context().refused()
        })
    }

    /// Whether a topic is there and each of its partitions has a leader.
    pub(crate) fn is_led(&self, topic: &str) -> Result<bool> {
        let metadata = self.client.inner().fetch_metadata(Some(topic), REQUEST_MAX);
        let metadata = metadata.map_err(|error| told(&format!("topic `{topic}`: asking for its leaders"), &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
        let led = |found: &MetadataTopic| found.partitions().iter().all(|partition| partition.leader() >= 0);
        Ok(found.is_some_and(|found| !found.partitions().is_empty() && led(found)))
    }

    /// How many partitions a topic has. One that does not exist is an error; a broker that has just come back has some
    /// time to tell of it.
    pub(crate) fn partitions_of(&self, topic: &str) -> Result<u32> {
        let deadline = Deadline::after(TOPIC_KNOWN_MAX);
        loop {
            if let Some(partitions) = self.partitions(topic)? {
                return Ok(partitions);
            }
            if deadline.passed() {
                return Err(invalid(format!(
                    "topic `{topic}` does not exist on `{}`; create it first: `chartwarden topics PIPELINE --apply --all`",
                    self.bootstrap
                )));
            }
            thread::sleep(VISIBLE_PAUSE);
        }
    }

    /// The first offset present and the high watermark of a partition.
    pub(crate) fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        ends(self.client.inner(), topic, partition)
    }

    /// The same where somebody has read, or committed, up to an offset ([`ends_reaching`]).
    pub(crate) fn watermarks_reaching(&self, topic: &str, partition: i32, offset: i64) -> Result<(i64, i64)> {
        ends_reaching(self.client.inner(), topic, partition, offset)
    }

    /// The same after a look at who leads now.
    pub(crate) fn watermarks_led(&self, topic: &str, partition: i32, offset: i64) -> Result<(i64, i64)> {
        look_up(self.client.inner(), topic, partition)?;
        self.watermarks_reaching(topic, partition, offset)
    }
}

/// Waits for a future that another thread completes.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
