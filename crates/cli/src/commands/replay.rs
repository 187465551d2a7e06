//! `chartwarden replay`: computes findings again from recorded events.
//!
//! From an archive, under the journal that the live run wrote: the same bytes. Features, scores and findings of the
//! archive are compared with, never read. With a cluster, what lanes there have committed is archived first. Or from
//! NDJSON files, where no journal says what a clock once decided.
//! Read next: `archive::ReplaySource`, `archive::RecordedSource`.

mod bound;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use archive::{ArchiveFeed, Captured, Keep, Listing, RecordedFeed, RecordedSource, ReplaySource};
use base::{Digest, SystemClock, Timestamp};
use engine::ports::{ReferenceFeed, Source};
use engine::{Engine, Metrics, ModelUse, PipelineSpec, Progress};
use events::PseudonymKeys;

use self::bound::Bound;
use crate::archivers::fetch;
use crate::cluster::Cluster;
use crate::keys;
use crate::report::{Answer, Failure, json_line, line, note};
use crate::view::{grouped, ticks_bar};
use crate::watching;

/// How often a person is shown how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("input").required(true))]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
    /// The archive.
    #[arg(long, value_name = "DIR", group = "input")]
    archive: Option<PathBuf>,
    /// Folder with recorded events and reference as `simulate` writes them: `access`, `auth`, `staff`, `patients`,
    /// `relations`, each `.ndjson` or `.parquet`.
    #[arg(long, value_name = "DIR", group = "input", requires = "keys")]
    events: Option<PathBuf>,
    /// Pseudonym key file, for --events and --bootstrap. An archive holds pseudonyms already.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Brokers: first adds to the archive what lanes there have committed, so that nothing but Kafka is needed.
    #[arg(long, value_name = "HOST:PORT", requires_all = ["archive", "keys"])]
    bootstrap: Option<String>,
    /// A property of librdkafka, for --bootstrap; as for `run`.
    #[arg(long = "property", value_name = "KEY=VALUE", requires = "bootstrap")]
    properties: Vec<String>,
    /// Findings file to write: one OCSF object a line, ordered by tick end, lane, ordinal.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write only findings told at or after this time, as in `2026-01-20` or `2026-01-20T14:30`, local to the house; or
    /// since the tick that read a record of an input topic, as in `ehr.access.v1:0:1234` (partition, offset). What came
    /// before is computed all the same: baselines remember it.
    #[arg(long, value_name = "TIME|TOPIC:PARTITION:OFFSET")]
    from: Option<Bound>,
    /// Write only findings told before this time, or before the tick that read this record.
    #[arg(long, value_name = "TIME|TOPIC:PARTITION:OFFSET")]
    to: Option<Bound>,
    /// Keep how far it is in this folder, and go on from what a replay that was stopped has kept there; removed at the end.
    #[arg(long, value_name = "DIR", requires = "archive", conflicts_with = "events")]
    resume: Option<PathBuf>,
    /// Hold features, scores and findings against those of the archive, byte for byte.
    #[arg(long, requires = "archive", conflicts_with = "events")]
    verify: bool,
    /// Let events and reference alone decide, as if the archive's journal were lost; with --verify, what differs is told, and
    /// which of the journal's decisions it comes from.
    #[arg(long, requires = "archive", conflicts_with_all = ["events", "resume"])]
    without_journal: bool,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Score)?;
    can_be_written(&arguments.out)?;
    if let (Some(bootstrap), Some(archive), Some(keys)) = (&arguments.bootstrap, &arguments.archive, &arguments.keys) {
        let config = Cluster::at(bootstrap, &arguments.properties).config(&spec)?;
        fetch(archive, &spec, &Arc::new(keys::pseudonyms(keys)?), &config)?;
    }
    // Somebody may go on archiving meanwhile.
    let archive = arguments.archive.as_deref().map(Listing::open).transpose()?;
    let (from, to) = span(arguments, &spec, archive.as_ref())?;
    let mut again = match (&archive, &arguments.events, &arguments.keys) {
        (Some(archive), _, _) if arguments.without_journal => alone(archive, &spec)?,
        (Some(archive), _, _) => again(archive, &spec, Keep::Results, arguments.resume.as_deref())?,
        (None, Some(events), Some(keys)) => first_time(events, keys, &spec)?,
        _ => return Err(Failure::invalid("nothing to replay").hint("name --archive, or --events and --keys").into()),
    };
    let watched = watching::again(&spec, archive.as_ref(), &mut again.captured)?;
    if archive.is_some() && !spec.watches().is_empty() && watched.lanes.is_empty() {
        note("note: the archive holds nothing of watches, so findings about entities are not computed");
    }
    let mut told = again.captured.findings()?;
    told.extend(watched.findings()?);
    // At one tick, lanes of users come before lanes of watches.
    told.sort_by_key(|finding| (finding.tick_end, finding.lane));
    told.retain(|finding| from <= finding.tick_end && finding.tick_end < to);
    let digest = archive::write_findings(&told, &arguments.out)?;
    let compared = archive.as_ref().filter(|_| arguments.verify);
    let replayed = Replayed {
        events: again.events,
        ticks: again.ticks,
        findings: told.len(),
        digest,
        report: compared.map(|archive| compare(archive, &spec, &again.captured, &watched)).transpose()?,
        decided: match compared.filter(|_| arguments.without_journal) {
            Some(archive) => archive::decided(archive, &spec)?,
            None => Vec::new(),
        },
    };
    again.source.map_or(Ok(()), |source| source.forget())?;
    if arguments.json {
        json_line(replayed.json())
    } else {
        replayed.show(&arguments.out)
    }
    Ok(if replayed.report.is_none_or(|report| report.is_equal()) { Answer::Yes } else { Answer::No })
}

