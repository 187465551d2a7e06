//! One entry of the log, as its bytes. A commitment is always 43 bytes: nothing of its content shows, not even its
//! length. Read next: `opening.rs` for how a commitment is made.
//!
//! Layout: version `1`, kind, flags, time in milliseconds as 64 bits big-endian, then either 32 bytes of commitment
//! or, for public kinds, sixteen bits of length and that many bytes of JSON.

use std::collections::BTreeMap;
use std::fmt;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::BODY_BYTES_MAX;

const VERSION: u8 = 1;
/// The clock stood before the entry before this one; the time repeats that entry's.
const FLAG_CLOCK_HELD: u8 = 1;
const HEADER_BYTES: usize = 11;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Nothing; hides how many real entries there are.
    Padding,
    /// A finding.
    Finding,
    /// What an analyst decided.
    Decision,
    /// An opening was erased; public.
    Erasure,
    /// The signing key changes; public.
    KeyChange,
    /// A checkpoint was anchored elsewhere; public.
    AnchorSeen,
    /// Digests of the rules and model in force; public.
    Manifest,
    /// The ledger begins or closes; public.
    Genesis,
    /// The digest of a segment of raw events.
    EvidenceDigest,
}

impl EntryKind {
    /// Every kind; its position is its code.
    pub const ALL: [Self; 9] = [
        Self::Padding,
        Self::Finding,
        Self::Decision,
        Self::Erasure,
        Self::KeyChange,
        Self::AnchorSeen,
        Self::Manifest,
        Self::Genesis,
        Self::EvidenceDigest,
    ];

    /// The byte that stands for it.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind a byte stands for.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Whether entries of this kind carry readable JSON instead of a commitment.
    pub fn is_public(self) -> bool {
        matches!(self, Self::Erasure | Self::KeyChange | Self::AnchorSeen | Self::Manifest | Self::Genesis)
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Padding => "padding",
            Self::Finding => "finding",
            Self::Decision => "decision",
            Self::Erasure => "erasure",
            Self::KeyChange => "key_change",
            Self::AnchorSeen => "anchor_seen",
            Self::Manifest => "manifest",
            Self::Genesis => "genesis",
            Self::EvidenceDigest => "evidence_digest",
        })
    }
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryContent {
    /// HMAC-SHA-256 over the content, keyed with a salt that is kept elsewhere.
    Commitment([u8; 32]),
    /// A compact JSON object anyone may read.
    Body(Vec<u8>),
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: EntryKind,
    /// The clock had gone back; `time` repeats the entry before.
    pub clock_held: bool,
    /// When it was submitted, by the log's own clock; never before the entry in front of it.
    pub time: Timestamp,
    /// What it carries.
    pub content: EntryContent,
}

/// Bytes that are not an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GrammarError(String);

impl Entry {
    /// The entry's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.kind.code(), if self.clock_held { FLAG_CLOCK_HELD } else { 0 }];
        bytes.extend_from_slice(&self.time.millis().max(0).to_be_bytes());
        match &self.content {
            EntryContent::Commitment(commitment) => bytes.extend_from_slice(commitment),
            EntryContent::Body(body) => {
                assert!(body.len() <= BODY_BYTES_MAX, "bodies are bounded where they are taken in");
                bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
                bytes.extend_from_slice(body);
            }
        }
        bytes
    }

    /// Reads an entry; every byte must have its place.
    pub fn decode(bytes: &[u8]) -> Result<Self, GrammarError> {
        let bad = |reason: String| Err(GrammarError(reason));
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return bad(format!("{} bytes are too few for an entry of at least {HEADER_BYTES}", bytes.len()));
        };
        let [version, code, flags, time @ ..] = *header;
        if version != VERSION {
            return bad(format!("entry version {version}, known is {VERSION}"));
        }
        let Some(kind) = EntryKind::from_code(code) else {
            return bad(format!("entry kind {code}, known are 0 to {}", EntryKind::ALL.len() - 1));
        };
        if flags & !FLAG_CLOCK_HELD != 0 {
            return bad(format!("entry flags {flags:#04x}, known is {FLAG_CLOCK_HELD:#04x}"));
        }
        let time_ms = u64::from_be_bytes(time);
        let Some(time_ms) = i64::try_from(time_ms).ok().filter(|ms| *ms <= Timestamp::MAX.millis()) else {
            return bad(format!("entry time {time_ms} ms is out of range"));
        };
        let content = if kind.is_public() {
            let Some((length, body)) = rest.split_first_chunk::<2>() else {
                return bad(format!("{kind} entry without a body"));
            };
            let length = usize::from(u16::from_be_bytes(*length));
            if body.len() != length {
                return bad(format!("{kind} entry says {length} bytes of body and has {}", body.len()));
            }
            check_body(body)?;
            EntryContent::Body(body.to_vec())
        } else {
            let Ok(commitment) = rest.try_into() else {
                return bad(format!("{kind} entry of {} bytes, expected {}", bytes.len(), HEADER_BYTES + 32));
            };
            EntryContent::Commitment(commitment)
        };
        Ok(Self { kind, clock_held: flags & FLAG_CLOCK_HELD != 0, time: Timestamp::from_millis(time_ms), content })
    }
}

/// A public body is a compact JSON object with sorted keys, so that it has one spelling; at most 4 KiB.
pub(crate) fn check_body(body: &[u8]) -> Result<(), GrammarError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(GrammarError(format!("body of {} bytes, at most {BODY_BYTES_MAX}", body.len())));
    }
    let spelled: Option<Vec<u8>> = serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(body)
        .ok()
        .and_then(|object| serde_json::to_vec(&object).ok());
    if spelled.as_deref() != Some(body) {
        return Err(GrammarError("body is not a compact JSON object with sorted keys".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
