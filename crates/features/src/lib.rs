//! Lanes' time and windows: watermarks, ticks, enrichment at the seal, panes, SQL windows, restorable state.
//!
//! A [`Lane`] is a pure state machine: event batches and idle decisions go in, sealed ticks come out, and what a
//! tick contains depends on the topics' logs, the recorded decisions and the pinned reference alone. It knows
//! neither Kafka nor models, and it is the only crate that names DataFusion.
//!
//! Read next: `walker.rs` (time as a function of the log), `lane.rs` (what a tick does), `window.rs` (how SQL
//! becomes panes), `open_step.rs` and `folding.rs` (from rows to panes), `state.rs` (what is stored and restored).

mod baseline;
mod day;
mod enrich;
mod error;
mod facts;
mod folding;
mod journal;
mod lane;
pub mod limits;
mod open_step;
mod pair_scores;
mod panes;
mod plan;
mod rows;
mod score;
mod seal;
mod sections;
mod seen;
mod shared;
mod slot;
mod sorted;
mod spec;
mod sql;
mod state;
mod walker;
mod watch;
mod window;

pub use error::Error;
pub use journal::{Counts, Decision, Digests, JournalRecord, TopicPosition};
pub use lane::{Lane, LaneConfig, TickOutput};
pub use panes::Tier;
pub use plan::{Plans, Program};
pub use shared::SharedFacts;
pub use spec::{
    BaselineSpec, ColumnMeaning, ProgramSpec, ScoringSpec, SeenSpec, SqlText, WatchSpec, WindowSize, WindowSpec,
    column_meanings,
};
pub use state::StoredPanes;
pub use walker::{Disposition, Walked, Walker};
pub use watch::{Crossing, WatchLane, WatchOutput};
