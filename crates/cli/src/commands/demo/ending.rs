//! The end of a demo: conservation, findings, cases beside the truth, the ledger and a receipt verified, and what to
//! try next.
//!
//! Read next: `cases.rs`.

use std::path::Path;
use std::sync::PoisonError;

use anyhow::{Context as _, Result};
use base::Millis;
use engine::ports::LaneId;
use events::PseudonymKeys;
use hospital::{Hospital, Incident};
use ledger::{Verdict, VerifierKey, verify_directory, verify_receipt};
use serde::Serialize;

use super::parts::Stage;
use crate::anchor::{Places, runtime};
use crate::cases::{Case, cases, table};
use crate::report::{Answer, disk, line};
use crate::view::{View, grouped};

/// A demo that was played.
pub(super) struct Played<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) data: &'a Path,
    pub(super) places: &'a Places,
    pub(super) hospital: &'a Hospital,
    pub(super) sealed: &'a [(String, Vec<u8>)],
}

/// What became of one topic's parts.
#[derive(Debug, Serialize)]
struct Balance {
    topic: String,
    produced: u64,
    kept: u64,
    late: u64,
    duplicates: u64,
    rejects: u64,
    /// Read, but their ticks are not due.
    open: u64,
}

impl Balance {
    fn holds(&self) -> bool {
        self.produced == self.kept + self.late + self.duplicates + self.rejects + self.open
    }
}

#[derive(Debug, Serialize)]
struct Outcome {
    conservation: Vec<Balance>,
    conserved: bool,
    findings: usize,
    sealed: usize,
    ledger: ledger::DirectoryReport,
    receipt: Option<ledger::ReceiptReport>,
    cases: Vec<Case>,
    incidents_after_learning: usize,
    incidents_found: usize,
    missed: Vec<String>,
}

/// Checks everything and tells it.
pub(super) fn tell(played: &Played<'_>, view: &View, json: bool, plain: bool) -> Result<Answer> {
    let data = played.data;
    let metrics = data.join("metrics.prom");
    std::fs::write(&metrics, played.stage.shown.metrics.text()).map_err(|error| disk(&metrics, &error))?;
    let path = data.join("findings.ndjson");
    let archived = archive::write_findings_from_archive(&data.join("archive"), &path)?;
    let lines = std::fs::read(&path).map_err(|error| disk(&path, &error))?;
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut cases = cases(lines)?;
    let incidents = played.hospital.incidents();
    let learned = played.stage.start + played.stage.spec.learn();
    let due: Vec<&Incident> = incidents.iter().filter(|incident| incident.last.is_some_and(|last| last >= learned)).collect();
    let found = name_truth(&mut cases, &due, &played.stage.keys);
    let missed: Vec<_> = due.iter().filter(|incident| !found.contains(&incident.id)).map(|i| i.scenario.to_owned()).collect();
    let balances = balances(played.stage);
    let conserved = balances.iter().all(Balance::holds);
    for balance in &balances {
        view.stage(&format!(
            "conserved  {}: {} produced = {} kept + {} late + {} duplicates + {} rejects + {} not yet due: {}",
            balance.topic,
            grouped(balance.produced),
            grouped(balance.kept),
            balance.late,
            balance.duplicates,
            balance.rejects,
            balance.open,
            if balance.holds() { "yes" } else { "NO" }
        ));
    }
    let ledger = verify_ledger(played.places)?;
    view.stage(&format!(
        "ledger     {}: {} entries, root {}",
        ledger.verdict,
        ledger.size.unwrap_or(0),
        ledger.root.map_or_else(|| "unknown".to_owned(), |root| root.short())
    ));
    let receipt = played.sealed.first().map(|(id, _)| verify_one(played, id)).transpose()?;
    if let Some(receipt) = &receipt {
        view.stage(&format!("receipt    {}: {}", receipt.verdict, receipt.reason));
    }
    let sealed = played.sealed.len();
    let verified = ledger.verdict == Verdict::Committed
        && receipt.as_ref().is_none_or(|receipt| receipt.verdict == Verdict::Committed);
    let fine = conserved && verified && sealed == archived && !cases.is_empty();
    let outcome = Outcome {
        conservation: balances,
        conserved,
        findings: archived,
        sealed,
        ledger,
        receipt,
        incidents_after_learning: due.len(),
        incidents_found: found.len(),
        missed,
        cases,
    };
    if json {
        line(serde_json::to_string_pretty(&outcome)?);
    } else {
        show(&outcome, played, plain);
    }
    Ok(if fine { Answer::Yes } else { Answer::No })
}