/// Computing takes long: that there is nowhere to write is told before it.
fn can_be_written(out: &Path) -> Result<()> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if out.is_dir() || !folder.is_dir() {
        let failure = Failure::invalid("findings cannot be written there").at(out.display());
        return Err(failure.hint("name a file, in a folder that exists").into());
    }
    Ok(())
}

/// The half-open span whose findings are written.
fn span(arguments: &Arguments, spec: &PipelineSpec, archive: Option<&Listing>) -> Result<(Timestamp, Timestamp)> {
    let moment =
        |bound: &Option<Bound>, otherwise| bound.as_ref().map_or(Ok(otherwise), |bound| bound.moment(spec, archive));
    let (from, to) = (moment(&arguments.from, Timestamp::MIN)?, moment(&arguments.to, Timestamp::MAX)?);
    if from >= to {
        return Err(Failure::invalid("--from must lie before --to").into());
    }
    Ok((from, to))
}

/// What was computed again.
pub(super) struct Again {
    pub(super) captured: Captured,
    pub(super) events: u64,
    pub(super) ticks: u64,
    /// Of an archive.
    source: Option<ReplaySource>,
}

/// Computes an archive again under its journal; with a folder, keeps there how far it is, and goes on from there.
pub(super) fn again(archive: &Listing, spec: &PipelineSpec, keep: Keep, resume: Option<&Path>) -> Result<Again> {
    let source = ReplaySource::open(archive, spec)?.keeping(keep);
    let (mut source, events, ticks) = match resume {
        Some(folder) => source.resuming(folder, spec)?,
        None => (source, 0, 0),
    };
    if ticks > 0 {
        note(format!("goes on after {} events, {} ticks", grouped(events), grouped(ticks)));
    }
    let mut feed = ArchiveFeed::open(archive)?;
    // Archived rows are pseudonyms already; no key is needed, and a made-up one decodes nothing.
    let id = feed.key_id().unwrap_or_else(|| "replay".to_owned());
    // Nearly every record is a tick.
    let all: u64 = archive.newest_records()?.values().map(|record| record.sequence).sum();
    let ran = compute(spec, stand_in(&id)?, &mut source, &mut feed, Some(all.saturating_sub(ticks)))?.snapshot();
    let captured = source.take_captured();
    Ok(Again { captured, events: events + ran.events, ticks: ticks + ran.ticks, source: Some(source) })
}

/// Computes an archive again from its input and reference alone.
fn alone(archive: &Listing, spec: &PipelineSpec) -> Result<Again> {
    let mut source = ReplaySource::open(archive, spec)?.keeping(Keep::Results).without_journal();
    let mut feed = ArchiveFeed::open(archive)?.since_genesis(archive)?;
    let id = feed.key_id().unwrap_or_else(|| "replay".to_owned());
    let ran = compute(spec, stand_in(&id)?, &mut source, &mut feed, None)?.snapshot();
    Ok(Again { captured: source.take_captured(), events: ran.events, ticks: ran.ticks, source: None })
}

