//! Parts of records that cannot become events: why, where, and never with a word of the payload.

use std::fmt;

use base::Timestamp;

use crate::Offset;
use crate::limits::DETAIL_BYTES_MAX;

/// A part of a record that did not become an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Offset of the record.
    pub offset: Offset,
    /// Place within the record, from 0.
    pub part: i32,
    /// When the broker appended the record.
    pub append_time: Timestamp,
    /// Why, as a closed list.
    pub reason: RejectReason,
    /// Why, for a person: field path, expected shape, byte position; never what the payload said.
    pub detail: String,
}

/// Why a part is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// No value (a tombstone), nothing but white space, or a bundle without entries.
    Empty,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The text is not JSON, or ends too early.
    NotJson,
    /// More bytes or parts than a record may have.
    TooLarge,
    /// Nested deeper than a record may be.
    TooDeep,
    /// A field has another type than it must have.
    WrongType,
    /// A field stands twice, so what it says is ambiguous.
    DuplicateField,
    /// A field without which there is no event is absent.
    MissingField,
    /// Nobody is named as the one who acted.
    NoUser,
    /// The time is not a time.
    BadTime,
    /// The event lies further after its append time than clocks may differ.
    Future,
    /// The event lies further before its append time than events may be late at all.
    TooOld,
    /// Well-formed, but not of a kind this format knows.
    UnknownShape,
    /// Marked as test data by its source.
    TestData,
}

impl RejectReason {
    /// All reasons, in order.
    pub const ALL: [Self; 14] = [
        Self::Empty,
        Self::NotUtf8,
        Self::NotJson,
        Self::TooLarge,
        Self::TooDeep,
        Self::WrongType,
        Self::DuplicateField,
        Self::MissingField,
        Self::NoUser,
        Self::BadTime,
        Self::Future,
        Self::TooOld,
        Self::UnknownShape,
        Self::TestData,
    ];

    /// The name in metrics, headers and archives.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::WrongType => "wrong_type",
            Self::DuplicateField => "duplicate_field",
            Self::MissingField => "missing_field",
            Self::NoUser => "no_user",
            Self::BadTime => "bad_time",
            Self::Future => "future",
            Self::TooOld => "too_old",
            Self::UnknownShape => "unknown_shape",
            Self::TestData => "test_data",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text is no event, before it is known where the text came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Why, as a closed list.
    pub reason: RejectReason,
    /// Why, for a person; at most `DETAIL_BYTES_MAX` bytes, none of them from the payload.
    pub detail: String,
}

impl Fault {
    /// A fault, its detail cut to the limit.
    pub fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.len() > DETAIL_BYTES_MAX {
            detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
        }
        Self { reason, detail }
    }

    /// The fault of an absent field.
    pub fn missing(field: &str) -> Self {
        Self::new(RejectReason::MissingField, format!("field `{field}` is absent"))
    }
}