fn show(outcome: &Outcome, played: &Played<'_>, plain: bool) {
    if outcome.sealed != outcome.findings {
        line(format!("{} findings are archived but {} sealed: something was lost", outcome.findings, outcome.sealed));
    }
    if outcome.cases.is_empty() {
        line("no case was opened");
    } else {
        line(table(&outcome.cases, plain));
    }
    line(format!(
        "{} cases; {} of {} incidents found{}",
        outcome.cases.len(),
        outcome.incidents_found,
        outcome.incidents_after_learning,
        if outcome.missed.is_empty() { String::new() } else { format!(" (missed: {})", outcome.missed.join(", ")) }
    ));
    let data = played.data.display();
    line("");
    line(format!("  {data}/findings.ndjson   every finding, OCSF 2004, one a line"));
    line(format!("  {data}/archive           input, journal, features, scores and findings as Parquet"));
    line(format!("  {data}/ledger, log.vkey  the transparency log and the key to verify it with"));
    line(format!("  {data}/receipts          a proof and an opening for each finding"));
    line(format!("  {data}/truth             what really happened; {data}/metrics.prom, the last scrape"));
    line("");
    line("try next:");
    if let Some(case) = outcome.cases.first() {
        line(format!("  chartwarden explain {} --data {data}", case.finding));
    }
    line(format!("  chartwarden replay {data}/pipeline --archive {data}/archive --out /tmp/again.ndjson --verify"));
    line(format!("  chartwarden ledger verify --dir {data}/ledger --vkey {data}/log.vkey"));
}

/// Says in each case what its user really did; returns the incidents found.
fn name_truth(cases: &mut [Case], due: &[&Incident], keys: &PseudonymKeys) -> std::collections::BTreeSet<u32> {
    let mut found = std::collections::BTreeSet::new();
    for case in cases {
        let matching = due.iter().filter(|incident| {
            let Some((first, last)) = incident.first.zip(incident.last) else { return false };
            keys.user(&incident.user) == case.user
                && first <= case.last
                && last + Millis::hours(24) >= case.opened
        });
        let matching: Vec<_> = matching.collect();
        found.extend(matching.iter().map(|incident| incident.id));
        let names: Vec<_> = matching.iter().map(|incident| incident.scenario).collect();
        case.truth = Some(if names.is_empty() { "no incident".to_owned() } else { names.join(", ") });
    }
    found
}

fn balances(stage: &Stage<'_>) -> Vec<Balance> {
    let snapshot = stage.shown.progress.snapshot();
    let said = stage.said.lock().unwrap_or_else(PoisonError::into_inner);
    let inputs = (0u8..).map(events::TopicId).zip(&stage.config.input_topics);
    inputs
        .map(|(id, topic)| {
            let of_topic = said.events.iter().filter(|((_, topic), _)| *topic == id);
            let produced = of_topic.map(|(_, events)| events).sum();
            let mut balance =
                Balance { topic: topic.clone(), produced, kept: 0, late: 0, duplicates: 0, rejects: 0, open: 0 };
            for lane in (0..stage.lanes).filter_map(|lane| snapshot.lanes.get(&LaneId(lane))) {
                let place = id.index();
                if let Some(counts) = lane.counts.get(place) {
                    balance.kept += counts.kept;
                    balance.late += counts.late;
                    balance.duplicates += counts.duplicates;
                    balance.rejects += counts.rejects;
                }
                if let (Some(next), Some(position)) = (lane.next.get(place), lane.positions.get(place)) {
                    balance.open += u64::try_from(next - position).unwrap_or(0);
                }
            }
            balance
        })
        .collect()
}

fn verify_ledger(places: &Places) -> Result<ledger::DirectoryReport> {
    let vkey = VerifierKey::load(&places.vkey, &places.log)?;
    Ok(runtime()?.block_on(verify_directory(&places.log, &vkey))?)
}

fn verify_one(played: &Played<'_>, id: &str) -> Result<ledger::ReceiptReport> {
    let read = |name: String| {
        let path = played.data.join("receipts").join(name);
        std::fs::read(&path).map_err(|error| disk(&path, &error))
    };
    let (proof, opening) = (read(format!("{id}.tlog-proof"))?, read(format!("{id}.opening.json"))?);
    let vkey = VerifierKey::load(&played.places.vkey, &played.places.log)?;
    verify_receipt(&proof, None, Some(&opening), &vkey).context("verifying a receipt")
}
