//! Against the broker in memory: what needs no transaction outcome. The rest is in `tests/tests/kafka_ports.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Millis, SystemClock, Timestamp};
use engine::ports::{
    DeadLetter, Flow, LaneId, Message, PortError, ReferenceFeed, Source, StoredPane, Tier, Transaction, Wake,
};
use events::{Offset, TopicId};

use super::KafkaSource;
use crate::admin::Admin;
use crate::stable::RESULTS;
use crate::{Config, Embedded, KafkaReferenceFeed, Speaker, read_committed, read_committed_from};

const LANE: LaneId = LaneId(0);
const ACCESS: TopicId = TopicId(0);
const AUTH: TopicId = TopicId(1);

fn cluster(lanes: u32) -> (Embedded, Config) {
    let broker = Embedded::start().unwrap();
    let mut config = Config::new(broker.bootstrap(), "g", "p");
    config.instance_id = Some("one".to_owned());
    config.input_topics = vec!["access".to_owned(), "auth".to_owned()];
    config.reference_topics = vec![("staff", "staff".to_owned())];
    broker.create_topics(&config, lanes).unwrap();
    (broker, config)
}

fn speak(config: &Config, topic: &str, lane: u32, values: impl IntoIterator<Item = String>) {
    let speaker = Speaker::connect(config).unwrap();
    for value in values {
        speaker.send(topic, Some(lane), b"user", Some(value.as_bytes()), &[], None).unwrap();
    }
    speaker.flush().unwrap();
}

/// Polls until `done` says so, at most a bounded number of times.
fn poll_until(source: &mut KafkaSource, mut done: impl FnMut(&KafkaSource, Vec<Wake>) -> bool) {
    for _ in 0..300 {
        let wakes = source.poll(Duration::from_millis(100)).unwrap();
        if done(source, wakes) {
            return;
        }
    }
    panic!("30 s of polling did not get there");
}

fn assigned(source: &mut KafkaSource, lanes: usize) {
    let mut have = Vec::new();
    poll_until(source, |_, wakes| {
        for wake in wakes {
            match wake {
                Wake::Assigned(lanes) => have.extend(lanes),
                Wake::Revoked(lanes) => have.retain(|lane| !lanes.contains(lane)),
                other => panic!("{other:?} before any lane was started"),
            }
        }
        have.len() == lanes
    });
}

fn values(source: &mut KafkaSource, count: usize) -> BTreeMap<(LaneId, TopicId), Vec<(i64, String)>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    poll_until(source, |_, wakes| {
        for wake in wakes {
            let Wake::Records { lane, topic, records } = wake else { panic!("lanes moved") };
            let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
            found.entry((lane, topic)).or_default().extend(records.iter().map(|r| (r.offset.0, text(r.value))));
        }
        found.values().map(Vec::len).sum::<usize>() >= count
    });
    found
}

#[test]
fn records_come_by_lane_and_topic_only_after_start_and_end_where_the_log_ends() {
    let (_broker, config) = cluster(2);
    speak(&config, "access", 0, (0..500).map(|n| format!("a{n}")));
    speak(&config, "auth", 0, (0..3).map(|n| format!("s{n}")));
    speak(&config, "access", 1, (0..2).map(|n| format!("b{n}")));
    let mut source = KafkaSource::connect(&config).unwrap();
    assert_eq!(source.lane_count(), 2);
    assigned(&mut source, 2);
    assert_eq!(source.log_start(LANE).unwrap(), [Offset(0), Offset(0)]);

    source.start(LANE, &[Offset(100), Offset(1)]).unwrap();
    source.start(LaneId(1), &[Offset(0), Offset(0)]).unwrap();
    let found = values(&mut source, 404);
    let sent = |from: i64, to: i64, name: &str| (from..to).map(|n| (n, format!("{name}{n}"))).collect::<Vec<_>>();
    assert_eq!(found[&(LANE, ACCESS)], sent(100, 500, "a"));
    assert_eq!(found[&(LANE, AUTH)], sent(1, 3, "s"));
    assert_eq!(found[&(LaneId(1), ACCESS)], sent(0, 2, "b"));

    // The empty topic has an end too.
    poll_until(&mut source, |source, _| {
        let end = |lane, topic| source.at_end(LaneId(lane), topic);
        [end(0, ACCESS), end(0, AUTH), end(1, ACCESS), end(1, AUTH)]
            == [Some(Offset(500)), Some(Offset(3)), Some(Offset(2)), Some(Offset(0))]
    });
    assert_eq!(source.lag(LANE, ACCESS), Some(0));

    // Started again elsewhere: what had been fetched for the first start is not delivered.
    source.start(LANE, &[Offset(490), Offset(3)]).unwrap();
    assert_eq!(values(&mut source, 10)[&(LANE, ACCESS)], sent(490, 500, "a"));
}

