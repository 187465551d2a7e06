use super::*;

#[test]
fn lengths_are_read_and_written_the_same_way() {
    for (text, millis) in [("250ms", 250), ("90s", 90_000), ("15m", 900_000), ("2h", 7_200_000), ("30d", 2_592_000_000)]
    {
        assert_eq!(text.parse(), Ok(Millis(millis)));
        assert_eq!(Millis(millis).to_string(), text);
    }
    for text in ["", "5", "m", "-5m", "5 m", "5w", "9999999999999999d"] {
        assert_eq!(text.parse::<Millis>(), Err(ParseMillisError(text.to_owned())));
    }
}

#[test]
fn floor_goes_down_before_1970_too() {
    let minute = Millis::minutes(1);
    for (at, floor) in [(0, 0), (59_999, 0), (60_000, 60_000), (-1, -60_000), (-60_000, -60_000)] {
        assert_eq!(Timestamp::from_millis(at).floor(minute), Timestamp::from_millis(floor));
    }
}

#[test]
fn the_edges_of_time_do_not_overflow() {
    assert_eq!(Timestamp::MAX + Millis::days(400_000), Timestamp::MAX);
    assert_eq!(Timestamp::MIN - Millis::days(400_000), Timestamp::MIN);
    assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
}
