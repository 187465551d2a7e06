//! From scores and rule columns to cases, and from cases to findings told in sentences.
//!
//! Owns what a case is, when it is opened, updated and closed, the words in which it is told, and the canonical
//! bytes of a finding (OCSF Detection Finding 2004 as RFC 8785 JSON). It must never do I/O, ask a clock, draw
//! randomness or let the order of a hash map reach its output: the same ticks give the same bytes.
//! Read next: `cases.rs`, the decisions; then `tell.rs`, the words; then `ocsf.rs`, the bytes.

mod attack;
mod canonical;
mod case;
mod cases;
mod definitions;
mod error;
mod evidence;
#[cfg(test)]
mod fixture;
mod limits;
mod ocsf;
mod policy;
mod score;
mod tell;
mod template;
mod value;
mod view;
mod words;

pub use canonical::{digest, validate};
pub use cases::{Cases, Finding, Step, Tick};
pub use error::{Error, Result};
pub use evidence::{Contribution, Other, PairEvidence};
pub use limits::FINDING_BYTES_MAX;
pub use policy::{Activity, Confidence, FeatureMeaning, Origin, Policy, Rule, Severity, Subject};
pub use view::{FindingView, RuleView, read};
pub use words::moment;
