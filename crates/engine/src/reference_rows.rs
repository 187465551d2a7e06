//! Rows of a reference feed on their way into the reference.

use events::PseudonymKeys;
use reference::{Kind, Pins, Reference, RowReject};

use crate::ports::{PortError, ReferenceRecord};

/// The kind a feed names.
fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// Applies a row; a reject leaves the reference as it was, but counts the offset as read.
pub(crate) fn apply(reference: &mut Reference, row: &ReferenceRecord, keys: &PseudonymKeys) -> Result<(), RowReject> {
    let Some(kind) = kind(row.kind) else { return Ok(()) };
    let value = row.value.as_deref().unwrap_or_default();
    reference.apply(kind, row.partition, row.offset, row.append_time, value, keys)
}

/// Ends as a feed names them.
pub(crate) fn pins(ends: Vec<(&'static str, u32, events::Offset)>) -> Result<Pins, PortError> {
    let mut pins = Pins::default();
    for (name, partition, end) in ends {
        let kind = kind(name).ok_or_else(|| PortError::Invalid(format!("`{name}` is no kind of reference rows")))?;
        pins.set(kind, partition, end);
    }
    Ok(pins)
}
