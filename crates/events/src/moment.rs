//! Times as sources write them: RFC 3339 with or without zone, dates, or numbers since the epoch.

use std::borrow::Cow;
use std::fmt;

use base::Timestamp;
use serde::de::{Deserialize, Deserializer, Visitor};

/// A time as it stands in JSON, not yet understood.
#[derive(Clone, Debug, PartialEq)]
pub enum RawTime<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number.
    Number(i64),
    /// Another number.
    Fraction(f64),
}

/// A time that was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The point in time.
    pub at: Timestamp,
    /// The text named no zone, and UTC was taken.
    pub zone_missing: bool,
    /// The text was a date alone; `at` is its first instant.
    pub date_only: bool,
}

impl Moment {
    fn exact(at: Timestamp) -> Self {
        Self { at, zone_missing: false, date_only: false }
    }
}

/// What a number means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberUnit {
    /// Milliseconds since the epoch.
    #[default]
    Millis,
    /// Milliseconds, or seconds where only seconds give a year from 2000 to 2100; no other year is believed.
    Plausible,
}

/// 2000-01-01 and 2100-01-01 in seconds since the epoch.
const PLAUSIBLE_SECONDS: std::ops::Range<i64> = 946_684_800..4_102_444_800;

impl RawTime<'_> {
    /// The point in time, if this is one.
    pub fn read(&self, unit: NumberUnit) -> Option<Moment> {
        match (self, unit) {
            (Self::Text(text), _) => read_text(text),
            (Self::Number(millis), NumberUnit::Millis) => Some(Moment::exact(Timestamp::from_millis(*millis))),
            (Self::Number(number), NumberUnit::Plausible) => plausible_millis(*number),
            (Self::Fraction(_), NumberUnit::Millis) => None,
            // Seconds with a fraction; `as` saturates, and what saturates is not plausible.
            (Self::Fraction(number), NumberUnit::Plausible) => {
                plausible_millis((number * 1_000.0).round() as i64).or_else(|| plausible_millis(number.round() as i64))
            }
        }
    }
}

fn plausible_millis(number: i64) -> Option<Moment> {
    let millis = if PLAUSIBLE_SECONDS.contains(&number) { number * 1_000 } else { number };
    PLAUSIBLE_SECONDS.contains(&millis.div_euclid(1_000)).then(|| Moment::exact(Timestamp::from_millis(millis)))
}

/// Reads `2026-03-01T08:00:00Z`, with any fraction and offset, without a zone, or the date alone.
fn read_text(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(Moment::exact(Timestamp::from_millis(at.as_millisecond())));
    }
    let date_only = !text.contains(':');
    let civil: jiff::civil::DateTime = match date_only {
        true => text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0),
        // A text that does carry a zone and still failed above is malformed, not local.
        false if text.get(10..)?.contains(['+', '-', '[', 'Z', 'z']) => return None,
        false => text.parse().ok()?,
    };
    let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Moment { at: Timestamp::from_millis(at.as_millisecond()), zone_missing: true, date_only })
}

impl<'de: 'a, 'a> Deserialize<'de> for RawTime<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = RawTime<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as text or number")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(RawTime::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(RawTime::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(RawTime::Number(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(RawTime::Number(i64::try_from(number).unwrap_or(i64::MAX)))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(RawTime::Fraction(number))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

#[cfg(test)]
mod tests;
