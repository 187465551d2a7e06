//! Local midnights over a change of the clocks.

use base::Timestamp;

use super::Calendar;
use crate::Error;

/// 2026-03-23T00:00 in Amsterdam (UTC+1); the clocks go forward on 2026-03-29.
const START: Timestamp = Timestamp::from_millis(1_774_220_400_000);

#[test]
fn seven_stays_seven_when_the_clocks_change() {
    let calendar = Calendar::new("Europe/Amsterdam", START).unwrap();
    let length = |day: i32| (calendar.day(day).end() - calendar.day(day).start()).0 / 3_600_000;
    assert_eq!([length(5), length(6), length(7)], [24, 23, 24]);
    let to_seven = |day: i32| (calendar.day(day).at(7.0) - calendar.day(day).start()).0 / 3_600_000;
    assert_eq!([to_seven(5), to_seven(6)], [7, 6]);
    assert_eq!(calendar.weekday(0), 0);
    assert_eq!(calendar.day(6).date.to_string(), "2026-03-29");
    for day in -3..10 {
        assert_eq!(calendar.day(day).end(), calendar.day(day + 1).start());
    }
}

#[test]
fn a_start_that_is_no_midnight_is_refused() {
    let off = START + base::Millis::minutes(5);
    assert!(matches!(Calendar::new("Europe/Amsterdam", off), Err(Error::NotMidnight { .. })));
    assert!(matches!(Calendar::new("Europe/Nowhere", START), Err(Error::TimeZone(_))));
    assert!(matches!(Calendar::new("UTC", Timestamp::MAX), Err(Error::OutOfRange { .. })));
}
