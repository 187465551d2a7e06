//! `chartwarden columns`: what a pipeline's SQL can use, and what its features mean.
//!
//! Read next: `events::schema`, where input columns are defined.

use std::path::PathBuf;

use anyhow::Result;
use comfy_table::{Table, presets};
use engine::{ModelUse, PipelineSpec};
use serde_json::json;

use crate::report::{Answer, Failure, fit, line};

/// Arguments of `columns`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `access`, `auth`, `resolved`, `pair_scores`, or `features` and `pair_features` for what comes out.
    #[arg(default_value = "access")]
    relation: String,
    /// Folder of the pipeline; the shipped one if absent.
    #[arg(long, value_name = "DIR")]
    pipeline: Option<PathBuf>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = match &arguments.pipeline {
        Some(folder) => PipelineSpec::load(folder, ModelUse::Record)?,
        None => crate::shipped::load(ModelUse::Record)?,
    };
    let program = spec.program();
    let schema = match arguments.relation.as_str() {
        "features" => Some(program.user_schema().clone()),
        "pair_features" => Some(program.pair_schema().clone()),
        name => program.relation_columns(name),
    };
    let Some(schema) = schema else {
        let failure = Failure::invalid(format!("no window of the pipeline reads `{}`", arguments.relation));
        return Err(failure.hint("one of access, auth, resolved, pair_scores, features, pair_features").into());
    };
    let meaning = |name: &str| {
        let found = program.meanings().iter().find(|meaning| meaning.name == name);
        found.map_or("", |meaning| meaning.sentence.as_str())
    };
    if arguments.json {
        let columns = schema.fields().iter().map(|field| {
            json!({"name": field.name(), "type": field.data_type().to_string(), "nullable": field.is_nullable(),
                   "meaning": meaning(field.name())})
        });
        line(serde_json::to_string_pretty(&columns.collect::<Vec<_>>())?);
        return Ok(Answer::Yes);
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    fit(&mut table);
    table.set_header(["column", "type", "meaning"]);
    for field in schema.fields() {
        table.add_row([field.name().clone(), field.data_type().to_string(), meaning(field.name()).to_owned()]);
    }
    line(table);
    Ok(Answer::Yes)
}