/// Holds everything that was computed against the archive.
fn compare(archive: &Listing, spec: &PipelineSpec, captured: &Captured, watched: &Captured) -> Result<archive::Report> {
    let mut report = archive::compare(archive, captured, spec.digests())?;
    archive::compare_watches(&mut report, archive, spec, watched)?;
    archive::compare_reach(&mut report, archive, spec)?;
    Ok(report)
}

/// A key that nothing is decoded with.
pub(super) fn stand_in(id: &str) -> Result<Arc<PseudonymKeys>> {
    Ok(Arc::new(PseudonymKeys::generate(id, keys::random()?)?))
}

/// Without a journal.
fn first_time(events: &Path, keys: &Path, spec: &PipelineSpec) -> Result<Again> {
    let keys = Arc::new(keys::pseudonyms(keys)?);
    let mut source = RecordedSource::open(events, spec, &keys)?;
    let mut feed = RecordedFeed::open(events, spec)?;
    note(
        "note: files have no journal and no append times: ticks close by the events alone, so findings may differ from \
         those of a live run in which a topic was declared idle, and the last minutes stay open",
    );
    let ran = compute(spec, keys, &mut source, &mut feed, None)?.snapshot();
    Ok(Again { captured: source.take_captured(), events: ran.events, ticks: ran.ticks, source: None })
}

/// Runs the engine over recorded input to its end; of so many ticks, if that is known.
fn compute(
    spec: &PipelineSpec,
    keys: Arc<PseudonymKeys>,
    source: &mut dyn Source,
    feed: &mut dyn ReferenceFeed,
    ticks: Option<u64>,
) -> Result<Progress> {
    let (metrics, progress, over) = (Metrics::new(spec)?, Progress::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        if let Some(ticks) = ticks {
            let (progress, over) = (&progress, &over);
            scope.spawn(move || watch(progress, ticks, over));
        }
        let ran = Engine::new(spec, keys, source, feed, &SystemClock, &metrics, &progress).run(&AtomicBool::new(false));
        over.store(true, Ordering::Relaxed);
        ran
    })?;
    Ok(progress)
}

/// Shows on a terminal how far a replay is, until it is over.
fn watch(progress: &Progress, ticks: u64, over: &AtomicBool) {
    let bar = ticks_bar(ticks);
    while !over.load(Ordering::Relaxed) {
        bar.set_position(progress.snapshot().ticks);
        std::thread::sleep(LOOK);
    }
    bar.finish_and_clear();
}

/// What a replay came to.
struct Replayed {
    events: u64,
    ticks: u64,
    findings: usize,
    /// Of the findings file.
    digest: Digest,
    report: Option<archive::Report>,
    /// What the journal decided that was not followed.
    decided: Vec<String>,
}

impl Replayed {
    fn json(&self) -> serde_json::Value {
        let report = self.report.as_ref().map(|report| {
            serde_json::json!({
                "equal": report.is_equal(), "user_rows": report.user_rows, "pair_rows": report.pair_rows,
                "entity_rows": report.entity_rows,
                "scores": report.scores, "findings": report.findings, "runs": report.runs,
                "foreign_runs": report.foreign_runs,
                "difference_count": report.difference_count,
                "differences": report.differences,
            })
        });
        serde_json::json!({
            "events": self.events, "ticks": self.ticks, "findings": self.findings, "digest": self.digest,
            "compared": report, "decided": self.decided,
        })
    }

    fn show(&self, out: &Path) {
        let (events, ticks) = (grouped(self.events), grouped(self.ticks));
        line(format!("replayed {events} events, {ticks} ticks: {} findings", self.findings));
        line(format!("wrote    {}, SHA-256 {}", out.display(), self.digest));
        let Some(report) = &self.report else { return };
        line(format!(
            "compared {} user rows, {} pair rows, {} entity rows, {} scores, {} findings: {}",
            grouped(report.user_rows),
            grouped(report.pair_rows),
            grouped(report.entity_rows),
            grouped(report.scores),
            report.findings,
            if report.is_equal() {
                "equal to the byte".to_owned()
            } else {
                format!("{} differences", report.difference_count)
            }
        ));
        if report.foreign_runs > 0 {
            line(format!("not compared: {} runs of files, told under other definitions", report.foreign_runs));
        }
        report.differences.iter().for_each(|difference| line(format!("  {difference}")));
        if !self.decided.is_empty() {
            line("what the journal decided, and events and reference alone do not tell:");
            self.decided.iter().for_each(|decision| line(format!("  {decision}")));
        }
    }
}
