//! Topics as they must be, each mismatch made for real, and reference rows known up to a time.

use std::sync::Arc;

use base::{Clock, SystemClock, Timestamp};
use chartwarden_tests::broker::Broker;
use engine::ports::{PortError, ReferenceFeed};
use kafka::{
    Config, Gravity, KafkaReferenceFeed, KafkaSource, Mismatch, Remedy, Scope, add_partitions, check_topics,
    compare_topics, create_topic, ensure_topics, mend_topics, topic_ends, unfit_for_simulation,
};

use crate::support::{pipeline, speak};

#[test]
fn created_topics_pass_the_check_and_creating_again_changes_nothing() {
    let config = pipeline(Broker::shared().bootstrap(), "fresh", 3);
    assert_eq!(check_topics(&config).unwrap(), []);
    assert_eq!(ensure_topics(&config, 3, Scope::All).unwrap(), Vec::<String>::new());
}

#[test]
fn topics_for_a_live_hospital_are_unfit_for_one_of_another_time() {
    let live = pipeline(Broker::shared().bootstrap(), "live", 1);
    let found = unfit_for_simulation(&live).unwrap();
    for told in [
        "topic `live.access`: message.timestamp.type is `LogAppendTime`, not `CreateTime`",
        "topic `live.staff`: cleanup.policy is `compact`, not `delete`",
    ] {
        assert!(found.iter().any(|unfit| unfit == told), "{found:?}");
    }
    let simulated = nothing("simulated");
    ensure_topics(&simulated, 1, Scope::Simulated).unwrap();
    assert_eq!(unfit_for_simulation(&simulated).unwrap(), Vec::<String>::new());
}

/// A pipeline none of whose topics exist yet.
fn nothing(name: &str) -> Config {
    let mut config = Config::new(Broker::shared().bootstrap(), format!("{name}.group"), name);
    config.input_topics = vec![format!("{name}.access"), format!("{name}.auth")];
    config.reference_topics = vec![("staff", format!("{name}.staff"))];
    config
}

/// The topic and setting of every mismatch with its gravity and what `--apply` would do.
fn lines(found: &[Mismatch], name: &str) -> Vec<String> {
    let line = |one: &Mismatch| {
        let remedy = match one.remedy(Scope::Own) {
            Remedy::Mend => "mend",
            Remedy::Ask => "ask",
            Remedy::Refused(_) => "refused",
        };
        let topic = one.topic.strip_prefix(name).unwrap().trim_start_matches('.');
        format!("{topic}: {} [{}, {remedy}]", one.change(), one.gravity.name())
    };
    found.iter().map(line).collect()
}

#[test]
fn every_setting_that_differs_is_told_and_mended_on_the_real_broker() {
    let config = nothing("wrong");
    let create = |topic: &str, partitions: u32, settings: &[(&str, &str)]| {
        create_topic(&config, &format!("wrong.{topic}"), partitions, settings).unwrap();
    };
    create("access", 2, &[("retention.ms", "3600000"), ("max.message.bytes", "20000000"), ("retention.bytes", "1000")]);
    create("auth", 2, &[("cleanup.policy", "compact"), ("message.timestamp.type", "LogAppendTime")]);
    create("staff", 1, &[("segment.ms", "7200000")]);
    create("head", 2, &[]);
    create("journal", 2, &[("cleanup.policy", "compact"), ("max.message.bytes", "20000000")]);
    create("panes.hour", 2, &[("max.message.bytes", "20000000")]);
    create("findings", 1, &[("max.message.bytes", "20000000")]);
    create("dlq", 1, &[("cleanup.policy", "compact"), ("retention.ms", "-1"), ("max.message.bytes", "20000000")]);
    let found = compare_topics(&config, 9).unwrap();
    let expected = [
        "access: set message.timestamp.type from CreateTime to LogAppendTime [warning, ask]",
        "access: set max.message.bytes from 20000000 to 16777216 [warning, refused]",
        "access: set retention.ms from 3600000 to 604800000 [warning, ask]",
        "access: set retention.bytes from 1000 to -1 [warning, ask]",
        "auth: set cleanup.policy from compact to delete [fatal, ask]",
        "staff: set cleanup.policy from delete to compact [warning, ask]",
        "staff: set message.timestamp.type from CreateTime to LogAppendTime [warning, ask]",
        "staff: set min.compaction.lag.ms from 0 to 2592000000 [warning, ask]",
        "head: set max.message.bytes from 1048588 to 17825792 [warning, mend]",
        "head: set cleanup.policy from delete to compact [fatal, mend]",
        "head: set segment.ms from 604800000 to 3600000 [warning, mend]",
        "head: set segment.bytes from 1073741824 to 67108864 [warning, mend]",
        "shared: create with 2 partitions, max.message.bytes=17825792, cleanup.policy=delete, retention.ms=-1, \
         retention.bytes=-1, segment.ms=3600000, segment.bytes=67108864 [fatal, mend]",
        "journal: set cleanup.policy from compact to delete [fatal, mend]",
        "journal: set retention.ms from 604800000 to 2592000000 [warning, mend]",
    ];
    let told = lines(&found, "wrong");
    for text in expected {
        assert!(told.iter().any(|line| line == text), "`{text}` is not in {told:#?}");
    }
    assert!(told.contains(&"panes.hour: set retention.ms from 604800000 to -1 [fatal, mend]".to_owned()), "{told:#?}");
    assert!(
        told.contains(&"panes.hour: set segment.ms from 604800000 to 3600000 [warning, mend]".to_owned()),
        "{told:#?}"
    );
    assert!(told.contains(&"dlq: set cleanup.policy from compact to delete [fatal, mend]".to_owned()), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("findings: set retention.ms")), "{told:#?}");
    // What a person reads names the topic, both values and the consequence.
    let compacted = found.iter().find(|one| one.topic == "wrong.auth").unwrap().to_string();
    let want = "topic `wrong.auth`: cleanup.policy is `compact`, must be `delete`: compaction would delete all but the \
                newest event of each user";
    assert_eq!(compacted, want);

    // Looking changes nothing, and our own topics are mended without touching anybody else's.
    assert_eq!(compare_topics(&config, 9).unwrap(), found);
    mend_topics(&config, &found, Scope::Own).unwrap();
    let left = compare_topics(&config, 9).unwrap();
    assert_eq!(lines(&left, "wrong"), told[..8], "foreign topics alone are left");
    mend_topics(&config, &left, Scope::All).unwrap();
    let left = compare_topics(&config, 9).unwrap();
    assert_eq!(lines(&left, "wrong"), [expected[1]], "a limit is never made smaller");
    // Settings that nobody asked about are as they were.
    let staff = create_topic(&config, "wrong.staff", 1, &[]).unwrap_err().to_string();
    assert!(staff.contains("is there already"), "{staff}");
}

