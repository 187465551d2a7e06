//! The sequencer of the ledger: committed findings in, entries and receipts out.
//!
//! It follows the findings topic as a reader of committed data and holds nothing up. A finding that comes again (after
//! a crash between the append and the next start) is the same entry. Read next: `ledger::Ledger`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base::{Clock, Millis, SystemClock, Timestamp};
use kafka::{CommittedRecord, Config, read_committed_from};
use ledger::limits::KEY_FILE_BYTES_MAX;
use ledger::{EntryKind, Ledger, SigningKey, Submission, Verdict, VerifierKey};
use tokio::runtime::Runtime;

use crate::report::{Failure, disk};
use crate::{keys, private};

/// How old a checkpoint is of which only the full files are left, and how often others are looked for.
const PARTIALS_KEPT: Millis = Millis::days(1);

/// The ledger of a data folder, and where it stands in the findings topic.
pub(crate) struct Anchor {
    ledger: Ledger,
    runtime: Runtime,
    config: Config,
    next: BTreeMap<u32, i64>,
    receipts: PathBuf,
    vkey: VerifierKey,
    tidied: Option<Timestamp>,
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

    /// Whether there is a log, be it one that a crash left without its checkpoint.
    pub(crate) fn is_begun(&self) -> bool {
        Ledger::is_begun(&self.log)
    }

    /// Where no log is: that none has been.
    fn check_unused(&self) -> Result<()> {
        let (which, at) = if self.vkey.exists() {
            ("that this key verifies", &self.vkey)
        } else if Ledger::has_openings(&self.openings) {
            ("whose openings are here", &self.openings)
        } else {
            return Ok(());
        };
        let problem = format!("the log is gone {which}: a second one under the same key would deny the first");
        let hint = format!("put {} back, or name another folder for another log", self.log.display());
        Err(Failure::new(base::Kind::Corrupt, problem).at(at.display()).hint(hint).into())
    }

    /// Writes the verifier key where it is not, or where a write of it was cut short. Another's is left and told.
    fn write_vkey(&self, key: &SigningKey) -> Result<()> {
        let vkey = key.vkey();
        let found = match ledger::read_file(&self.vkey, KEY_FILE_BYTES_MAX as usize) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(disk(&self.vkey, &error)),
        };
        let found = found.trim_ascii_end();
        if found == vkey.as_bytes() {
            return Ok(());
        }
        if !vkey.as_bytes().starts_with(found) {
            let problem = format!("this is not the verifier key that belongs to {}", self.key.display());
            let hint = "put back the one of the two that was changed";
            return Err(Failure::new(base::Kind::Corrupt, problem).at(self.vkey.display()).hint(hint).into());
        }
        Ok(key.verifier().save(&self.vkey)?)
    }
}

/// A runtime for the ledger's file operations.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting a runtime")
}

/// Makes signing key, an empty ledger and verifier key where there are none, or what a kill left to make of them. The
/// verifier key comes last: where it is, there was a ledger.
pub(crate) fn init(places: &Places, origin: &str) -> Result<()> {
    let is_begun = places.is_begun();
    if !is_begun {
        places.check_unused()?;
    }
    if !places.key.exists() {
        if is_begun {
            let failure = Failure::invalid("the log is there, and the key that signs for it is not");
            let hint = "put the key back from a copy, or name another folder for another log";
            return Err(failure.at(places.key.display()).hint(hint).into());
        }
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
    } else if !places.log.join("checkpoint").exists() {
        // Begun, and killed before it was shown: opening shows it.
        runtime()?.block_on(Ledger::open(&places.log, key.clone(), &places.openings))?;
    }
    places.write_vkey(&key)
}

impl Anchor {
    pub(crate) fn open(places: &Places, config: &Config) -> Result<Self> {
        let runtime = runtime()?;
        let key = SigningKey::load(&places.key)?;
        private::folder(&places.receipts)?;
        let ledger = runtime.block_on(Ledger::open(&places.log, key.clone(), &places.openings))?;
        places.write_vkey(&key)?;
        let next = match ledger.source_position() {
            None => BTreeMap::new(),
            Some(position) => serde_json::from_str(position).map_err(|_| {
                Failure::invalid("the ledger's source position is not one of ours").at(places.log.display())
            })?,
        };
        let vkey = VerifierKey::load(&places.vkey, &places.log)?;
        let (config, receipts) = (config.clone(), places.receipts.clone());
        Ok(Self { ledger, runtime, config, next, receipts, vkey, tidied: None, sealed: 0, failures: 0 })
    }

    /// How many entries the ledger holds.
    pub(crate) fn entries(&self) -> u64 {
        self.ledger.size()
    }

    /// Seals what has been committed since; says how many entries the ledger holds.
    pub(crate) fn step(&mut self) -> Result<u64> {
        let records = read_committed_from(&self.config, &self.config.findings_topic, &self.next)?;
        if !records.is_empty() {
            self.seal(records)?;
        }
        Ok(self.ledger.size())
    }

    /// Entries, then receipts, then the position: after a crash in between the same findings are read again, the
    /// ledger answers with the entries they have, and their receipts are written once more.
    fn seal(&mut self, records: Vec<CommittedRecord>) -> Result<()> {
        let mut batch = Vec::new();
        for record in records {
            self.next.insert(record.partition, record.offset.0 + 1);
            let (Some(key), Some(content)) = (record.key, record.value) else { continue };
            match submission(key, content) {
                Ok(submission) => batch.push(submission),
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
        if !batch.is_empty() {
            // Behind the position nobody writes a receipt again.
            private::sync(&self.receipts)?;
        }
        let position = serde_json::to_string(&self.next)?;
        self.append(&[], Some(position))?;
        self.sealed += batch.len();
        Ok(())
    }

    /// Whether it is a day since files were removed that only older checkpoints need.
    pub(crate) fn is_tidying_due(&self, now: Timestamp) -> bool {
        self.tidied.is_none_or(|tidied| now - tidied >= PARTIALS_KEPT)
    }

    /// Removes them. Sealing goes on whatever becomes of it, and a day later it is tried again.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        self.tidied = Some(now);
        let (ledger, before) = (&self.ledger, now - PARTIALS_KEPT);
        let removed = self.runtime.block_on(async {
            let partials = ledger.remove_partials(before).await?;
            Ok::<_, ledger::Error>(partials + ledger.remove_checkpoints(before).await?)
        });
        match removed {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "files that only older checkpoints need were removed"),
            Err(error) => tracing::warn!(%error, "files that only older checkpoints need could not be removed"),
        }
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

/// What is to be sealed of a record, or why it is none of ours: anybody who may write to the topic could put something
/// else there, and nothing that one record says may stop the others.
fn submission(key: Vec<u8>, content: Vec<u8>) -> std::result::Result<Submission, String> {
    let id = genuine(key, &content)?;
    let submission = Submission { id, kind: EntryKind::Finding, content };
    submission.check().map_err(|error| error.to_string())?;
    Ok(submission)
}

/// The id of a finding that is one of ours, or why it is none. Ids become names of files: one that its content gives is a
/// letter, a hyphen and 26 letters and digits.
fn genuine(key: Vec<u8>, content: &[u8]) -> std::result::Result<String, String> {
    findings::validate(content).map_err(|error| error.to_string())?;
    let said = findings::read(content).map_err(|error| error.to_string())?.id;
    String::from_utf8(key).ok().filter(|key| *key == said).ok_or_else(|| "its key is not its id".to_owned())
}

fn salts(count: usize) -> Result<Vec<[u8; 32]>> {
    (0..count).map(|_| keys::random()).collect()
}

#[cfg(test)]
mod tests;
