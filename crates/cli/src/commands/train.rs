//! `chartwarden train`: recorded features and truth to a model file and its card.
//!
//! The same folders and settings give the same bytes. Read next: `training.rs`, which chooses and labels the rows.

use std::path::PathBuf;

use anyhow::Result;
use risk::{FeatureSpec, Provenance, Table, TrainingConfig};

use crate::report::{Answer, Failure, disk, json_line, line, note};
use crate::training::{Gathered, Grain};

/// Arguments of `train`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which model.
    #[arg(value_enum)]
    grain: Grain,
    /// Folders of recorded features with their truth.
    #[arg(long, num_args = 1.., required = true, value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Model file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Model card to write (Markdown).
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// Of the rows without an incident, one in so many is used.
    #[arg(long, default_value_t = 10, value_name = "N")]
    one_in: u64,
    /// Trees of the forest.
    #[arg(long, default_value_t = TrainingConfig::default().trees)]
    trees: usize,
    /// Levels of a tree.
    #[arg(long, default_value_t = TrainingConfig::default().depth_max)]
    depth: usize,
    /// Fewest rows in a leaf.
    #[arg(long, default_value_t = TrainingConfig::default().leaf_min)]
    leaf_min: usize,
    /// Features tried at each split; a third of them when absent.
    #[arg(long, value_name = "N")]
    split_features: Option<usize>,
    /// Share of users held out to calibrate and to measure.
    #[arg(long, default_value_t = TrainingConfig::default().calibration_share)]
    held_out: f64,
    /// How far positives are weighted up, 0 to 1.
    #[arg(long, default_value_t = TrainingConfig::default().positive_balance)]
    positive_balance: f64,
    /// Cases a day that people can review.
    #[arg(long, default_value_t = TrainingConfig::default().budget_per_day)]
    budget: usize,
    /// Seed of the training.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Feature that the model must not use; repeatable.
    #[arg(long, value_name = "COLUMN")]
    exclude: Vec<String>,
    /// First days of the recordings to leave out: baselines still learn there, and nothing can have happened.
    #[arg(long, default_value_t = 0, value_name = "D")]
    skip_days: i64,
    /// Who answers for the model.
    #[arg(long, default_value = "privacy-office")]
    owner: String,
    /// Print the metrics as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let mut gathered = Gathered::new(arguments.grain, arguments.one_in);
    for folder in &arguments.data {
        gathered.add(folder)?;
        note(format!("read {}: {} rows so far", folder.display(), gathered.table.rows()));
    }
    narrow(&mut gathered.table, arguments);
    let table = &gathered.table;
    let positives = table.labels.iter().filter(|label| **label == 1).count();
    if table.rows() == 0 || positives == 0 {
        let what = format!("{} rows, {positives} of them positive: nothing can be learned", table.rows());
        return Err(Failure::invalid(what).hint("record more days, or more incidents").into());
    }
    note(format!("training on {} rows, {positives} positive, {} features", table.rows(), table.names.len()));
    let specs: Vec<FeatureSpec> = table
        .names
        .iter()
        .map(|name| {
            let meaning = gathered.meanings.get(name).cloned().unwrap_or_default();
            FeatureSpec { name: name.clone(), unit: unit(&meaning).to_owned(), meaning }
        })
        .collect();
    let config = TrainingConfig {
        trees: arguments.trees,
        depth_max: arguments.depth,
        leaf_min: arguments.leaf_min,
        split_features: arguments.split_features,
        calibration_share: arguments.held_out,
        positive_balance: arguments.positive_balance,
        budget_per_day: arguments.budget,
        seed: arguments.seed,
    };
    let model = risk::train(&name(&gathered), table, &specs, &config, provenance(arguments, &gathered))?;
    std::fs::write(&arguments.out, model.to_bytes()).map_err(|error| disk(&arguments.out, &error))?;
    if let Some(card) = &arguments.card {
        std::fs::write(card, risk::card(&model)).map_err(|error| disk(card, &error))?;
    }
    let metrics = model.metrics();
    if arguments.json {
        json_line(serde_json::to_string(metrics)?);
    } else {
        let (average, auc) = (metrics.average_precision, metrics.auc);
        line(format!("{}: average precision {average:.3}, area under the curve {auc:.3}", model.name()));
        let (precision, recall) = (metrics.budget.precision, metrics.budget.recall);
        line(format!("at {} rows a day: precision {precision:.3}, recall {recall:.3}", metrics.budget.per_day));
        line(format!("digest {}", model.digest()));
        line(format!("wrote {}", arguments.out.display()));
    }
    Ok(Answer::Yes)
}

/// What a feature counts, as its sentence says it: `charts` of `opened {value|charts} at night`; else nothing.
fn unit(sentence: &str) -> &str {
    let counted = sentence.split_once("{value|").and_then(|(_, rest)| rest.split_once('}'));
    counted.map_or("", |(words, _)| words.rsplit('|').next().unwrap_or(words))
}

fn name(gathered: &Gathered) -> String {
    let grain = match gathered.grain() {
        Grain::Pairs => "pairs",
        Grain::Users => "users",
    };
    format!("{}/{grain}", gathered.pipeline)
}

fn provenance(arguments: &Arguments, gathered: &Gathered) -> Provenance {
    let days = &gathered.table.days;
    let first = days.iter().min().copied().unwrap_or(0);
    let end = days.iter().max().map_or(0, |day| day + 1);
    let purpose = match arguments.grain {
        Grain::Pairs => "ranks pairs of a user and a patient by how hard the access is to explain",
        Grain::Users => "ranks users by how much their last 24 hours look like an insider breach",
    };
    Provenance {
        sites: gathered.sites.clone(),
        purpose: purpose.to_owned(),
        owner: arguments.owner.clone(),
        blind_spots: vec![
            "Every row is from a simulated hospital: real houses differ, so retrain before relying on scores."
                .to_owned(),
        ],
        ..Provenance::new(gathered.digest(), first..end)
    }
}

/// Leaves out the first days and the columns the model must not see.
fn narrow(table: &mut Table, arguments: &Arguments) {
    let first = table.days.iter().min().copied().unwrap_or(0) + arguments.skip_days;
    let keep: Vec<bool> = table.days.iter().map(|day| *day >= first).collect();
    let mut columns = std::mem::take(&mut table.names).into_iter().zip(std::mem::take(&mut table.columns));
    for (name, mut column) in columns.by_ref().filter(|(name, _)| !arguments.exclude.contains(name)) {
        kept(&mut column, &keep);
        table.names.push(name);
        table.columns.push(column);
    }
    kept(&mut table.labels, &keep);
    kept(&mut table.weights, &keep);
    kept(&mut table.groups, &keep);
    kept(&mut table.days, &keep);
    kept(&mut table.incidents, &keep);
}

fn kept<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    values.retain(|_| keep.next().copied().unwrap_or(false));
}