#[test]
fn a_rekeyed_input_must_keep_the_times_of_its_source() {
    let mut config = pipeline(Broker::shared().bootstrap(), "retimed", 1);
    config.rekeyed_topics = vec!["retimed.auth".to_owned()];
    let found = check_topics(&config).unwrap();
    let expected = ["auth: set message.timestamp.type from LogAppendTime to CreateTime [warning, ask]"];
    assert_eq!(lines(&found, "retimed"), expected);
    mend_topics(&config, &found, Scope::All).unwrap();
    assert_eq!(check_topics(&config).unwrap(), []);
}

#[test]
fn input_topics_of_different_widths_are_refused_and_pointed_to_rekey() {
    let good = pipeline(Broker::shared().bootstrap(), "good", 3);
    let _narrow = pipeline(Broker::shared().bootstrap(), "narrow", 2);
    let mut config = good.clone();
    config.input_topics[1] = "narrow.auth".to_owned();
    config.findings_topic = "good.nowhere".to_owned();
    let found = check_topics(&config).unwrap();
    let told: Vec<_> = found.iter().map(Mismatch::differs).collect();
    let expected =
        ["input topic `narrow.auth` has 2 partitions, `good.access` has 3", "topic `good.nowhere` does not exist"];
    assert_eq!(told, expected);
    assert!(found.iter().all(|one| one.gravity == Gravity::Fatal));
    let Remedy::Refused(reason) = found[0].remedy(Scope::All) else { panic!("partitions would be added") };
    assert!(reason.contains("chartwarden rekey"), "{reason}");
    mend_topics(&config, &found, Scope::All).unwrap();
    assert_eq!(topic_ends(&config, "narrow.auth").unwrap().len(), 2, "nothing was added");
    assert_eq!(topic_ends(&config, "good.nowhere").unwrap().len(), 3);
    let Err(PortError::Invalid(text)) = KafkaSource::connect(&config) else { panic!("no error") };
    assert!(text.contains("`narrow.auth` has 2") && text.contains("rekey"), "{text}");
}

#[test]
fn partitions_added_to_the_input_of_a_pipeline_with_state_are_refused() {
    let config = pipeline(Broker::shared().bootstrap(), "grown", 2);
    speak(&config, "grown.head", 0, ["a journal record".to_owned()]);
    for topic in ["grown.access", "grown.auth"] {
        add_partitions(&config, topic, 3).unwrap();
    }
    let found = check_topics(&config).unwrap();
    let head = found.iter().find(|one| one.topic == "grown.head").unwrap();
    assert_eq!(head.gravity, Gravity::Fatal);
    let text = "state topic `grown.head` has 2 partitions, but the input topics have 3, one lane each: users would be \
                in lanes that do not have their state, and some lanes could not commit";
    assert_eq!(head.to_string(), text);
    let Remedy::Refused(reason) = head.remedy(Scope::All) else { panic!("partitions would be added") };
    assert!(reason.contains("chartwarden rekey") && reason.contains("state_prefix"), "{reason}");
    mend_topics(&config, &found, Scope::All).unwrap();
    assert_eq!(topic_ends(&config, "grown.head").unwrap().len(), 2, "nothing was added");
}

#[test]
fn state_topics_without_state_grow_to_the_number_of_lanes() {
    let config = pipeline(Broker::shared().bootstrap(), "early", 2);
    for topic in ["early.access", "early.auth"] {
        add_partitions(&config, topic, 4).unwrap();
    }
    let found = check_topics(&config).unwrap();
    assert_eq!(found[0].change(), "add partitions, from 2 to 4");
    mend_topics(&config, &found, Scope::Own).unwrap();
    assert_eq!(check_topics(&config).unwrap(), []);
    assert_eq!(topic_ends(&config, "early.panes.day").unwrap().len(), 4);
}

#[test]
fn missing_topics_and_a_missing_broker_say_what_to_do() {
    let mut config = Config::new(Broker::shared().bootstrap(), "absent.group", "absent");
    config.input_topics = vec!["absent.access".to_owned()];
    let Err(PortError::Invalid(text)) = KafkaSource::connect(&config) else { panic!("no error") };
    assert!(text.contains("absent.access") && text.contains("topics PIPELINE --apply"), "{text}");
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
