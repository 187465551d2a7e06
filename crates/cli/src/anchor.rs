//! The sequencer of the ledger: committed findings in, entries and receipts out.
//!
//! It follows the findings topic as a reader of committed data and holds nothing up. A finding that comes again (after
//! a crash between the append and the next start) is the same entry. Read next: `ledger::Ledger`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base::{Clock, SystemClock};
use kafka::{Config, read_committed};
use ledger::{EntryKind, Ledger, SigningKey, Submission};
use tokio::runtime::Runtime;

use crate::keys;
use crate::report::{Failure, disk};

/// The ledger of a data folder, and where it stands in the findings topic.
pub(crate) struct Anchor {
    ledger: Ledger,
    runtime: Runtime,
    config: Config,
    next: BTreeMap<u32, i64>,
    /// Findings sealed by this process: id and bytes, in order of arrival.
    pub(crate) sealed: Vec<(String, Vec<u8>)>,
}

/// The parts of a data folder that belong to the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Files as served.
    pub(crate) log: PathBuf,
    /// Confidential openings.
    pub(crate) openings: PathBuf,
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
        std::fs::create_dir_all(&places.openings).map_err(|error| disk(&places.openings, &error))?;
        let ledger = runtime.block_on(Ledger::open(&places.log, key, &places.openings))?;
        let next = match ledger.source_position() {
            None => BTreeMap::new(),
            Some(position) => serde_json::from_str(position).map_err(|_| {
                Failure::invalid("the ledger's source position is not one of ours").at(places.log.display())
            })?,
        };
        Ok(Self { ledger, runtime, config: config.clone(), next, sealed: Vec::new() })
    }

    /// Seals what has been committed since; says how many entries the ledger holds.
    pub(crate) fn step(&mut self) -> Result<u64> {
        let records = read_committed(&self.config, &self.config.findings_topic)?;
        let mut batch = Vec::new();
        for record in records {
            let next = self.next.entry(record.partition).or_default();
            if record.offset.0 < *next {
                continue;
            }
            *next = record.offset.0 + 1;
            let (Some(key), Some(content)) = (record.key, record.value) else { continue };
            let id = String::from_utf8(key).context("a finding's key is no text")?;
            batch.push(Submission { id, kind: EntryKind::Finding, content });
        }
        if !batch.is_empty() {
            let position = serde_json::to_string(&self.next)?;
            let salts = salts(batch.len())?;
            let mut fresh = salts.into_iter();
            // One salt for each submission at most; the count above covers them.
            let mut salt = move || fresh.next().unwrap_or_else(|| unreachable!("more salts than submissions"));
            let append = self.ledger.append(&batch, Some(position), SystemClock.now(), &mut salt);
            self.runtime.block_on(append)?;
            self.sealed.extend(batch.into_iter().map(|submission| (submission.id, submission.content)));
        }
        Ok(self.ledger.size())
    }

    /// Writes `<id>.tlog-proof` and `<id>.opening.json` of every finding sealed by this process.
    pub(crate) fn write_receipts(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|error| disk(folder, &error))?;
        for (id, _) in &self.sealed {
            let receipt = self.runtime.block_on(self.ledger.receipt(id))?;
            let path = folder.join(format!("{id}.tlog-proof"));
            std::fs::write(&path, receipt.proof).map_err(|error| disk(&path, &error))?;
            let path = folder.join(format!("{id}.opening.json"));
            std::fs::write(&path, serde_json::to_vec(&receipt.opening)?).map_err(|error| disk(&path, &error))?;
        }
        Ok(())
    }
}

fn salts(count: usize) -> Result<Vec<[u8; 32]>> {
    (0..count).map(|_| keys::random()).collect()
}
