//! What the tests of the whole share. Ships with nothing.
//!
//! Read next: `broker.rs`, a real Apache Kafka for the tests; `binary.rs`, the product as a process; `tools.rs`, other
//! people's tools; `played.rs`, a demo that was played to its end.

pub mod binary;
pub mod broker;
pub mod jars;
pub mod played;
pub mod side_doors;
pub mod tools;
