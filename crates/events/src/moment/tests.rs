use super::*;

fn millis(text: &str) -> Option<(i64, bool, bool)> {
    let moment = RawTime::Text(Cow::Borrowed(text)).read(NumberUnit::Millis)?;
    Some((moment.at.millis(), moment.zone_missing, moment.date_only))
}

#[test]
fn every_spelling_seen_in_the_wild_is_read() {
    let base = 1_371_771_744_000;
    for (text, expected) in [
        ("2013-06-20T23:42:24Z", (base, false, false)),
        ("2013-06-20T23:42:24+00:00", (base, false, false)),
        ("2013-06-21T01:42:24+02:00", (base, false, false)),
        ("2013-06-20T23:42:24.123Z", (base + 123, false, false)),
        ("2013-06-20T23:42:24.1234567Z", (base + 123, false, false)),
        (" 2013-06-20T23:42:24Z ", (base, false, false)),
        ("2013-06-20T23:42:24", (base, true, false)),
        ("2013-06-20 23:42:24.5", (base + 500, true, false)),
        ("2013-06-20", (1_371_686_400_000, true, true)),
    ] {
        assert_eq!(millis(text), Some(expected), "{text}");
    }
}

#[test]
fn what_is_no_time_is_none() {
    for text in [
        "",
        "yesterday",
        "2013-06-20T25:00:00Z",
        "2013-13-01",
        "2013",
        "2013-06",
        "23:42:24",
        "2013-06-20T23:42:24+99:00",
        "1371771744000",
    ] {
        assert_eq!(millis(text), None, "{text}");
    }
}

#[test]
fn seconds_are_told_from_milliseconds_by_the_year_they_give() {
    let read = |raw: RawTime<'_>| raw.read(NumberUnit::Plausible).map(|moment| moment.at.millis());
    assert_eq!(read(RawTime::Number(1_700_000_000)), Some(1_700_000_000_000));
    assert_eq!(read(RawTime::Number(1_700_000_000_123)), Some(1_700_000_000_123));
    assert_eq!(read(RawTime::Fraction(1_700_000_000.25)), Some(1_700_000_000_250));
    for number in [0, -1, 1_000, 946_684_799, 10_000_000_000, i64::MAX, i64::MIN] {
        assert_eq!(read(RawTime::Number(number)), None, "{number}");
    }
    for number in [f64::MAX, f64::MIN, 0.5, -3.5] {
        assert_eq!(read(RawTime::Fraction(number)), None, "{number}");
    }
}
