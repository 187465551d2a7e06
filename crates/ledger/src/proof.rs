//! The `.tlog-proof` text: index, inclusion proof and checkpoint in one file (tlog-proof).
//! Owns its grammar only; whether it proves anything is `receipt.rs`'s question, to be read next.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::limits::{PROOF_BYTES_MAX, PROOF_HASHES_MAX};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A parsed proof. Nothing in it is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry's bytes; no signature covers this line, only the proof does.
    pub extra: Option<Vec<u8>>,
    /// The entry's position.
    pub index: u64,
    /// Sibling hashes from the leaf up (RFC 6962, section 2.1.1).
    pub hashes: Vec<[u8; 32]>,
    /// The signed checkpoint, as published.
    pub checkpoint: Vec<u8>,
}

/// The text is not a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadProof(String);

impl TlogProof {
    /// Reads a proof; there is one spelling for each.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadProof> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(BadProof(format!("the proof has {} bytes, at most {PROOF_BYTES_MAX}", bytes.len())));
        }
        let bad = |what: &str| BadProof(format!("the proof {what}"));
        let text = std::str::from_utf8(bytes).map_err(|_| bad("is not text"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| bad("has no checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(bad("does not begin with `c2sp.org/tlog-proof@v1`"));
        }
        let mut line = lines.next().ok_or_else(|| bad("has no `index` line"))?;
        let mut extra = None;
        if let Some(coded) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(coded).map_err(|_| bad("has an `extra` line that is not base64"))?);
            line = lines.next().ok_or_else(|| bad("has no `index` line"))?;
        }
        let index = line.strip_prefix("index ").ok_or_else(|| bad("has no `index` line"))?;
        let index = index
            .parse::<u64>()
            .ok()
            .filter(|number| number.to_string() == index)
            .ok_or_else(|| bad("has an `index` line that is not a plain number"))?;
        let hashes = lines
            .map(|line| STANDARD.decode(line).ok().and_then(|hash| hash.try_into().ok()))
            .collect::<Option<Vec<[u8; 32]>>>()
            .ok_or_else(|| bad("has a line that is not a hash in base64"))?;
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(bad(&format!("has {} hashes, at most {PROOF_HASHES_MAX}", hashes.len())));
        }
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.as_bytes().to_vec() })
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash)))?;
        write!(f, "\n{}", String::from_utf8_lossy(&self.checkpoint))
    }
}

#[cfg(test)]
mod tests;
