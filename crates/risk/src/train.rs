//! How a model is made, stage by stage. Read next: `split.rs`, `grow.rs`, `compile.rs`, `calibration.rs`,
//! `evaluation.rs`: one for each stage.

use std::collections::BTreeSet;

use base::Seed;

use crate::calibration::{Platt, quantise};
use crate::compile::compile;
use crate::config::{Provenance, TrainingConfig};
use crate::drift::Reference;
use crate::error::{Error, Result};
use crate::evaluation::evaluate;
use crate::grow::{self, Problem};
use crate::limits::HEADER_BYTES_MAX;
use crate::model::{Header, Model};
use crate::split::{Slice, Split, gather};
use crate::table::{FeatureSpec, MissingRule, Table, check_name, order_specs};

/// Trains a model on `table`: a share of its groups is held out to calibrate and to measure, the forest grows on the
/// rest. The same arguments give the same bytes (on 64-bit machines: the trainer's generator differs on others).
///
/// Takes minutes of CPU on two threads for 200 trees over a million rows. Refuses tables that cannot be learned
/// from; a column that is constant or all missing is kept and goes unused.
pub fn train(
    name: &str,
    table: &Table,
    specs: &[FeatureSpec],
    config: &TrainingConfig,
    provenance: Provenance,
) -> Result<Model> {
    check_name("model", name)?;
    table.check()?;
    config.check(table.names.len())?;
    let features = order_specs(&table.names, specs)?;
    let seed = Seed(config.seed);

    let split = Split::by_group(&table.labels, &table.groups, config.calibration_share, seed.child("split"))?;
    let raw_columns: Vec<Vec<f32>> = table.columns.iter().map(|column| gather(column, &split.train)).collect();
    let missing: Vec<MissingRule> = raw_columns.iter().map(|column| MissingRule::of(column)).collect();
    let train = Slice::gather(table, &split.train, &missing, "training")?;
    let held = Slice::gather(table, &split.held, &missing, "held-out")?;

    let positive_weight = (config.positive_balance * train.weight_of(0) / train.weight_of(1)).max(1.0);
    let grown = grow::grow(&Problem::new(&train, positive_weight)?, config)?;
    let forest = compile(&grown.trees, &train.columns)?;

    let scores = forest.scores(&held.columns);
    let calibration = Platt::fit(&scores, &held.labels, &held.weights);
    let groups = table.groups.iter().collect::<BTreeSet<_>>().len();
    let metrics = evaluate(&held, &scores, groups, config.budget_per_day, seed.child("evaluation"));
    let calibrated = scores.iter().map(|raw| quantise(calibration.probability(*raw)) as f32);

    let header = Header {
        name: name.to_owned(),
        trainer: grow::TRAINER.to_owned(),
        config: config.clone(),
        provenance,
        features,
        missing,
        calibration,
        positive_weight,
        metrics,
        importances: grown.importances,
        feature_references: raw_columns.iter().map(|column| Reference::of(column)).collect(),
        score_reference: Reference::of(&calibrated.collect::<Vec<_>>()),
    };
    let header_bytes = serde_json::to_vec(&header).map_err(|error| Error::Trainer(error.to_string()))?.len();
    if header_bytes > HEADER_BYTES_MAX {
        return Err(Error::ModelTooLarge { what: "header bytes", found: header_bytes, max: HEADER_BYTES_MAX });
    }
    Model::new(header, forest).map_err(Error::Trainer)
}

#[cfg(test)]
mod tests;
