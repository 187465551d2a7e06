//! Kafka records as they come: untrusted bytes with a position. One arena holds the payloads of a whole poll.

use std::fmt;

use base::Timestamp;
use serde::{Deserialize, Serialize};

/// The offset of a record in its partition. Spans of offsets are half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Offset {
    /// The offset right after this one. Gaps are normal (transaction markers): this is where to read on, not
    /// where a record must be.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of a pipeline's input topics: its index in the order `pipeline.toml` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub u8);

impl TopicId {
    /// The index as `usize`.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A record header; values may be absent.
pub type Header = (String, Option<Vec<u8>>);

/// One record, borrowed from [`Records`].
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Position in the partition.
    pub offset: Offset,
    /// When the broker appended it (or, on topics that keep the producer's clock, when it was made).
    pub append_time: Timestamp,
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// The value; absent in a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header],
}

/// Records of one topic and lane in offset order, payloads in one arena.
#[derive(Clone, Debug, Default)]
pub struct Records {
    arena: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    offset: Offset,
    append_time: Timestamp,
    key: Option<(usize, usize)>,
    value: Option<(usize, usize)>,
    headers: Vec<Header>,
}

impl Records {
    /// Adds a record, copying its bytes.
    pub fn push(&mut self, record: Record<'_>) {
        let key = record.key.map(|bytes| self.store(bytes));
        let value = record.value.map(|bytes| self.store(bytes));
        let headers = record.headers.to_vec();
        self.entries.push(Entry { offset: record.offset, append_time: record.append_time, key, value, headers });
    }

    fn store(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        (start, self.arena.len())
    }

    /// The records in the order they were pushed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        let slice = |span: Option<(usize, usize)>| span.map(|(start, end)| &self.arena[start..end]);
        self.entries.iter().map(move |entry| Record {
            offset: entry.offset,
            append_time: entry.append_time,
            key: slice(entry.key),
            value: slice(entry.value),
            headers: &entry.headers,
        })
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of keys and values held.
    pub fn byte_count(&self) -> usize {
        self.arena.len()
    }
}
