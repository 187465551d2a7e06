//! A Kafka broker in this process's memory, for the demo and for unit tests.
//!
//! It is librdkafka's mock cluster, with its limits: a partition keeps 5 MiB (as sent, so compressed) and silently
//! drops the oldest, nothing survives the process, the outcome of a transaction is ignored (what was aborted stays
//! visible), topics are created here and not over the wire, records are never deleted on request. Whoever writes
//! into it waits until the lanes have read. No guarantee of this project is tested against it.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::config::Config;
use crate::error::{Result, told};

/// The broker; it lives as long as this value. Not `Send`: keep it on the thread that made it.
pub struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Embedded {
    /// Starts one broker on a free port of the loopback interface.
    pub fn start() -> Result<Self> {
        let cluster = MockCluster::new(1).map_err(|error| told("starting a broker in memory", &error))?;
        Ok(Self { cluster })
    }

    /// `host:port` of the broker.
    pub fn bootstrap(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Creates a topic.
    pub fn create_topic(&self, topic: &str, partitions: u32) -> Result<()> {
        let count = i32::try_from(partitions).unwrap_or(i32::MAX);
        let created = self.cluster.create_topic(topic, count, 1);
        created.map_err(|error| told(&format!("creating topic `{topic}` in memory"), &error))
    }

    /// Creates every topic a pipeline needs, inputs and references included, with `lanes` partitions each
    /// (reference topics: one).
    pub fn create_topics(&self, config: &Config, lanes: u32) -> Result<()> {
        let names = config.topics();
        let rest = [&config.findings_topic, &config.dead_letter_topic];
        let watches = config.of_watches().map(|watches| watches.topics().state().cloned().collect::<Vec<_>>());
        let own = names.state().chain(&names.crossings).chain(watches.iter().flatten());
        for topic in config.input_topics.iter().chain(own).chain(rest) {
            self.create_topic(topic, lanes)?;
        }
        config.reference_topics.iter().try_for_each(|(_, topic)| self.create_topic(topic, 1))
    }
}
