//! What can be wrong with a hospital's configuration. Generating itself cannot fail.

use base::Kind;

/// Why a hospital cannot be built.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// A number lies outside its bounds.
    #[error("hospital: {name} is {value}, allowed is {min} to {max}")]
    OutOfRange {
        /// Which number.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The least allowed.
        min: f64,
        /// The most allowed.
        max: f64,
    },
    /// The time zone is not in the IANA database.
    #[error("hospital: `{0}` is not a known IANA time zone, write one as in `Europe/Amsterdam`")]
    TimeZone(String),
    /// The start is not a midnight of the hospital's own time.
    #[error("hospital: start {millis} ms is not a local midnight in `{zone}`, the nearest before is {midnight} ms")]
    NotMidnight {
        /// The start given.
        millis: i64,
        /// The time zone.
        zone: String,
        /// The midnight before it.
        midnight: i64,
    },
    /// Incidents are wanted, but there are too few days for them.
    #[error(
        "hospital: {days} days are too few for incidents: they may act from day {first} on (the first day is 0), and need \
         {min} days; ask for more days, an earlier first incident day, or no incidents"
    )]
    NoRoom {
        /// First day on which an incident may act.
        first: u32,
        /// Days of the stream.
        days: u32,
        /// Fewest days needed.
        min: u32,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        Kind::Invalid
    }
}
