//! A pipeline's topics on the broker, records in them, and a source that holds lanes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::ports::{LaneId, Message, Source, StoredPane, Tier, Transaction, Wake};
use events::{Offset, TopicId};
use kafka::{Config, KafkaSource, Scope, Speaker, ensure_topics, read_committed};

/// A pipeline named `name` with two input topics of `lanes` partitions each.
pub(crate) fn pipeline(bootstrap: &str, name: &str, lanes: u32) -> Config {
    let mut config = Config::new(bootstrap, format!("{name}.group"), name);
    config.input_topics = vec![format!("{name}.access"), format!("{name}.auth")];
    config.reference_topics = vec![("staff", format!("{name}.staff"))];
    config.properties.insert("session.timeout.ms".to_owned(), "6000".to_owned());
    config.properties.insert("heartbeat.interval.ms".to_owned(), "500".to_owned());
    ensure_topics(&config, lanes, Scope::All).unwrap();
    config
}

/// A pipeline of one lane whose group does not expel a member that the broker's absence kept from heartbeats.
pub(crate) fn patient(bootstrap: &str, name: &str) -> Config {
    let mut config = pipeline(bootstrap, name, 1);
    config.properties.insert("session.timeout.ms".to_owned(), "45000".to_owned());
    config
}

/// Sends texts to one lane of a topic.
pub(crate) fn speak(config: &Config, topic: &str, lane: u32, texts: impl IntoIterator<Item = String>) {
    let speaker = Speaker::connect(config).unwrap();
    for text in texts {
        speaker.send(topic, Some(lane), b"user", Some(text.as_bytes()), &[], None).unwrap();
    }
    speaker.flush().unwrap();
}

/// Polls until `done`, at most 60 s.
pub(crate) fn poll_until(source: &mut KafkaSource, mut done: impl FnMut(&KafkaSource, Vec<Wake>) -> bool) {
    for _ in 0..600 {
        let wakes = source.poll(Duration::from_millis(100)).unwrap();
        if done(source, wakes) {
            return;
        }
    }
    panic!("60 s of polling did not get there");
}

/// A source that holds `lanes` lanes.
pub(crate) fn holding(config: &Config, lanes: usize) -> KafkaSource {
    let mut source = KafkaSource::connect(config).unwrap();
    let mut have = BTreeSet::new();
    poll_until(&mut source, |_, wakes| {
        for wake in wakes {
            match wake {
                Wake::Assigned(lanes) => have.extend(lanes),
                Wake::Revoked(lanes) => have.retain(|lane| !lanes.contains(lane)),
                other => panic!("{other:?} before any lane was started"),
            }
        }
        have.len() == lanes
    });
    source
}

/// Reads `count` records and returns their values by lane and topic.
pub(crate) fn values(source: &mut KafkaSource, count: usize) -> BTreeMap<(LaneId, TopicId), Vec<String>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    poll_until(source, |_, wakes| {
        for wake in wakes {
            let Wake::Records { lane, topic, records } = wake else { panic!("{wake:?} while reading") };
            let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
            found.entry((lane, topic)).or_default().extend(records.iter().map(|record| text(record.value)));
        }
        found.values().map(Vec::len).sum::<usize>() >= count
    });
    found
}

/// A transaction that leaves a trace of `number` everywhere.
pub(crate) fn numbered(number: i64) -> Transaction {
    let text = format!("{number}").into_bytes();
    let message = || Message { key: text.clone(), value: text.clone(), headers: Vec::new() };
    Transaction {
        findings: vec![message()],
        results: vec![message()],
        journal: vec![message()],
        panes: vec![(Tier::Minute, pane(number))],
        head: BTreeMap::from([(b"journal".to_vec(), Some(text.clone()))]),
        positions: vec![Offset(number), Offset(0)],
        ..Transaction::default()
    }
}

/// The pane of a numbered transaction.
pub(crate) fn pane(number: i64) -> StoredPane {
    StoredPane { end: base::Timestamp::from_millis(number * 60_000), bytes: number.to_string().into_bytes() }
}

/// The committed values of a topic, as numbers.
pub(crate) fn numbers(config: &Config, topic: &str) -> Vec<i64> {
    let number = |value: Vec<u8>| String::from_utf8(value).unwrap().parse().unwrap();
    read_committed(config, topic).unwrap().into_iter().map(|record| number(record.value.unwrap())).collect()
}
