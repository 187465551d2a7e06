//! The product at work, start to finish: a broker in memory, a synthetic hospital, the pipeline, ledger and archive.
//!
//! Five threads: the hospital speaks, lanes of users compute, lanes of watches do, the archiver follows, HTTP answers;
//! this one seals findings and draws. It ends by itself. Read next: `voice.rs` (who speaks), `anchor.rs` (what is sealed).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use base::{Clock as _, Millis, SystemClock, Timestamp};
use engine::ports::LaneId;
use engine::{Engine, Metrics, ModelUse, PipelineSpec, Snapshot};
use events::{PseudonymKeys, TopicId};
use hospital::{Hospital, Incident};
use kafka::{Config, Embedded, KafkaReferenceFeed, KafkaSource, Scope};

use crate::anchor::{self, Anchor, Places};
use crate::archivers::Archivers;
use crate::elapsed::Elapsed;
use crate::http::{Server, Shown, serve};
use crate::memory::Standing;
use crate::report::{Answer, Failure, disk, note};
use crate::town::{Town, TruthFiles};
use crate::view::{Scene, View, grouped};
use crate::voice::{Said, Voice};
use crate::watching::watch;
use crate::{cluster, keys, shipped};

use ending::Played;

mod ending;

/// Lanes: one for each core of a small machine.
const LANES: u32 = 2;
/// How far the hospital may be ahead of the lanes: the broker in memory keeps 5 MiB a partition and drops the oldest.
const AHEAD_MAX: Millis = Millis::hours(6);
/// Records of a partition that no lane has read, below which it may be further ahead: a small house may be silent on
/// one topic for longer, and the lane waits for its next word.
const UNREAD_MAX: u64 = 4_000;
/// How far it may be ahead of the archiver.
const ARCHIVE_AHEAD_MAX: Millis = Millis::hours(30);
/// How far the watches may be behind the lanes that tell them.
const WATCHES_BEHIND_MAX: Millis = Millis::hours(12);
/// Ticks that the archiver may not have read yet: their results are in the broker's memory too.
const ARCHIVE_UNREAD_MAX: u64 = 1_200;
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
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
    /// A real broker instead of the one in memory; topics get names of this demo's own.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Where HTTP listens; 127.0.0.1:9464, or any free port, if absent.
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<SocketAddr>,
    /// File with the token that /metrics asks for; needed on a public address.
    #[arg(long, value_name = "FILE")]
    http_token_file: Option<PathBuf>,
}

/// Where HTTP listens unless told otherwise.
const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9464);

/// Name of the file that marks a folder as a demo's.
const MARK: &str = ".chartwarden-demo";

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let watch = Elapsed::start();
    let data = &arguments.data;
    // What cannot be simulated leaves no folder behind.
    arguments.town.config(arguments.seed, "UTC")?.check()?;
    fresh(data)?;
    shipped::write(&data.join("pipeline"))?;
    let spec = PipelineSpec::load(&data.join("pipeline"), ModelUse::Score)?;
    let pseudonyms = keys::pseudonyms_or_new(&data.join("keys/pseudonym.key"), "demo", keys::random()?)?;
    let pseudonyms = Arc::new(pseudonyms);
    let places = Places::under(data);
    anchor::init(&places, "chartwarden.demo/hospital")?;

    let view = View::new(arguments.plain, u64::from(arguments.town.days));
    let (broker, config) = broker(arguments, &spec)?;
    let place = arguments.bootstrap.as_deref().unwrap_or("in memory");
    view.stage(&format!("broker     {place}, {LANES} lanes over {}", config.input_topics.join(" and ")));

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
    let server = server(arguments)?;
    view.stage(&format!("metrics    http://{}/metrics", server.address()?));
    let ended = Watched {
        spec: &spec,
        config: &config,
        is_embedded: broker.is_some(),
        pseudonyms: &pseudonyms,
        shown: &shown,
        said: &said,
        view: &view,
    };
    let (anchor, incidents) = ended.watch(arguments, server, voice, truth, start, &places, data)?;
    view.end();
    if shown.interrupted.load(Ordering::Relaxed) {
        return Err(Failure::unavailable("interrupted: the demo's hospital is gone with it").into());
    }
    let played = Played {
        spec: &spec,
        shown: &shown,
        said: &said,
        anchor: &anchor,
        incidents: &incidents,
        keys: &pseudonyms,
        places: &places,
        data,
        watch: &watch,
    };
    played.finish(arguments.json, arguments.plain)
}

