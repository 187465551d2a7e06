use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

#[test]
fn days_are_local_and_follow_clock_changes() {
    let mut vienna = LocalTime::new(TimeZone::get("Europe/Vienna").unwrap());
    for (time, start, end) in [
        ("2026-01-15T12:34:56Z", "2026-01-14T23:00:00Z", "2026-01-15T23:00:00Z"),
        ("2026-01-14T23:00:00Z", "2026-01-14T23:00:00Z", "2026-01-15T23:00:00Z"),
        ("2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
    ] {
        assert_eq!((vienna.day_start(at(time)), vienna.day_end(at(time))), (at(start), at(end)), "{time}");
    }
}

#[test]
fn zones_off_the_whole_hour_keep_days_whole() {
    let mut kolkata = LocalTime::new(TimeZone::get("Asia/Kolkata").unwrap());
    let noon = at("2026-01-15T06:30:00Z");
    let (start, end) = (kolkata.day_start(noon), kolkata.day_end(noon));
    assert_eq!(end - start, Millis::days(1));
    assert_eq!(kolkata.day_start(end), end);
}

#[test]
fn weekdays_start_on_monday() {
    let mut utc = LocalTime::new(TimeZone::UTC);
    assert_eq!(utc.at(at("2026-11-23T10:00:00Z")).weekday, 1);
    assert_eq!(utc.at(at("1969-12-28T10:00:00Z")).weekday, 7);
}
