//! JSON that is not trusted: tolerant texts, limits before parsing, and errors that do not quote what they met.
//!
//! Must never put a word of the payload into a fault. Read next: `decode.rs`, which walks the parts found here.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::limits::{DEPTH_MAX, PARTS_MAX, RECORD_BYTES_MAX};
use crate::{Fault, RejectReason};

/// A text, borrowed where it stands without escapes. A number or a flag in its place is taken as written:
/// exports give ids as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(if flag { "true" } else { "false" })))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

/// The text of a record's value, within the limits that do not need parsing.
pub(crate) fn checked_text(value: Option<&[u8]>) -> Result<&str, Fault> {
    let value = value.ok_or_else(|| Fault::new(RejectReason::Empty, "no value: a tombstone"))?;
    if value.len() > RECORD_BYTES_MAX {
        let detail = format!("the value has {} bytes, the limit is {RECORD_BYTES_MAX}", value.len());
        return Err(Fault::new(RejectReason::TooLarge, detail));
    }
    let text = std::str::from_utf8(value)
        .map_err(|error| Fault::new(RejectReason::NotUtf8, format!("not utf-8 at byte {}", error.valid_up_to())))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(Fault::new(RejectReason::Empty, "the value is empty"));
    }
    check_depth(text)?;
    Ok(text)
}

/// Refuses what nests too deep. Counting brackets is far cheaper than walking, and settles nearly every record.
fn check_depth(text: &str) -> Result<(), Fault> {
    // `[` and `{` differ in one bit; summed so, the loop becomes vector instructions.
    let openings: usize = text.bytes().map(|byte| usize::from(byte | 0x20 == b'{')).sum();
    if openings <= DEPTH_MAX {
        return Ok(());
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            let detail = format!("nested deeper than {DEPTH_MAX} at byte {position}");
            return Err(Fault::new(RejectReason::TooDeep, detail));
        }
    }
    Ok(())
}

/// The events of a text, before they are understood.
pub(crate) enum Parts<'a> {
    /// One document.
    One(&'a str),
    /// Documents one a line (NDJSON).
    Lines(Vec<&'a str>),
    /// The elements of an array.
    Elements(Vec<&'a RawValue>),
}

/// Splits a text that `checked_text` has passed.
///
/// It is NDJSON if it has several lines and each starts like an object: no printing of a single document looks so.
pub(crate) fn split(text: &str) -> Result<Parts<'_>, Fault> {
    if text.starts_with('[') {
        let elements = parse_any::<Vec<&RawValue>>(text)?;
        if elements.is_empty() {
            return Err(Fault::new(RejectReason::Empty, "an array without elements"));
        }
        check_part_count(elements.len())?;
        return Ok(Parts::Elements(elements));
    }
    if !text.contains('\n') {
        return Ok(Parts::One(text));
    }
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    if !lines().all(|line| line.starts_with('{')) || lines().nth(1).is_none() {
        return Ok(Parts::One(text));
    }
    let lines = lines().collect::<Vec<_>>();
    check_part_count(lines.len())?;
    Ok(Parts::Lines(lines))
}

/// Refuses bundles of too many events.
pub(crate) fn check_part_count(count: usize) -> Result<(), Fault> {
    if count <= PARTS_MAX {
        return Ok(());
    }
    Err(Fault::new(RejectReason::TooLarge, format!("{count} events in one record, the limit is {PARTS_MAX}")))
}

/// Parses an object into a borrowed shape.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    let read = parse_any(text)?;
    // Serde would fill a struct from an array as well, by position.
    if !text.trim_start().starts_with('{') {
        return Err(Fault::new(RejectReason::WrongType, "the document, byte 0: expected an object"));
    }
    Ok(read)
}

fn parse_any<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| fault_of::<T>(text, &error))
}

/// Says what is wrong without saying what stood there: serde's own texts quote the value they met.
#[cold]
fn fault_of<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> Fault {
    let position = byte_position(text, error.line(), error.column());
    if error.classify() != Category::Data {
        let detail = match error.is_eof() {
            true => format!("ends at byte {position} in the middle of a value"),
            false => format!("not json at byte {position}"),
        };
        return Fault::new(RejectReason::NotJson, detail);
    }
    let message = error.to_string();
    if message.starts_with("duplicate field") {
        return Fault::new(RejectReason::DuplicateField, format!("a field stands twice, at byte {position}"));
    }
    // The path holds only names of fields the shape knows: within others nothing can be of a wrong type.
    let path = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(text))
        .err()
        .map_or_else(String::new, |error| error.path().to_string());
    let field = if matches!(path.as_str(), "" | ".") { "the document".to_owned() } else { format!("field `{path}`") };
    // Serde writes `<what it met, quoted>, expected <our own words> at line 1 column 2`.
    let expected = message
        .rsplit_once(", expected ")
        .map_or("another type", |(_, tail)| tail.rsplit_once(" at line").map_or(tail, |(words, _)| words));
    Fault::new(RejectReason::WrongType, format!("{field}, byte {position}: expected {expected}"))
}

/// Serde counts lines and columns from 1, columns in bytes.
fn byte_position(text: &str, line: usize, column: usize) -> usize {
    let lines_before = text.split_inclusive('\n').take(line.saturating_sub(1));
    lines_before.map(str::len).sum::<usize>() + column.saturating_sub(1)
}

#[cfg(test)]
mod tests;
