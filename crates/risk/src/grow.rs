//! Growing trees. The only file that names smartcore, and only its regression forest: on 0/1 labels a leaf's mean
//! is a probability, while the library's classifiers give none and pass over most cut points of flags and counts.
//!
//! Nodes are private there, so they are read out through serde. That form is not stable between versions: it
//! lives for the length of one call and is never stored. Read next: `compile.rs`, which makes our own arrays of it.

use std::collections::BTreeMap;

use base::Seed;
use serde::Deserialize;
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::config::TrainingConfig;
use crate::error::{Error, Result};
use crate::limits::{FIT_THREADS, TREES_PER_FIT};
use crate::split::Slice;

/// Who grew the trees, as the model file says it.
pub(crate) const TRAINER: &str = "smartcore 0.7.0 RandomForestRegressor on 0/1 labels";

type Library = RandomForestRegressor<f32, f64, DenseMatrix<f32>, Vec<f64>>;

/// Trees as the library made them, and how much each feature's splits improved them (sums to 1, or all 0).
pub(crate) struct Grown {
    pub(crate) trees: Vec<GrownTree>,
    pub(crate) importances: Vec<f64>,
}

/// One tree; the root is the first node.
#[derive(Deserialize)]
pub(crate) struct GrownTree {
    pub(crate) nodes: Vec<GrownNode>,
}

/// A node: `x <= split_value` goes to `true_child`.
#[derive(Deserialize)]
pub(crate) struct GrownNode {
    pub(crate) output: f64,
    pub(crate) split_feature: usize,
    pub(crate) split_value: Option<f64>,
    pub(crate) true_child: Option<usize>,
    pub(crate) false_child: Option<usize>,
}

#[derive(Deserialize)]
struct Mirror {
    forest_regressor: MirrorTrees,
}

#[derive(Deserialize)]
struct MirrorTrees {
    trees: Vec<GrownTree>,
}

/// What every fit reads.
pub(crate) struct Problem {
    matrix: DenseMatrix<f32>,
    features: usize,
    labels: Vec<f64>,
    weights: Vec<f64>,
}

impl Problem {
    /// The slice with positives weighted up by `positive_weight`. Its values must be finite.
    pub(crate) fn new(slice: &Slice, positive_weight: f64) -> Result<Self> {
        let (rows, features) = (slice.labels.len(), slice.columns.len());
        let emphasis = emphasis(slice);
        let weigh = |(row, (label, weight)): (usize, (&u8, &f64))| match *label {
            1 => weight * emphasis[row] * positive_weight,
            _ => *weight,
        };
        Ok(Self {
            matrix: DenseMatrix::new(rows, features, slice.columns.concat(), true).map_err(trainer)?,
            features,
            labels: slice.labels.iter().map(|label| f64::from(*label)).collect(),
            weights: slice.labels.iter().zip(&slice.weights).enumerate().map(weigh).collect(),
        })
    }
}

/// How much more than their weight positive rows are looked at: rows of an incident as the inverse square root of how
/// many they are, all of them together as before.
fn emphasis(slice: &Slice) -> Vec<f64> {
    let positive = |row: usize| slice.labels[row] == 1;
    let mut rows_of: BTreeMap<u64, f64> = BTreeMap::new();
    for (row, incident) in
        slice.incidents.iter().enumerate().filter(|(row, incident)| positive(*row) && **incident != 0)
    {
        *rows_of.entry(*incident).or_default() += slice.weights[row];
    }
    let raw = |row: usize| {
        slice.incidents.get(row).and_then(|incident| rows_of.get(incident)).map_or(1.0, |n| n.sqrt().recip())
    };
    let mut emphasis: Vec<f64> = (0..slice.labels.len()).map(raw).collect();
    let (mut before, mut after) = (0.0, 0.0);
    for row in (0..emphasis.len()).filter(|row| positive(*row)) {
        before += slice.weights[row];
        after += slice.weights[row] * emphasis[row];
    }
    emphasis.iter_mut().for_each(|value| *value *= before / after);
    emphasis
}

/// Grows `config.trees` trees: many small forests, each with a seed of its own, so that two threads share the work
/// and the result does not depend on which of them did what.
pub(crate) fn grow(problem: &Problem, config: &TrainingConfig) -> Result<Grown> {
    let fits = config.trees.div_ceil(TREES_PER_FIT);
    let worker = |first: usize| -> Result<Vec<(usize, Grown)>> {
        let mine = (first..fits).step_by(FIT_THREADS);
        mine.map(|index| Ok((index, read_out(&fit(problem, config, index)?)?))).collect()
    };
    let joined: Vec<Result<Vec<(usize, Grown)>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..FIT_THREADS).map(|first| scope.spawn(move || worker(first))).collect();
        // A panic inside the library must not take the caller along.
        let panicked = |_| Err(Error::Trainer("a fitting thread panicked".to_owned()));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let mut parts = Vec::with_capacity(fits);
    for part in joined {
        parts.extend(part?);
    }
    parts.sort_by_key(|(index, _)| *index);
    Ok(concatenate(parts.into_iter().map(|(_, grown)| grown)))
}

/// The `index`th small forest.
pub(crate) fn fit(problem: &Problem, config: &TrainingConfig, index: usize) -> Result<Library> {
    let trees = TREES_PER_FIT.min(config.trees - index * TREES_PER_FIT);
    let levels = u16::try_from(config.depth_max).map_err(trainer)?;
    let mut parameters = RandomForestRegressorParameters::default()
        .with_n_trees(trees)
        .with_max_depth(levels)
        .with_min_samples_leaf(config.leaf_min)
        .with_min_samples_split(2 * config.leaf_min)
        .with_seed(Seed(config.seed).child("forest").index(index as u64).0);
    parameters.m = Some(config.split_features(problem.features));
    Library::fit_with_weights(&problem.matrix, &problem.labels, &problem.weights, parameters).map_err(trainer)
}

/// Copies the trees out of the library's forest.
pub(crate) fn read_out(forest: &Library) -> Result<Grown> {
    let importances = forest.compute_feature_importances().map_err(trainer)?;
    let text = serde_json::to_vec(forest).map_err(trainer)?;
    let mirror: Mirror = serde_json::from_slice(&text).map_err(trainer)?;
    Ok(Grown { trees: mirror.forest_regressor.trees, importances })
}

fn concatenate(parts: impl Iterator<Item = Grown>) -> Grown {
    let mut all = Grown { trees: Vec::new(), importances: Vec::new() };
    for part in parts {
        let trees = part.trees.len() as f64;
        all.importances.resize(part.importances.len(), 0.0);
        all.importances.iter_mut().zip(&part.importances).for_each(|(sum, share)| *sum += share * trees);
        all.trees.extend(part.trees);
    }
    let total: f64 = all.importances.iter().sum();
    if total > 0.0 {
        all.importances.iter_mut().for_each(|sum| *sum /= total);
    }
    all
}

fn trainer(error: impl std::fmt::Display) -> Error {
    Error::Trainer(error.to_string())
}

#[cfg(test)]
mod tests;
