//! What a dead letter carries: the record as it came, and in headers where it stood and what is wrong with it.
//!
//! The headers are those of Kafka Streams (KIP-1034), which tools query already, and ours. The original ones come first and
//! unchanged. Our texts never quote the payload: it may identify a patient.

use engine::ports::{DeadLetter, LaneId};
use events::Header;

use crate::limits::{LETTER_HEADERS_MAX, RECORD_BYTES_SURE};

/// What of its record a letter takes along: a topic may take less than was read, since brokers measure what is compressed.
pub(crate) struct Enclosed<'l> {
    pub(crate) key: Option<&'l [u8]>,
    pub(crate) value: Option<&'l [u8]>,
    headers: &'l [Header],
    omitted: Option<String>,
}

impl<'l> Enclosed<'l> {
    /// Whether a letter may be more than its topic takes.
    pub(crate) fn is_large(letter: &DeadLetter) -> bool {
        letter.record_bytes() > RECORD_BYTES_SURE - LETTER_HEADERS_MAX
    }

    /// As much as fits where a record may have `room` bytes.
    pub(crate) fn new(letter: &'l DeadLetter, room: usize) -> Self {
        let room = room.saturating_sub(LETTER_HEADERS_MAX);
        let (all, value) = (letter.record_bytes(), letter.value.as_ref().map_or(0, Vec::len));
        let whole = Self {
            key: letter.key.as_deref(),
            value: letter.value.as_deref(),
            headers: &letter.headers,
            omitted: None,
        };
        if all <= room {
            return whole;
        }
        if all - value <= room {
            return Self { value: None, omitted: Some(format!("value of {value} bytes")), ..whole };
        }
        let omitted = format!("key, value and headers of {all} bytes");
        Self { key: None, value: None, headers: &[], omitted: Some(omitted) }
    }

    /// All headers of the letter; its record came from topic `source`.
    pub(crate) fn headers(&self, letter: &DeadLetter, source: &str, lane: LaneId) -> Vec<Header> {
        let (lane, offset, part) = (lane.to_string(), letter.offset.to_string(), letter.part.to_string());
        let with = letter.record_with.map(|part| part.to_string());
        let with = with.iter().map(|part| ("x-chartwarden-record-with-part", part.as_str()));
        let omitted = self.omitted.iter().map(|what| ("x-chartwarden-omitted", what.as_str()));
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
        let ours = ours.into_iter().chain(with).chain(omitted);
        let ours = ours.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
        self.headers.iter().cloned().chain(ours).collect()
    }
}
