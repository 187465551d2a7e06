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
