//! Reference topics: what is known of them, and since when.

use std::sync::Arc;

use base::{Clock as _, Millis, SystemClock, Timestamp};
use chartwarden_tests::broker::Broker;
use engine::ports::ReferenceFeed as _;
use kafka::{Config, KafkaReferenceFeed, create_topic};

use crate::support::{pipeline, speak};

#[test]
fn a_reference_is_whole_since_its_compaction_lag() {
    let config = Config::new(Broker::shared().bootstrap(), "lag.group", "lag");
    let compacted = [("cleanup.policy", "compact"), ("min.compaction.lag.ms", "3600000")];
    create_topic(&config, "lag.staff", 1, &compacted).unwrap();
    create_topic(&config, "lag.kept", 1, &[]).unwrap();
    for (topic, lag) in [("lag.staff", Some(Millis::hours(1))), ("lag.kept", None)] {
        let config = Config { reference_topics: vec![("staff", topic.to_owned())], ..config.clone() };
        let whole = KafkaReferenceFeed::connect(&config, Arc::new(SystemClock)).unwrap().whole_since().unwrap();
        let expected = lag.map_or(Timestamp::MIN, |lag| SystemClock.now() - lag);
        assert!(whole >= expected && (lag.is_some() || whole == expected), "{topic}: {whole:?}, not {expected:?}");
        assert!(lag.is_none() || whole < expected + Millis::minutes(2), "{topic}: {whole:?}, not {expected:?}");
    }
}

#[test]
fn what_lies_in_the_future_is_not_known_of_a_reference() {
    let config = pipeline(Broker::shared().bootstrap(), "future", 1);
    speak(&config, "future.staff", 0, ["{}".to_owned()]);
    let mut feed = KafkaReferenceFeed::connect(&config, Arc::new(SystemClock)).unwrap();
    let asked = SystemClock.now() + Millis::hours(1);
    let read = feed.poll(Some(asked)).unwrap();
    assert_eq!(read.len(), 1);
    let (known, now) = (feed.known_through(), SystemClock.now());
    assert!(known <= now && known > now - Millis::minutes(1), "{known:?} is known at {now:?}");
    // Rows may still be appended before the time that was asked for.
    speak(&config, "future.staff", 0, ["{}".to_owned()]);
    assert_eq!(feed.poll(Some(asked)).unwrap().len(), 1);
}
