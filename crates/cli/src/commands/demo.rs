//! The product at work, start to finish: a broker in memory, a synthetic hospital, the pipeline, ledger and archive.
//!
//! Four threads: the hospital speaks, the engine computes, the archiver follows, HTTP answers; this one seals findings
//! and draws. It ends by itself. Read next: `voice.rs` (who speaks), `anchor.rs` (what is sealed).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use base::{Clock, Millis, SystemClock, Timestamp};
use engine::ports::LaneId;
use engine::{Engine, Metrics, ModelUse, PipelineSpec, Snapshot};
use events::{PseudonymKeys, TopicId};
use hospital::{Hospital, Incident};
use kafka::{Config, Embedded, KafkaFollower, KafkaReferenceFeed, KafkaSource};
use ledger::VerifierKey;

use crate::anchor::{self, Anchor, Places};
use crate::cases::{cases, table};
use crate::elapsed::Elapsed;
use crate::http::{Server, Shown, serve};
use crate::memory::Standing;
use crate::report::{Answer, Failure, disk, line};
use crate::town::{Town, TruthFiles};
use crate::view::{Scene, View, grouped};
use crate::voice::{Said, Voice};
use crate::{cluster, keys, shipped};

/// Lanes of the demo: one for each core of a small machine.
const LANES: u32 = 2;
/// How far the hospital may be ahead of the lanes: the broker in memory keeps 5 MiB a partition and drops the oldest.
const AHEAD_MAX: Millis = Millis::hours(6);
/// How far it may be ahead of the archiver.
const ARCHIVE_AHEAD_MAX: Millis = Millis::hours(30);
/// How long nothing may happen at the end before everything has happened.
const QUIET: Duration = Duration::from_millis(1_500);

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seed of the hospital.
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    town: Town,
    /// Folder to write; must be absent, empty or an earlier demo's.
    #[arg(long, default_value = "chartwarden-demo", value_name = "DIR")]
    data: PathBuf,
    /// One line per stage, no control codes.
    #[arg(long)]
    plain: bool,
    /// Where HTTP listens.
    #[arg(long, default_value = "127.0.0.1:9464", value_name = "HOST:PORT")]
    http: SocketAddr,
}

/// Name of the file that marks a folder as a demo's.
const MARK: &str = ".chartwarden-demo";

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let watch = Elapsed::start();
    let data = &arguments.data;
    fresh(data)?;
    shipped::write(&data.join("pipeline"))?;
    let spec = PipelineSpec::load(&data.join("pipeline"), ModelUse::Score)?;
    let pseudonyms = keys::pseudonyms_or_new(&data.join("keys/pseudonym.key"), "demo", keys::random()?)?;
    let pseudonyms = Arc::new(pseudonyms);
    let places = Places::under(data);
    anchor::init(&places, "chartwarden.demo/hospital")?;

    let broker = Embedded::start()?;
    let config = cluster::config(&spec, &broker.bootstrap());
    broker.create_topics(&config, LANES)?;
    let view = View::new(arguments.plain, u64::from(arguments.town.days));
    view.stage(&format!("broker     in memory, {LANES} lanes over {}", config.input_topics.join(" and ")));

    let hospital_config = arguments.town.config(arguments.seed, &spec.program().spec().time_zone)?;
    let start = hospital_config.start;
    let said = Mutex::new(Said::default());
    let voice = Voice::new(Hospital::new(hospital_config)?, &spec, &config, LANES, &said)?;
    let rows = voice.introduce()?;
    view.stage(&format!(
        "hospital   seed {}, {} staff, {} days from {}; {} reference rows written",
        arguments.seed,
        arguments.town.staff,
        arguments.town.days,
        arguments.town.start,
        grouped(rows)
    ));
    let truth = TruthFiles::create(&data.join("truth"))?;

    let shown = Shown::new(Metrics::new(&spec)?);
    let server = Server::bind(arguments.http, None)?;
    view.stage(&format!("metrics    http://{}/metrics", server.address()?));
    let ended = Watched { spec: &spec, config: &config, pseudonyms: &pseudonyms, shown: &shown, said: &said, view: &view };
    let (anchor, incidents) = ended.watch(arguments, server, voice, truth, start, &places, data)?;
    view.end();
    if shown.interrupted.load(Ordering::Relaxed) {
        return Err(Failure::unavailable("interrupted: the demo's hospital is gone with it").into());
    }
    let found = Findings { anchor: &anchor, incidents: &incidents, keys: &pseudonyms };
    finish(&spec, &shown, &said, &found, &places, data, &watch, arguments)
}

