//! `chartwarden topics`: the topics a pipeline reads and writes, compared with what they must be, and mended.
//!
//! Read next: `kafka::compare_topics`.

use std::path::PathBuf;

use anyhow::Result;
use comfy_table::{Table, presets};
use engine::{ModelUse, PipelineSpec};
use kafka::{Config, Gravity, Mismatch, Remedy, Scope};
use serde_json::{Value, json};

use crate::cluster;
use crate::report::{Answer, Failure, fit, json_line, line};

/// Arguments of `topics`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
    #[command(flatten)]
    cluster: cluster::Cluster,
    /// Say what does not fit and what it would cause (the default); exit 1 if anything does not.
    #[arg(long, conflicts_with_all = ["apply", "plan"])]
    check: bool,
    /// Show what --apply would create and change; changes nothing.
    #[arg(long, conflicts_with = "apply")]
    plan: bool,
    /// Create what is missing and set what differs. Deletes nothing, takes nothing away, makes no limit smaller.
    #[arg(long)]
    apply: bool,
    /// With --plan or --apply: input and reference topics as well, which others write.
    #[arg(long)]
    all: bool,
    /// Partitions of topics to be created, one lane each; where topics are there, they say how many.
    #[arg(long, default_value_t = 12, value_name = "N")]
    lanes: u32,
    /// An input topic that `chartwarden rekey` writes: it must keep the times of the source. May be given often.
    #[arg(long, value_name = "TOPIC")]
    rekeyed: Vec<String>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Record)?;
    let mut config = arguments.cluster.config(&spec)?;
    if let Some(stranger) = arguments.rekeyed.iter().find(|topic| !config.input_topics.contains(topic)) {
        let failure = Failure::invalid(format!("--rekeyed: `{stranger}` is no input topic of the pipeline"));
        return Err(failure.hint(format!("its inputs are {}", config.input_topics.join(", "))).into());
    }
    config.rekeyed_topics.extend(arguments.rekeyed.iter().cloned());
    let scope = if arguments.all { Scope::All } else { Scope::Own };
    let found = kafka::compare_topics(&config, arguments.lanes)?;
    match (arguments.plan, arguments.apply) {
        (true, _) => Ok(plan(arguments, &found, scope)),
        (_, true) => apply(arguments, &config, &found, scope),
        _ => Ok(check(arguments, &found)),
    }
}

fn check(arguments: &Arguments, found: &[Mismatch]) -> Answer {
    if arguments.json {
        json_line(json!({ "problems": found.iter().map(told).collect::<Vec<_>>() }));
    } else {
        found.iter().for_each(|one| line(format!("{}: {one}", one.gravity.name())));
        if found.is_empty() {
            line("every topic is there and set as it must be");
        } else {
            line("`chartwarden topics PIPELINE --plan` shows what `--apply` would mend");
        }
    }
    if found.is_empty() { Answer::Yes } else { Answer::No }
}

fn plan(arguments: &Arguments, found: &[Mismatch], scope: Scope) -> Answer {
    if arguments.json {
        json_line(json!({ "plan": found.iter().map(|one| planned(one, scope)).collect::<Vec<_>>() }));
        return Answer::Yes;
    }
    if found.is_empty() {
        line("nothing to do: every topic is there and set as it must be");
        return Answer::Yes;
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    fit(&mut table);
    table.set_header(["topic", "for", "change", "--apply"]);
    for one in found {
        table.add_row([one.topic.clone(), one.role.name().to_owned(), one.change(), remedy(one, scope)]);
    }
    line(table);
    Answer::Yes
}

fn apply(arguments: &Arguments, config: &Config, found: &[Mismatch], scope: Scope) -> Result<Answer> {
    let done = kafka::mend_topics(config, found, scope)?;
    let left: Vec<&Mismatch> = found.iter().filter(|one| one.remedy(scope) != Remedy::Mend).collect();
    if arguments.json {
        let left: Vec<_> = left.iter().map(|one| planned(one, scope)).collect();
        json_line(json!({ "done": done.iter().map(|one| planned(one, scope)).collect::<Vec<_>>(), "left": left }));
    } else {
        done.iter().for_each(|one| line(format!("{}: {}: done", one.topic, one.change())));
        for one in &left {
            line(format!("{}: {}: {one}\n  {}", one.gravity.name(), one.topic, remedy(one, scope)));
        }
        if found.is_empty() {
            line("nothing to do: every topic is there and set as it must be");
        }
    }
    // What is somebody else's and harmless must not fail a script.
    let stuck = left.iter().any(|one| one.gravity == Gravity::Fatal);
    Ok(if stuck { Answer::No } else { Answer::Yes })
}

fn remedy(one: &Mismatch, scope: Scope) -> String {
    match one.remedy(scope) {
        Remedy::Mend => "does it".to_owned(),
        Remedy::Ask => "leaves it: others write this topic; --all changes it".to_owned(),
        Remedy::Refused(reason) => format!("refuses: {reason}"),
    }
}

fn told(one: &Mismatch) -> Value {
    json!({
        "topic": one.topic, "role": one.role.name(), "gravity": one.gravity.name(), "differs": one.differs(),
        "causes": one.causes,
    })
}

fn planned(one: &Mismatch, scope: Scope) -> Value {
    let mut value = told(one);
    let (verdict, reason) = match one.remedy(scope) {
        Remedy::Mend => ("apply", None),
        Remedy::Ask => ("apply_all", None),
        Remedy::Refused(reason) => ("refused", Some(reason)),
    };
    value["change"] = one.change().into();
    value["remedy"] = verdict.into();
    value["reason"] = reason.into();
    value
}
