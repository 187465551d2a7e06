//! `chartwarden run`: a pipeline on a Kafka cluster, until it is told to stop.
//!
//! With `--data` (a flag for one process of the group) it also archives what all lanes commit, and seals findings.
//! Neither holds a lane up. Read next: `engine::Engine`, `engine::Watcher`, `run/beside.rs`.

mod beside;
mod keeper;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use base::{Millis, SystemClock};
use engine::{Engine, Metrics, ModelUse, PipelineSpec};
use kafka::{Config, KafkaReferenceFeed, KafkaSource};

use crate::anchor::Places;
use crate::cluster::Cluster;
use crate::http::{Server, Shown, serve};
use crate::keys;
use crate::report::{self, Answer, Failure, note};
use crate::watching::watch;
use beside::{Beside, Opened};

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
    arguments.data.as_deref().map_or(Ok(()), check_begun)?;
    let server = Server::bind(arguments.http, arguments.http_token_file.as_deref())?;
    config.check()?;
    let lanes = kafka::lane_count(&config)?;
    if arguments.create_topics {
        let created = kafka::ensure_topics(&config, lanes, kafka::Scope::Own)?;
        created.iter().for_each(|topic| note(format!("created topic {topic}")));
    }
    check_topics(&config)?;
    let shown = Shown::new(Metrics::new(&spec)?);
    shown.metrics.key_age(keys::age(&arguments.keys)?);
    if !spec.judges_users() && !spec.rules().is_empty() {
        note(format!("warning: {}", super::check::NO_CASES));
    }
    let over = AtomicBool::new(false);
    let beside = arguments.data.as_deref().map(|data| Beside {
        spec: &spec,
        config: &config,
        keys: &pseudonyms,
        shown: &shown,
        lanes,
        archive: data.join("archive"),
        places: Places::under(data),
        over: &over,
    });
    // Before the group hands out lanes: what is refused here moves none.
    let kept = beside.as_ref().map(|beside| Ok::<_, anyhow::Error>((beside, beside.open()?))).transpose()?;
    let mut source = KafkaSource::connect(&config)?;
    let mut feed = KafkaReferenceFeed::connect(&config, Arc::new(SystemClock))?;
    note(format!("{} runs on {}; metrics on http://{}/metrics", spec.name(), config.bootstrap, server.address()?));
    let served = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let http = scope.spawn(|| serve(Some(server), &shown, &served));
        let watcher = scope.spawn(|| watch(&spec, &config, &shown));
        let keepers = kept.map(|(beside, Opened { archive, ledger })| {
            (scope.spawn(move || beside.archive(archive)), scope.spawn(move || beside.seal(ledger)))
        });
        let (metrics, progress) = (&shown.metrics, &shown.progress);
        let keys = Arc::clone(&pseudonyms);
        let mut engine = Engine::new(&spec, keys, &mut source, &mut feed, &SystemClock, metrics, progress)
            .with_shares_timeout(Some(arguments.shares_timeout))
            .with_compacted_reference(arguments.compacted_reference);
        let ran = engine.run(&shown.stop);
        shown.stop.store(true, Ordering::Relaxed);
        let watched = joined(watcher.join());
        over.store(true, Ordering::Relaxed);
        let (archived, sealed) =
            keepers.map(|(archiver, sealer)| (joined(archiver.join()), joined(sealer.join()))).unzip();
        served.store(true, Ordering::Relaxed);
        joined(http.join())?;
        let (archived, sealed) = (archived.unwrap_or(Ok(())), sealed.unwrap_or(Ok(())));
        all_well([
            ran.map_err(anyhow::Error::from),
            watched.context("watching"),
            archived.context("archiving"),
            sealed.context("sealing"),
        ])?;
        note("stopped: everything closed is committed");
        Ok(Answer::Yes)
    })
}

/// An error if no ledger was begun in a data folder.
fn check_begun(data: &Path) -> Result<()> {
    let places = Places::under(data);
    if places.is_begun() {
        return Ok(());
    }
    let failure = Failure::invalid("there is no ledger").at(places.log.display());
    Err(failure.hint("`chartwarden ledger init --data DIR --origin NAME` begins one").into())
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

/// The first failure, which a process ends with; what failed beside it stands in the log.
fn all_well(ended: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let mut failures = ended.into_iter().filter_map(Result::err);
    let Some(first) = failures.next() else { return Ok(()) };
    failures.for_each(|error| tracing::error!(error = report::what(&error), "this failed too"));
    Err(first)
}

fn joined<T>(result: std::thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests;
