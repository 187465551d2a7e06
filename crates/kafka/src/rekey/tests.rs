//! What is stored beside offsets is read back.

use base::Timestamp;

use super::{metadata, newest_of};

#[test]
fn the_newest_event_time_survives_a_restart() {
    let at = Timestamp::from_millis(1_772_352_000_000);
    assert_eq!(newest_of(&metadata(Some(at), "staff/0=17")), Some(at));
    for text in [metadata(None, "staff/0=17"), String::new(), "written by another program".to_owned()] {
        assert_eq!(newest_of(&text), None, "{text}");
    }
    assert!(metadata(Some(at), &"staff/0=1 ".repeat(10_000)).len() <= 4_096, "the broker's limit");
}