/// The broker in memory with every topic, or the way to a real one under names of this demo's own.
fn broker(arguments: &Arguments, spec: &PipelineSpec) -> Result<(Option<Embedded>, Config)> {
    if let Some(bootstrap) = &arguments.bootstrap {
        let name = format!("demo-{}-{}", arguments.seed, SystemClock.now().millis());
        let config = cluster::under(cluster::config(spec, bootstrap), &name);
        for scope in [Scope::Simulated, Scope::Own] {
            kafka::ensure_topics(&config, LANES, scope)?;
        }
        return Ok((None, config));
    }
    let broker = Embedded::start()?;
    let config = cluster::config(spec, &broker.bootstrap());
    broker.create_topics(&config, LANES)?;
    Ok((Some(broker), config))
}

fn server(arguments: &Arguments) -> Result<Server> {
    let token = arguments.http_token_file.as_deref();
    if let Some(address) = arguments.http {
        return Server::bind(address, token);
    }
    Server::bind(HTTP, token).or_else(|error| {
        note(format!("metrics    {error}: taking any free port"));
        Server::bind(SocketAddr::new(HTTP.ip(), 0), token)
    })
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

/// How far the archiver is.
#[derive(Clone, Copy, Debug, Default)]
struct Archived {
    /// What is written reaches to here.
    written: Option<Timestamp>,
    /// Ticks it has read.
    ticks: u64,
}

struct Watched<'a> {
    spec: &'a PipelineSpec,
    config: &'a Config,
    is_embedded: bool,
    pseudonyms: &'a Arc<PseudonymKeys>,
    shown: &'a Arc<Shown>,
    said: &'a Mutex<Said>,
    view: &'a View,
}

