//! Against the broker in memory.

use base::Digest;
use engine::Digests;
use events::Header;

use super::*;
use crate::{Embedded, Speaker};

const LANE: LaneId = LaneId(0);

/// A follower of one lane.
fn followed() -> (Embedded, Config, KafkaFollower) {
    let broker = Embedded::start().unwrap();
    let mut config = Config::new(broker.bootstrap(), "g", "p");
    config.input_topics = vec!["access".to_owned()];
    config.reference_topics = vec![("staff", "staff".to_owned())];
    broker.create_topics(&config, 1).unwrap();
    let mut follower = KafkaFollower::connect(&config).unwrap();
    follower.start(LANE, &[], None).unwrap();
    (broker, config, follower)
}

fn write(config: &Config, topic: &str, value: &[u8], headers: &[Header]) {
    let speaker = Speaker::connect(config).unwrap();
    speaker.send(topic, Some(LANE.0), b"features/60000", Some(value), headers, None).unwrap();
    speaker.flush().unwrap();
}

/// A journal record that pins so many rows of the staff.
fn record(pinned: i64) -> Vec<u8> {
    let digest = Digest([0; 32]);
    let record = JournalRecord {
        sequence: 0,
        tick_end: Some(Timestamp::from_millis(60_000)),
        pins: serde_json::from_value(serde_json::json!({ "staff/0": pinned })).unwrap(),
        genesis: Default::default(),
        topics: Vec::new(),
        counts: Vec::new(),
        tiers: BTreeMap::new(),
        digests: Digests { spec: digest, reading: digest, sql: digest, model: digest, engine: "one".to_owned() },
        epoch: 0,
        shared: None,
        carried: None,
    };
    serde_json::to_vec(&record).unwrap()
}

/// What a record says of its transaction; of a journal record, the results beside it.
fn stamped(number: u64, results: Option<u64>) -> Vec<Header> {
    let text = |text: String| Some(text.into_bytes());
    let mut headers = vec![(TRANSACTION.to_owned(), text(format!("{LANE}/{number}")))];
    headers.extend(results.map(|count| (RESULTS.to_owned(), text(count.to_string()))));
    headers
}

/// What comes within so many polls.
fn come(follower: &mut KafkaFollower, polls: usize) -> Vec<&'static str> {
    let name = |followed: Followed| match followed {
        Followed::Input { .. } => "input",
        Followed::Journal { .. } => "journal",
        Followed::Results { .. } => "results",
        Followed::Reference(_) => "reference",
    };
    (0..polls).flat_map(|_| follower.poll(Duration::from_millis(100)).unwrap()).map(name).collect()
}

/// What comes until this has.
fn until(follower: &mut KafkaFollower, wanted: &str) -> Vec<&'static str> {
    let mut seen = Vec::new();
    for _ in 0..300 {
        seen.extend(come(follower, 1));
        if seen.contains(&wanted) {
            return seen;
        }
    }
    panic!("30 s of polling brought {seen:?}");
}

const NOTHING: [&str; 0] = [];

/// A broker that was frozen tells of an end that lies before them.
#[test]
fn a_journal_record_waits_for_all_results_that_it_counts() {
    let (_broker, config, mut follower) = followed();
    let topics = config.topics();
    write(&config, &topics.journal, &record(0), &stamped(7, Some(2)));
    write(&config, &topics.results, b"of the transaction before", &stamped(6, None));
    assert_eq!(until(&mut follower, "results"), ["results"]);
    write(&config, &topics.results, b"one", &stamped(7, None));
    assert_eq!(until(&mut follower, "results"), ["results"]);
    assert_eq!(come(&mut follower, 5), NOTHING, "one of two results was enough");
    write(&config, &topics.results, b"two", &stamped(7, None));
    assert_eq!(until(&mut follower, "journal"), ["results", "journal"]);

    // None beside it, and some that the log has lost while it was not read.
    write(&config, &topics.journal, &record(0), &stamped(8, Some(0)));
    assert_eq!(until(&mut follower, "journal"), ["journal"]);
    write(&config, &topics.journal, &record(0), &stamped(9, Some(3)));
    assert_eq!(come(&mut follower, 5), NOTHING);
    write(&config, &topics.results, b"of the transaction behind", &stamped(10, None));
    assert_eq!(until(&mut follower, "journal"), ["results", "journal"]);
}

#[test]
fn results_that_were_deleted_hold_up_no_journal_record_for_long() {
    let (_broker, config, mut follower) = followed();
    write(&config, &config.topics().journal, &record(0), &stamped(7, Some(2)));
    assert_eq!(come(&mut follower, 5), NOTHING);
    let held = follower.lanes.get_mut(&LANE).unwrap().held.as_mut().expect("a journal record that waits");
    held.ask = Deadline::after(Duration::ZERO);
    assert_eq!(until(&mut follower, "journal"), ["journal"]);
}

#[test]
fn a_journal_record_waits_for_the_rows_that_it_pins() {
    let (_broker, config, mut follower) = followed();
    write(&config, "staff", b"one", &[]);
    write(&config, &config.topics().journal, &record(2), &stamped(7, Some(0)));
    assert_eq!(until(&mut follower, "reference"), ["reference"]);
    assert_eq!(come(&mut follower, 5), NOTHING, "one of two rows was enough");
    write(&config, "staff", b"two", &[]);
    assert_eq!(until(&mut follower, "journal"), ["reference", "journal"]);
}

#[test]
fn where_results_are_not_counted_all_come_that_are_there() {
    let (_broker, config, mut follower) = followed();
    let topics = config.topics();
    write(&config, &topics.journal, &record(0), &stamped(7, None));
    assert_eq!(until(&mut follower, "journal"), ["journal"], "there are none");
    write(&config, &topics.results, b"one", &stamped(8, None));
    write(&config, &topics.journal, &record(0), &stamped(8, None));
    assert_eq!(until(&mut follower, "journal"), ["results", "journal"]);
}
