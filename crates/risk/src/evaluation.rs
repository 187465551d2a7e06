//! What a model is worth on the rows held out of its training. Read next: `metrics.rs`, `calibration.rs`.

use std::collections::BTreeMap;

use base::Seed;
use serde::{Deserialize, Serialize};

use crate::calibration::Platt;
use crate::limits::INTERVAL_DRAWS;
use crate::metrics::{self, Ranking, Reliability};
use crate::split::{Slice, Split, gather};

/// Numbers measured on held-out groups. Rows of one user are alike, so intervals redraw whole groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Held-out rows.
    pub rows: usize,
    /// Positive ones among them.
    pub positives: usize,
    /// Groups (users) they belong to.
    pub groups: usize,
    /// Weighted share of positives.
    pub prevalence: f64,
    /// Area under the ROC curve.
    pub auc: f64,
    /// Its 95 % interval.
    pub auc_interval: Interval,
    /// Average precision.
    pub average_precision: f64,
    /// Its 95 % interval.
    pub average_precision_interval: Interval,
    /// Mean squared error of the calibrated probability.
    pub brier: f64,
    /// Mean distance of promised and observed rate.
    pub expected_calibration_error: f64,
    /// Whether the two numbers above come from calibrators fitted on other groups than they are measured on. False
    /// only when the positives held out belong to one group: then they flatter.
    pub cross_fitted: bool,
    /// What reviewers would find.
    pub budget: Budget,
    /// The reliability table behind the calibration error.
    pub reliability: Vec<Reliability>,
}

/// A 95 % interval, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The top rows of each day, as many as people can review.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Rows a day over all groups, as configured.
    pub per_day: usize,
    /// The held-out groups' share of it, at least 1.
    pub per_day_held_out: usize,
    /// Rows reviewed.
    pub reviewed: usize,
    /// Share of positives among them.
    pub precision: f64,
    /// Share of all held-out positives that are among them.
    pub recall: f64,
}

/// Measures `scores` (before calibration) of the held-out slice. `groups` counts all groups of the table.
pub(crate) fn evaluate(held: &Slice, scores: &[f64], groups: usize, per_day: usize, seed: Seed) -> Metrics {
    let ranking = Ranking::new(scores);
    let (auc, average_precision) = ranking.areas(&held.labels, |row| held.weights[row]).unwrap_or((0.5, 0.0));
    let (auc_interval, average_precision_interval) = intervals(held, &ranking, seed.child("intervals"));
    let (probabilities, cross_fitted) = cross_fit(held, scores, seed.child("halves"));
    let brier = metrics::brier(&probabilities, &held.labels, &held.weights);
    let error = metrics::expected_calibration_error(&probabilities, &held.labels, &held.weights);
    let held_groups = rows_by(&held.groups).len();
    let share = held_groups as f64 / groups as f64;
    Metrics {
        rows: held.labels.len(),
        positives: held.labels.iter().filter(|label| **label == 1).count(),
        groups: held_groups,
        prevalence: held.weight_of(1) / (held.weight_of(0) + held.weight_of(1)),
        auc,
        auc_interval,
        average_precision,
        average_precision_interval,
        brier: brier.unwrap_or(1.0),
        expected_calibration_error: error.unwrap_or(1.0),
        cross_fitted,
        budget: review(held, scores, per_day, ((per_day as f64 * share).round() as usize).max(1)),
        reliability: metrics::reliability(&probabilities, &held.labels, &held.weights),
    }
}

/// Calibrated probabilities, each half of the groups by a calibrator fitted on the other half.
fn cross_fit(held: &Slice, scores: &[f64], seed: Seed) -> (Vec<f64>, bool) {
    let mut probabilities = vec![0.0; scores.len()];
    let mut apply = |fit: &[usize], to: &[usize]| {
        let platt = Platt::fit(&gather(scores, fit), &gather(&held.labels, fit), &gather(&held.weights, fit));
        to.iter().for_each(|row| probabilities[*row] = platt.probability(scores[*row]));
    };
    let weighs = |rows: &[usize]| {
        [0, 1].iter().all(|label| rows.iter().any(|row| held.labels[*row] == *label && held.weights[*row] > 0.0))
    };
    match Split::by_group(&held.labels, &held.groups, 0.5, seed) {
        Ok(halves) if weighs(&halves.train) && weighs(&halves.held) => {
            apply(&halves.train, &halves.held);
            apply(&halves.held, &halves.train);
            (probabilities, true)
        }
        _ => {
            let all: Vec<usize> = (0..scores.len()).collect();
            apply(&all, &all);
            (probabilities, false)
        }
    }
}

/// Block bootstrap over groups: intervals of AUC and average precision.
fn intervals(held: &Slice, ranking: &Ranking, seed: Seed) -> (Interval, Interval) {
    let numbers = rows_by(&held.groups);
    let group_of: Vec<usize> = {
        let dense: BTreeMap<u64, usize> = numbers.keys().enumerate().map(|(number, group)| (*group, number)).collect();
        held.groups.iter().map(|group| dense[group]).collect()
    };
    let draw = |draw: u64| {
        let mut times = vec![0.0; numbers.len()];
        for pick in 0..numbers.len() {
            let random = seed.index(draw).index(pick as u64).0;
            times[(random % numbers.len() as u64) as usize] += 1.0;
        }
        ranking.areas(&held.labels, |row| held.weights[row] * times[group_of[row]])
    };
    let (aucs, precisions): (Vec<f64>, Vec<f64>) = (0..INTERVAL_DRAWS).filter_map(draw).unzip();
    (interval(aucs), interval(precisions))
}

/// From the 2.5th to the 97.5th percentile; 0 to 1 when nothing could be drawn.
fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return Interval { low: 0.0, high: 1.0 } };
    let tail = values.len() / 40;
    let at = |place: usize, otherwise: f64| values.get(place).copied().unwrap_or(otherwise);
    Interval { low: at(tail, *first), high: at(values.len() - 1 - tail, *last) }
}

/// Reviews the top `per_day_held_out` rows of each day.
fn review(held: &Slice, scores: &[f64], per_day: usize, per_day_held_out: usize) -> Budget {
    let (mut hits, mut reviewed) = (0.0, 0);
    for rows in rows_by(&held.days).values() {
        let taken = rows.len().min(per_day_held_out);
        hits += Ranking::new(&gather(scores, rows)).hits(&gather(&held.labels, rows), taken);
        reviewed += taken;
    }
    let positives = held.labels.iter().filter(|label| **label == 1).count();
    Budget {
        per_day,
        per_day_held_out,
        reviewed,
        precision: hits / (reviewed as f64).max(1.0),
        recall: hits / (positives as f64).max(1.0),
    }
}

fn rows_by<K: Ord + Copy>(keys: &[K]) -> BTreeMap<K, Vec<usize>> {
    let mut rows: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    keys.iter().enumerate().for_each(|(row, key)| rows.entry(*key).or_default().push(row));
    rows
}

#[cfg(test)]
mod tests;
