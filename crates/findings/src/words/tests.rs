use super::*;

fn check<T>(tell: impl Fn(T) -> String, cases: Vec<(T, &str)>) {
    for (value, expected) in cases {
        assert_eq!(tell(value), expected);
    }
}

#[test]
fn numbers_read_as_people_say_them() {
    check(
        whole,
        vec![
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-1_234_567, "-1,234,567"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ],
    );
    check(
        decimal,
        vec![
            (0.0, "0"),
            (-0.0, "0"),
            (14.0, "14"),
            (2.5, "2.5"),
            (2.456, "2.46"),
            (12.34, "12.3"),
            (1234.5, "1,234"),
            (0.004, "less than 0.01"),
            (-0.004, "just below 0"),
            (-3.1, "-3.1"),
            (f64::NAN, "unknown"),
            (f64::INFINITY, "unknown"),
        ],
    );
    check(
        bytes,
        vec![(0.0, "0 bytes"), (999.0, "999 bytes"), (1_000.0, "1 kB"), (1_234_567.0, "1.23 MB"), (5e12, "5 TB")],
    );
    check(
        |millis| duration(Millis(millis)),
        vec![
            (0, "0 ms"),
            (450, "450 ms"),
            (61_000, "1 min 1 s"),
            (86_400_000, "1 day"),
            (90_060_000, "1 day 1 h"),
            (604_800_000, "7 days"),
            (3_600_001, "1 h"),
        ],
    );
}

#[test]
fn times_are_those_of_the_house_and_as_short_as_they_can_be() {
    let at = Timestamp::from_millis;
    let zone = |name| TimeZone::get(name).unwrap();
    let (vienna, london) = (zone("Europe/Vienna"), zone("Europe/London"));
    let (start, minute) = (1_767_579_000_000, 60_000);
    check(|time| moment(at(time), &TimeZone::UTC), vec![(0, "1970-01-01 00:00 UTC"), (start, "2026-01-05 02:10 UTC")]);
    check(|time| moment(at(time), &london), vec![(start, "2026-01-05 02:10 UTC")]);
    // Late in the evening it is the next day already.
    check(|time| date(at(time), &vienna), vec![(start, "2026-01-05"), (start - 170 * minute, "2026-01-05")]);
    check(
        |(first, last)| span(at(first), at(last), &vienna),
        vec![
            ((start, start + minute - 1), "on 2026-01-05 at 03:10 +01:00"),
            ((start, start + 30 * minute), "on 2026-01-05 between 03:10 and 03:40 +01:00"),
            ((start, start + 1_500 * minute), "between 2026-01-05 03:10 and 2026-01-06 04:10 +01:00"),
            ((start - 240 * minute, start), "between 2026-01-04 23:10 and 2026-01-05 03:10 +01:00"),
            // In the night of the 29th of March the clocks go forward.
            ((1_774_738_800_000, 1_774_746_000_000), "on 2026-03-29 between 00:00 +01:00 and 03:00 +02:00"),
        ],
    );
    // Beyond the calendar there is still an answer.
    check(|time| moment(time, &vienna), vec![(Timestamp::MAX, "2305843009213693951 ms UTC")]);
}

#[test]
fn plurals_and_lists() {
    let words = [
        ("charts", "chart"),
        ("accesses", "access"),
        ("searches", "search"),
        ("bodies", "body"),
        ("glass", "glass"),
        ("staff", "staff"),
        ("faxes", "fax"),
    ];
    for (many, one) in words {
        assert_eq!(singular(many), one);
    }
    let items = |count: usize| ["a", "b", "c"][..count].iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
    check(|count| list(&items(count)), vec![(0, ""), (1, "a"), (2, "a and b"), (3, "a, b and c")]);
}

#[test]
fn text_from_outside_stays_on_its_line() {
    assert_eq!(tame("a\nb\u{202e}c\u{0}", 10), "a b c");
    assert_eq!(tame("abcdef", 4), "abc…");
    assert_eq!(tame("äöü", 3), "äöü");
}

#[test]
fn sentences_start_and_end_like_sentences() {
    check(
        sentence,
        vec![
            ("opened 14 charts", "Opened 14 charts."),
            ("2 of them left.", "2 of them left."),
            ("u1:ab opened it", "u1:ab opened it."),
            ("élan", "Élan."),
            ("", "."),
        ],
    );
}
