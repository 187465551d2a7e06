//! The end of a demo: what was found beside what really happened, conservation, the ledger and a receipt verified.
//!
//! Read next: `cases.rs`, which puts findings together.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use base::{Millis, Timestamp};
use engine::PipelineSpec;
use events::{PseudonymKeys, TopicId};
use hospital::Incident;
use ledger::VerifierKey;
use serde::Serialize;

use crate::anchor::{self, Anchor, Places};
use crate::cases::{Case, cases, table};
use crate::elapsed::Elapsed;
use crate::http::Shown;
use crate::report::{Answer, disk, json_line, line, program};
use crate::view::grouped;
use crate::voice::Said;

/// A demo that has been played.
pub(super) struct Played<'a> {
    pub(super) spec: &'a PipelineSpec,
    pub(super) shown: &'a Shown,
    pub(super) said: &'a Mutex<Said>,
    pub(super) anchor: &'a Anchor,
    pub(super) incidents: &'a [Incident],
    pub(super) keys: &'a PseudonymKeys,
    pub(super) places: &'a Places,
    pub(super) data: &'a Path,
    pub(super) watch: &'a Elapsed,
}

/// What became of one topic's events.
#[derive(Debug, Serialize)]
struct Balance {
    topic: String,
    written: u64,
    kept: u64,
    late: u64,
    duplicates: u64,
    rejects: u64,
    /// Read, but their ticks are not due.
    open: u64,
    holds: bool,
}

/// Everything a demo answers.
#[derive(Debug, Serialize)]
struct Outcome {
    cases: Vec<Case>,
    incidents: usize,
    cases_about_incidents: usize,
    seconds: f64,
    findings: usize,
    sealed: usize,
    conservation: Vec<Balance>,
    ledger: ledger::DirectoryReport,
    receipt: Option<ledger::ReceiptReport>,
    fine: bool,
}

