//! What the end-to-end tests share. Ships with nothing.
//!
//! Read next: `broker.rs`, a real Apache Kafka for the tests.

pub mod broker;
