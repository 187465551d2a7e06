use base::Timestamp;

use super::{cut, grouped, shown_time};

#[test]
fn numbers_are_grouped_by_thousands() {
    assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
}

#[test]
fn long_sentences_are_cut_between_characters() {
    assert_eq!(cut("größer", 3), "grö...");
    assert_eq!(cut("short", 5), "short");
}

#[test]
fn times_are_shown_in_utc() {
    assert_eq!(shown_time(Timestamp::from_millis(1_768_808_700_000)), "2026-01-19 07:45 UTC");
}
