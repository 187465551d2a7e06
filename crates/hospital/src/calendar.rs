//! Local days: which instant is seven o'clock on a day, with daylight saving. Day 0 is the first of the stream.

use base::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use crate::{Error, Result};

/// The hospital's own calendar.
pub(crate) struct Calendar {
    zone: TimeZone,
    first: Date,
}

/// One local day, with the instants of its hours and of the night after it.
pub(crate) struct LocalDay {
    /// Days since the start of the stream; negative before.
    pub(crate) index: i32,
    /// The local date.
    pub(crate) date: Date,
    hours: [Timestamp; LocalDay::HOURS],
}

impl Calendar {
    /// A calendar whose day 0 starts at `start`, which must be a local midnight.
    pub(crate) fn new(zone_name: &str, start: Timestamp) -> Result<Self> {
        let zone = TimeZone::get(zone_name).map_err(|_| Error::TimeZone(zone_name.to_owned()))?;
        let out_of_range =
            || Error::OutOfRange { name: "start", value: start.millis() as f64, min: 0.0, max: 4_102_444_800_000.0 };
        if !(0..=4_102_444_800_000).contains(&start.millis()) {
            return Err(out_of_range());
        }
        let instant = jiff::Timestamp::from_millisecond(start.millis()).map_err(|_| out_of_range())?;
        let first = zone.to_datetime(instant).date();
        let calendar = Self { zone, first };
        let midnight = calendar.instant(first, 0).millis();
        if midnight != start.millis() {
            return Err(Error::NotMidnight { millis: start.millis(), zone: zone_name.to_owned(), midnight });
        }
        Ok(calendar)
    }

    fn instant(&self, date: Date, hour: usize) -> Timestamp {
        let date = shift(date, (hour / 24) as i32);
        let local = date.at((hour % 24) as i8, 0, 0, 0);
        let instant = self.zone.to_ambiguous_timestamp(local).compatible();
        Timestamp::from_millis(instant.map_or(0, |instant| instant.as_millisecond()))
    }

    /// The local day `index` days after the first.
    pub(crate) fn day(&self, index: i32) -> LocalDay {
        let date = shift(self.first, index);
        let hours = std::array::from_fn(|hour| self.instant(date, hour));
        LocalDay { index, date, hours }
    }

    /// 0 = Monday.
    pub(crate) fn weekday(&self, index: i32) -> i32 {
        let first = i32::from(self.first.weekday().to_monday_zero_offset());
        (first + index).rem_euclid(7)
    }
}

fn shift(date: Date, days: i32) -> Date {
    let span: Span = i64::from(days).days();
    date.saturating_add(span)
}

impl LocalDay {
    const HOURS: usize = 37;
    const HOUR_MS: i64 = 3_600_000;

    /// The instant `hours` after local midnight, by the wall clock of the house.
    pub(crate) fn at(&self, hours: f64) -> Timestamp {
        let millis = (hours.max(0.0) * Self::HOUR_MS as f64) as i64;
        let hour = ((millis / Self::HOUR_MS) as usize).min(Self::HOURS - 1);
        self.hours[hour] + base::Millis(millis - hour as i64 * Self::HOUR_MS)
    }

    /// Local midnight.
    pub(crate) fn start(&self) -> Timestamp {
        self.hours[0]
    }

    /// The next local midnight.
    pub(crate) fn end(&self) -> Timestamp {
        self.hours[24]
    }

    /// Whether books are being closed: the last two and the first two days of a month.
    pub(crate) fn is_month_end(&self) -> bool {
        self.date.day() <= 2 || self.date.day() + 1 >= self.date.days_in_month()
    }
}

#[cfg(test)]
mod tests;
