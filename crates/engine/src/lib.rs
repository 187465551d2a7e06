//! The main path: from records to committed findings, its limits and invariants, the checked pipeline, every metric.
//!
//! Knows no broker and no file format: those stand behind the traits in `ports.rs`.
//! Read next: `run.rs` (the loop, top down), `worker.rs` (one lane at work), `watch.rs` (what
//! crosses lanes), `spec.rs` (the checked pipeline).

mod crew;
mod error;
mod guide;
mod idle;
pub mod invariants;
mod judge;
pub mod limits;
mod metrics;
pub mod ports;
mod progress;
mod rebuild;
mod reference_rows;
mod run;
mod spec;
mod stopwatch;
mod troubles;
mod watch;
mod when;
mod worker;

pub use error::{Error, Result};
pub use features::{Counts, Crossing, Decision, Digests, Disposition, JournalRecord, Walked, Walker};
pub use metrics::{Metrics, Sink};
pub use progress::{LaneProgress, Progress, Snapshot, WatchProgress};
pub use rebuild::{Former, State};
pub use run::Engine;
pub use spec::{ENGINE, Input, ModelUse, Models, PipelineSpec, Problem, Problems, Watch};
pub use watch::{STREAM as WATCH_STREAM, Watcher};
pub use when::when;

/// Tests allocate as the product does.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