/// Empties an earlier demo's folder; refuses any other that holds something.
fn fresh(data: &Path) -> Result<()> {
    if data.join(MARK).exists() {
        std::fs::remove_dir_all(data).map_err(|error| disk(data, &error))?;
    }
    keys::fresh_folder(data)?;
    std::fs::create_dir_all(data.join("keys")).map_err(|error| disk(data, &error))?;
    std::fs::write(data.join(MARK), "").map_err(|error| disk(data, &error))
}

struct Watched<'a> {
    spec: &'a PipelineSpec,
    config: &'a Config,
    pseudonyms: &'a Arc<PseudonymKeys>,
    shown: &'a Arc<Shown>,
    said: &'a Mutex<Said>,
    view: &'a View,
}

impl Watched<'_> {
    /// Lets everything run until the story is told and computed; gives the ledger's writer and what really happened.
    fn watch(
        &self,
        arguments: &Arguments,
        server: Server,
        mut voice: Voice<'_>,
        mut truth: TruthFiles,
        start: Timestamp,
        places: &Places,
        data: &Path,
    ) -> Result<(Anchor, Vec<Incident>)> {
        let (archived, served) = (AtomicBool::new(false), AtomicBool::new(false));
        let archived_until = Mutex::new(None);
        std::thread::scope(|scope| {
            let engine = scope.spawn(|| {
                let result = self.compute();
                // Whoever waits must not wait for an engine that has failed.
                self.shown.stop.store(true, Ordering::Relaxed);
                result
            });
            let archiver = scope.spawn(|| {
                let result = self.archive(&data.join("archive"), &archived, &archived_until);
                self.shown.stop.store(self.shown.is_stopping() || result.is_err(), Ordering::Relaxed);
                result
            });
            let http = scope.spawn(|| serve(Some(server), self.shown, &served));
            let speaker = scope.spawn(|| {
                let told = voice.speak(start, &mut truth, &|hour| self.carry_on(hour, &archived_until))?;
                let hospital = voice.into_hospital();
                truth.finish(&hospital)?;
                let incidents = hospital.incidents();
                Ok::<_, anyhow::Error>((told, incidents))
            });
            let sealed = self.seal(arguments, places);
            self.shown.stop.store(true, Ordering::Relaxed);
            let computed = joined(engine.join());
            let spoken = joined(speaker.join());
            archived.store(true, Ordering::Relaxed);
            let followed = joined(archiver.join());
            served.store(true, Ordering::Relaxed);
            joined(http.join())?;
            computed?;
            followed?;
            let (_, incidents) = spoken?;
            Ok((sealed?, incidents))
        })
    }

    fn compute(&self) -> Result<()> {
        let mut source = KafkaSource::connect(self.config)?;
        // The simulated hospital's own stamps are the time: the machine's clock says nothing about them.
        let mut feed = KafkaReferenceFeed::connect(self.config, Arc::new(Standing))?;
        let keys = Arc::clone(self.pseudonyms);
        let (metrics, progress) = (&self.shown.metrics, &self.shown.progress);
        let mut engine = Engine::new(self.spec, keys, &mut source, &mut feed, &SystemClock, metrics, progress);
        Ok(engine.run(&self.shown.stop)?)
    }

    fn archive(&self, folder: &Path, over: &AtomicBool, until: &Mutex<Option<Timestamp>>) -> Result<()> {
        let follower = Box::new(KafkaFollower::connect(self.config)?);
        let lanes: Vec<LaneId> = (0..LANES).map(LaneId).collect();
        let keys = Arc::clone(self.pseudonyms);
        let mut archiver = archive::Archiver::new(folder, self.spec, keys, follower, &lanes)?;
        while !over.load(Ordering::Relaxed) {
            archiver.step(Duration::from_millis(50))?;
            let ends = archiver.progress().lanes.into_values().map(|lane| lane.tick_end);
            *until.lock().unwrap_or_else(PoisonError::into_inner) = ends.min().flatten();
        }
        Ok(archiver.finish()?)
    }

    /// Waits until lanes and archiver are close enough behind the hospital; `false` ends the story.
    fn carry_on(&self, hour: Timestamp, archived_until: &Mutex<Option<Timestamp>>) -> bool {
        loop {
            if self.shown.is_stopping() {
                return false;
            }
            let snapshot = self.shown.progress.snapshot();
            let ends = snapshot.lanes.values().map(|lane| lane.tick_end.or(lane.watermark));
            let lanes = if snapshot.lanes.len() < LANES as usize { None } else { ends.min().flatten() };
            let archived = *archived_until.lock().unwrap_or_else(PoisonError::into_inner);
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).total();
            // Until the first tick closes nobody can be late: half a day may be said at once.
            let early = said < 20_000;
            let near = |at: Option<Timestamp>, far: Millis| at.map_or(early, |at| hour - at <= far);
            if near(lanes, AHEAD_MAX) && near(archived, ARCHIVE_AHEAD_MAX) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Seals what is found and draws, until everything said has been computed.
    fn seal(&self, arguments: &Arguments, places: &Places) -> Result<Anchor> {
        let mut anchor = Anchor::open(places, self.config)?;
        let (mut quiet, mut last, mut entries) = (Elapsed::start(), (0, 0), anchor.step()?);
        let (mut rate, mut told) = ((Elapsed::start(), 0, 0.0), u32::MAX);
        let mut sealed_findings = 0;
        while !self.shown.is_stopping() {
            std::thread::sleep(Duration::from_millis(100));
            let snapshot = self.shown.progress.snapshot();
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if snapshot.findings > sealed_findings {
                (sealed_findings, entries) = (snapshot.findings, anchor.step()?);
                self.shown.metrics.ledger(entries, SystemClock.now());
            }
            if rate.0.seconds() >= 1.0 {
                let per_second = (snapshot.events - rate.1) as f64 / rate.0.seconds();
                rate = (Elapsed::start(), snapshot.events, per_second);
            }
            self.view.draw(&scene(arguments, &said, &snapshot, rate.2, entries));
            if arguments.plain && said.days.is_multiple_of(7) && said.days != told {
                told = said.days;
                let events = grouped(snapshot.events);
                self.view.stage(&format!("day {:>2}     {events} events, {}", told, phase(arguments, told)));
            }
            let now = (snapshot.events, snapshot.ticks);
            if now != last || !said.over || !all_read(&said, &snapshot) {
                (quiet, last) = (Elapsed::start(), now);
            } else if quiet.so_far() >= QUIET {
                break;
            }
        }
        anchor.step()?;
        Ok(anchor)
    }
}

