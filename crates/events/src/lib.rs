//! What a security event is: records, decoders, rejects, the Arrow schemas, pseudonyms.
//!
//! Bytes come in as [`Records`], leave as an [`EventBatch`] and [`Reject`]s. No I/O, no clock: what a record
//! decodes to depends on its bytes, its append time and the [`Decoder`]'s configuration alone.
//! Read next: `record.rs` (what comes in), `schema.rs` (what goes out), `decode.rs` (the way between).

mod record;
pub mod schema;

pub use record::{Header, Offset, Record, Records, TopicId};
