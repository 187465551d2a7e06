//! Kafka behind the engine's ports: lanes, transactions, topics, and a broker in memory for the demo.
//!
//! This is the only crate that links librdkafka. It decides nothing about events and spawns no task: every call is
//! made by the engine's thread, and what librdkafka's own threads report is picked up inside those calls.
//! Read next: `source.rs` (records and lanes in), `store.rs` (transactions out), `reader.rs` (how the end of a
//! partition is known).

mod admin;
mod committed;
mod config;
mod deadline;
mod delivery;
mod embedded;
mod error;
mod follower;
mod group;
mod leaders;
mod limits;
mod panes;
mod reader;
mod reference;
mod rekey;
mod report;
mod restore;
mod shares;
mod signal;
mod source;
mod speaker;
mod stable;
mod store;
mod tail;
mod topics;

pub use committed::{CommittedRecord, read_committed, read_committed_from};
pub use config::{Config, Topics};
pub use embedded::Embedded;
pub use follower::KafkaFollower;
pub use reference::KafkaReferenceFeed;
pub use rekey::{Address, Addresser, RekeyOptions, Rekeyed, rekey, rekeyed_to};
pub use source::KafkaSource;
pub use speaker::{Speaker, partition_of};
pub use topics::{
    Difference, Gravity, Mismatch, Remedy, Role, Scope, add_partitions, check_topics, compare_topics, create_topic,
    ensure_topics, lane_count, mend_topics, topic_ends, unfit_for_simulation,
};
