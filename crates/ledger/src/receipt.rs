//! Receipts, and their judgement: pure, offline, from the auditor's own key. Never trusts a word of what it is
//! given: every byte is either signed, proven, or makes the verdict `invalid`. Read next: `verify.rs`.

use std::fmt;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use tlog_tiles::{Hash, check_record, record_hash};

use crate::limits::OPENING_BYTES_MAX;
use crate::opening::{ErasureNotice, OpeningFile, Tombstone};
use crate::{Checkpoint, Entry, EntryContent, EntryKind, Error, Opening, Result, TlogProof, VerifierKey, commitment};

/// What a ledger gives for an entry.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The `.tlog-proof` text, shareable; its `extra` line holds the entry.
    pub proof: String,
    /// The salt and content, confidential.
    pub opening: Opening,
}

/// What a ledger gives for an erased entry.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// The `.tlog-proof` text of the entry.
    pub proof: String,
    /// The file that stands where the opening file stood: the proof of the erasure notice. Nothing confidential.
    pub opening_file: String,
}

/// The answer of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The log signed for it.
    Committed,
    /// The log signed for it and, later, that its opening was erased.
    Erased,
    /// The log signed two histories that do not fit together.
    Diverged,
    /// Something does not hold.
    Invalid,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Committed => "committed",
            Verdict::Erased => "erased",
            Verdict::Diverged => "diverged",
            Verdict::Invalid => "invalid",
        })
    }
}

/// What a receipt turned out to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptReport {
    /// The answer.
    pub verdict: Verdict,
    /// The log, once its signature held.
    pub origin: Option<String>,
    /// The entry's position, if the proof could be read.
    pub index: Option<u64>,
    /// Entries under the checkpoint, once its signature held.
    pub size: Option<u64>,
    /// What the entry is about, once it was proven.
    pub kind: Option<EntryKind>,
    /// When the log says it took the entry, once it was proven.
    pub time: Option<Timestamp>,
    /// The answer in one sentence.
    pub reason: String,
}

/// Judges a receipt without any network. `opening` is the opening file (or what stands there after an erasure);
/// without it the entry is judged and its content is not. `entry` is needed only if the proof has no `extra` line.
/// Bytes that do not hold give the verdict `invalid`; an error means there was nothing to judge.
pub fn verify_receipt(
    proof: &[u8],
    opening: Option<&[u8]>,
    entry: Option<&[u8]>,
    vkey: &VerifierKey,
) -> Result<ReceiptReport> {
    let mut report = ReceiptReport {
        verdict: Verdict::Invalid,
        origin: None,
        index: None,
        size: None,
        kind: None,
        time: None,
        reason: String::new(),
    };
    let proof = match TlogProof::parse(proof) {
        Ok(proof) => proof,
        Err(error) => return Ok(ReceiptReport { reason: error.to_string(), ..report }),
    };
    report.index = Some(proof.index);
    let bytes = entry.or(proof.extra.as_deref()).ok_or(Error::NoEntry)?;
    let judged = judge(&proof, bytes, opening, vkey, &mut report);
    let (verdict, reason) = judged.unwrap_or_else(|reason| (Verdict::Invalid, reason));
    Ok(ReceiptReport { verdict, reason, ..report })
}

fn judge(
    proof: &TlogProof,
    bytes: &[u8],
    opening: Option<&[u8]>,
    vkey: &VerifierKey,
    report: &mut ReceiptReport,
) -> Result<(Verdict, String), String> {
    if proof.extra.as_deref().is_some_and(|extra| extra != bytes) {
        return Err("the entry given is not the one in the proof's `extra` line".to_owned());
    }
    let (checkpoint, entry) = prove(proof, bytes, vkey)?;
    report.origin = Some(checkpoint.origin.clone());
    report.size = Some(checkpoint.size);
    report.kind = Some(entry.kind);
    report.time = Some(entry.time);
    let place = format!("entry {} of {} in `{}`", proof.index, checkpoint.size, checkpoint.origin);
    let Some(file) = opening else {
        return Ok((Verdict::Committed, format!("{place} is committed; its content was not given and not checked")));
    };
    if file.len() > OPENING_BYTES_MAX {
        return Err(format!("the opening file has {} bytes, at most {OPENING_BYTES_MAX}", file.len()));
    }
    match serde_json::from_slice(file).map_err(|error| format!("the opening file cannot be read: {error}"))? {
        OpeningFile::Opening(opening) => check_content(&entry, &opening, &place),
        OpeningFile::Erased(tombstone) => check_erased(proof.index, &entry, &tombstone, vkey, &place),
    }
}

/// That the entry's bytes are in a tree the log signed for.
fn prove(proof: &TlogProof, bytes: &[u8], vkey: &VerifierKey) -> Result<(Checkpoint, Entry), String> {
    let checkpoint = Checkpoint::open(&proof.checkpoint, vkey)?;
    let (index, size) = (proof.index, checkpoint.size);
    if index >= size {
        return Err(format!("entry {index} is not among the {size} entries of the checkpoint"));
    }
    let hashes: Vec<Hash> = proof.hashes.iter().copied().map(Hash).collect();
    check_record(&hashes, size, checkpoint.hash(), index, record_hash(bytes))
        .map_err(|_| format!("the proof does not lead from entry {index} to the signed root of size {size}"))?;
    let entry = Entry::decode(bytes).map_err(|error| format!("entry {index} is signed for but malformed: {error}"))?;
    Ok((checkpoint, entry))
}

fn check_content(entry: &Entry, opening: &Opening, place: &str) -> Result<(Verdict, String), String> {
    let holds = match &entry.content {
        EntryContent::Commitment(held) => commitment(&opening.salt, &opening.content) == *held,
        EntryContent::Body(body) => opening.salt == [0; 32] && *body == opening.content,
    };
    if holds {
        return Ok((Verdict::Committed, format!("{place} is committed to this content")));
    }
    Err(format!("{place} is committed to something else than this content"))
}

fn check_erased(
    index: u64,
    entry: &Entry,
    tombstone: &Tombstone,
    vkey: &VerifierKey,
    place: &str,
) -> Result<(Verdict, String), String> {
    let proof = TlogProof::parse(tombstone.erased.as_bytes()).map_err(|error| format!("erasure notice: {error}"))?;
    let bytes = proof.extra.as_deref().ok_or("erasure notice: the proof has no `extra` line")?;
    let (_, notice) = prove(&proof, bytes, vkey).map_err(|reason| format!("erasure notice: {reason}"))?;
    let named = match &notice.content {
        EntryContent::Body(body) if notice.kind == EntryKind::Erasure => ErasureNotice::erased_index(body),
        _ => None,
    };
    if named != Some(index) || proof.index <= index || entry.kind.is_public() {
        return Err(format!("{place} is not what erasure notice {} speaks of", proof.index));
    }
    Ok((Verdict::Erased, format!("{place} was erased: notice {} says so", proof.index)))
}

#[cfg(test)]
mod tests;
