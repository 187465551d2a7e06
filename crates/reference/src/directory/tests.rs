//! Names find their person, at any time, in any order of rows.

use base::Timestamp;
use events::Offset;

use super::Directory;

fn row(user: &str, names: &[&str], valid_from: &str) -> String {
    serde_json::json!({"user": user, "names": names, "valid_from": valid_from, "role": "nurse"}).to_string()
}

fn directory(rows: &[String]) -> Directory {
    let mut directory = Directory::new(jiff::tz::TimeZone::UTC);
    for (offset, row) in (0..).zip(rows) {
        directory.apply(0, Offset(offset), Some(row.as_bytes())).unwrap();
    }
    directory
}

const LATE: Timestamp = Timestamp::from_millis(2_000_000_000_000);

#[test]
fn every_name_of_a_person_gives_the_id_as_the_directory_spells_it() {
    let known = directory(&[row("E0042", &["jdoe", "007", "J.Doe@x.org"], "2026-01-01")]);
    for name in ["E0042", "e0042 ", "JDOE", "7", "0007", "j.doe@X.org"] {
        assert_eq!(known.user_of(name, LATE), Some("E0042"), "{name}");
    }
    assert_eq!(known.user_of("somebody", LATE), None);
    assert_eq!(known.version().to_string(), "staff/0=1");
}

#[test]
fn a_name_that_changes_hands_is_told_by_time_whatever_the_order_of_rows() {
    let rows = [row("a", &["badge"], "2026-01-01"), row("b", &["badge"], "2026-02-01")];
    let at = |text: &str| text.parse::<i64>().map(Timestamp::from_millis).unwrap();
    for rows in [rows.to_vec(), rows.iter().rev().cloned().collect()] {
        let known = directory(&rows);
        assert_eq!(known.user_of("badge", at("1768000000000")), Some("a")); // 9 January
        assert_eq!(known.user_of("badge", at("1771000000000")), Some("b")); // 13 February
        assert_eq!(known.user_of("badge", at("0")), Some("a"), "before its first row");
    }
}

#[test]
fn bad_rows_and_tombstones_change_nothing_and_are_told_without_quoting() {
    let mut known = directory(&[row("a", &["x"], "2026-01-01")]);
    let error = known.apply(0, Offset(1), Some(br#"{"user":"secret-b","names":7}"#)).unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    known.apply(0, Offset(2), None).unwrap();
    known.apply(0, Offset(0), Some(row("c", &["x"], "2026-01-02").as_bytes())).unwrap();
    assert_eq!(known.user_of("x", LATE), Some("a"), "a row read before is not read again");
    assert_eq!((known.reject_count(), known.user_count()), (1, 1));
}
