//! What is stored beside offsets is read back.

use super::*;

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
