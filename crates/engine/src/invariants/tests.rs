use std::collections::BTreeMap;

use base::{Digest, Timestamp};
use events::Offset;
use features::{Digests, TopicPosition};
use reference::Pins;

use super::*;

#[test]
fn a_part_that_is_counted_nowhere_breaks_conservation() {
    let whole = Counts { read: 6, kept: 3, late: 1, duplicates: 1, rejects: 1 };
    assert_eq!(conservation(&[whole]), Ok(()));
    assert!(conservation(&[whole, Counts { read: 7, ..whole }]).unwrap_err().starts_with("conservation: topic 1"));
}

#[test]
fn only_pseudonyms_may_leave() {
    assert_eq!(pseudonymous("u1:abcdefghijklmnopqrstuvwxyz"), Ok(()));
    for key in ["jane.doe", "u1:", "u1:jane.doe", "@hospital.example"] {
        assert!(pseudonymous(key).is_err(), "{key}");
    }
}

/// The record `sequence` of a lane that stands at a tick and a position.
fn record(sequence: u64, tick: i64, position: i64, with_tick: bool) -> JournalRecord {
    let at = TopicPosition {
        position: Offset(position),
        resume: Offset(0),
        watermark: Timestamp::MIN,
        decisions: Vec::new(),
    };
    let digest = Digest([0; 32]);
    JournalRecord {
        sequence,
        tick_end: Some(Timestamp::from_millis(tick)),
        pins: with_tick.then(Pins::default),
        genesis: Pins::default(),
        topics: vec![at],
        counts: Vec::new(),
        tiers: BTreeMap::new(),
        digests: Digests { spec: digest, reading: digest, sql: digest, model: digest, engine: String::new() },
        epoch: 0,
        shared: None,
        carried: None,
    }
}

#[test]
fn a_gap_a_tick_again_and_a_position_that_goes_back_break_succession() {
    let before = record(4, 60_000, 10, true);
    let broken = |after: &JournalRecord| succession(Some(&before), after).is_err();
    assert!(succession(None, &before).is_ok());
    assert!(!broken(&record(5, 120_000, 10, true)) && !broken(&record(5, 60_000, 12, false)));
    assert!(broken(&record(4, 120_000, 10, true)), "the same record twice");
    assert!(broken(&record(6, 120_000, 10, true)), "a record is missing");
    assert!(broken(&record(5, 60_000, 10, true)), "a tick closes twice");
    assert!(broken(&record(5, 120_000, 10, false)), "a commit without a tick moves time");
    assert!(broken(&record(5, 120_000, 9, true)), "a position goes back");
}
