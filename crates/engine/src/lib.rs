//! The main path: from records to committed findings.
pub mod ports;
