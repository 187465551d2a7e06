//! What becomes of a group whose offsets are gone. The rest is in `tests/tests/kafka_ports/rekey.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::Millis;
use engine::ports::PortError;
use events::Record;

use super::{Address, Addresser, RekeyOptions, Rekeyed, rekey};
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

/// Only its times tell how far a partition has come.
struct Timed;

impl Addresser for Timed {
    fn refresh(&mut self) -> Result<(), PortError> {
        Ok(())
    }

    fn address(&mut self, _: &str, record: &Record<'_>) -> Address {
        let time = Some(record.append_time).filter(|_| record.value != Some(b"garbage"));
        Address { key: None, time, outcome: "copied" }
    }

    fn version(&self) -> String {
        "none".to_owned()
    }

    fn before_commit(&mut self) -> Result<(), PortError> {
        Ok(())
    }

    fn committed(&mut self, _: &Rekeyed) {}
}

#[test]
fn a_partition_that_brings_nothing_but_garbage_holds_nobody_back() {
    let broker = Embedded::start().unwrap();
    let config = Config::new(broker.bootstrap(), "group", "p");
    broker.create_topic("raw", 2).unwrap();
    broker.create_topic("copy", 2).unwrap();
    let speaker = Speaker::connect(&config).unwrap();
    (0..5).for_each(|_| speaker.send("raw", Some(1), b"key", Some(b"event"), &[], None).unwrap());
    let (options, stop) = (RekeyOptions { until_end: false, ..options() }, AtomicBool::new(false));
    let events = || {
        read_committed(&config, "copy").unwrap().iter().filter(|copy| copy.value.as_deref() == Some(b"event")).count()
    };
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| rekey(&config, &options, &mut Timed, &stop));
        // More often than a partition must be silent to rest.
        let copied = (0..60).any(|_| {
            speaker.send("raw", Some(0), b"key", Some(b"garbage"), &[], None).unwrap();
            speaker.flush().unwrap();
            std::thread::sleep(Duration::from_millis(500));
            events() == 5
        });
        stop.store(true, Ordering::Relaxed);
        copying.join().unwrap().unwrap();
        assert!(copied, "{} of 5 events were copied", events());
    });
}
