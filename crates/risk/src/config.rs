//! How to train and where the data came from: plain data that the model file repeats. Read next: `train.rs`.

use std::ops::Range;

use base::Digest;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::{LEVELS_MAX, TREES_MAX};

/// Training settings. The defaults suit rare positives among tens of thousands of user-days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Trees of the forest.
    pub trees: usize,
    /// Levels of nodes in a tree, the root counted.
    pub depth_max: usize,
    /// Fewest drawn rows a leaf may hold.
    pub leaf_min: usize,
    /// Features tried at each split; a third of them when absent, as is usual for regression (Hastie, Tibshirani and
    /// Friedman, The Elements of Statistical Learning, section 15.3).
    pub split_features: Option<usize>,
    /// How far positives are weighted up: 0 not at all, 1 until both classes weigh the same. Never weighted down.
    pub positive_balance: f64,
    /// Share of the groups held out of training, for calibration and for the metrics.
    pub calibration_share: f64,
    /// Cases a day that people can review, over all groups of the table.
    pub budget_per_day: usize,
    /// Where all randomness starts.
    pub seed: u64,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            trees: 100,
            depth_max: 16,
            leaf_min: 3,
            split_features: None,
            positive_balance: 0.05,
            calibration_share: 0.25,
            budget_per_day: 20,
            seed: 1,
        }
    }
}

impl TrainingConfig {
    /// How many of `features` are tried at each split.
    pub(crate) fn split_features(&self, features: usize) -> usize {
        self.split_features.unwrap_or((features / 3).max(1))
    }

    /// Refuses settings out of range.
    pub(crate) fn check(&self, features: usize) -> Result<()> {
        let whole = |setting, value: usize, bounds: Range<usize>| match bounds.contains(&value) {
            true => Ok(()),
            false => Err(Error::Setting {
                setting,
                value: value.to_string(),
                bound: format!("{} to {}", bounds.start, bounds.end - 1),
            }),
        };
        let share = |setting, value: f64, valid: bool, bound: &str| match valid {
            true => Ok(()),
            false => Err(Error::Setting { setting, value: value.to_string(), bound: bound.to_owned() }),
        };
        whole("trees", self.trees, 1..TREES_MAX + 1)?;
        whole("depth_max", self.depth_max, 2..LEVELS_MAX + 1)?;
        whole("leaf_min", self.leaf_min, 1..1_000_001)?;
        whole("budget_per_day", self.budget_per_day, 1..1_000_001)?;
        if let Some(count) = self.split_features {
            whole("split_features", count, 1..features + 1)?;
        }
        let balance = self.positive_balance;
        share("positive_balance", balance, (0.0..=1.0).contains(&balance), "0 to 1")?;
        let held = self.calibration_share;
        share("calibration_share", held, (0.01..=0.9).contains(&held), "0.01 to 0.9")
    }
}

/// Where a model comes from and what it is for. Recorded as given; the model card prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Digest of the training data, as its keeper computes it.
    pub data_digest: Digest,
    /// Days since 1970-01-01 the data covers, half-open.
    pub window: Range<i64>,
    /// The hospitals (or simulated sites) the rows come from.
    pub sites: Vec<String>,
    /// What the model is to be used for; may be empty.
    pub purpose: String,
    /// Who answers for it; may be empty.
    pub owner: String,
    /// What it is known not to see, such as scenarios left out of training.
    pub blind_spots: Vec<String>,
}

impl Provenance {
    /// The provenance of data without sites, purpose, owner or known blind spots.
    pub fn new(data_digest: Digest, window: Range<i64>) -> Self {
        let (sites, purpose, owner, blind_spots) = Default::default();
        Self { data_digest, window, sites, purpose, owner, blind_spots }
    }
}