#[test]
fn a_held_topic_waits_and_loses_nothing() {
    let (_broker, config) = cluster(1);
    let mut source = KafkaSource::connect(&config).unwrap();
    assigned(&mut source, 1);
    source.start(LANE, &[Offset(0), Offset(0)]).unwrap();
    source.set_flow(LANE, AUTH, Flow::Hold).unwrap();
    speak(&config, "auth", 0, (0..5).map(|n| format!("s{n}")));
    speak(&config, "access", 0, (0..5).map(|n| format!("a{n}")));
    let found = values(&mut source, 5);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&(LANE, ACCESS)]);
    poll_until(&mut source, |source, wakes| {
        assert!(wakes.is_empty(), "the held topic was read");
        source.at_end(LANE, ACCESS) == Some(Offset(5))
    });
    assert_eq!(source.at_end(LANE, AUTH), None);
    source.set_flow(LANE, AUTH, Flow::Read).unwrap();
    assert_eq!(values(&mut source, 5)[&(LANE, AUTH)].len(), 5);
}

fn transaction() -> Transaction {
    let message = |key: &str, value: &str| Message { key: key.into(), value: value.into(), headers: Vec::new() };
    let pane = |end, len| StoredPane { end: Timestamp::from_millis(end), bytes: vec![7; len] };
    Transaction {
        findings: vec![message("f1", "finding")],
        dead_letters: vec![DeadLetter {
            topic: AUTH,
            offset: Offset(17),
            part: 2,
            reason: "late",
            detail: "3 s behind the watermark".to_owned(),
            key: Some(b"k".to_vec()),
            value: Some(b"\xff\x00raw".to_vec()),
            record_with: None,
            headers: vec![("traceparent".to_owned(), Some(b"00-1".to_vec()))],
        }],
        results: vec![message("features/60000", "ipc")],
        panes: vec![
            (Tier::Minute, pane(60_000, 10)),
            (Tier::Minute, pane(120_000, 1_300_000)),
            (Tier::Day, pane(0, 0)),
        ],
        head: BTreeMap::from([
            (b"journal".to_vec(), Some(b"j1".to_vec())),
            (b"case/1".to_vec(), Some(b"open".to_vec())),
        ]),
        journal: vec![message("60000", "j1")],
        crossings: Vec::new(),
        positions: vec![Offset(4), Offset(2)],
        renewed: false,
    }
}

#[test]
fn a_commit_is_restored_by_the_next_owner() {
    let (_broker, config) = cluster(1);
    let mut source = KafkaSource::connect(&config).unwrap();
    assigned(&mut source, 1);
    let mut store = source.open(LANE).unwrap();
    assert_eq!(store.head().unwrap(), BTreeMap::new());
    assert_eq!(store.panes(Tier::Minute, Timestamp::MIN).unwrap(), []);
    store.commit(transaction()).unwrap();
    let second = Transaction {
        head: BTreeMap::from([(b"journal".to_vec(), Some(b"j2".to_vec())), (b"case/1".to_vec(), None)]),
        positions: vec![Offset(5), Offset(2)],
        ..Transaction::default()
    };
    store.commit(second).unwrap();

    let mut next = source.open(LANE).unwrap();
    assert_eq!(next.head().unwrap(), BTreeMap::from([(b"journal".to_vec(), b"j2".to_vec())]));
    let minute = next.panes(Tier::Minute, Timestamp::from_millis(120_000)).unwrap();
    assert_eq!(minute, [transaction().panes[1].1.clone()]);
    // A lane may wait for long before it commits. Whoever reads its state after all gets another client.
    assert!(!source.restorer.is_resting());
    source.poll(Duration::ZERO).unwrap();
    assert!(source.restorer.is_resting(), "the statistics of a client that nobody serves pile up");
    assert_eq!(next.panes(Tier::Hour, Timestamp::MIN).unwrap(), []);
    assert_eq!(next.panes(Tier::Day, Timestamp::MIN).unwrap(), [transaction().panes[2].1.clone()]);
    // A broker that cannot delete is not an error, and a store that was replaced is closed.
    next.trim(Tier::Minute, Timestamp::from_millis(120_000)).unwrap();
    assert!(matches!(store.commit(transaction()), Err(PortError::Fenced(LANE))));
}

#[test]
fn a_journal_record_says_how_many_results_stand_beside_it() {
    let (_broker, config) = cluster(1);
    let mut source = KafkaSource::connect(&config).unwrap();
    assigned(&mut source, 1);
    source.open(LANE).unwrap().commit(transaction()).unwrap();
    let journal = read_committed(&config, "p.journal").unwrap();
    let [record] = journal.as_slice() else { panic!("{journal:?}") };
    let counted = record.headers.iter().find(|(name, _)| name == RESULTS);
    assert_eq!(counted.and_then(|(_, count)| count.as_deref()), Some(&b"1"[..]));
}

