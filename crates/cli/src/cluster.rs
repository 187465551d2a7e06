//! From a checked pipeline and flags to the settings of a Kafka client.
//!
//! Read next: `kafka::Config`, which checks them.

use engine::PipelineSpec;
use kafka::Config;

/// The settings a pipeline asks for on the cluster at `bootstrap`.
pub(crate) fn config(spec: &PipelineSpec, bootstrap: &str) -> Config {
    let mut config = Config::new(bootstrap, spec.group(), spec.state_prefix());
    config.input_topics = spec.inputs().iter().map(|input| input.topic.clone()).collect();
    config.reference_topics = spec.reference().iter().map(|(kind, topic)| (*kind, topic.clone())).collect();
    config.findings_topic = spec.findings_topic().to_owned();
    config.dead_letter_topic = spec.dead_letter_topic().to_owned();
    config.properties = spec.kafka_properties().clone();
    config
}