impl Played<'_> {
    /// Writes what is left to write, checks everything, and tells it.
    pub(super) fn finish(&self, json: bool, plain: bool) -> Result<Answer> {
        let path = self.data.join("findings.ndjson");
        let told = archive::read_findings(&self.data.join("archive"))?;
        archive::write_findings(&told, &path)?;
        let findings = told.len();
        let metrics = self.data.join("metrics.prom");
        std::fs::write(&metrics, self.shown.metrics.text()).map_err(|error| disk(&metrics, &error))?;
        let text = std::fs::read(&path).map_err(|error| disk(&path, &error))?;
        let mut cases = cases(text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()))?;
        for case in &mut cases {
            case.truth = Some(self.truth_of(&case.users, case.opened, case.last));
        }
        let conservation = self.conservation();
        let vkey = VerifierKey::load(&self.places.vkey, &self.places.log)?;
        let ledger = anchor::runtime()?.block_on(ledger::verify_directory(&self.places.log, &vkey, &[]))?;
        let receipt = cases.first().map(|case| self.judge(&case.finding, &vkey)).transpose()?;
        let committed = ledger::Verdict::Committed;
        let verified = ledger.verdict == committed && receipt.as_ref().is_none_or(|r| r.verdict == committed);
        let sealed = self.anchor.sealed;
        let conserved = conservation.iter().all(|balance| balance.holds) && sealed == findings;
        let outcome = Outcome {
            incidents: self.incidents.len(),
            cases_about_incidents: cases.iter().filter(|case| case.truth.as_deref() != Some(NO_INCIDENT)).count(),
            seconds: self.watch.seconds(),
            findings,
            sealed,
            conservation,
            ledger,
            receipt,
            fine: conserved && verified && !cases.is_empty(),
            cases,
        };
        if json {
            json_line(serde_json::to_string_pretty(&outcome)?)
        } else {
            self.show(&outcome, plain)
        }
        Ok(if outcome.fine { Answer::Yes } else { Answer::No })
    }

    fn show(&self, outcome: &Outcome, plain: bool) {
        line("");
        if outcome.cases.is_empty() {
            line("no case was found: try another --seed or more --days");
        } else {
            line(table(&outcome.cases, plain || !std::io::stdout().is_terminal()));
        }
        line("");
        line(format!(
            "{} cases, {} of them about one of {} incidents; {:.0} s in all",
            outcome.cases.len(),
            outcome.cases_about_incidents,
            outcome.incidents,
            outcome.seconds
        ));
        for balance in &outcome.conservation {
            line(format!(
                "conservation  {:<16} {} written = {} kept + {} late + {} duplicates + {} rejects + {} in ticks still \
                 open: {}",
                balance.topic,
                grouped(balance.written),
                grouped(balance.kept),
                balance.late,
                balance.duplicates,
                balance.rejects,
                balance.open,
                if balance.holds { "holds" } else { "BROKEN" }
            ));
        }
        let (findings, sealed) = (outcome.findings, outcome.sealed);
        let all = if findings == sealed { "all sealed" } else { "NOT ALL SEALED" };
        line(format!("findings      {findings} archived, {sealed} sealed: {all}"));
        line(format!(
            "ledger        {}: {} entries, {} files read, {} problems",
            outcome.ledger.verdict,
            outcome.ledger.size.unwrap_or(0),
            outcome.ledger.files_read,
            outcome.ledger.problem_count
        ));
        if let Some(receipt) = &outcome.receipt {
            line(format!("receipt       {}: {}", receipt.verdict, receipt.reason));
        }
        self.show_places(outcome);
    }

    fn show_places(&self, outcome: &Outcome) {
        line("");
        let here = self.data.display();
        for (what, name) in [
            ("findings", "findings.ndjson (OCSF Detection Finding, one a line)"),
            ("archive", "archive/ (Parquet: input, journal, features, scores, findings)"),
            ("ledger", "ledger/, checked with log.vkey; receipts/ one per finding"),
            ("truth", "truth/ (what the simulator knows and the pipeline never sees)"),
        ] {
            line(format!("{what:<10} {here}/{name}"));
        }
        let program = program();
        line("\nnext:");
        if let Some(case) = outcome.cases.first() {
            line(format!("  {program} explain {} --data {here}", case.finding));
        }
        line(format!("  {program} ledger verify {here}/ledger --vkey {here}/log.vkey"));
        line(format!("  {program} replay {here}/pipeline --archive {here}/archive --out replayed.ndjson --verify"));
    }

    /// What the simulator knows of the users of a case around its time.
    fn truth_of(&self, users: &[String], opened: Timestamp, last: Timestamp) -> String {
        let near = |incident: &&Incident| {
            let end = incident.last.unwrap_or(Timestamp::MIN);
            let begin = incident.first.unwrap_or(Timestamp::MAX);
            users.contains(&self.keys.user(&incident.user)) && begin <= last && opened <= end + Millis::days(2)
        };
        let mut hits: BTreeMap<&str, usize> = BTreeMap::new();
        for incident in self.incidents.iter().filter(near) {
            *hits.entry(incident.scenario).or_default() += 1;
        }
        if hits.is_empty() {
            return NO_INCIDENT.to_owned();
        }
        let told = hits.into_iter().map(|(scenario, count)| match count {
            1 => scenario.to_owned(),
            _ => format!("{scenario} ({count})"),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// Every event written is accounted for, topic by topic.
    fn conservation(&self) -> Vec<Balance> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.shown.progress.snapshot();
        let mut sums: BTreeMap<TopicId, (u64, engine::Counts, u64)> = BTreeMap::new();
        for ((_, topic), written) in &said.events {
            sums.entry(*topic).or_default().0 += written;
        }
        for lane in snapshot.lanes.values() {
            for (topic, counts) in (0u8..).map(TopicId).zip(&lane.counts) {
                let sum = sums.entry(topic).or_default();
                sum.1.read += counts.read;
                sum.1.kept += counts.kept;
                sum.1.late += counts.late;
                sum.1.duplicates += counts.duplicates;
                sum.1.rejects += counts.rejects;
                let above = lane.next[topic.index()] - lane.positions[topic.index()];
                sum.2 += u64::try_from(above).unwrap_or(0);
            }
        }
        let balance = |(topic, (written, counts, open)): (TopicId, (u64, engine::Counts, u64))| Balance {
            topic: self.spec.inputs()[topic.index()].topic.clone(),
            written,
            kept: counts.kept,
            late: counts.late,
            duplicates: counts.duplicates,
            rejects: counts.rejects,
            open,
            holds: counts.balance() && counts.read + open == written,
        };
        sums.into_iter().map(balance).collect()
    }

    fn judge(&self, id: &str, vkey: &VerifierKey) -> Result<ledger::ReceiptReport> {
        let read = |end: &str| {
            let path = self.data.join("receipts").join(format!("{id}.{end}"));
            std::fs::read(&path).map_err(|error| disk(&path, &error))
        };
        Ok(ledger::verify_receipt(&read("tlog-proof")?, Some(&read("opening.json")?), None, vkey)?)
    }
}

/// What stands beside a case that is about nothing.
const NO_INCIDENT: &str = "no incident";
