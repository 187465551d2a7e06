//! `chartwarden replay`: computes an archive's findings again from its input, reference and journal.
//!
//! Features, scores and findings of the archive are compared with, never read. Read next: `archive::ReplaySource`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use archive::{ArchiveFeed, ReplaySource};
use base::{Digest, SystemClock};
use engine::{Engine, Metrics, ModelUse, PipelineSpec, Progress};
use sha2::{Digest as _, Sha256};

use crate::keys;
use crate::report::{Answer, disk, line};
use crate::view::grouped;

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
    /// The archive.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// Findings file to write: one OCSF object a line, ordered by tick end, lane, ordinal.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Hold features, scores and findings against those of the archive, byte for byte.
    #[arg(long)]
    verify: bool,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Score)?;
    let mut source = ReplaySource::open(&arguments.archive, &spec, None)?;
    let mut feed = ArchiveFeed::open(&arguments.archive, None)?;
    // Archived rows are pseudonyms already; no key is needed, and a made-up one decodes nothing.
    let keys = Arc::new(events::PseudonymKeys::generate(
        &feed.key_id().unwrap_or_else(|| "replay".to_owned()),
        keys::random()?,
    )?);
    let (metrics, progress) = (Metrics::new(&spec)?, Progress::default());
    let mut engine = Engine::new(&spec, keys, &mut source, &mut feed, &SystemClock, &metrics, &progress);
    engine.run(&AtomicBool::new(false))?;
    drop(engine);
    let captured = source.take_captured();
    let findings = archive::write_findings(&captured, &arguments.out)?;
    let bytes = std::fs::read(&arguments.out).map_err(|error| disk(&arguments.out, &error))?;
    let snapshot = progress.snapshot();
    let replayed = Replayed {
        events: snapshot.events,
        ticks: snapshot.ticks,
        findings,
        digest: Digest(Sha256::digest(&bytes).into()),
        report: arguments.verify.then(|| archive::compare(&arguments.archive, &captured)).transpose()?,
    };
    if arguments.json {
        line(replayed.json())
    } else {
        replayed.show(&arguments.out)
    }
    Ok(if replayed.report.is_none_or(|report| report.is_equal()) { Answer::Yes } else { Answer::No })
}

/// What a replay came to.
struct Replayed {
    events: u64,
    ticks: u64,
    findings: usize,
    /// Of the findings file.
    digest: Digest,
    report: Option<archive::Report>,
}

impl Replayed {
    fn json(&self) -> serde_json::Value {
        let report = self.report.as_ref().map(|report| {
            serde_json::json!({
                "equal": report.is_equal(), "user_rows": report.user_rows, "pair_rows": report.pair_rows,
                "scores": report.scores, "findings": report.findings, "difference_count": report.difference_count,
                "differences": report.differences,
            })
        });
        serde_json::json!({
            "events": self.events, "ticks": self.ticks, "findings": self.findings, "digest": self.digest,
            "compared": report,
        })
    }

    fn show(&self, out: &Path) {
        let (events, ticks) = (grouped(self.events), grouped(self.ticks));
        line(format!("replayed {events} events, {ticks} ticks: {} findings", self.findings));
        line(format!("wrote    {}, SHA-256 {}", out.display(), self.digest));
        let Some(report) = &self.report else { return };
        line(format!(
            "compared {} user rows, {} pair rows, {} scores, {} findings: {}",
            grouped(report.user_rows),
            grouped(report.pair_rows),
            grouped(report.scores),
            report.findings,
            if report.is_equal() {
                "equal to the byte".to_owned()
            } else {
                format!("{} differences", report.difference_count)
            }
        ));
        report.differences.iter().for_each(|difference| line(format!("  {difference}")));
    }
}
