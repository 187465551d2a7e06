//! The headers a dead letter carries: those of Kafka Streams (KIP-1034), which tools query already, and ours.
//!
//! The original headers come first and unchanged. Our texts never quote the payload: it may identify a patient.

use engine::ports::{DeadLetter, LaneId};
use events::Header;

/// All headers of a dead letter that came from topic `source`.
pub(crate) fn headers(letter: &DeadLetter, source: &str, lane: LaneId) -> Vec<Header> {
    let (lane, offset, part) = (lane.to_string(), letter.offset.to_string(), letter.part.to_string());
    let value_with = letter.value_with.map(|part| part.to_string());
    let value_with = value_with.iter().map(|part| ("x-chartwarden-value-with-part", part.as_str()));
    let ours = [
        ("__streams.errors.exception", letter.reason),
        ("__streams.errors.stacktrace", ""),
        ("__streams.errors.message", letter.detail.as_str()),
        ("__streams.errors.topic", source),
        ("__streams.errors.partition", &lane),
        ("__streams.errors.offset", &offset),
        ("x-chartwarden-reason", letter.reason),
        ("x-chartwarden-topic", source),
        ("x-chartwarden-partition", &lane),
        ("x-chartwarden-offset", &offset),
        ("x-chartwarden-part", &part),
    ];
    let ours =
        ours.into_iter().chain(value_with).map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
    letter.headers.iter().cloned().chain(ours).collect()
}
