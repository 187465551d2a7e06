//! From a broker to committed findings, beside a bare loop of librdkafka and serde_json over the same topics.
//!
//! Real against Apache Kafka (`KAFKA_BOOTSTRAP`, or a broker of its own); tiny against the one in memory, whose own
//! work then counts as ours. The engine's closed ticks are all committed when a run ends.

use std::time::Duration;

use chartwarden_benches::bare;
use chartwarden_benches::harness::{Bench, Mode, Outcome, say};
use chartwarden_benches::place::{Place, Running};
use chartwarden_benches::world::World;
use kafka::Config;
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
    let snapshot = Running::new(world, config).until_quiet();
    for counts in snapshot.lanes.values().flat_map(|lane| &lane.counts) {
        assert!(counts.balance(), "everything read is accounted for: {counts:?}");
    }
    Outcome::of(snapshot.events, (snapshot.ticks, snapshot.rows, snapshot.findings))
}

fn main() {
    let mode = Mode::from_arguments();
    let lanes = mode.pick(1, 2);
    let world = World::play(mode.pick(60, 400), mode.pick(2, 14), lanes);
    let place = mode.pick(Place::in_memory as fn(u32) -> Place, Place::real)(lanes);
    let first = place.config(&world, 0);
    place.create(&first, true);
    place.speak(&world, &first);
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
