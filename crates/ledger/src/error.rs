//! What can go wrong, and what to do about it.
//! Read next: `ledger.rs`, where a durable step that fails stops the writer.

use std::path::PathBuf;

use base::Kind;

/// Shorthand for this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate. Ids in it are the caller's entry ids, never a person's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A signing or verifier key, or its file, will not do.
    #[error("key {place}: {reason}")]
    Key {
        /// The file, or the part of the key that is wrong.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A ledger is created in an empty place only.
    #[error("{place} is not empty: it holds `{found}`; a ledger begins in an empty directory")]
    NotEmpty {
        /// Where the ledger was to begin.
        place: String,
        /// The first thing found there.
        found: String,
    },
    /// Nothing here to open.
    #[error("{place} holds no ledger: there is no state/head; create one first")]
    NoLedger {
        /// Where it was looked for.
        place: String,
    },
    /// The confidential directory and the public one lie inside each other.
    #[error("openings {openings} and log {log} overlap: what opens entries must lie outside what is served")]
    Overlap {
        /// The confidential directory.
        openings: PathBuf,
        /// The served directory.
        log: PathBuf,
    },
    /// A submission that cannot become an entry. Nothing of its batch was written.
    #[error("entry `{id}`: {reason}")]
    Submission {
        /// The submission's id, cut short if it is too long.
        id: String,
        /// What is wrong with it, and the bound.
        reason: String,
    },
    /// The ledger holds no entry of that id.
    #[error("no entry `{id}` in this ledger of {size} entries")]
    UnknownId {
        /// The id asked for.
        id: String,
        /// The ledger's size.
        size: u64,
    },
    /// The entry's opening was erased; `Ledger::erasure` proves that.
    #[error("entry `{id}` was erased: its notice is entry {notice}")]
    Erased {
        /// The id asked for.
        id: String,
        /// The index of the erasure notice.
        notice: u64,
    },
    /// A receipt was to be judged without the entry it speaks of.
    #[error("the proof has no `extra` line: give the entry's bytes as well")]
    NoEntry,
    /// Somebody else has the confidential directory open.
    #[error("{place} is in use by another writer")]
    InUse {
        /// The lock's place.
        place: String,
    },
    /// Another writer moved the head: this one must open the ledger again.
    #[error("the head of the ledger moved on since entry {size}: another writer is at work; open the ledger again")]
    HeadMoved {
        /// The size this writer stood at.
        size: u64,
    },
    /// An earlier append failed half-way; opening the ledger again finds out what became of it.
    #[error("the writer stopped at entry {size} after a failed write: open the ledger again")]
    Stopped {
        /// The size this writer stood at.
        size: u64,
    },
    /// The object store failed.
    #[error("{path}: {source}")]
    Store {
        /// The object.
        path: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Stored bytes are not what was written.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The object.
        path: String,
        /// What is wrong, where.
        reason: String,
    },
    /// The start path will not go on: going on could sign a second history.
    #[error("refused to start: {reason}")]
    Refused {
        /// What does not fit.
        reason: String,
    },
    /// Our own fault.
    #[error("bug: {0}")]
    Bug(String),
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Key { .. }
            | Error::NotEmpty { .. }
            | Error::NoLedger { .. }
            | Error::Overlap { .. }
            | Error::Submission { .. }
            | Error::UnknownId { .. }
            | Error::Erased { .. }
            | Error::NoEntry => Kind::Invalid,
            Error::InUse { .. }
            | Error::HeadMoved { .. }
            | Error::Stopped { .. }
            | Error::Store { .. }
            | Error::Io { .. } => Kind::Unavailable,
            Error::Damaged { .. } | Error::Refused { .. } => Kind::Corrupt,
            Error::Bug(_) => Kind::Bug,
        }
    }

    pub(crate) fn damaged(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Damaged { path: path.into(), reason: reason.into() }
    }

    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Error::Io { path: path.display().to_string(), source }
    }
}