#[test]
fn dead_letters_keep_their_bytes_and_say_why() {
    let (_broker, config) = cluster(1);
    let mut source = KafkaSource::connect(&config).unwrap();
    assigned(&mut source, 1);
    source.open(LANE).unwrap().commit(transaction()).unwrap();
    let letters = read_committed(&config, "p.dlq").unwrap();
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (Some(&b"k"[..]), Some(&b"\xff\x00raw"[..])));
    let header = |name: &str| {
        let (_, value) = letter.headers.iter().find(|(key, _)| key == name).unwrap();
        String::from_utf8(value.clone().unwrap_or_default()).unwrap()
    };
    assert_eq!(letter.headers[0].0, "traceparent");
    for (name, value) in [
        ("__streams.errors.exception", "late"),
        ("__streams.errors.stacktrace", ""),
        ("__streams.errors.message", "3 s behind the watermark"),
        ("__streams.errors.topic", "auth"),
        ("__streams.errors.partition", "0"),
        ("__streams.errors.offset", "17"),
        ("x-chartwarden-reason", "late"),
        ("x-chartwarden-part", "2"),
    ] {
        assert_eq!(header(name), value, "{name}");
    }
}

#[test]
fn input_topics_must_agree_on_the_number_of_lanes() {
    let broker = Embedded::start().unwrap();
    broker.create_topic("access", 3).unwrap();
    broker.create_topic("auth", 2).unwrap();
    let mut config = Config::new(broker.bootstrap(), "g", "p");
    config.input_topics = vec!["access".to_owned(), "auth".to_owned()];
    let Err(PortError::Invalid(text)) = KafkaSource::connect(&config) else { panic!("no error") };
    assert!(text.contains("`access` has 3") && text.contains("`auth` has 2"), "{text}");
}

/// As a broker answers that was frozen and still believes that it leads.
#[test]
fn an_end_below_what_was_read_is_asked_for_again() {
    let (_broker, config) = cluster(1);
    let admin = Admin::new(&config).unwrap();
    speak(&config, "access", 0, ["one".to_owned()]);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| admin.watermarks_reaching("access", 0, 2).unwrap());
        std::thread::sleep(Duration::from_millis(500));
        assert!(!asked.is_finished(), "the first answer was believed");
        speak(&config, "access", 0, ["two".to_owned()]);
        assert_eq!(asked.join().unwrap(), (0, 2));
    });
}

/// As the ledger reads on, which has sealed what lies before.
#[test]
fn a_stable_end_below_what_was_read_is_asked_for_again() {
    let (_broker, config) = cluster(1);
    speak(&config, "access", 0, ["one".to_owned()]);
    let from = BTreeMap::from([(0, 2)]);
    std::thread::scope(|scope| {
        let read = scope.spawn(|| read_committed_from(&config, "access", &from).unwrap());
        std::thread::sleep(Duration::from_millis(500));
        assert!(!read.is_finished(), "the first answer was believed");
        speak(&config, "access", 0, ["two".to_owned()]);
        assert_eq!(read.join().unwrap(), []);
    });
}

#[test]
fn reference_rows_are_known_up_to_a_time() {
    let (_broker, config) = cluster(1);
    speak(&config, "staff", 0, (0..100).map(|n| format!("r{n}")));
    let mut feed = KafkaReferenceFeed::connect(&config, Arc::new(SystemClock)).unwrap();
    assert_eq!(feed.known_through(), Timestamp::MIN);
    assert_eq!(feed.ends().unwrap(), [("staff", 0, Offset(100))]);
    let through = Timestamp::from_millis(1_000);
    let rows = feed.poll(Some(through)).unwrap();
    assert_eq!(rows.iter().map(|row| row.offset.0).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    assert!(feed.known_through() >= through);
    assert!(feed.poll(Some(through)).unwrap().is_empty());
}

/// A machine's clock that was an hour ahead when the process began, and has been set right.
struct SetBack;

impl Clock for SetBack {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Millis::hours(1)
    }

    fn time_of_day(&self) -> Option<Timestamp> {
        SystemClock.time_of_day()
    }
}

#[test]
fn a_clock_that_was_ahead_does_not_make_the_reference_known_beforehand() {
    let (_broker, config) = cluster(1);
    speak(&config, "staff", 0, ["row".to_owned()]);
    let mut feed = KafkaReferenceFeed::connect(&config, Arc::new(SetBack)).unwrap();
    assert_eq!(feed.poll(Some(Timestamp::from_millis(1_000))).unwrap().len(), 1);
    let now = SystemClock.time_of_day().unwrap();
    assert!(feed.known_through() <= now, "{:?} is known at {now:?}", feed.known_through());
}

/// As a demo's, whose broker in memory cannot say what it compacts: lanes are opened again after a halt.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn time_of_day(&self) -> Option<Timestamp> {
        None
    }
}

#[test]
fn nothing_is_compacted_where_time_stands_still() {
    let (_broker, config) = cluster(1);
    let whole = |clock: Arc<dyn Clock>| KafkaReferenceFeed::connect(&config, clock).unwrap().whole_since();
    assert_eq!(whole(Arc::new(Standing)).unwrap(), Timestamp::MIN);
    whole(Arc::new(SystemClock)).unwrap_err();
}

/// The engine may keep them on a thread of its own.
#[test]
fn ports_can_be_sent_to_a_thread() {
    fn check<T: Send>() {}
    check::<KafkaSource>();
    check::<KafkaReferenceFeed>();
    check::<Speaker>();
}
