//! Signed checkpoints: origin, size and root in a signed note (tlog-checkpoint, signed-note).
//! Never trusts a note whose signature by the expected key does not hold, whatever else is on it.
//! Read next: `tree.rs` for the root, `head.rs` for when a checkpoint counts.

use base::Digest;
use signed_note::{Note, VerifierList};
use tlog_tiles::Hash;

use crate::limits::{CHECKPOINT_BYTES_MAX, LEDGER_ENTRIES_MAX};
use crate::{Error, Result, SigningKey, VerifierKey};

/// Where the newest checkpoint is published.
pub(crate) const CHECKPOINT_PATH: &str = "checkpoint";

/// What a log promised: its first `size` entries hash to `root`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Merkle tree hash over them (RFC 6962, section 2.1).
    pub root: Digest,
}

impl Checkpoint {
    /// Reads a signed checkpoint, or says in words why it does not hold. Signatures of keys other than `vkey` are
    /// passed over, as signed-note asks; a bad signature under `vkey`'s name and id is fatal.
    pub fn open(note: &[u8], vkey: &VerifierKey) -> Result<Self, String> {
        if note.len() > CHECKPOINT_BYTES_MAX {
            return Err(format!("checkpoint of {} bytes, at most {CHECKPOINT_BYTES_MAX}", note.len()));
        }
        let note = Note::from_bytes(note).map_err(|_| "the checkpoint is not a signed note".to_owned())?;
        note.verify(&VerifierList::new(vec![Box::new(vkey.verifier().clone())]))
            .map_err(|error| format!("the checkpoint is not signed by {}: {error}", vkey.origin()))?;
        let found = tlog_tiles::Checkpoint::from_bytes(note.text())
            .map_err(|_| "the signed note is not a checkpoint".to_owned())?;
        if found.origin() != vkey.origin() {
            return Err(format!("the checkpoint speaks for `{}`, the key for `{}`", found.origin(), vkey.origin()));
        }
        if found.size() > LEDGER_ENTRIES_MAX {
            return Err(format!("the checkpoint covers {} entries, at most {LEDGER_ENTRIES_MAX}", found.size()));
        }
        Ok(Self { origin: found.origin().to_owned(), size: found.size(), root: Digest(found.hash().0) })
    }

    /// Signs `size` and `root` for the key's origin. The same input gives the same bytes.
    pub(crate) fn sign(key: &SigningKey, size: u64, root: Hash) -> Result<Vec<u8>> {
        let text = tlog_tiles::Checkpoint::new(key.origin(), size, root, "")
            .map_err(|_| Error::Bug(format!("origin `{}` does not fit a checkpoint", key.origin())))?
            .to_bytes();
        let mut note = Note::new(&text, &[]).map_err(|error| Error::Bug(format!("checkpoint text: {error}")))?;
        note.add_sigs(&[key.signer()]).map_err(|error| Error::Bug(format!("checkpoint signature: {error}")))?;
        Ok(note.to_bytes())
    }

    /// The root as the tree code knows it.
    pub(crate) fn hash(&self) -> Hash {
        Hash(self.root.0)
    }
}

#[cfg(test)]
mod tests;