impl Watched<'_> {
    /// Lets everything run until the story is told and computed; gives the ledger's writer and what really happened.
    #[expect(clippy::too_many_arguments, reason = "every thread of the story brings its own")]
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
        let archived_until = Mutex::new(Archived::default());
        std::thread::scope(|scope| {
            let engine = scope.spawn(|| {
                let result = self.compute();
                // Whoever waits must not wait for an engine that has failed.
                self.shown.stop.store(true, Ordering::Relaxed);
                result
            });
            let watcher = scope.spawn(|| watch(self.spec, self.config, self.shown));
            let archiver = scope.spawn(|| {
                let result = self.archive(&data.join("archive"), &archived, &archived_until);
                self.shown.stop.store(self.shown.is_stopping() || result.is_err(), Ordering::Relaxed);
                result
            });
            let http = scope.spawn(|| serve(Some(server), self.shown, &served));
            let speaker = scope.spawn(|| {
                let told = voice.speak(start, &mut truth, &|hour| self.carry_on(hour, &archived_until));
                // Whoever waits must not wait for a hospital that cannot speak.
                self.shown.stop.store(self.shown.is_stopping() || told.is_err(), Ordering::Relaxed);
                let told = told?;
                let hospital = voice.into_hospital();
                truth.finish(&hospital)?;
                let incidents = hospital.incidents();
                Ok::<_, anyhow::Error>((told, incidents))
            });
            let sealed = self.seal(arguments, places);
            self.shown.stop.store(true, Ordering::Relaxed);
            let computed = joined(engine.join());
            let watched = joined(watcher.join());
            let spoken = joined(speaker.join());
            archived.store(true, Ordering::Relaxed);
            let followed = joined(archiver.join());
            served.store(true, Ordering::Relaxed);
            joined(http.join())?;
            // A broker that refused the hospital explains whatever else failed.
            let (_, incidents) = spoken?;
            computed?;
            watched?;
            followed?;
            Ok((sealed?, incidents))
        })
    }

    fn compute(&self) -> Result<()> {
        let mut source = KafkaSource::connect(self.config)?;
        // The simulated hospital's own stamps are the time: the machine's clock says nothing about them.
        let mut feed = KafkaReferenceFeed::connect(self.config, Arc::new(Standing))?;
        let keys = Arc::clone(self.pseudonyms);
        let (metrics, progress) = (&self.shown.metrics, &self.shown.progress);
        let mut engine = Engine::new(self.spec, keys, &mut source, &mut feed, &Standing, metrics, progress);
        Ok(engine.run(&self.shown.stop)?)
    }

    fn archive(&self, folder: &Path, over: &AtomicBool, until: &Mutex<Archived>) -> Result<()> {
        let mut archiver = Archivers::open(folder, self.spec, self.pseudonyms, self.config, LANES)?;
        while !over.load(Ordering::Relaxed) {
            archiver.step(Duration::from_millis(50))?;
            let lanes = archiver.progress().lanes;
            let written = lanes.values().map(|lane| lane.tick_end).min().flatten();
            // Each lane's journal begins with one record and has another for every tick.
            let ticks = lanes.values().filter_map(|lane| lane.followed).sum();
            *until.lock().unwrap_or_else(PoisonError::into_inner) = Archived { written, ticks };
        }
        archiver.finish()
    }

    /// Waits until lanes and archiver are close enough behind the hospital; `false` ends the story.
    fn carry_on(&self, hour: Timestamp, archived: &Mutex<Archived>) -> bool {
        loop {
            if self.shown.is_stopping() {
                return false;
            }
            if !self.is_embedded {
                return true;
            }
            let snapshot = self.shown.progress.snapshot();
            let ends = snapshot.lanes.values().map(|lane| lane.tick_end.or(lane.watermark));
            let lanes = if snapshot.lanes.len() < LANES as usize { None } else { ends.min().flatten() };
            let archived = *archived.lock().unwrap_or_else(PoisonError::into_inner);
            let (said, unread) = {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                (said.total(), unread(&said, &snapshot))
            };
            // Until the first tick closes nobody can be late: half a day may be said at once.
            let early = said < 20_000;
            let watched = snapshot.watches.values().map(|lane| lane.watermark).min().flatten();
            let little = unread <= UNREAD_MAX;
            let near = |at: Option<Timestamp>, far: Millis| at.map_or(early, |at| hour - at <= far);
            let behind = snapshot.ticks.saturating_sub(archived.ticks);
            let close = near(lanes, AHEAD_MAX) || (lanes.is_some() && little);
            let watching =
                watched.is_none_or(|watched| lanes.is_none_or(|lanes| lanes - watched <= WATCHES_BEHIND_MAX));
            if close && watching && near(archived.written, ARCHIVE_AHEAD_MAX) && behind <= ARCHIVE_UNREAD_MAX {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Seals what is found and draws, until everything said has been computed.
    fn seal(&self, arguments: &Arguments, places: &Places) -> Result<Anchor> {
        let mut anchor = Anchor::open(places, self.config)?;
        let (mut quiet, mut last, mut entries) = (Elapsed::start(), (0, 0, None), anchor.step()?);
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
            let watched = snapshot.watches.values().map(|lane| lane.watermark).min().flatten();
            let now = (snapshot.events, snapshot.ticks, watched);
            if now != last || !said.over || unread(&said, &snapshot) > 0 {
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
        open_cases: snapshot.lanes.values().map(|lane| lane.open_cases).sum::<usize>()
            + snapshot.watches.values().map(|lane| lane.open_cases).sum::<usize>(),
        last_finding: snapshot.last_finding.clone(),
        ledger,
    }
}

/// The most events of a partition that were written and not yet read.
fn unread(said: &Said, snapshot: &Snapshot) -> u64 {
    let of = |((lane, topic), written): (&(u32, TopicId), &u64)| {
        let next = snapshot.lanes.get(&LaneId(*lane)).and_then(|lane| lane.next.get(topic.index()));
        written.saturating_sub(next.map_or(0, |next| u64::try_from(*next).unwrap_or(0)))
    };
    said.events.iter().map(of).max().unwrap_or(0)
}
