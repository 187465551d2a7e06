//! The model file, little-endian:
//!
//! ```text
//! magic    8 bytes  CWMODEL1
//! section  tag (4 bytes), length in bytes (u64), content; in this order:
//!          head  JSON: name, settings, provenance, features, missing-value rules, calibration, metrics, references
//!          feat  u16 a node: feature tested, 65535 in leaves
//!          thre  f32 a node: up to and including it goes left
//!          left  u32 a node: left child, counted over all trees; the right one follows it
//!          valu  f32 a node: a leaf's probability
//!          cove  f32 a node: training rows that passed
//!          root  u32 a tree: its first node
//! sum      32 bytes SHA-256 of all before
//! ```
//!
//! Reading trusts nothing: the sum tells damage from malice, all else is checked as if there were no sum. There is
//! one way to write a model, and other ways are refused, so the digest of the file is the digest of the model.
//! Read next: `forest.rs` (what the arrays must fulfil).

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::forest::{Arrays, Forest};
use crate::limits::{HEADER_BYTES_MAX, MODEL_BYTES_MAX};
use crate::model::{Header, Model};

const MAGIC: &[u8; 8] = b"CWMODEL1";
const SUM_BYTES: usize = 32;

/// The file of a model.
pub(crate) fn write(header: &Header, arrays: &Arrays) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let head = serde_json::to_vec(header).expect("a header holds strings, numbers and lists only");
    section(&mut bytes, "head", &head);
    section(&mut bytes, "feat", &flat(&arrays.feature, |x| x.to_le_bytes()));
    section(&mut bytes, "thre", &flat(&arrays.threshold, |x| x.to_le_bytes()));
    section(&mut bytes, "left", &flat(&arrays.left, |x| x.to_le_bytes()));
    section(&mut bytes, "valu", &flat(&arrays.value, |x| x.to_le_bytes()));
    section(&mut bytes, "cove", &flat(&arrays.cover, |x| x.to_le_bytes()));
    section(&mut bytes, "root", &flat(&arrays.roots, |x| x.to_le_bytes()));
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

fn section(bytes: &mut Vec<u8>, tag: &str, content: &[u8]) {
    bytes.extend_from_slice(tag.as_bytes());
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    bytes.extend_from_slice(content);
}

fn flat<T: Copy, const N: usize>(values: &[T], to_bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| to_bytes(*value)).collect()
}

/// The model of a file.
pub(crate) fn read(bytes: &[u8]) -> Result<Model> {
    if bytes.len() > MODEL_BYTES_MAX {
        return Err(damaged("size", format!("{} bytes, at most {MODEL_BYTES_MAX} expected", bytes.len())));
    }
    if !bytes.starts_with(MAGIC) {
        return Err(damaged("magic", "the file does not start with CWMODEL1"));
    }
    let Some((content, sum)) = bytes.split_last_chunk::<SUM_BYTES>() else {
        return Err(damaged("sum", format!("{} bytes are too few for a model", bytes.len())));
    };
    if Sha256::digest(content).as_slice() != sum {
        return Err(damaged("sum", "content and sum differ: the file is cut short or changed"));
    }
    let mut reader = Reader { rest: content.get(MAGIC.len()..).unwrap_or_default() };
    let head = reader.section("head")?;
    if head.len() > HEADER_BYTES_MAX {
        return Err(damaged("head", format!("{} bytes, at most {HEADER_BYTES_MAX} expected", head.len())));
    }
    let header: Header = serde_json::from_slice(head).map_err(|error| damaged("head", error.to_string()))?;
    let arrays = Arrays {
        feature: reader.values("feat", u16::from_le_bytes)?,
        threshold: reader.values("thre", f32::from_le_bytes)?,
        left: reader.values("left", u32::from_le_bytes)?,
        value: reader.values("valu", f32::from_le_bytes)?,
        cover: reader.values("cove", f32::from_le_bytes)?,
        roots: reader.values("root", u32::from_le_bytes)?,
    };
    if !reader.rest.is_empty() {
        return Err(damaged("end", format!("{} bytes too many", reader.rest.len())));
    }
    let forest = Forest::new(arrays, header.features.len()).map_err(|reason| damaged("trees", reason))?;
    let model = Model::new(header, forest).map_err(|reason| damaged("head", reason))?;
    match model.to_bytes() == bytes {
        true => Ok(model),
        false => Err(damaged("head", "the header is not written in its one form")),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn section(&mut self, tag: &'static str) -> Result<&'a [u8]> {
        let short = || damaged(tag, "the section is cut short");
        let (found, rest) = self.rest.split_first_chunk::<4>().ok_or_else(short)?;
        if found != tag.as_bytes() {
            return Err(damaged(tag, format!("section `{}` stands in its place", found.escape_ascii())));
        }
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short())?;
        let (content, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        self.rest = rest;
        Ok(content)
    }

    fn values<T, const N: usize>(&mut self, tag: &'static str, from_bytes: fn([u8; N]) -> T) -> Result<Vec<T>> {
        let (values, rest) = self.section(tag)?.as_chunks::<N>();
        match rest.is_empty() {
            true => Ok(values.iter().map(|value| from_bytes(*value)).collect()),
            false => Err(damaged(tag, format!("{} bytes are left over", rest.len()))),
        }
    }
}

fn damaged(part: &'static str, reason: impl Into<String>) -> Error {
    Error::Damaged { part, reason: reason.into() }
}

#[cfg(test)]
mod tests;
