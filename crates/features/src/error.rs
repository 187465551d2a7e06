//! What can go wrong while windows are compiled, computed or restored.

use base::{Kind, Timestamp};

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The SQL of a pipeline cannot be used.
    #[error("{file}:{line}: {problem}")]
    Sql {
        /// File of the SQL, as the pipeline names it.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
        /// What to try.
        hint: Option<String>,
    },
    /// The window settings do not fit together.
    #[error("{0}")]
    Misfit(String),
    /// Stored state does not belong to this program or is damaged.
    #[error("stored state: {0}; `chartwarden upgrade --rebuild` computes it anew from the archive")]
    State(String),
    /// A pane the journal counts is not there.
    #[error(
        "{tier} pane ending at {end} is missing: the journal counts {expected} panes and {found} were read; `chartwarden \
         upgrade --rebuild` computes the state anew from the archive"
    )]
    MissingPane {
        /// Tier.
        tier: &'static str,
        /// First end that is absent, in milliseconds since the epoch.
        end: i64,
        /// Panes counted in the journal.
        expected: usize,
        /// Panes found.
        found: usize,
    },
    /// The journal and the recomputation disagree.
    #[error("the journal closes {journal:?} where the log closes {log:?}: the journal belongs to another input")]
    JournalMismatch {
        /// Tick end in the journal.
        journal: Option<Timestamp>,
        /// Tick end due by the log.
        log: Option<Timestamp>,
    },
    /// What lanes told a watch cannot be understood.
    #[error("what lanes told a watch: {0}; the topic holds what no lane wrote")]
    Crossing(String),
    /// DataFusion failed where it must not.
    #[error("window engine: {0}")]
    DataFusion(#[from] datafusion::error::DataFusionError),
    /// Arrow failed where it must not.
    #[error("columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Sql { .. } | Self::Misfit(_) => Kind::Invalid,
            Self::State(_) | Self::Crossing(_) | Self::MissingPane { .. } | Self::JournalMismatch { .. } => {
                Kind::Corrupt
            }
            Self::DataFusion(_) | Self::Arrow(_) => Kind::Bug,
        }
    }
}

/// Results of this crate.
pub(crate) type Result<T> = std::result::Result<T, Error>;
