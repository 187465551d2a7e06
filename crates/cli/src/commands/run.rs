//! `chartwarden run`: a pipeline on a Kafka cluster, until it is told to stop.
//!
//! With `--data` (a flag for one process of the group) it also archives what all lanes commit, and seals findings.
//! Neither holds a lane up. Read next: `engine::Engine`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use base::{Clock as _, SystemClock};
use engine::ports::LaneId;
use engine::{Engine, Metrics, ModelUse, PipelineSpec};
use events::PseudonymKeys;
use kafka::{Config, KafkaFollower, KafkaReferenceFeed, KafkaSource};

use crate::anchor::{Anchor, Places};
use crate::cluster::Cluster;
use crate::elapsed::Elapsed;
use crate::http::{Server, Shown, serve};
use crate::keys;
use crate::report::{Answer, Failure, disk, note};

/// How often findings are sealed.
const SEAL_EVERY: Duration = Duration::from_secs(10);
/// How long one wait may last, so that the end is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    /// Pseudonym key file.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Folder with `ledger/` and `keys/ledger.key` (`chartwarden ledger init` makes them): archive every lane into
    /// `archive/` and seal every finding. For one process of the group.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where HTTP listens.
    #[arg(long, default_value = "127.0.0.1:9464", value_name = "HOST:PORT")]
    http: SocketAddr,
    /// File with the token that /metrics asks for; needed on a public address.
    #[arg(long, value_name = "FILE")]
    http_token_file: Option<PathBuf>,
    /// Create the state, findings and dead-letter topics that are missing, with as many partitions as the input has.
    #[arg(long)]
    create_topics: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Score)?;
    let pseudonyms = Arc::new(keys::pseudonyms(&arguments.keys)?);
    let config = arguments.cluster.config(&spec)?;
    if let Some(log) = arguments.data.as_deref().map(|data| Places::under(data).log)
        && !log.join("checkpoint").exists()
    {
        let failure = Failure::invalid("there is no ledger").at(log.display());
        return Err(failure.hint("`chartwarden ledger init --data DIR --origin NAME` begins one").into());
    }
    let server = Server::bind(arguments.http, arguments.http_token_file.as_deref())?;
    let mut source = KafkaSource::connect(&config)?;
    if arguments.create_topics {
        let created = kafka::ensure_topics(&config, source.lane_count(), kafka::Scope::Own)?;
        created.iter().for_each(|topic| note(format!("created topic {topic}")));
    }
    check_topics(&config)?;
    let mut feed = KafkaReferenceFeed::connect(&config, Arc::new(SystemClock))?;
    let shown = Shown::new(Metrics::new(&spec)?);
    shown.metrics.key_age(keys::age(&arguments.keys)?);
    note(format!("{} runs on {}; metrics on http://{}/metrics", spec.name(), config.bootstrap, server.address()?));
    let beside = Beside {
        spec: &spec,
        config: &config,
        keys: &pseudonyms,
        shown: &shown,
        lanes: source.lane_count(),
        over: AtomicBool::new(false),
    };
    let served = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let http = scope.spawn(|| serve(Some(server), &shown, &served));
        let data = arguments.data.as_deref();
        let archiver = data.map(|data| scope.spawn(|| beside.ended(beside.archive(&data.join("archive")))));
        let sealer = data.map(|data| scope.spawn(|| beside.ended(beside.seal(data))));
        let (metrics, progress) = (&shown.metrics, &shown.progress);
        let keys = Arc::clone(&pseudonyms);
        let mut engine = Engine::new(&spec, keys, &mut source, &mut feed, &SystemClock, metrics, progress);
        let ran = engine.run(&shown.stop);
        beside.over.store(true, Ordering::Relaxed);
        let archived = archiver.map(|handle| joined(handle.join()));
        let sealed = sealer.map(|handle| joined(handle.join()));
        served.store(true, Ordering::Relaxed);
        joined(http.join())?;
        ran?;
        archived.transpose().context("archiving")?;
        sealed.transpose().context("sealing")?;
        note("stopped: everything closed is committed");
        Ok(Answer::Yes)
    })
}

/// Stops where a topic is such that going on would lose or tear something; says the rest.
fn check_topics(config: &Config) -> Result<()> {
    let (fatal, rest): (Vec<_>, Vec<_>) =
        kafka::check_topics(config)?.into_iter().partition(|one| one.gravity == kafka::Gravity::Fatal);
    rest.iter().for_each(|mismatch| tracing::warn!(%mismatch, "topic"));
    if fatal.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = fatal.iter().map(ToString::to_string).collect();
    let failure = Failure::invalid(format!("the topics do not fit the pipeline: {}", list.join("; ")));
    Err(failure.hint("`chartwarden topics PIPELINE --plan` shows what `--apply` would mend").into())
}

fn joined<T>(result: std::thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What runs beside the main path with `--data`.
struct Beside<'a> {
    spec: &'a PipelineSpec,
    config: &'a Config,
    keys: &'a Arc<PseudonymKeys>,
    shown: &'a Shown,
    lanes: u32,
    /// The engine has ended.
    over: AtomicBool,
}

impl Beside<'_> {
    /// An archive or a ledger that fails ends the process: a run that was asked to keep both must not go on without.
    fn ended(&self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.shown.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    fn archive(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|error| disk(folder, &error))?;
        let lanes: Vec<LaneId> = (0..self.lanes).map(LaneId).collect();
        let follower = Box::new(KafkaFollower::connect(self.config)?);
        let mut archiver = archive::Archiver::new(folder, self.spec, Arc::clone(self.keys), follower, &lanes)?;
        while !self.over.load(Ordering::Relaxed) {
            archiver.step(LOOK)?;
        }
        Ok(archiver.finish()?)
    }

    fn seal(&self, data: &Path) -> Result<()> {
        let mut anchor = Anchor::open(&Places::under(data), self.config)?;
        loop {
            let last = self.over.load(Ordering::Relaxed);
            let stepped = anchor.step();
            (0..std::mem::take(&mut anchor.failures)).for_each(|_| self.shown.metrics.ledger_failure());
            self.shown.metrics.ledger(stepped?, SystemClock.now());
            if last {
                return Ok(());
            }
            let waited = Elapsed::start();
            while waited.so_far() < SEAL_EVERY && !self.over.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
            }
        }
    }
}
