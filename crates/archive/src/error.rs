//! What can go wrong with an archive, told in words.

use std::path::{Path, PathBuf};

use base::{Kind, Timestamp};
use engine::ports::{LaneId, PortError};
use parquet::errors::ParquetError;

/// Errors of the archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk.
    #[error("archive file `{}`: {doing}: {source}", .path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system answered.
        source: std::io::Error,
    },
    /// An archive has one writer.
    #[error(
        "archive folder `{}`: another process writes into it, a `run --data` or a replay from a cluster: stop that one, or \
         give another folder",
        .folder.display()
    )]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// A file that is not what was written.
    #[error("archive file `{}`: {problem}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Journal records are missing between two files, or before the first.
    #[error(
        "lane {lane}: the archive has a gap: journal record {expected} should follow, the next one there is {found}; \
         results after the gap cannot be computed again"
    )]
    Gap {
        /// The lane.
        lane: LaneId,
        /// The sequence that should come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// Reference rows are missing between two files, or before the first.
    #[error("reference {kind}/{partition}: the archive has a gap: offset {expected} should follow, {found} does")]
    ReferenceGap {
        /// Kind of rows.
        kind: &'static str,
        /// Partition of the reference topic.
        partition: u32,
        /// Where the file before ends.
        expected: i64,
        /// Where the next one starts.
        found: i64,
    },
    /// A journal record names reference rows, and no file holds any.
    #[error(
        "archive folder `{}`: lane {lane} has gone by rows of the reference {kind}/{partition} up to offset {end}, and there \
         are none: the files of `stream=reference` are gone",
        .folder.display()
    )]
    ReferenceGone {
        /// The archive.
        folder: PathBuf,
        /// The lane.
        lane: LaneId,
        /// Kind of rows.
        kind: &'static str,
        /// Partition of the reference topic.
        partition: u32,
        /// Where the rows end that the lane knew.
        end: i64,
    },
    /// What the journal counted is not what was read.
    #[error("lane {lane}, topic `{topic}`, journal record {sequence}: {problem}")]
    Counts {
        /// The lane.
        lane: LaneId,
        /// The input topic.
        topic: String,
        /// The journal record.
        sequence: u64,
        /// What differs.
        problem: String,
    },
    /// A result that comes when its tick is in the archive.
    #[error(transparent)]
    Late(#[from] Late),
    /// A committed record that cannot be understood.
    #[error("lane {lane}: a committed {what} cannot be read: {problem}")]
    Committed {
        /// The lane.
        lane: LaneId,
        /// What it is.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The archive cannot be replayed as asked.
    #[error("{0}")]
    Replay(String),
    /// Where records are followed from.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A decoder that cannot be made.
    #[error(transparent)]
    Events(#[from] events::Error),
    /// Columns that do not fit together.
    #[error("columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// A result that came when its tick was in the archive, and is not in its run. Whoever reads on from there misses it without
/// a word: see `Archiver::check_holds`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "archive folder `{}`: lane {lane}: a result of `{stream}` for the tick of {} came after that tick was archived, and is \
     not in its run; remove the lane's files from that run on, and archive again while the topics still hold what was in them",
    .folder.display(),
    engine::when(*.tick_end)
)]
pub struct Late {
    /// The folder that holds the lane's files.
    pub folder: PathBuf,
    /// The lane.
    pub lane: LaneId,
    /// The stream.
    pub stream: String,
    /// The end of its tick.
    pub tick_end: Timestamp,
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Disk { source, .. } if needs_a_person(source) => Kind::Invalid,
            Self::Disk { .. } | Self::Taken { .. } => Kind::Unavailable,
            Self::File { .. }
            | Self::Gap { .. }
            | Self::ReferenceGap { .. }
            | Self::ReferenceGone { .. }
            | Self::Counts { .. }
            | Self::Late(_)
            | Self::Committed { .. } => Kind::Corrupt,
            Self::Replay(_) => Kind::Invalid,
            Self::Port(error) => error.kind(),
            Self::Events(error) => error.kind(),
            Self::Arrow(_) => Kind::Bug,
        }
    }

    pub(crate) fn disk<'p>(path: &'p Path, doing: &'static str) -> impl Fn(std::io::Error) -> Self + 'p {
        move |source| Self::Disk { path: path.to_path_buf(), doing, source }
    }

    /// What the Parquet library could not do: for a reason of the disk, or of the file.
    pub(crate) fn parquet<'p>(path: &'p Path, doing: &'static str) -> impl Fn(ParquetError) -> Self + Copy + 'p {
        move |error| {
            let ParquetError::External(source) = error else { return Self::file(path, error) };
            match source.downcast::<std::io::Error>() {
                Ok(source) => Self::Disk { path: path.to_path_buf(), doing, source: *source },
                Err(other) => Self::file(path, other),
            }
        }
    }

    pub(crate) fn file(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), problem: problem.to_string() }
    }
}

/// Whether waiting does not help.
fn needs_a_person(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotFound | PermissionDenied | ReadOnlyFilesystem)
}

impl From<Error> for PortError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match (error.kind(), error) {
            (_, Error::Port(error)) => error,
            (Kind::Unavailable, _) => Self::Unavailable(text),
            (Kind::Invalid, _) => Self::Invalid(text),
            (Kind::Corrupt | Kind::Bug, _) => Self::Corrupt(text),
        }
    }
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
