//! `chartwarden run`: a pipeline on a Kafka cluster, until it is told to stop.
//!
//! With `--data` (a flag for one process of the group) it also archives what all lanes commit, and seals findings.
//! Neither holds a lane up. Read next: `engine::Engine`, `engine::Watcher`, `run/beside.rs`.

mod beside;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use base::{Millis, SystemClock};
use engine::ports::Source as _;
use engine::{Engine, Metrics, ModelUse, PipelineSpec};
use kafka::{Config, KafkaReferenceFeed, KafkaSource};

use crate::anchor::Places;
use crate::cluster::Cluster;
use crate::http::{Server, Shown, serve};
use crate::keys;
use crate::report::{Answer, Failure, note};
use crate::watching::watch;
use beside::Beside;

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
    /// How long a lane that is more than a day ahead of another waits for what that one shares (peers over the whole house)
    /// before it goes by what was shared earlier.
    #[arg(long, value_name = "TIME", default_value = "6h")]
    shares_timeout: Millis,
    /// Let lanes go on that are further behind than the reference topics' compaction lag, by what compaction has left there;
    /// a replay of their archive may then give other results.
    #[arg(long)]
    compacted_reference: bool,
    /// Create the state, findings and dead-letter topics that are missing, with as many partitions as the input has.
    #[arg(long)]
    create_topics: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Score)?;
    let pseudonyms = Arc::new(keys::pseudonyms(&arguments.keys)?);
    let config = arguments.cluster.config(&spec)?;
    if let Some(places) = arguments.data.as_deref().map(Places::under)
        && !places.is_begun()
    {
        let failure = Failure::invalid("there is no ledger").at(places.log.display());
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
    if !spec.judges_users() && !spec.rules().is_empty() {
        note(format!("warning: {}", super::check::NO_CASES));
    }
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
        let watcher = scope.spawn(|| watch(&spec, &config, &shown));
        let archiver = data.map(|data| scope.spawn(|| beside.archive(&data.join("archive"))));
        let sealer = data.map(|data| scope.spawn(|| beside.seal(data)));
        let (metrics, progress) = (&shown.metrics, &shown.progress);
        let keys = Arc::clone(&pseudonyms);
        let mut engine = Engine::new(&spec, keys, &mut source, &mut feed, &SystemClock, metrics, progress)
            .with_shares_timeout(Some(arguments.shares_timeout))
            .with_compacted_reference(arguments.compacted_reference);
        let ran = engine.run(&shown.stop);
        shown.stop.store(true, Ordering::Relaxed);
        let watched = joined(watcher.join());
        beside.over.store(true, Ordering::Relaxed);
        let archived = archiver.map(|handle| joined(handle.join()));
        let sealed = sealer.map(|handle| joined(handle.join()));
        served.store(true, Ordering::Relaxed);
        joined(http.join())?;
        ran?;
        watched.context("watching")?;
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
