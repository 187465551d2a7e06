//! What can go wrong, and what to do about it. Texts name columns, rules and rows, never a person.

use base::Kind;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Policy, rules or feature meanings that cannot work; every problem found, in order.
    #[error("{}", .0.join("; "))]
    Definitions(Vec<String>),
    /// The feature batch lacks a column that the rules or sentences need.
    #[error("feature batch: column `{column}` is missing or not {expected}")]
    Column {
        /// The column.
        column: String,
        /// The type that was expected.
        expected: &'static str,
    },
    /// Scores and feature rows do not belong together.
    #[error("feature batch: {rows} rows but {scores} scores")]
    Lengths {
        /// Rows of the batch.
        rows: usize,
        /// Scores given.
        scores: usize,
    },
    /// The rows are not in strict order of their user keys.
    #[error("feature batch: row {row} is not after row {} in order of `user_key`", row - 1)]
    Order {
        /// The row that is out of place.
        row: usize,
    },
    /// A score that is no probability.
    #[error("feature batch: score {score} of row {row} is not between 0 and 1")]
    Score {
        /// The row.
        row: usize,
        /// The score.
        score: f64,
    },
    /// A pseudonym that is empty or too long.
    #[error("{what} of {bytes} bytes, expected 1 to {max}")]
    Key {
        /// Which key.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Stored case state that cannot be read.
    #[error("stored case: {0}")]
    State(String),
    /// Bytes that are not a finding of ours.
    #[error("finding: {0}")]
    Finding(String),
    /// A value could not be written as JSON.
    #[error("cannot write canonical JSON: {0}")]
    Encode(#[source] serde_json::Error),
    /// A finding grew over its bound although its parts are bounded.
    #[error("finding of {bytes} bytes, at most {max} allowed")]
    Size {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Definitions(_) => Kind::Invalid,
            Self::State(_) | Self::Finding(_) => Kind::Corrupt,
            Self::Column { .. }
            | Self::Lengths { .. }
            | Self::Order { .. }
            | Self::Score { .. }
            | Self::Key { .. }
            | Self::Encode(_)
            | Self::Size { .. } => Kind::Bug,
        }
    }
}
