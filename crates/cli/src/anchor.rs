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

use crate::report::{Failure, disk};
use crate::{keys, private};

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

/// Makes signing key, an empty ledger and verifier key where there are none. The verifier key comes last: where it is, there
/// was a ledger.
pub(crate) fn init(places: &Places, origin: &str) -> Result<()> {
    let is_begun = places.log.join("checkpoint").exists();
    if places.vkey.exists() && !is_begun {
        let problem = "the log is gone that this key verifies: a second one under the same key would deny the first";
        let hint = format!("put {} back, or name another folder for another log", places.log.display());
        return Err(Failure::new(base::Kind::Corrupt, problem).at(places.vkey.display()).hint(hint).into());
    }
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
    if !is_begun {
        runtime()?.block_on(Ledger::create(&places.log, &key, SystemClock.now()))?;
    }
    if !places.vkey.exists() {
        std::fs::write(&places.vkey, key.vkey() + "\n").map_err(|error| disk(&places.vkey, &error))?;
    }
    Ok(())
}

impl Anchor {
    pub(crate) fn open(places: &Places, config: &Config) -> Result<Self> {
        let runtime = runtime()?;
        let key = SigningKey::load(&places.key)?;
        private::folder(&places.receipts)?;
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
            // Anybody who may write to the topic could put something else there.
            match genuine(key, &content) {
                Ok(id) => batch.push(Submission { id, kind: EntryKind::Finding, content }),
                Err(problem) => {
                    let (topic, partition, offset) = (&self.config.findings_topic, record.partition, record.offset.0);
                    tracing::error!(topic, partition, offset, problem, "this is no finding of ours, and is not sealed");
                    self.failures += 1;
                }
            }
        }
        self.append(&batch, None)?;
        for submission in &batch {
            self.write_receipt(submission)?;
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

    fn write_receipt(&mut self, submission: &Submission) -> Result<()> {
        let id = &submission.id;
        let receipt = self.runtime.block_on(self.ledger.receipt(id))?;
        if receipt.opening.content != submission.content {
            // One of the two is not ours; what came first is what the ledger stands for.
            tracing::error!(
                id,
                "a finding with this id and other content was sealed before, and the receipt is that one's"
            );
            self.failures += 1;
            return Ok(());
        }
        let opening = serde_json::to_vec(&receipt.opening)?;
        let report = ledger::verify_receipt(receipt.proof.as_bytes(), Some(&opening), None, &self.vkey)?;
        if report.verdict != Verdict::Committed {
            self.failures += 1;
            let what = format!("the receipt of finding {id} does not verify: {}", report.reason);
            return Err(Failure::new(base::Kind::Corrupt, what).at(self.receipts.display()).into());
        }
        for (end, bytes) in [("tlog-proof", receipt.proof.into_bytes()), ("opening.json", opening)] {
            private::write(&self.receipts.join(format!("{id}.{end}")), &bytes)?;
        }
        Ok(())
    }
}

/// The id of a finding that is one of ours, or why it is none. Ids become names of files.
fn genuine(key: Vec<u8>, content: &[u8]) -> std::result::Result<String, String> {
    findings::validate(content).map_err(|error| error.to_string())?;
    let said = findings::read(content).map_err(|error| error.to_string())?.id;
    let plain = said.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !said.is_empty();
    if !plain {
        return Err("its id is not made of letters, digits and hyphens".to_owned());
    }
    String::from_utf8(key).ok().filter(|key| *key == said).ok_or_else(|| "its key is not its id".to_owned())
}

fn salts(count: usize) -> Result<Vec<[u8; 32]>> {
    (0..count).map(|_| keys::random()).collect()
}
