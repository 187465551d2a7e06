//! What is stored beside offsets, and what becomes of a group without any. The rest is in
//! `tests/tests/kafka_ports/rekey.rs`.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base::{Millis, Timestamp};
use engine::ports::PortError;
use events::Record;

use rdkafka::{Offset as Position, TopicPartitionList};

use super::{Address, Addresser, RekeyOptions, Rekeyed, forgotten, metadata, newest_of, rekey};
use crate::{Config, Embedded, Speaker, read_committed};

/// Leaves every record where it is.
struct Passing;

impl Addresser for Passing {
    fn refresh(&mut self) -> Result<(), PortError> {
        Ok(())
    }

    fn address(&mut self, _: &str, record: &Record<'_>) -> Address {
        Address { key: None, time: Some(record.append_time), outcome: "copied" }
    }

    fn version(&self) -> String {
        "none".to_owned()
    }

    fn before_commit(&mut self) -> Result<(), PortError> {
        Ok(())
    }

    fn committed(&mut self, _: &Rekeyed) {}
}

fn options() -> RekeyOptions {
    let (hour, second) = (Millis::hours(1), Duration::from_secs(1));
    RekeyOptions { until_end: true, ..RekeyOptions::new(vec!["raw".to_owned()], "copy".to_owned(), hour, second) }
}

/// Two source partitions, the first with ten records and the second empty. This broker keeps no offsets of transactions.
fn cluster() -> (Embedded, Config) {
    let broker = Embedded::start().unwrap();
    let config = Config::new(broker.bootstrap(), "group", "p");
    broker.create_topic("raw", 2).unwrap();
    broker.create_topic("copy", 2).unwrap();
    let speaker = Speaker::connect(&config).unwrap();
    (0..10).for_each(|_| speaker.send("raw", Some(0), b"key", Some(b"value"), &[], None).unwrap());
    speaker.flush().unwrap();
    (broker, config)
}

fn copied(config: &Config) -> usize {
    read_committed(config, "copy").unwrap().len()
}

#[test]
fn a_group_whose_offsets_are_gone_does_not_copy_twice_unless_it_is_told_to() {
    let (_broker, config) = cluster();
    rekey(&config, &options(), &mut Passing, &AtomicBool::new(false)).unwrap();
    // As if the broker had forgotten the group: this one has no offsets either.
    let other = Config { group: "other".to_owned(), ..config.clone() };
    let refused = rekey(&other, &options(), &mut Passing, &AtomicBool::new(false));
    let Err(PortError::Corrupt(text)) = refused else { panic!("{refused:?}") };
    assert!(text.contains("`other`") && text.contains("`copy`") && text.contains("--copy-again"), "{text}");
    assert_eq!(copied(&config), 10);
    let again = RekeyOptions { copy_again: true, ..options() };
    rekey(&other, &again, &mut Passing, &AtomicBool::new(false)).unwrap();
    assert_eq!(copied(&config), 20);
}

#[test]
fn a_partition_whose_offset_is_gone_is_told_from_one_that_is_new() {
    let of = |known: [bool; 4], whole| {
        let mut list = TopicPartitionList::new();
        for (partition, known) in (0..).zip(known) {
            let offset = if known { Position::Offset(7) } else { Position::Invalid };
            list.add_partition_offset("raw", partition, offset).unwrap();
            let mut element = list.find_partition("raw", partition).unwrap();
            element.set_metadata(if known { metadata(None, whole, "staff/0=1") } else { String::new() });
        }
        list.add_partition_offset("other", 0, Position::Invalid).unwrap();
        forgotten(&list, "raw")
    };
    assert_eq!(of([true, true, true, true], 4), None);
    assert_eq!(of([true, true, true, false], 3), None, "one that came since");
    assert_eq!(of([true, false, true, false], 3), Some(1));
    assert_eq!(of([false, false, false, false], 3), None, "nobody says how many there were");
}

#[test]
fn the_newest_event_time_survives_a_restart() {
    let at = Timestamp::from_millis(1_772_352_000_000);
    let stored = metadata(Some(at), 3, "staff/0=17");
    assert_eq!(newest_of(&stored), Some(at));
    for text in [metadata(None, 3, "staff/0=17"), String::new(), "written by another program".to_owned()] {
        assert_eq!(newest_of(&text), None, "{text}");
    }
    assert!(metadata(Some(at), 3, &"staff/0=1 ".repeat(10_000)).len() <= 4_096, "the broker's limit");
}
