//! What a model is: a checked forest and a header that says everything else about it. Always valid, cheap to clone.
//! Read next: `format.rs` (its bytes), `scorer.rs` (its use).

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use base::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::calibration::Platt;
use crate::columns::is_number;
use crate::config::{Provenance, TrainingConfig};
use crate::drift::Reference;
use crate::error::{Error, MissingColumn, Result};
use crate::evaluation::Metrics;
use crate::forest::Forest;
use crate::format;
use crate::scorer::Scorer;
use crate::table::{FeatureSpec, MissingRule, check_name};

/// A trained model.
#[derive(Clone, Debug)]
pub struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    header: Header,
    forest: Forest,
}

/// Everything but the trees. Field order is file order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) trainer: String,
    pub(crate) config: TrainingConfig,
    pub(crate) provenance: Provenance,
    pub(crate) features: Vec<FeatureSpec>,
    pub(crate) missing: Vec<MissingRule>,
    pub(crate) calibration: Platt,
    pub(crate) positive_weight: f64,
    pub(crate) metrics: Metrics,
    pub(crate) importances: Vec<f64>,
    pub(crate) feature_references: Vec<Reference>,
    pub(crate) score_reference: Reference,
}

impl Header {
    /// Says what does not hold for a forest of `features` features.
    pub(crate) fn check(&self, features: usize) -> Result<(), String> {
        check_name("model", &self.name).map_err(|error| error.to_string())?;
        let lengths = [self.features.len(), self.missing.len(), self.importances.len(), self.feature_references.len()];
        if lengths.iter().any(|length| *length != features) {
            return Err(format!("lists of {lengths:?} entries, expected {features} features"));
        }
        let mut seen = BTreeSet::new();
        for spec in &self.features {
            check_name("feature", &spec.name).map_err(|error| error.to_string())?;
            if !seen.insert(&spec.name) {
                return Err(format!("feature `{}` is listed twice", spec.name));
            }
        }
        if !self.missing.iter().all(|rule| rule.substitute().is_finite()) {
            return Err("a substitute for missing values is not finite".to_owned());
        }
        if !self.calibration.is_valid() {
            return Err(format!("calibration {:?} is out of range", self.calibration));
        }
        match self.feature_references.iter().chain([&self.score_reference]).all(Reference::is_valid) {
            true => Ok(()),
            false => Err("a drift reference has falling edges or counts that do not fit them".to_owned()),
        }
    }
}

impl Model {
    /// Joins a header and a forest that fit each other; says what does not.
    pub(crate) fn new(header: Header, forest: Forest) -> Result<Self, String> {
        header.check(forest.features())?;
        Ok(Self { inner: Arc::new(Inner { header, forest }) })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.inner.header
    }

    pub(crate) fn forest(&self) -> &Forest {
        &self.inner.forest
    }

    /// The model file. The same model gives the same bytes on every machine.
    pub fn to_bytes(&self) -> Vec<u8> {
        format::write(self.header(), self.forest().arrays())
    }

    /// Reads a model file. Any bytes are safe to pass: the answer is a valid model that writes these very bytes, or
    /// [`Error::Damaged`], in time and memory proportional to the input.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        format::read(bytes)
    }

    /// SHA-256 of the model file: what findings and signatures name.
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.to_bytes()).into())
    }

    /// SHA-256 over names and units of the features in order: equal for models that read the same rows.
    pub fn schema_digest(&self) -> Digest {
        let mut hasher = Sha256::new();
        for spec in self.features() {
            for part in [&spec.name, &spec.unit] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Digest(hasher.finalize().into())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.header().name
    }

    /// Its features, in the order of contributions.
    pub fn features(&self) -> &[FeatureSpec] {
        &self.header().features
    }

    /// What stands in for missing values, feature by feature.
    pub fn missing_rules(&self) -> &[MissingRule] {
        &self.header().missing
    }

    /// Where it comes from.
    pub fn provenance(&self) -> &Provenance {
        &self.header().provenance
    }

    /// The settings it was trained with.
    pub fn config(&self) -> &TrainingConfig {
        &self.header().config
    }

    /// What it is worth on held-out groups.
    pub fn metrics(&self) -> &Metrics {
        &self.header().metrics
    }

    /// From the forest's mean to a probability.
    pub fn calibration(&self) -> Platt {
        self.header().calibration
    }

    /// How much each feature's splits improved the trees, feature by feature; sums to 1, or all 0.
    pub fn importances(&self) -> &[f64] {
        &self.header().importances
    }

    /// Training rows by feature, to measure drift against.
    pub fn feature_references(&self) -> &[Reference] {
        &self.header().feature_references
    }

    /// Calibrated scores of the held-out rows, to measure drift against.
    pub fn score_reference(&self) -> &Reference {
        &self.header().score_reference
    }

    /// How many trees.
    pub fn tree_count(&self) -> usize {
        self.forest().trees()
    }

    /// How many nodes, over all trees.
    pub fn node_count(&self) -> usize {
        self.forest().arrays().feature.len()
    }

    /// Finds the model's columns in `schema`. Reports every missing one, with the name that comes nearest.
    pub fn bind(&self, schema: &Schema) -> Result<Scorer> {
        let places: Vec<Option<usize>> = self.features().iter().map(|spec| schema.index_of(&spec.name).ok()).collect();
        let missing: Vec<MissingColumn> = self
            .features()
            .iter()
            .zip(&places)
            .filter(|(_, place)| place.is_none())
            .map(|(spec, _)| MissingColumn { name: spec.name.clone(), nearest: nearest(&spec.name, schema) })
            .collect();
        if !missing.is_empty() {
            return Err(Error::MissingColumns { model: self.name().to_owned(), missing });
        }
        let places: Vec<usize> = places.into_iter().flatten().collect();
        for place in &places {
            let field = schema.field(*place);
            if !is_number(field.data_type()) {
                let found = field.data_type().to_string();
                return Err(Error::ColumnType { column: field.name().clone(), found });
            }
        }
        Ok(Scorer::new(self.clone(), places))
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.header() == other.header() && self.forest().arrays() == other.forest().arrays()
    }
}

/// The schema's column whose name is most like `name`, if any is alike; the first of equals.
fn nearest(name: &str, schema: &Schema) -> Option<String> {
    let mut best: Option<(f64, &str)> = None;
    for field in schema.fields() {
        let likeness = strsim::normalized_damerau_levenshtein(name, field.name());
        if likeness >= 0.6 && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, field.name()));
        }
    }
    best.map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests;
