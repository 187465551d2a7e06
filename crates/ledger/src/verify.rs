//! The walk over a whole ledger directory: signature, bundles, tiles, root, entry grammar, time, and every file that
//! lies beside them. Reads only; names each file that does not fit and the byte or entry where. What the directory
//! alone cannot show, such as a log set back as a whole, shows where somebody held on to a checkpoint or a receipt.
//! Read next: `verify/walk.rs` for the tree, `verify/beside.rs` for the other files.

mod beside;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;

use base::Digest;
use serde::Serialize;

use crate::checkpoint::CHECKPOINT_PATH;
use crate::limits::{CHECKPOINT_BYTES_MAX, PROBLEMS_MAX};
use crate::store::Store;
use crate::{Checkpoint, EntryKind, Error, Result, Verdict, VerifierKey};

/// What a directory turned out to be.
#[derive(Clone, Debug, Serialize)]
pub struct DirectoryReport {
    /// `committed` if everything holds, `diverged` if the log signed for something its entries are not, else `invalid`.
    pub verdict: Verdict,
    /// The log, once the signature of its checkpoint held.
    pub origin: Option<String>,
    /// Entries under the checkpoint.
    pub size: Option<u64>,
    /// The signed root.
    pub root: Option<Digest>,
    /// Entries of each kind among those that could be read.
    pub entries: BTreeMap<EntryKind, u64>,
    /// Files read.
    pub files_read: u64,
    /// What does not hold, at most a hundred.
    pub problems: Vec<String>,
    /// Problems found, listed or not.
    pub problem_count: u64,
    /// What is in order and yet not covered by the checkpoint, such as files of a commit under way.
    pub notes: Vec<String>,
}

/// What somebody was given earlier: a checkpoint, or a receipt (`.tlog-proof`). The log must still hold what it signed there.
#[derive(Clone, Debug)]
pub struct Held {
    /// What it is called in the report.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Verifies the ledger in `dir` against a verifier key, and what else came from elsewhere. Bytes that do not hold make the
/// report say so; an error means that the directory could not be read.
pub async fn verify_directory(dir: &Path, vkey: &VerifierKey, held: &[Held]) -> Result<DirectoryReport> {
    if !dir.is_dir() {
        return Err(Error::NoLedger { place: dir.display().to_string() });
    }
    verify_store(&Store::local(dir)?, vkey, held).await
}

/// The same over any store.
pub(crate) async fn verify_store(store: &Store, vkey: &VerifierKey, held: &[Held]) -> Result<DirectoryReport> {
    let mut verifier = Verifier::new(store);
    let names = match store.list("").await {
        Ok(names) if names.is_empty() => return Err(Error::NoLedger { place: "the directory".to_owned() }),
        Ok(names) => names,
        Err(Error::Store { source: object_store::Error::InvalidPath { source }, .. }) => {
            verifier
                .problem(format!("no part of a ledger has a name like this, and others may lie beside it: {source}"));
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    if let Some(checkpoint) = verifier.checkpoint(vkey).await? {
        let promises = verifier.promises(&names, &checkpoint, vkey, held).await?;
        verifier.walk(&checkpoint, promises).await?;
        verifier.beside(&names, &checkpoint).await?;
    }
    Ok(verifier.finish())
}

/// A report in the making.
struct Verifier<'a> {
    store: &'a Store,
    report: DirectoryReport,
    diverged: bool,
}

impl<'a> Verifier<'a> {
    fn new(store: &'a Store) -> Self {
        let report = DirectoryReport {
            verdict: Verdict::Invalid,
            origin: None,
            size: None,
            root: None,
            entries: BTreeMap::new(),
            files_read: 0,
            problems: Vec::new(),
            problem_count: 0,
            notes: Vec::new(),
        };
        Self { store, report, diverged: false }
    }

    async fn checkpoint(&mut self, vkey: &VerifierKey) -> Result<Option<Checkpoint>> {
        let Some(note) = self.read(CHECKPOINT_PATH, CHECKPOINT_BYTES_MAX).await? else {
            self.problem(format!("{CHECKPOINT_PATH}: it is missing"));
            return Ok(None);
        };
        match Checkpoint::open(&note, vkey) {
            Ok(checkpoint) if checkpoint.size == 0 => {
                self.problem(format!("{CHECKPOINT_PATH}: it covers no entry, not even the genesis entry"));
                Ok(None)
            }
            Ok(checkpoint) => {
                self.report.origin = Some(checkpoint.origin.clone());
                self.report.size = Some(checkpoint.size);
                self.report.root = Some(checkpoint.root);
                Ok(Some(checkpoint))
            }
            Err(reason) => {
                self.problem(format!("{CHECKPOINT_PATH}: {reason}"));
                Ok(None)
            }
        }
    }

    /// A file, if it is there; one that is too long to be ours is a problem and counts as not there.
    async fn read(&mut self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>> {
        match self.store.read(path, bytes_max).await {
            Ok(Some(bytes)) => {
                self.report.files_read += 1;
                Ok(Some(bytes.to_vec()))
            }
            Ok(None) => Ok(None),
            Err(Error::Damaged { path, reason }) => {
                self.problem(format!("{path}: {reason}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn problem(&mut self, text: String) {
        self.report.problem_count += 1;
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(text);
        }
    }

    fn note(&mut self, text: String) {
        if self.report.notes.len() < PROBLEMS_MAX {
            self.report.notes.push(text);
        }
    }

    /// A problem that shows two histories under one signature.
    fn divergence(&mut self, text: String) {
        self.diverged = true;
        self.problem(text);
    }

    fn finish(mut self) -> DirectoryReport {
        self.report.verdict = match (self.diverged, self.report.problem_count) {
            (true, _) => Verdict::Diverged,
            (false, 0) => Verdict::Committed,
            (false, _) => Verdict::Invalid,
        };
        self.report
    }
}

#[cfg(test)]
mod tests;
