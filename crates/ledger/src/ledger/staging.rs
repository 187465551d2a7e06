//! A commit's files in one object, written before the commit counts, so that a crash after it loses none of them.
//! Owns the layout only; the head holds the object's digest. Read next: `start.rs`, which replays it.
//!
//! Layout: for each file sixteen bits of name length, the name, 32 bits of length, the bytes; all big-endian.

use crate::Resource;
use crate::tree::Object;

pub(crate) fn path(name: &str) -> String {
    format!("staging/{name}")
}

pub(super) fn encode(objects: &[Object]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for object in objects {
        let name = object.resource.to_string();
        bytes.extend_from_slice(&(name.len() as u16).to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&(object.bytes.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&object.bytes);
    }
    bytes
}

pub(super) fn decode(mut rest: &[u8]) -> Option<Vec<Object>> {
    let mut objects = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let resource: Resource = std::str::from_utf8(name).ok()?.parse().ok()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let (bytes, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        objects.push(Object { resource, bytes: bytes.to_vec() });
        rest = after;
    }
    Some(objects)
}

#[cfg(test)]
mod tests;
