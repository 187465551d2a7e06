//! From a checked pipeline and flags to the settings of a Kafka client, and what lanes have stored there.
//!
//! Read next: `kafka::Config`, which checks them.

use std::collections::BTreeMap;

use engine::ports::LaneId;
use engine::{Former, PipelineSpec};
use kafka::Config;

use crate::report::Failure;

/// The settings a pipeline asks for on the cluster at `bootstrap`.
pub(crate) fn config(spec: &PipelineSpec, bootstrap: &str) -> Config {
    let mut config = Config::new(bootstrap, spec.group(), spec.state_prefix());
    config.input_topics = spec.inputs().iter().map(|input| input.topic.clone()).collect();
    let rekeyed = spec.inputs().iter().filter(|input| input.rekeyed);
    config.rekeyed_topics = rekeyed.map(|input| input.topic.clone()).collect();
    config.reference_topics = spec.reference().iter().map(|(kind, topic)| (*kind, topic.clone())).collect();
    config.watches = spec.watches().iter().map(|watch| watch.name.clone()).collect();
    config.findings_topic = spec.findings_topic().to_owned();
    config.dead_letter_topic = spec.dead_letter_topic().to_owned();
    config.properties = spec.kafka_properties().clone();
    config
}

/// The same under names of its own, so that a demo meets nobody else's topics and no earlier demo's state.
pub(crate) fn under(mut config: Config, name: &str) -> Config {
    let own = |topic: &mut String| *topic = format!("{name}.{topic}");
    config.input_topics.iter_mut().for_each(own);
    config.reference_topics.iter_mut().for_each(|(_, topic)| own(topic));
    [&mut config.findings_topic, &mut config.dead_letter_topic, &mut config.prefix, &mut config.group]
        .into_iter()
        .for_each(own);
    config
}

/// How to reach a cluster.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Cluster {
    /// Brokers, as in `kafka-1:9092,kafka-2:9092`.
    #[arg(long, env = "KAFKA_BOOTSTRAP", value_name = "HOST:PORT")]
    bootstrap: String,
    /// A property of librdkafka, as in `security.protocol=ssl`; may be given often. A key that ends in `_file` names a
    /// file with the value.
    #[arg(long = "property", value_name = "KEY=VALUE")]
    properties: Vec<String>,
    /// Identity of this process across restarts, so that its lanes come straight back to it.
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
}

impl Cluster {
    /// The cluster at `bootstrap`, for who joins no group there.
    pub(crate) fn at(bootstrap: &str, properties: &[String]) -> Self {
        Self { bootstrap: bootstrap.to_owned(), properties: properties.to_vec(), instance_id: None }
    }

    /// The settings of a pipeline's clients on this cluster.
    pub(crate) fn config(&self, spec: &PipelineSpec) -> anyhow::Result<Config> {
        let mut config = config(spec, &self.bootstrap);
        config.instance_id.clone_from(&self.instance_id);
        for property in &self.properties {
            let (key, value) = property.split_once('=').ok_or_else(|| {
                Failure::invalid(format!("`{property}` is no property")).hint("write --property key=value")
            })?;
            config.properties.insert(key.trim().to_owned(), value.trim().to_owned());
        }
        Ok(config)
    }
}

/// What every lane has stored, seen from outside.
pub(crate) fn stored(config: &Config) -> anyhow::Result<BTreeMap<LaneId, Former>> {
    let mut heads: BTreeMap<LaneId, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
    for record in kafka::read_committed(config, &config.topics().head)? {
        let (head, key) = (heads.entry(LaneId(record.partition)).or_default(), record.key.unwrap_or_default());
        match record.value {
            Some(value) => head.insert(key, value),
            None => head.remove(&key),
        };
    }
    let read = |(lane, head)| Ok(Former::read(lane, head)?.map(|former| (lane, former)));
    heads.into_iter().filter_map(|entry| read(entry).transpose()).collect()
}
