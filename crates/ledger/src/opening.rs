//! What opens a commitment: the salt and the content, as stored. Whoever has it can read the entry; whoever has
//! destroyed it has erased the entry. Never canonicalises: the bytes kept are the bytes committed to.
//! Read next: `openings.rs` for where they are kept, `receipt.rs` for how they are checked.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Parts this use of HMAC from any other use of the same salt.
const DOMAIN: &[u8] = b"chartwarden/finding/v1\n";

/// HMAC-SHA-256 keyed with the salt over `chartwarden/finding/v1`, a line feed and the content (RFC 2104).
/// It hides, as nobody can guess 32 random bytes, and binds, as the key has one length.
pub fn commitment(salt: &[u8; 32], content: &[u8]) -> [u8; 32] {
    // HMAC pads a key that is shorter than the hash's block with zeros; doing so here leaves nothing that can fail.
    let mut key = [0; 64];
    key[..32].copy_from_slice(salt);
    let mut mac = Hmac::<Sha256>::new(&key.into());
    mac.update(DOMAIN);
    mac.update(content);
    mac.finalize().into_bytes().into()
}

/// The salt and content behind one entry. As a file (`<id>.opening.json`) it is
/// `{"salt": base64, "content": text}`; content that is not UTF-8 stands as `"content_base64"`.
/// For an entry with a public body the content repeats the body and the salt is all zeros and plays no part.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawOpening", into = "RawOpening")]
pub struct Opening {
    /// 32 random bytes, of this entry alone.
    pub salt: [u8; 32],
    /// The bytes committed to.
    pub content: Vec<u8>,
}

/// Confidential: shows its length only.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening({} bytes)", self.content.len())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOpening {
    salt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

impl From<Opening> for RawOpening {
    fn from(opening: Opening) -> Self {
        let (content, content_base64) = match String::from_utf8(opening.content) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
        };
        Self { salt: STANDARD.encode(opening.salt), content, content_base64 }
    }
}

impl TryFrom<RawOpening> for Opening {
    type Error = &'static str;

    fn try_from(raw: RawOpening) -> Result<Self, Self::Error> {
        let salt = STANDARD.decode(raw.salt).ok().and_then(|salt| salt.try_into().ok());
        let content = match (raw.content, raw.content_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(coded)) => STANDARD.decode(coded).map_err(|_| "`content_base64` is not base64")?,
            _ => return Err("an opening has either `content` or `content_base64`"),
        };
        Ok(Self { salt: salt.ok_or("`salt` is not 32 bytes in base64")?, content })
    }
}

/// An opening file: the opening, or after an erasure the proof of that.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum OpeningFile {
    Opening(Opening),
    Erased(Tombstone),
}

/// What is left of an opening: the receipt of the notice that says it was erased.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tombstone {
    /// The `.tlog-proof` of the erasure notice.
    pub(crate) erased: String,
}

/// The public body of an erasure notice. Names an index and a code, never a person.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureNotice {
    /// On what ground, as a code.
    pub(crate) basis: String,
    /// The erased entry, in decimal.
    pub(crate) index: String,
}

impl ErasureNotice {
    /// The index of the erased entry, if a body is a notice at all.
    pub(crate) fn erased_index(body: &[u8]) -> Option<u64> {
        serde_json::from_slice::<Self>(body).ok()?.index.parse().ok()
    }
}

#[cfg(test)]
mod tests;
