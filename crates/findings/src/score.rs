//! Scores and weights as whole millionths, so that comparing and summing them is exact and their bytes are stable.

use serde::{Deserialize, Serialize};

/// A number in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Micros(pub(crate) i64);

/// Beyond this a float of six decimals is no longer exact in JSON.
const WHOLE_MAX: f64 = 1e9;

impl Micros {
    /// The nearest millionth, held within a billion either way; `None` for what is no number.
    pub(crate) fn of(number: f64) -> Option<Self> {
        if number.is_nan() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "held within a billion, so within i64")]
        let micros = (number.clamp(-WHOLE_MAX, WHOLE_MAX) * 1e6).round() as i64;
        Some(Self(micros))
    }

    /// The nearest millionth of a probability; `None` for anything else.
    pub(crate) fn probability(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then(|| Self::of(number)).flatten()
    }

    /// As a float: the one nearest to the decimal fraction, so that JSON prints at most six decimals.
    pub(crate) fn number(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// In hundredths, rounded half up: a probability as a whole number of percent.
    pub(crate) fn percent(self) -> i64 {
        (self.0 + 5_000).div_euclid(10_000)
    }
}

impl std::ops::Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Two decimals, as people read a score.
impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hundredths = self.percent();
        write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}
