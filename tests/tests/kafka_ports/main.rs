//! The Kafka ports against a real broker: what only a real broker does. Fencing, aborted and half-done transactions,
//! its death in the middle of a commit, rebalances, deletion.
//!
//! Each test has topics, group and prefix of its own, so they share one broker; those that kill it start their own.

mod ends;
mod group;
mod lane;
mod reference;
mod rekey;
mod support;
mod topics;
