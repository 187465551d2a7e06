//! How points in time are told to people who read logs and reports.

use base::Timestamp;

/// As in `2026-01-20T23:00:00Z`; in milliseconds, where no calendar reaches.
pub fn when(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.millis()).map_or_else(|_| time.millis().to_string(), |time| time.to_string())
}

/// The same, or `none`.
pub(crate) fn when_if_any(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "none".to_owned(), when)
}
