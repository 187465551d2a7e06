//! From a broker to committed findings, beside a bare loop of librdkafka and serde_json over the same topics.
//!
//! Real against Apache Kafka (`KAFKA_BOOTSTRAP`, or a broker of its own); tiny against the one in memory, whose own
//! work then counts as ours. The engine's closed ticks are all committed when a run ends.

use std::sync::Arc;
use std::time::Duration;

use chartwarden_benches::bare;
use chartwarden_benches::harness::{Bench, Mode, Outcome, say};
use chartwarden_benches::memory::Standing;
use chartwarden_benches::world::World;
use chartwarden_tests::broker::Broker;
use engine::{Engine, Metrics, Progress};
use kafka::{Config, Embedded, KafkaReferenceFeed, KafkaSource, Scope, Speaker};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a wait for the broker lasts before it is asked again.
const WAIT: Duration = Duration::from_millis(100);
/// Empty waits in a row after which a loop gives up.
const WAITS_MAX: u32 = 600;
/// Turns without a new tick after which nothing more will close.
const QUIET_TURNS: u32 = 20;

/// Where the records are.
struct Place {
    bootstrap: String,
    embedded: Option<Embedded>,
    lanes: u32,
}

impl Place {
    fn new(mode: Mode, lanes: u32) -> Self {
        match mode {
            Mode::Real => Self { bootstrap: Broker::shared().bootstrap().to_owned(), embedded: None, lanes },
            Mode::Tiny => {
                let embedded = Embedded::start().expect("a broker in memory");
                Self { bootstrap: embedded.bootstrap(), embedded: Some(embedded), lanes }
            }
        }
    }

    /// Settings whose inputs are shared by all rounds and whose group and state are one round's own.
    fn config(&self, world: &World, run: u32) -> Config {
        let (spec, process) = (&world.spec, std::process::id());
        let name = |topic: &str| format!("bench-{process}.{topic}");
        let own = |topic: &str| format!("bench-{process}-{run}.{topic}");
        let mut config = Config::new(&self.bootstrap, own(spec.group()), own(spec.state_prefix()));
        config.input_topics = spec.inputs().iter().map(|input| name(&input.topic)).collect();
        config.reference_topics = spec.reference().iter().map(|(kind, topic)| (*kind, name(topic))).collect();
        config.findings_topic = own(spec.findings_topic());
        config.dead_letter_topic = own(spec.dead_letter_topic());
        config
    }

    fn create(&self, config: &Config, first: bool) {
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
}

fn speak(world: &World, config: &Config) {
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
                let sent = speaker.send(topic, Some(lane), raw.user.as_bytes(), Some(&raw.json), &[], Some(raw.time));
                sent.expect("an event");
            }
        }
    }
    speaker.flush().expect("everything is delivered");
}

/// librdkafka's poll and serde_json into a struct: the least that any consumer of these topics does.
fn bare_loop(world: &World, config: &Config, lanes: u32) -> Outcome {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", "bench-bare")
        .set("enable.auto.commit", "false")
        // The default of a second leaves a consumer idle whenever its queue was full once.
        .set("fetch.queue.backoff.ms", "10")
        .create()
        .expect("a consumer");
    let mut all = TopicPartitionList::new();
    for topic in &config.input_topics {
        for lane in 0..lanes {
            let partition = i32::try_from(lane).expect("few lanes");
            all.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
        }
    }
    consumer.assign(&all).expect("an assignment");
    let (mut events, mut bytes, mut waits) = (0, 0, 0);
    while events < world.events {
        match consumer.poll(WAIT) {
            Some(message) => {
                let message = message.expect("a record");
                let event = bare::read(message.payload().unwrap_or_default());
                bytes += event.user.as_deref().map_or(0, str::len);
                (events, waits) = (events + 1, 0);
            }
            None => {
                waits += 1;
                assert!(waits < WAITS_MAX, "the broker gave {events} of {} events and no more", world.events);
            }
        }
    }
    Outcome::of(events, bytes)
}

/// The whole path: decode, windows, scores, findings, transactions.
fn whole_path(world: &World, config: &Config) -> Outcome {
    let mut source = KafkaSource::connect(config).expect("a source");
    let mut feed = KafkaReferenceFeed::connect(config, Arc::new(Standing)).expect("a reference feed");
    let (metrics, progress) = (Metrics::new(&world.spec).expect("metrics"), Progress::default());
    let keys = Arc::clone(&world.keys);
    let mut engine = Engine::new(&world.spec, keys, &mut source, &mut feed, &Standing, &metrics, &progress);
    let (mut quiet, mut last, mut turns_left) = (0, (0, 0), 1_000_000_u32);
    while quiet < QUIET_TURNS {
        engine.step().unwrap_or_else(|error| panic!("the engine: {error}"));
        let snapshot = progress.snapshot();
        let now = (snapshot.events, snapshot.ticks);
        quiet = if now == last && snapshot.events >= world.events { quiet + 1 } else { 0 };
        last = now;
        turns_left -= 1;
        assert!(turns_left > 0, "the engine read {} of {} events and no more", snapshot.events, world.events);
    }
    let snapshot = progress.snapshot();
    assert_eq!(snapshot.events, world.events, "every event is walked once");
    for counts in snapshot.lanes.values().flat_map(|lane| &lane.counts) {
        assert!(counts.balance(), "everything read is accounted for: {counts:?}");
    }
    Outcome::of(snapshot.events, (snapshot.ticks, snapshot.rows, snapshot.findings))
}

fn main() {
    let mode = Mode::from_arguments();
    let lanes = mode.pick(1, 2);
    let world = World::play(mode.pick(60, 400), mode.pick(2, 14), lanes);
    let place = Place::new(mode, lanes);
    let first = place.config(&world, 0);
    place.create(&first, true);
    speak(&world, &first);
    if mode == Mode::Tiny {
        say("the broker stands in this process: its CPU time is in every number");
    }
    let mut run = 0;
    Bench::new("from a broker", "events", mode)
        .with("librdkafka + serde_json", || bare_loop(&world, &first, lanes))
        .with("the whole path", || {
            let config = place.config(&world, run);
            if run > 0 {
                place.create(&config, false);
            }
            run += 1;
            whole_path(&world, &config)
        })
        .run();
}
