//! The classifier: training, the model file, batch scoring, calibration, explanation, drift.
//!
//! Owns no I/O: models come and go as byte slices, tables as columns, rows as Arrow batches. Knows no Kafka, no
//! events and no SQL. The same table and settings give the same model bytes; the same model and batch give the
//! same scores to the byte.
//!
//! Read next: `train.rs` (how a model is made, stage by stage), `model.rs` (what a model is), `scorer.rs` (how
//! rows are scored and explained), `format.rs` (the file). `grow.rs` is the only file that names the tree library.

mod calibration;
mod card;
mod columns;
mod compile;
mod config;
pub mod drift;
mod error;
mod evaluation;
mod forest;
mod format;
mod grow;
pub mod limits;
pub mod metrics;
mod model;
mod scorer;
mod shap;
mod split;
mod table;
mod train;

pub use calibration::Platt;
pub use card::card;
pub use columns::numbers;
pub use config::{Provenance, TrainingConfig};
pub use error::{Error, MissingColumn, Result};
pub use evaluation::{Budget, Interval, Metrics};
pub use model::Model;
pub use scorer::{Explanation, Scorer};
pub use table::{FeatureSpec, MissingRule, Table};
pub use train::train;

#[cfg(test)]
mod synthetic;
