//! `chartwarden check`: everything that is wrong with a pipeline, at once, without starting it.
//!
//! Read next: `engine::PipelineSpec::load`.

use std::path::PathBuf;

use anyhow::Result;
use engine::{ModelUse, PipelineSpec, Problem};
use serde_json::json;

use crate::report::{Answer, json_line, line};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// What follows where a pipeline names no models.
pub(crate) const NO_CASES: &str =
    "no case about users will open, whatever its rules say: `pair_model` and `user_model` of [scoring] name none";

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = match PipelineSpec::load(&arguments.pipeline, ModelUse::Score) {
        Ok(spec) => spec,
        Err(problems) => {
            if arguments.json {
                let told = |problem: &Problem| json!({"what": problem.what, "at": problem.at, "hint": problem.hint});
                json_line(json!({ "problems": problems.0.iter().map(told).collect::<Vec<_>>() }));
            }
            return Err(problems.into());
        }
    };
    let features = spec.program().user_schema().fields().len() - 1 - spec.rules().len();
    let pairs = spec.program().pair_schema().fields().len() - 2;
    if arguments.json {
        let digests = spec.digests();
        json_line(json!({
            "problems": [], "pipeline": spec.name(), "version": spec.version(), "features": features, "pairs": pairs,
            "rules": spec.all_rules().count(), "watches": spec.watches().len(), "judges_users": spec.judges_users(),
            "spec": digests.spec, "sql": digests.sql, "model": digests.model,
        }));
        return Ok(Answer::Yes);
    }
    line(format!("{} {}: {}", spec.name(), spec.version(), spec.description()));
    line(format!("  reads     {}", spec.inputs().iter().map(|i| i.topic.as_str()).collect::<Vec<_>>().join(", ")));
    line(format!("  features  {features} per user, {pairs} per user and patient, {} rules", spec.rules().len()));
    for watch in spec.watches() {
        let entity = watch.subject.entity.as_deref().unwrap_or_default();
        let rules: Vec<_> = watch.rules.iter().map(|rule| rule.id.as_str()).collect();
        line(format!("  watches   {} ({entity}): {}", watch.name, rules.join(", ")));
    }
    if !spec.judges_users() {
        line(format!("  no models {NO_CASES}"));
    }
    let digests = spec.digests();
    let (spec, sql, model) = (digests.spec.short(), digests.sql.short(), digests.model.short());
    line(format!("  digests   spec {spec}, sql {sql}, model {model}"));
    Ok(Answer::Yes)
}
