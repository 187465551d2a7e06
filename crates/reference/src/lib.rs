//! What the hospital knows: staff and their names, patients, and the reasons one may open the other's chart.
//!
//! Rows arrive as JSON from compacted topics or files, with raw ids that become pseudonyms at the door. Every version
//! of every row is kept with its own valid time and its position in the log, so that a lookup answers two questions
//! at once: what was true at `at`, of what was [`Known`]. No I/O, no clock, and no order of arrival across
//! partitions ever shows in an answer.
//! Read next: `rows.rs` (what comes in), `pins.rs` (what is known when), `ladder.rs` (how good a reason is).

mod directory;
mod kind;
mod ladder;
pub mod limits;
mod pins;
mod pseudonymise;
mod rows;
mod store;
mod symbols;
mod versions;
mod view;

pub use directory::Directory;
pub use kind::{Kind, RelationKind, StaffKind};
pub use ladder::{Reason, Rung};
pub use pins::{Known, ParsePinsError, Pins};
pub use pseudonymise::pseudonymise;
pub use rows::RowReject;
pub use store::{Counts, Loaded, Reference};
pub use view::{PatientView, StaffView};