fn joined<T>(result: std::thread::Result<Result<T>>) -> Result<T> {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn phase(arguments: &Arguments, day: u32) -> String {
    let learn = (arguments.town.days / 2).min(14);
    if day < learn { format!("learning what is usual (until day {learn})") } else { "watching".to_owned() }
}

fn scene(arguments: &Arguments, said: &Said, snapshot: &Snapshot, per_second: f64, ledger: u64) -> Scene {
    Scene {
        day: u64::from(said.days),
        phase: phase(arguments, said.days),
        watermark: snapshot.lanes.values().filter_map(|lane| lane.watermark).min(),
        events: snapshot.events,
        per_second,
        open_cases: snapshot.lanes.values().map(|lane| lane.open_cases).sum(),
        last_finding: snapshot.last_finding.clone(),
        ledger,
    }
}

/// Whether every event written has been read.
fn all_read(said: &Said, snapshot: &Snapshot) -> bool {
    said.events.iter().all(|((lane, topic), written)| {
        let next = snapshot.lanes.get(&LaneId(*lane)).and_then(|lane| lane.next.get(topic.index()));
        next.is_some_and(|next| *next >= i64::try_from(*written).unwrap_or(i64::MAX))
    })
}

struct Findings<'a> {
    anchor: &'a Anchor,
    incidents: &'a [Incident],
    keys: &'a PseudonymKeys,
}

