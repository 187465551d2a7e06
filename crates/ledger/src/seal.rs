//! A digest line under a file of ours, so that a flipped bit in it is noticed. It stops accidents, not forgers:
//! what must withstand forgery is signed. Read next: `head.rs`, `openings.rs`.

use base::Digest;
use sha2::{Digest as _, Sha256};

const LABEL: &str = "sha256 ";
const LINE_BYTES: usize = LABEL.len() + 64 + 1;

/// SHA-256 of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// The bytes with their digest line.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let line = format!("{LABEL}{}\n", digest(&bytes));
    bytes.extend_from_slice(line.as_bytes());
    bytes
}

/// The bytes above the digest line, if it fits them.
pub(crate) fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let (bytes, line) = sealed.split_at_checked(sealed.len().checked_sub(LINE_BYTES)?)?;
    (line == format!("{LABEL}{}\n", digest(bytes)).as_bytes()).then_some(bytes)
}
