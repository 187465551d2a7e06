//! `chartwarden rekey`: a keyed copy of topics that are not keyed by user, for a pipeline to read.
//!
//! Values pass on as they came, raw ids included, and stay inside Kafka: what is printed, logged and counted here names
//! nobody. Only `--unknown` writes names down, for the operator, into a file that only its owner can read.
//! Read next: `kafka::rekey` (exactly once, aligned), `reference::Directory` (who goes by which name).

mod desk;
mod unknown;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use base::Millis;
use engine::{Input, Metrics, ModelUse, PipelineSpec};
use kafka::{Config, Difference, Gravity, RekeyOptions, Role};
use serde_json::json;

use crate::cluster::Cluster;
use crate::http::{Server, Shown, serve};
use crate::report::{Answer, Failure, json_line, line, note};
use crate::view::grouped;
use desk::Desk;
use unknown::UnknownNames;

/// Arguments of `rekey`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline that will read the copy: it says how the events are written and who the staff are.
    pipeline: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    /// Topic to copy; may be given often. Its partitions may be any number and keyed by anything.
    #[arg(long, required = true, value_name = "TOPIC")]
    from: Vec<String>,
    /// Input topic of the pipeline to write. One process writes it; another one with the same target takes over.
    #[arg(long, value_name = "TOPIC")]
    to: String,
    /// File to list names in that the staff directory does not know, one JSON object a line. It holds raw names: it is
    /// created so that only its owner can read it.
    #[arg(long, value_name = "FILE")]
    unknown: Option<PathBuf>,
    /// How long a source partition that has been read to its end holds the others back; as in the pipeline if absent.
    #[arg(long, value_name = "SPAN")]
    idle_after: Option<Millis>,
    /// Records of one transaction.
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    transaction_records: u32,
    /// End once everything has been copied.
    #[arg(long)]
    until_end: bool,
    /// Go on where records were deleted before they were copied.
    #[arg(long)]
    skip_deleted: bool,
    /// Copy everything once more, where the offsets of the group are gone although there are copies.
    #[arg(long)]
    copy_again: bool,
    /// Where HTTP listens; nowhere if absent.
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<SocketAddr>,
    /// File with the token that /metrics asks for; needed on a public address.
    #[arg(long, value_name = "FILE", requires = "http")]
    http_token_file: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Record)?;
    let input = spec.inputs().iter().find(|input| input.topic == arguments.to).ok_or_else(|| {
        let inputs: Vec<_> = spec.inputs().iter().map(|input| input.topic.as_str()).collect();
        let failure = Failure::invalid(format!("`{}` is no input topic of the pipeline", arguments.to));
        failure.hint(format!("give one of {} to --to", inputs.join(", ")))
    })?;
    let mut config = arguments.cluster.config(&spec)?;
    config.rekeyed_topics.push(input.topic.clone());
    check_target(&config, &input.topic)?;
    // Group and transactional id in one: whoever has it owns the target topic.
    config.group = format!("{}.rekey.{}", config.group, input.topic);
    config.reference_topics.retain(|(kind, _)| *kind == "staff");
    let names = UnknownNames::open(arguments.unknown.as_deref())?;
    let server = arguments.http.map(|at| Server::bind(at, arguments.http_token_file.as_deref())).transpose()?;
    let shown = Shown::new(Metrics::new(&spec)?);
    let mut desk = Desk::new(&config, &spec, input, names, &shown.metrics)?;
    let known = desk.read_directory()?;
    note(format!("the staff directory knows {} people", grouped(known as u64)));
    let options = options(arguments, &spec, input);
    let over = AtomicBool::new(false);
    let copied = std::thread::scope(|scope| {
        let http = scope.spawn(|| serve(server, &shown, &over));
        shown.ready.store(true, Ordering::Relaxed);
        let copied = kafka::rekey(&config, &options, &mut desk, &shown.stop);
        over.store(true, Ordering::Relaxed);
        let served = http.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        copied.map_err(anyhow::Error::from).and(served)
    });
    // What was copied was copied, however it ended.
    tell(arguments, &desk);
    copied.map(|()| Answer::Yes)
}

fn options(arguments: &Arguments, spec: &PipelineSpec, input: &Input) -> RekeyOptions {
    let idle_after = arguments.idle_after.unwrap_or(spec.idle_after());
    let idle_after = Duration::from_millis(u64::try_from(idle_after.0).unwrap_or(0));
    // The other half is for the disorder within each source partition.
    let skew_max = Millis(input.lateness.0 / 2);
    RekeyOptions {
        records_max: usize::try_from(arguments.transaction_records).unwrap_or(usize::MAX),
        until_end: arguments.until_end,
        skip_deleted: arguments.skip_deleted,
        copy_again: arguments.copy_again,
        ..RekeyOptions::new(arguments.from.clone(), input.topic.clone(), skew_max, idle_after)
    }
}

/// The target must be there, and such that what is written to it is what a pipeline can read.
fn check_target(config: &Config, target: &str) -> Result<()> {
    for mismatch in kafka::check_topics(config)? {
        let width = mismatch.role == Role::Input && matches!(mismatch.what, Difference::Partitions { .. });
        let ours = mismatch.topic == target;
        if (ours || width) && mismatch.gravity == Gravity::Fatal {
            let hint = format!(
                "`chartwarden topics PIPELINE --apply --all --rekeyed {target} --lanes N` creates it; all inputs need \
                 the same number of partitions"
            );
            return Err(Failure::invalid(mismatch.to_string()).hint(hint).into());
        }
        if ours {
            tracing::warn!(%mismatch, "topic");
        }
    }
    Ok(())
}

fn tell(arguments: &Arguments, desk: &Desk<'_>) {
    let count = |outcome| desk.outcomes.get(outcome).copied().unwrap_or(0);
    let total: u64 = desk.outcomes.values().sum();
    if arguments.json {
        json_line(json!({
            "from": arguments.from, "to": arguments.to, "records": total, "outcomes": desk.outcomes,
            "unknown_names": desk.names.count(), "directory": desk.directory_version(),
            "directory_rejects": desk.directory_rejects(),
        }));
        return;
    }
    line(format!("copied {} records to {}, each exactly once", grouped(total), arguments.to));
    for (outcome, meaning) in desk::OUTCOMES {
        if count(outcome) > 0 {
            line(format!("  {:>12}  {meaning}", grouped(count(outcome))));
        }
    }
    let unknown = desk.names.count() as u64;
    if unknown > 0 {
        let place = match &arguments.unknown {
            Some(path) => format!("listed in {} (raw names: only its owner can read it)", path.display()),
            None => "--unknown FILE lists them".to_owned(),
        };
        line(format!("{} names are not in the staff directory; {place}", grouped(unknown)));
    }
    if desk.directory_rejects() > 0 {
        line(format!("{} rows of the staff directory could not be read", desk.directory_rejects()));
    }
}
