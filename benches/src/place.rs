//! A broker with a world's records in it, and an engine that reads them.

use std::sync::Arc;

use chartwarden_tests::broker::Broker;
use engine::{Engine, Metrics, Progress, Snapshot};
use kafka::{Config, Embedded, KafkaReferenceFeed, KafkaSource, Scope, Speaker};

use crate::memory::Standing;
use crate::world::World;

/// Turns without a new tick after which nothing more will close.
const QUIET_TURNS: u32 = 20;
/// Turns after which a run will not come to an end.
const TURNS_MAX: u32 = 1_000_000;

/// Where the records are.
pub struct Place {
    bootstrap: String,
    embedded: Option<Embedded>,
    lanes: u32,
}

impl Place {
    /// An Apache Kafka broker.
    pub fn real(lanes: u32) -> Self {
        Self { bootstrap: Broker::shared().bootstrap().to_owned(), embedded: None, lanes }
    }

    /// The broker in this process.
    pub fn in_memory(lanes: u32) -> Self {
        let embedded = Embedded::start().expect("a broker in memory");
        Self { bootstrap: embedded.bootstrap(), embedded: Some(embedded), lanes }
    }

    /// Settings whose inputs are shared by all runs and whose group and state are one run's own.
    pub fn config(&self, world: &World, run: u32) -> Config {
        let (spec, process) = (&world.spec, std::process::id());
        let name = |topic: &str| format!("bench-{process}.{topic}");
        let own = |topic: &str| format!("bench-{process}-{run}.{topic}");
        let mut config = Config::new(&self.bootstrap, own(spec.group()), own(spec.state_prefix()));
        config.input_topics = spec.inputs().iter().map(|input| name(&input.topic)).collect();
        config.reference_topics = spec.reference().iter().map(|(kind, topic)| (*kind, name(topic))).collect();
        config.watches = spec.watches().iter().map(|watch| watch.name.clone()).collect();
        config.findings_topic = own(spec.findings_topic());
        config.dead_letter_topic = own(spec.dead_letter_topic());
        config
    }

    /// Creates a run's own topics; for the `first` one also those that all runs read.
    pub fn create(&self, config: &Config, first: bool) {
        match &self.embedded {
            Some(embedded) => embedded.create_topics(config, self.lanes).expect("topics in memory"),
            None => {
                if first {
                    kafka::ensure_topics(config, self.lanes, Scope::Simulated).expect("input topics");
                }
                kafka::ensure_topics(config, self.lanes, Scope::Own).expect("the pipeline's own topics");
            }
        }
    }

    /// Sends everything a world holds.
    pub fn speak(&self, world: &World, config: &Config) {
        let speaker = Speaker::connect(config).expect("a producer");
        for row in &world.reference {
            let topic = config.reference_topics.iter().find(|(kind, _)| *kind == row.kind).map(|(_, topic)| topic);
            let topic = topic.expect("the pipeline names a topic for every kind");
            let key = row.offset.0.to_string();
            let sent = speaker.send(topic, Some(0), key.as_bytes(), row.value.as_deref(), &[], Some(row.append_time));
            sent.expect("a reference row");
        }
        for (lane, logs) in (0u32..).zip(&world.lanes) {
            for (topic, log) in config.input_topics.iter().zip(logs) {
                for raw in log {
                    let (user, time) = (raw.user.as_bytes(), Some(raw.time));
                    speaker.send(topic, Some(lane), user, Some(&raw.json), &[], time).expect("an event");
                }
            }
        }
        speaker.flush().expect("everything is delivered");
    }
}

/// What an engine needs to run.
pub struct Running<'w> {
    world: &'w World,
    source: KafkaSource,
    feed: KafkaReferenceFeed,
    metrics: Metrics,
    progress: Progress,
}

impl<'w> Running<'w> {
    /// A member of the group of `config`.
    pub fn new(world: &'w World, config: &Config) -> Self {
        Self {
            world,
            source: KafkaSource::connect(config).expect("a source"),
            feed: KafkaReferenceFeed::connect(config, Arc::new(Standing)).expect("a reference feed"),
            metrics: Metrics::new(&world.spec).expect("metrics"),
            progress: Progress::default(),
        }
    }

    /// Runs until `done`.
    pub fn until(&mut self, mut done: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let Self { world, source, feed, metrics, progress } = self;
        let mut engine = Engine::new(&world.spec, Arc::clone(&world.keys), source, feed, &Standing, metrics, progress);
        for _ in 0..TURNS_MAX {
            engine.step().unwrap_or_else(|error| panic!("the engine: {error}"));
            let snapshot = progress.snapshot();
            if done(&snapshot) {
                return snapshot;
            }
        }
        panic!("the engine does not come to an end: {:?}", progress.snapshot());
    }

    /// Runs until every event of the world is walked and no more ticks close.
    pub fn until_quiet(&mut self) -> Snapshot {
        let (events, mut quiet, mut last) = (self.world.events, 0, (0, 0));
        let snapshot = self.until(|snapshot| {
            let now = (snapshot.events, snapshot.ticks);
            quiet = if now == last && now.0 >= events { quiet + 1 } else { 0 };
            last = now;
            quiet >= QUIET_TURNS
        });
        assert_eq!(snapshot.events, events, "every event is walked once");
        snapshot
    }
}
