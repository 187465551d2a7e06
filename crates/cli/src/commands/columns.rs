//! `chartwarden columns`: what a pipeline's SQL can use, and what its features mean.
//!
//! Read next: `events::schema`, where input columns are defined.

use std::path::PathBuf;

use anyhow::Result;
use comfy_table::{Table, presets};
use engine::{ModelUse, PipelineSpec};
use features::Program;
use serde_json::json;

use crate::report::{Answer, Failure, fit, json_line, line};

/// Arguments of `columns`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `access`, `auth`, `resolved`, `pair_score`, or `features` and `pair_features` for what comes out.
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
        let failure = Failure::invalid(format!("there is no relation `{}`", arguments.relation));
        let names: Vec<_> = Program::relation_names().chain(["features", "pair_features"]).collect();
        return Err(failure.hint(format!("one of {}", names.join(", "))).into());
    };
    let meaning = |name: &str| {
        let told = || {
            let mut of_name = program.meanings().iter().filter(|meaning| meaning.name == name);
            // Users' stand first.
            if arguments.relation == "pair_features" { of_name.next_back() } else { of_name.next() }
        };
        let relation = program.relation_meaning(&arguments.relation, name);
        relation.or_else(|| told().map(|meaning| meaning.sentence.clone())).unwrap_or_default()
    };
    if arguments.json {
        let columns = schema.fields().iter().map(|field| {
            json!({"name": field.name(), "type": field.data_type().to_string(), "nullable": field.is_nullable(),
                   "meaning": meaning(field.name())})
        });
        json_line(serde_json::to_string_pretty(&columns.collect::<Vec<_>>())?);
        return Ok(Answer::Yes);
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    fit(&mut table);
    table.set_header(["column", "type", "meaning"]);
    for field in schema.fields() {
        table.add_row([field.name().clone(), field.data_type().to_string(), meaning(field.name())]);
    }
    line(table);
    Ok(Answer::Yes)
}
