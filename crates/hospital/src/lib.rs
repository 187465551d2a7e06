//! A synthetic hospital: people, shifts, encounters, normal work and labelled insider scenarios.
//!
//! It writes what a real house would send (raw JSON of the native access and authentication formats, raw reference
//! rows) and keeps the truth apart: no scenario name, label or ground-truth reason reaches an event or a reference
//! row. It streams: at most one day is in memory. The same seed gives the same bytes. It must never read a wall
//! clock or know the code that is tested with it.
//! Read next: `hospital.rs` (the day loop), `config.rs`, `site.rs` (what differs between houses), `work.rs` (normal
//! work), `scenario.rs` and `acts.rs` (what insiders do).

mod acts;
mod calendar;
mod catalogue;
mod config;
mod draw;
mod error;
mod flow;
mod hospital;
mod json;
mod limits;
mod lives;
mod names;
mod oddity;
mod office;
mod origin;
mod plan;
mod render;
mod role;
mod roster;
mod rows;
mod scenario;
mod site;
mod sitting;
mod staff;
mod targets;
mod tasks;
mod town;
mod truth;
mod visit;
mod work;

pub use catalogue::{ScenarioInfo, scenarios};
pub use config::{HospitalConfig, Mix};
pub use error::Error;
pub use hospital::{Day, Hospital, Item, Stream};
pub use limits::WEIGHT_MAX;
pub use role::Role;
pub use rows::ReferenceRow;
pub use scenario::Scenario;
pub use site::Site;
pub use truth::{BenignOddity, Incident, IncidentRef, Setting, TruthRow};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
