//! Where a lane's topics begin and end, as far as anybody can tell: broker away, records deleted, transactions open.

use std::time::Duration;

use base::Timestamp;
use chartwarden_tests::broker::{Broker, Network};
use engine::ports::{LaneId, PortError, Source, Tier, Wake};
use events::{Offset, TopicId};
use kafka::{Speaker, read_committed};

use crate::support::{holding, numbered, patient, pipeline, poll_until, speak, values};

const LANE: LaneId = LaneId(0);

/// Polls, each of a tenth of a second while nothing comes, for which a silent broker may be taken for one at its end.
const SILENT_POLLS: u32 = 40;

#[test]
fn a_lane_that_is_started_again_is_at_its_end_only_when_it_has_read_it_again() {
    let broker = Broker::start().unwrap();
    let config = pipeline(&broker.wired(), "again", 1);
    let count = 2_000;
    speak(&config, "again.access", 0, (0..count).map(|number| number.to_string()));
    let mut source = holding(&config, 1);
    drop(source.open(LANE).unwrap());
    let slow = |millis| Network::Slow(Duration::from_millis(millis));
    for network in [Network::Sound, slow(700), slow(1_500), Network::Silent] {
        // What the library reports may come before what the broker sends. A start itself has to be answered.
        if network != Network::Silent {
            broker.network(network);
        }
        source.start(LANE, &[Offset(0); 2]).unwrap();
        broker.network(network);
        let (mut polls, mut read) = (0, 0);
        poll_until(&mut source, |source, wakes| {
            for wake in wakes {
                if let Wake::Records { topic: TopicId(0), records, .. } = wake {
                    read += records.len();
                }
            }
            polls += 1;
            if polls == SILENT_POLLS {
                broker.network(Network::Sound);
            }
            let end = source.at_end(LANE, TopicId(0));
            assert!(end.is_none() || read == count, "{network:?}: its end is told after {read} of {count} records");
            end.is_some()
        });
    }
}

#[test]
fn a_resume_offset_that_was_deleted_or_never_was_is_corrupt() {
    let config = pipeline(Broker::shared().bootstrap(), "gone", 1);
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    store.panes(Tier::Minute, Timestamp::MIN).unwrap();
    for number in 1..=4 {
        store.commit(numbered(number)).unwrap();
    }
    store.trim(Tier::Minute, Timestamp::from_millis(3 * 60_000)).unwrap();
    drop(source);
    // A topic whose first records were deleted, read as an input.
    let mut input = config.clone();
    input.group = "gone.reader".to_owned();
    input.input_topics = vec!["gone.panes.minute".to_owned()];
    let mut source = holding(&input, 1);
    let start = source.log_start(LANE).unwrap()[0];
    assert!(start > Offset(0));
    for (offset, word) in [(Offset(0), "below the log start"), (Offset(1_000), "beyond the end")] {
        let Err(PortError::Corrupt(text)) = source.start(LANE, &[offset]) else { panic!("no error at {offset}") };
        assert!(text.contains("gone.panes.minute") && text.contains(word), "{text}");
    }
    // A lane that resumes below what it has taken in needs a log that reaches there.
    let end = source.log_end(LANE).unwrap()[0];
    source.reaches(LANE, &[end]).unwrap();
    let Err(PortError::Corrupt(text)) = source.reaches(LANE, &[Offset(end.0 + 1)]) else {
        panic!("no error at the end")
    };
    assert!(text.contains("beyond the end"), "{text}");
    source.start(LANE, &[start]).unwrap();
    assert_eq!(values(&mut source, 2).into_values().next().unwrap(), ["3", "4"]);
}

#[test]
fn a_source_reads_on_when_its_broker_comes_back() {
    let broker = Broker::start().unwrap();
    let config = patient(broker.bootstrap(), "back");
    let mut source = holding(&config, 1);
    speak(&config, "back.access", 0, ["before".to_owned()]);
    source.start(LANE, &[Offset(0), Offset(0)]).unwrap();
    assert_eq!(values(&mut source, 1)[&(LANE, TopicId(0))], ["before"]);
    broker.stop().unwrap();
    for _ in 0..5 {
        assert!(source.poll(Duration::from_millis(100)).unwrap().is_empty());
    }
    broker.restart().unwrap();
    speak(&config, "back.access", 0, ["after".to_owned()]);
    assert_eq!(values(&mut source, 1)[&(LANE, TopicId(0))], ["after"]);
}

#[test]
fn a_topic_has_no_end_while_its_broker_is_away() {
    let broker = Broker::start().unwrap();
    let config = patient(&broker.wired(), "away");
    let mut source = holding(&config, 1);
    speak(&config, "away.access", 0, ["before".to_owned()]);
    source.start(LANE, &[Offset(0), Offset(0)]).unwrap();
    let topic = TopicId(0);
    let mut is_at = |end: Option<Offset>| {
        poll_until(&mut source, |source, _| {
            source.at_end(LANE, topic) == end && source.answers(LANE, topic) == end.is_some()
        });
    };
    is_at(Some(Offset(1)));
    // One that says nothing any more is as far away as one that is gone.
    broker.network(Network::Silent);
    is_at(None);
    broker.network(Network::Sound);
    is_at(Some(Offset(1)));
    broker.kill().unwrap();
    is_at(None);
    broker.restart().unwrap();
    is_at(Some(Offset(1)));
}

#[test]
fn an_open_transaction_upstream_is_not_the_end_and_an_aborted_one_is_no_record() {
    let config = pipeline(Broker::shared().bootstrap(), "upstream", 1);
    let mut source = holding(&config, 1);
    source.start(LANE, &[Offset(0), Offset(0)]).unwrap();
    let upstream = Speaker::transactional(&config, "upstream.ehr").unwrap();
    let send = |text: &str| upstream.send("upstream.access", Some(0), b"u", Some(text.as_bytes()), &[], None).unwrap();
    upstream.begin().unwrap();
    send("seen");
    upstream.end(true).unwrap();
    assert_eq!(values(&mut source, 1)[&(LANE, TopicId(0))], ["seen"]);
    // One record, one marker.
    poll_until(&mut source, |source, _| source.at_end(LANE, TopicId(0)) == Some(Offset(2)));

    upstream.begin().unwrap();
    send("never seen");
    upstream.flush().unwrap();
    // The statistics tell of the record within a second or so; from then on the log has no end.
    poll_until(&mut source, |source, wakes| {
        assert!(wakes.is_empty(), "a record of an open transaction was handed out");
        source.at_end(LANE, TopicId(0)).is_none()
    });
    for _ in 0..15 {
        assert!(source.poll(Duration::from_millis(100)).unwrap().is_empty());
        assert_eq!(source.at_end(LANE, TopicId(0)), None);
    }
    assert_eq!(source.lag(LANE, TopicId(0)), Some(2), "the marker and the hidden record lie ahead");
    upstream.end(false).unwrap();
    poll_until(&mut source, |source, wakes| {
        assert!(wakes.is_empty(), "a record of an aborted transaction was handed out");
        source.at_end(LANE, TopicId(0)) == Some(Offset(4))
    });
    assert_eq!(read_committed(&config, "upstream.access").unwrap().len(), 1);
}
