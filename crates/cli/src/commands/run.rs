//! `chartwarden run`: a pipeline on a Kafka cluster, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use base::SystemClock;
use engine::{Engine, Metrics, ModelUse, PipelineSpec};
use kafka::{KafkaReferenceFeed, KafkaSource};

use crate::http::{Server, Shown, serve};
use crate::report::{Answer, Failure, note};
use crate::{cluster, keys};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
    /// Brokers, `host:port`, separated by commas.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: String,
    /// Pseudonym key file; `chartwarden keys` makes one.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Identity of this process across restarts: its lanes come straight back to it.
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    /// librdkafka property; repeatable. A key that ends in `_file` names a file with the value.
    #[arg(long = "property", value_name = "KEY=VALUE")]
    properties: Vec<String>,
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
    let mut config = cluster::config(&spec, &arguments.bootstrap);
    config.instance_id.clone_from(&arguments.instance_id);
    for property in &arguments.properties {
        let (key, value) = property.split_once('=').ok_or_else(|| {
            Failure::invalid(format!("`{property}` is no property")).hint("write --property key=value")
        })?;
        config.properties.insert(key.to_owned(), value.to_owned());
    }
    let server = Server::bind(arguments.http, arguments.http_token_file.as_deref())?;
    let mut source = KafkaSource::connect(&config)?;
    if arguments.create_topics {
        let created = kafka::ensure_topics(&config, source.lane_count(), kafka::Scope::Own)?;
        created.iter().for_each(|topic| note(format!("created topic {topic}")));
    }
    for mismatch in kafka::check_topics(&config)? {
        tracing::warn!(%mismatch, "topic");
    }
    let mut feed = KafkaReferenceFeed::connect(&config, Arc::new(SystemClock))?;
    let shown = Shown::new(Metrics::new(&spec)?);
    note(format!("{} runs on {}; metrics on http://{}/metrics", spec.name(), arguments.bootstrap, server.address()?));
    let served = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let http = scope.spawn(|| serve(Some(server), &shown, &served));
        let (metrics, progress) = (&shown.metrics, &shown.progress);
        let mut engine = Engine::new(&spec, pseudonyms, &mut source, &mut feed, &SystemClock, metrics, progress);
        let ran = engine.run(&shown.stop);
        served.store(true, Ordering::Relaxed);
        http.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        ran?;
        note("stopped: everything closed is committed");
        Ok(Answer::Yes)
    })
}
