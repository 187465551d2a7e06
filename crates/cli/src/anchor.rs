//! The sequencer of the ledger: committed findings in, entries and receipts out.
//!
//! It follows the findings topic as a reader of committed data and holds nothing up. A finding that comes again (after
//! a crash between the append and the next start) is the same entry. Read next: `ledger::Ledger`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base::{Clock, SystemClock};
use kafka::{Config, read_committed_from};
use ledger::{EntryKind, Ledger, SigningKey, Submission, Verdict, VerifierKey};
use tokio::runtime::Runtime;

use crate::keys;
use crate::report::{Failure, disk};

/// The ledger of a data folder, and where it stands in the findings topic.
pub(crate) struct Anchor {
    ledger: Ledger,
    runtime: Runtime,
    config: Config,
    next: BTreeMap<u32, i64>,
    receipts: PathBuf,
    vkey: VerifierKey,
    /// Findings sealed by this process.
    pub(crate) sealed: usize,
    /// Receipts that did not verify right after sealing.
    pub(crate) failures: u64,
}

/// The parts of a data folder that belong to the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Files as served.
    pub(crate) log: PathBuf,
    /// Confidential openings.
    pub(crate) openings: PathBuf,
    /// `<id>.tlog-proof` and `<id>.opening.json` of every finding.
    pub(crate) receipts: PathBuf,
    /// Signing key.
    pub(crate) key: PathBuf,
    /// Verifier key.
    pub(crate) vkey: PathBuf,
}

impl Places {
    pub(crate) fn under(data: &Path) -> Self {
        Self {
            log: data.join("ledger"),
            openings: data.join("openings"),
            receipts: data.join("receipts"),
            key: data.join("keys/ledger.key"),
            vkey: data.join("log.vkey"),
        }
    }
}

/// A runtime for the ledger's file operations.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting a runtime")
}

/// Makes signing key, verifier key and an empty ledger where there are none.
pub(crate) fn init(places: &Places, origin: &str) -> Result<()> {
    if !places.key.exists() {
        SigningKey::generate(origin, keys::random()?)?.save(&places.key)?;
    }
    let key = SigningKey::load(&places.key)?;
    if key.origin() != origin {
        let problem = format!("the log is called `{}`, not `{origin}`: a log keeps its name", key.origin());
        return Err(Failure::invalid(problem)
            .at(places.key.display())
            .hint("name another folder for another log")
            .into());
    }
    if !places.vkey.exists() {
        std::fs::write(&places.vkey, key.vkey() + "\n").map_err(|error| disk(&places.vkey, &error))?;
    }
    if !places.log.join("checkpoint").exists() {
        runtime()?.block_on(Ledger::create(&places.log, &key, SystemClock.now()))?;
    }
    Ok(())
}

impl Anchor {
    pub(crate) fn open(places: &Places, config: &Config) -> Result<Self> {
        let runtime = runtime()?;
        let key = SigningKey::load(&places.key)?;
        for folder in [&places.openings, &places.receipts] {
            std::fs::create_dir_all(folder).map_err(|error| disk(folder, &error))?;
        }
        let ledger = runtime.block_on(Ledger::open(&places.log, key, &places.openings))?;
        let next = match ledger.source_position() {
            None => BTreeMap::new(),
            Some(position) => serde_json::from_str(position).map_err(|_| {
                Failure::invalid("the ledger's source position is not one of ours").at(places.log.display())
            })?,
        };
        let vkey = VerifierKey::load(&places.vkey, &places.log)?;
        let (config, receipts) = (config.clone(), places.receipts.clone());
        Ok(Self { ledger, runtime, config, next, receipts, vkey, sealed: 0, failures: 0 })
    }

    /// Seals what has been committed since; says how many entries the ledger holds.
    ///
    /// Entries, then receipts, then the position: after a crash in between the same findings are read again, the
    /// ledger answers with the entries they have, and their receipts are written once more.
    pub(crate) fn step(&mut self) -> Result<u64> {
        let records = read_committed_from(&self.config, &self.config.findings_topic, &self.next)?;
        if records.is_empty() {
            return Ok(self.ledger.size());
        }
        let mut batch = Vec::new();
        for record in records {
            self.next.insert(record.partition, record.offset.0 + 1);
            let (Some(key), Some(content)) = (record.key, record.value) else { continue };
            let id = String::from_utf8(key).context("a finding's key is no text")?;
            batch.push(Submission { id, kind: EntryKind::Finding, content });
        }
        self.append(&batch, None)?;
        for submission in &batch {
            self.write_receipt(&submission.id)?;
        }
        let position = serde_json::to_string(&self.next)?;
        self.append(&[], Some(position))?;
        self.sealed += batch.len();
        Ok(self.ledger.size())
    }

    fn append(&mut self, batch: &[Submission], position: Option<String>) -> Result<()> {
        let mut fresh = salts(batch.len())?.into_iter();
        // One salt for each submission at most; the count above covers them.
        let mut salt = move || fresh.next().unwrap_or_else(|| unreachable!("more salts than submissions"));
        let append = self.ledger.append(batch, position, SystemClock.now(), &mut salt);
        self.runtime.block_on(append)?;
        Ok(())
    }

    fn write_receipt(&mut self, id: &str) -> Result<()> {
        let receipt = self.runtime.block_on(self.ledger.receipt(id))?;
        let opening = serde_json::to_vec(&receipt.opening)?;
        let report = ledger::verify_receipt(receipt.proof.as_bytes(), Some(&opening), None, &self.vkey)?;
        if report.verdict != Verdict::Committed {
            self.failures += 1;
            let what = format!("the receipt of finding {id} does not verify: {}", report.reason);
            return Err(Failure::new(base::Kind::Corrupt, what).at(self.receipts.display()).into());
        }
        for (end, bytes) in [("tlog-proof", receipt.proof.into_bytes()), ("opening.json", opening)] {
            let path = self.receipts.join(format!("{id}.{end}"));
            std::fs::write(&path, bytes).map_err(|error| disk(&path, &error))?;
        }
        Ok(())
    }
}

fn salts(count: usize) -> Result<Vec<[u8; 32]>> {
    (0..count).map(|_| keys::random()).collect()
}
