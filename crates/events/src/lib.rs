//! What a security event is: records, decoders, rejects, the Arrow schemas, pseudonyms.
//!
//! Bytes come in as [`Records`], leave as [`Decoded`]: a batch of events and the [`Reject`]s. No I/O, no clock: what
//! a record decodes to depends on its bytes, its append time and the [`Decoder`]'s configuration alone.
//! Read next: `record.rs` (what comes in), `schema.rs` (what goes out), `decode.rs` (the way between).

mod decode;
mod error;
mod fhir;
mod json;
pub mod limits;
mod moment;
mod native;
mod network;
mod ocsf;
mod pseudonym;
mod record;
mod reject;
pub mod schema;
#[cfg(test)]
mod testing;
pub mod words;

pub use decode::{Act, DecodeOptions, Decoded, Decoder, Format, acts};
pub use error::{Error, Result};
pub use json::{Text, parse as parse_json};
pub use moment::{Moment, NumberUnit, RawTime};
pub use network::{EXTERNAL, Networks};
pub use pseudonym::{PseudonymKeys, normalise_id};
pub use record::{Header, Offset, Record, Records, TopicId};
pub use reject::{Fault, Reject, RejectReason};
pub use schema::Stream;
