//! What the tests of the whole share. Ships with nothing.
//!
//! Read next: `broker.rs`, a real Apache Kafka for the tests; `binary.rs`, the product as a process.

pub mod binary;
pub mod broker;
