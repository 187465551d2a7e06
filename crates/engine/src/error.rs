//! What can stop the main path.

use base::Kind;

use crate::ports::{LaneId, PortError};
use crate::spec::Problems;

/// Errors of the main path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pipeline has problems.
    #[error(transparent)]
    Pipeline(#[from] Problems),
    /// The broker, an archive or a disk.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Windows or their state.
    #[error(transparent)]
    Features(#[from] features::Error),
    /// A model.
    #[error(transparent)]
    Risk(#[from] risk::Error),
    /// Cases and findings.
    #[error(transparent)]
    Findings(#[from] findings::Error),
    /// A decoder that cannot be made.
    #[error(transparent)]
    Events(#[from] events::Error),
    /// State stored under other definitions.
    #[error(
        "lane {lane}: its state was computed under another {what} ({stored}) than this pipeline has ({now}); \
         `chartwarden upgrade` computes it anew from the archive; or run the version that wrote it"
    )]
    OtherDefinitions {
        /// The lane.
        lane: LaneId,
        /// Which definition differs.
        what: &'static str,
        /// What the state says.
        stored: String,
        /// What the pipeline says.
        now: String,
    },
    /// The journal of another version, whose records this one does not understand.
    #[error(
        "lane {lane}: its journal was written by `{stored}`, which `{now}` cannot read; run the version that wrote it, or \
         begin anew under another `state_prefix`"
    )]
    OtherEngine {
        /// The lane.
        lane: LaneId,
        /// Who wrote it.
        stored: String,
        /// Who reads it.
        now: &'static str,
    },
    /// State that cannot be put in the place of what is stored.
    #[error("lane {lane} cannot be renewed: {problem}")]
    Renewal {
        /// The lane.
        lane: LaneId,
        /// What does not fit.
        problem: String,
    },
    /// The newest journal record cannot be read.
    #[error("lane {lane}: its head is damaged: {problem}")]
    Head {
        /// The lane.
        lane: LaneId,
        /// What is wrong.
        problem: String,
    },
    /// A replay's journal closes another tick than its input does.
    #[error("lane {lane}: the journal closes {journal} next, the input {input}: they do not belong together")]
    Journal {
        /// The lane.
        lane: LaneId,
        /// Tick in the journal.
        journal: String,
        /// Tick due by the input.
        input: String,
    },
    /// A law does not hold.
    #[error("law broken: {0}")]
    Law(String),
    /// Arrow.
    #[error("columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A metric that cannot be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Pipeline(_) | Self::OtherDefinitions { .. } | Self::OtherEngine { .. } | Self::Renewal { .. } => {
                Kind::Invalid
            }
            Self::Port(error) => error.kind(),
            Self::Features(error) => error.kind(),
            Self::Risk(error) => error.kind(),
            Self::Findings(error) => error.kind(),
            Self::Events(error) => error.kind(),
            Self::Head { .. } | Self::Journal { .. } => Kind::Corrupt,
            Self::Law(_) | Self::Arrow(_) | Self::Metrics(_) => Kind::Bug,
        }
    }
}

/// Results of the main path.
pub type Result<T> = std::result::Result<T, Error>;
