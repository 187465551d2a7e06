//! The archive: what lanes read, decided and produced, as Parquet files, and the replay that computes it again.
//!
//! Files are written by an archiver that follows the committed journal and holds no lane up. A replay is the engine
//! over [`ReplaySource`] and [`ArchiveFeed`]: features, scores and findings of the archive are compared with, never
//! read. Raw ids of patients and staff must not enter a file. Read next: `layout.rs` (which files there are),
//! `archiver.rs` (how they come to be), `replay.rs` (how they are read again).

mod archiver;
mod compare;
mod crossings;
mod decided;
mod error;
mod feed;
mod findings;
mod follow;
mod layout;
mod limits;
mod listing;
mod reach;
mod read;
mod recorded;
mod records;
mod reference_rows;
mod replay;
mod results;
mod resume;
mod run;
mod spool;
mod store;
mod table;
#[cfg(test)]
mod testing;
mod watches;

pub use archiver::{Archiver, LaneArchived, Progress};
pub use compare::{Report, compare, compare_watches};
pub use crossings::Crossings;
pub use decided::decided;
pub use error::{Error, Late, Result};
pub use feed::ArchiveFeed;
pub use findings::{ArchivedFinding, read_findings, write_findings};
pub use listing::Listing;
pub use reach::compare_reach;
pub use recorded::{RecordedFeed, RecordedSource};
pub use records::RecordFile;
pub use replay::{ReplaySource, tick_that_read};
pub use results::Results;
pub use store::{Captured, CapturedLane, Keep};
pub use watches::WatchSource;

/// Tests allocate as the product does.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
