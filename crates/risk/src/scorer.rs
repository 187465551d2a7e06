//! Scoring and explaining Arrow rows with a model bound to their schema. Read next: `forest.rs`, `shap.rs`.

use arrow::array::RecordBatch;

use crate::calibration::quantise;
use crate::columns::numbers;
use crate::error::{Error, Result};
use crate::limits::ADDITIVITY_ERROR_MAX;
use crate::model::Model;
use crate::shap;

/// A model and where its columns stand.
#[derive(Clone, Debug)]
pub struct Scorer {
    model: Model,
    places: Vec<usize>,
}

/// Why a row has its score: `base + sum of contributions = raw`, on the scale of the forest's mean *before*
/// calibration (0 to 1). There the split into contributions is exact (path-dependent TreeSHAP); the calibrated
/// probability is a rising function of `raw`, so signs and order hold for it as well.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The mean score of the training rows.
    pub base: f64,
    /// What each feature adds, in the model's order of features.
    pub contributions: Vec<f64>,
    /// The row's values, in the same order; NaN where missing.
    pub values: Vec<f32>,
    /// The score before calibration.
    pub raw: f64,
    /// The calibrated probability in whole millionths, as [`Scorer::score`] gives it.
    pub probability: f64,
}

impl Explanation {
    /// The features that raise the score most, at most `count`, with what they add; in order of features if equal.
    pub fn raising(&self, count: usize) -> Vec<(usize, f64)> {
        let mut raising: Vec<(usize, f64)> =
            self.contributions.iter().copied().enumerate().filter(|(_, added)| *added > 0.0).collect();
        raising.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        raising.truncate(count);
        raising
    }
}

impl Scorer {
    pub(crate) fn new(model: Model, places: Vec<usize>) -> Self {
        Self { model, places }
    }

    /// The model bound.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The calibrated probability of each row, in whole millionths: equal rows have equal bytes everywhere.
    pub fn score(&self, batch: &RecordBatch) -> Result<Vec<f64>> {
        let mut columns = self.columns(batch)?;
        self.fill(&mut columns);
        let platt = self.model.calibration();
        let scores = self.model.forest().scores(&columns);
        Ok(scores.into_iter().map(|raw| quantise(platt.probability(raw))).collect())
    }

    /// Why row `row` of the batch has its score.
    pub fn explain(&self, batch: &RecordBatch, row: usize) -> Result<Explanation> {
        if row >= batch.num_rows() {
            return Err(Error::RowOutside { row, rows: batch.num_rows() });
        }
        let mut columns = self.columns(&batch.slice(row, 1))?;
        let values: Vec<f32> = columns.iter().map(|column| column[0]).collect();
        self.fill(&mut columns);
        let filled: Vec<f32> = columns.iter().map(|column| column[0]).collect();
        let forest = self.model.forest();
        let raw = forest.scores(&columns)[0];
        let contributions = shap::contributions(forest, &filled);
        let sum = forest.base() + contributions.iter().sum::<f64>();
        let adds_up = (sum - raw).abs() <= ADDITIVITY_ERROR_MAX;
        if !adds_up {
            return Err(Error::NotAdditive { sum, score: raw });
        }
        let probability = quantise(self.model.calibration().probability(raw));
        Ok(Explanation { base: forest.base(), contributions, values, raw, probability })
    }

    /// The values trees would compare, before missing ones are replaced: what drift counts.
    pub fn columns(&self, batch: &RecordBatch) -> Result<Vec<Vec<f32>>> {
        let schema = batch.schema_ref();
        let column = |(place, spec): (&usize, &crate::FeatureSpec)| {
            let found = schema.fields().get(*place).map(|field| field.name().as_str());
            if found != Some(&spec.name) {
                let found = found.unwrap_or("absent").to_owned();
                return Err(Error::BatchSchema { index: *place, found, expected: spec.name.clone() });
            }
            let array = batch.column(*place);
            let refuse = || Error::ColumnType { column: spec.name.clone(), found: array.data_type().to_string() };
            numbers(array).ok_or_else(refuse)
        };
        self.places.iter().zip(self.model.features()).map(column).collect()
    }

    fn fill(&self, columns: &mut [Vec<f32>]) {
        columns.iter_mut().zip(self.model.missing_rules()).for_each(|(column, rule)| rule.fill(column));
    }
}

#[cfg(test)]
mod tests;
