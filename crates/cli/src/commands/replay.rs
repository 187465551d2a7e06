//! `chartwarden replay`: computes an archive's findings again from its input, reference and journal.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use archive::{ArchiveFeed, ReplaySource};
use base::SystemClock;
use engine::{Engine, Metrics, ModelUse, PipelineSpec, Progress};

use crate::report::{Answer, line};
use crate::view::grouped;
use crate::keys;

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
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Score)?;
    let mut source = ReplaySource::open(&arguments.archive, &spec, None)?;
    let mut feed = ArchiveFeed::open(&arguments.archive, None)?;
    // Archived rows are pseudonyms already; no key is needed, and a made-up one decodes nothing.
    let keys = Arc::new(events::PseudonymKeys::generate("replay", keys::random()?)?);
    let (metrics, progress) = (Metrics::new(&spec)?, Progress::default());
    let mut engine = Engine::new(&spec, keys, &mut source, &mut feed, &SystemClock, &metrics, &progress);
    engine.run(&AtomicBool::new(false))?;
    drop(engine);
    let captured = source.take_captured();
    let findings = archive::write_findings(&captured, &arguments.out)?;
    let snapshot = progress.snapshot();
    line(format!(
        "replayed {} events, {} ticks: {findings} findings written to {}",
        grouped(snapshot.events),
        grouped(snapshot.ticks),
        arguments.out.display()
    ));
    if !arguments.verify {
        return Ok(Answer::Yes);
    }
    let report = archive::compare(&arguments.archive, &captured)?;
    line(format!(
        "compared {} user rows, {} pair rows, {} scores, {} findings: {} differences",
        grouped(report.user_rows),
        grouped(report.pair_rows),
        grouped(report.scores),
        report.findings,
        report.difference_count
    ));
    report.differences.iter().for_each(|difference| line(format!("  {difference}")));
    Ok(if report.is_equal() { Answer::Yes } else { Answer::No })
}
