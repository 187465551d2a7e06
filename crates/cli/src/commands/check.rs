//! `chartwarden check`: everything that is wrong with a pipeline, at once, without starting it.

use std::path::PathBuf;

use anyhow::Result;
use engine::{ModelUse, PipelineSpec};

use crate::report::{Answer, line};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Score)?;
    let features = spec.program().user_schema().fields().len() - 1 - spec.rules().len();
    let pairs = spec.program().pair_schema().fields().len() - 2;
    line(format!("{} {}: {}", spec.name(), spec.version(), spec.description()));
    line(format!("  reads     {}", spec.inputs().iter().map(|i| i.topic.as_str()).collect::<Vec<_>>().join(", ")));
    line(format!("  features  {features} per user, {pairs} per user and patient, {} rules", spec.rules().len()));
    let digests = spec.digests();
    let (spec, sql, model) = (digests.spec.short(), digests.sql.short(), digests.model.short());
    line(format!("  digests   spec {spec}, sql {sql}, model {model}"));
    Ok(Answer::Yes)
}