/// Writes what is left to write, shows the cases, and checks everything.
#[expect(clippy::too_many_arguments, reason = "the end of a story knows all its characters")]
fn finish(
    spec: &PipelineSpec,
    shown: &Shown,
    said: &Mutex<Said>,
    found: &Findings<'_>,
    places: &Places,
    data: &Path,
    watch: &Elapsed,
    arguments: &Arguments,
) -> Result<Answer> {
    let path = data.join("findings.ndjson");
    archive::write_findings_from_archive(&data.join("archive"), &path)?;
    let metrics = data.join("metrics.prom");
    std::fs::write(&metrics, shown.metrics.text()).map_err(|error| disk(&metrics, &error))?;
    found.anchor.write_receipts(&data.join("receipts"))?;

    let text = std::fs::read(&path).map_err(|error| disk(&path, &error))?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut cases = cases(lines)?;
    for case in &mut cases {
        case.truth = Some(truth_of(&case.user, case.opened, case.last, found));
    }
    line("");
    line(table(&cases, arguments.plain));
    let caught = cases.iter().filter(|case| case.truth.as_deref() != Some("no incident")).count();
    line("");
    line(format!(
        "{} cases, {caught} of them about one of {} incidents; {:.0} s in all",
        cases.len(),
        found.incidents.len(),
        watch.seconds()
    ));

    let conserved = conservation(spec, shown, &said.lock().unwrap_or_else(PoisonError::into_inner));
    let verified = verify(places, data, &cases.first().map(|case| case.finding.clone()))?;
    line("");
    let here = data.display();
    for (what, name) in [
        ("findings", "findings.ndjson (OCSF Detection Finding, one a line)"),
        ("archive", "archive/ (Parquet: input, journal, features, scores, findings)"),
        ("ledger", "ledger/, checked with log.vkey; receipts/ one per finding"),
        ("truth", "truth/ (what the simulator knows and the pipeline never sees)"),
    ] {
        line(format!("{what:<10} {here}/{name}"));
    }
    line("\nnext:");
    if let Some(case) = cases.first() {
        line(format!("  chartwarden explain {} --data {here}", case.finding));
    }
    line(format!("  chartwarden ledger verify {here}/ledger --vkey {here}/log.vkey"));
    line(format!("  chartwarden replay {here}/pipeline --archive {here}/archive --out replayed.ndjson"));
    Ok(if conserved && verified && !cases.is_empty() { Answer::Yes } else { Answer::No })
}

/// What the simulator knows of a user around the time of a case.
fn truth_of(user: &str, opened: Timestamp, last: Timestamp, found: &Findings<'_>) -> String {
    let near = |incident: &&Incident| {
        let end = incident.last.unwrap_or(Timestamp::MIN);
        let begin = incident.first.unwrap_or(Timestamp::MAX);
        found.keys.user(&incident.user) == user && begin <= last && opened <= end + Millis::days(2)
    };
    let hits: Vec<String> = found.incidents.iter().filter(near).map(|incident| incident.scenario.to_string()).collect();
    if hits.is_empty() { "no incident".to_owned() } else { hits.join(", ") }
}

/// Every event written is accounted for, lane by lane and topic by topic.
fn conservation(spec: &PipelineSpec, shown: &Shown, said: &Said) -> bool {
    let snapshot = shown.progress.snapshot();
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
    let mut holds = true;
    for (topic, (written, counts, above)) in sums {
        let whole = counts.balance() && counts.read + above == written;
        holds &= whole;
        line(format!(
            "conservation  {:<16} {} written = {} kept + {} late + {} duplicates + {} rejects + {above} in ticks still open: {}",
            spec.inputs()[topic.index()].topic,
            grouped(written),
            grouped(counts.kept),
            counts.late,
            counts.duplicates,
            counts.rejects,
            if whole { "holds" } else { "BROKEN" }
        ));
    }
    holds
}

/// The whole ledger, and one receipt.
fn verify(places: &Places, data: &Path, finding: &Option<String>) -> Result<bool> {
    let vkey = VerifierKey::load(&places.vkey, &places.log)?;
    let report = anchor::runtime()?.block_on(ledger::verify_directory(&places.log, &vkey))?;
    line(format!(
        "ledger        {}: {} entries, {} files read, {} problems",
        report.verdict,
        report.size.unwrap_or(0),
        report.files_read,
        report.problem_count
    ));
    let mut holds = report.verdict == ledger::Verdict::Committed;
    if let Some(id) = finding {
        let read = |end: &str| {
            let path = data.join("receipts").join(format!("{id}.{end}"));
            std::fs::read(&path).map_err(|error| disk(&path, &error))
        };
        let receipt = ledger::verify_receipt(&read("tlog-proof")?, Some(&read("opening.json")?), None, &vkey)?;
        line(format!("receipt       {}: {}", receipt.verdict, receipt.reason));
        holds &= receipt.verdict == ledger::Verdict::Committed;
    }
    if finding.is_none() {
        return Err(anyhow!(Failure::invalid("no case was found").hint("try another --seed or more --days")));
    }
    Ok(holds)
}
