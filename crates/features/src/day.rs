//! Local time: the hour, weekday and day of a point in time in the hospital's zone.

use base::{Millis, Timestamp};
use jiff::tz::TimeZone;

/// A point in time as the people in the house read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    /// 0 to 23.
    pub(crate) hour: i32,
    /// 1 (Monday) to 7.
    pub(crate) weekday: i32,
    /// Days since 1970-01-01, local calendar.
    pub(crate) day: i32,
}

/// Local time by zone, with the offset of the last hour kept: neighbouring events share it.
#[derive(Debug)]
pub(crate) struct LocalTime {
    zone: TimeZone,
    hour_start: i64,
    offset_ms: i64,
}

const HOUR: i64 = 3_600_000;
const DAY: i64 = 86_400_000;

impl LocalTime {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { zone, hour_start: i64::MIN, offset_ms: 0 }
    }

    fn shifted(&mut self, time: Timestamp) -> i64 {
        // Offsets change on quarter hours at the finest.
        let quarter = time.millis().div_euclid(HOUR / 4);
        if quarter != self.hour_start {
            let instant = jiff::Timestamp::from_millisecond(time.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            self.offset_ms = i64::from(self.zone.to_offset(instant).seconds()) * 1_000;
            self.hour_start = quarter;
        }
        time.millis() + self.offset_ms
    }

    pub(crate) fn at(&mut self, time: Timestamp) -> Local {
        let shifted = self.shifted(time);
        let day = shifted.div_euclid(DAY);
        let narrow = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
        // 1970-01-01 was a Thursday.
        Local {
            hour: narrow(shifted.rem_euclid(DAY) / HOUR),
            weekday: narrow((day + 3).rem_euclid(7) + 1),
            day: narrow(day),
        }
    }

    /// Whether a local day begins on the calendar at this very time.
    pub(crate) fn is_midnight(&mut self, time: Timestamp) -> bool {
        self.shifted(time).rem_euclid(DAY) == 0
    }

    /// The local day that the end of a time's UTC hour falls in.
    fn day_of_hour(&mut self, time: Timestamp) -> i32 {
        self.at(time.floor(Millis::hours(1)) + Millis(HOUR - 1)).day
    }

    /// The start of the local day that `time` falls in, on the whole UTC hour at or before local midnight. A day
    /// boundary itself begins a day. Days of a clock change are 23 or 25 hours long.
    pub(crate) fn day_start(&mut self, time: Timestamp) -> Timestamp {
        let day = self.day_of_hour(time);
        let mut start = time.floor(Millis::hours(1));
        // Step back to the first whole hour of the day: at most 25 steps.
        while self.day_of_hour(start - Millis::hours(1)) == day {
            start = start - Millis::hours(1);
        }
        start
    }

    /// The end of the local day that `time` falls in.
    pub(crate) fn day_end(&mut self, time: Timestamp) -> Timestamp {
        let day = self.day_of_hour(time);
        let mut end = time.floor(Millis::hours(1)) + Millis::hours(1);
        while self.day_of_hour(end) == day {
            end = end + Millis::hours(1);
        }
        end
    }
}

#[cfg(test)]
mod tests;
