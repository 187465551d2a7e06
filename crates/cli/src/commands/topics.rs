//! `chartwarden topics`: the topics a pipeline needs, checked or created. A topic that is there is never changed.
//!
//! Read next: `kafka::check_topics`.

use std::path::PathBuf;

use anyhow::Result;
use engine::{ModelUse, PipelineSpec};
use kafka::{Scope, check_topics, ensure_topics};

use crate::cluster;
use crate::report::{Answer, line};

/// Arguments of `topics`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
    #[command(flatten)]
    cluster: cluster::Cluster,
    /// Say what does not fit (the default).
    #[arg(long, conflicts_with = "apply")]
    check: bool,
    /// Create what is missing.
    #[arg(long)]
    apply: bool,
    /// With --apply: create input and reference topics as well.
    #[arg(long, requires = "apply")]
    all: bool,
    /// With --apply: partitions of the topics, one lane each.
    #[arg(long, default_value_t = 12, value_name = "N")]
    lanes: u32,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Record)?;
    let config = arguments.cluster.config(&spec)?;
    let (wrong, created) = match arguments.apply && !arguments.check {
        true => {
            let scope = if arguments.all { Scope::All } else { Scope::Own };
            (Vec::new(), ensure_topics(&config, arguments.lanes, scope)?)
        }
        false => (check_topics(&config)?, Vec::new()),
    };
    if arguments.json {
        line(serde_json::json!({ "problems": wrong, "created": created }));
    } else {
        created.iter().for_each(|topic| line(format!("created {topic}")));
        wrong.iter().for_each(line);
        if wrong.is_empty() && created.is_empty() {
            line("every topic is there and set as it must be");
        }
    }
    Ok(if wrong.is_empty() { Answer::Yes } else { Answer::No })
}
