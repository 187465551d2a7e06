//! Topics as they must be, and reference rows known up to a time.

use std::sync::Arc;

use base::{Clock, SystemClock, Timestamp};
use chartwarden_tests::broker::Broker;
use engine::ports::{PortError, ReferenceFeed};
use kafka::{Config, KafkaReferenceFeed, KafkaSource, Scope, check_topics, ensure_topics};

use crate::support::{pipeline, speak};

#[test]
fn created_topics_pass_the_check_and_creating_again_changes_nothing() {
    let config = pipeline(Broker::shared().bootstrap(), "fresh", 3);
    assert_eq!(check_topics(&config).unwrap(), Vec::<String>::new());
    assert_eq!(ensure_topics(&config, 3, Scope::All).unwrap(), Vec::<String>::new());
}

#[test]
fn every_mismatch_is_told_in_words() {
    let good = pipeline(Broker::shared().bootstrap(), "good", 3);
    let _narrow = pipeline(Broker::shared().bootstrap(), "narrow", 2);
    let mut config = good.clone();
    // The second input has other partitions; the dead-letter topic is another's compacted head; findings are missing.
    config.input_topics[1] = "narrow.auth".to_owned();
    config.dead_letter_topic = "narrow.head".to_owned();
    config.findings_topic = "good.nowhere".to_owned();
    let told = check_topics(&config).unwrap();
    let expected = [
        "input topic `narrow.auth` has 2 partitions, `good.access` has 3",
        "topic `good.nowhere` does not exist",
        "topic `narrow.head`: cleanup.policy is `compact`, must be `delete`",
        "topic `narrow.head`: retention.ms is 604800000, should be at least 2592000000",
    ];
    for text in expected {
        assert!(told.iter().any(|line| line.starts_with(text)), "{text} is not in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    let Err(PortError::Invalid(text)) = KafkaSource::connect(&config) else { panic!("no error") };
    assert!(text.contains("`narrow.auth` has 2"), "{text}");
}

#[test]
fn missing_topics_and_a_missing_broker_say_what_to_do() {
    let mut config = Config::new(Broker::shared().bootstrap(), "absent.group", "absent");
    config.input_topics = vec!["absent.access".to_owned()];
    let Err(PortError::Invalid(text)) = KafkaSource::connect(&config) else { panic!("no error") };
    assert!(text.contains("absent.access") && text.contains("topics --create"), "{text}");
    config.bootstrap = "127.0.0.1:1".to_owned();
    let Err(PortError::Unavailable(text)) = KafkaSource::connect(&config) else { panic!("no error") };
    assert!(text.contains("127.0.0.1:1"), "{text}");
}

#[test]
fn reference_rows_appended_before_a_time_are_all_delivered() {
    let config = pipeline(Broker::shared().bootstrap(), "reference", 1);
    let mut feed = KafkaReferenceFeed::connect(&config, Arc::new(SystemClock)).unwrap();
    let mut delivered = 0;
    for round in 1..=5 {
        speak(&config, "reference.staff", 0, (0..10).map(|n| n.to_string()));
        let now = SystemClock.now();
        let rows = feed.poll(Some(now)).unwrap();
        delivered += rows.len();
        assert_eq!(delivered, round * 10, "rows appended before {} are missing", now.millis());
        assert!(feed.known_through() >= now);
        assert!(
            rows.iter().all(|row| row.append_time <= now),
            "the broker stamps rows: both clocks are this machine's"
        );
    }
    // What is already known asks nobody.
    assert!(feed.poll(Some(Timestamp::from_millis(0))).unwrap().is_empty());
    assert_eq!(feed.ends().unwrap(), [("staff", 0, events::Offset(50))]);
}
