//! How good a ranking and its probabilities are. All functions take rows in any order and treat equal scores as
//! one: no number depends on how ties happen to be sorted. Read next: `evaluation.rs`, which applies them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::limits::BINS;

/// Rows sorted by falling score, with the bounds of runs of equal scores.
pub(crate) struct Ranking {
    order: Vec<usize>,
    ties: Vec<Range<usize>>,
}

impl Ranking {
    /// Ranks finite scores.
    pub(crate) fn new(scores: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        let mut ties: Vec<Range<usize>> = Vec::new();
        for (place, row) in order.iter().enumerate() {
            match ties.last_mut() {
                Some(tie) if scores[order[tie.start]] == scores[*row] => tie.end = place + 1,
                _ => ties.push(place..place + 1),
            }
        }
        Self { order, ties }
    }

    /// Area under the ROC curve and average precision under `weight`; absent unless both labels have weight.
    pub(crate) fn areas(&self, labels: &[u8], weight: impl Fn(usize) -> f64) -> Option<(f64, f64)> {
        let (mut positives, mut negatives, mut pairs, mut precisions) = (0.0, 0.0, 0.0, 0.0);
        for tie in &self.ties {
            let mut here = [0.0, 0.0];
            for row in &self.order[tie.clone()] {
                here[usize::from(labels[*row] == 1)] += weight(*row);
            }
            let [no, yes] = here;
            // Negatives here lie below every positive before them; against positives of the same score they draw.
            pairs += no * (positives + yes / 2.0);
            positives += yes;
            negatives += no;
            if yes > 0.0 {
                precisions += yes * positives / (positives + negatives);
            }
        }
        (positives > 0.0 && negatives > 0.0).then(|| (pairs / (positives * negatives), precisions / positives))
    }

    /// Positives among the first `k` rows; of a run of equal scores that crosses the cut, the expected number.
    pub(crate) fn hits(&self, labels: &[u8], k: usize) -> f64 {
        let mut hits = 0.0;
        for tie in self.ties.iter().take_while(|tie| tie.start < k) {
            let positives = self.order[tie.clone()].iter().filter(|row| labels[**row] == 1).count();
            let taken = tie.end.min(k) - tie.start;
            hits += positives as f64 * taken as f64 / tie.len() as f64;
        }
        hits
    }
}

/// Area under the ROC curve: the chance that a positive row scores above a negative one, ties counting half.
/// Absent unless both labels have weight. `weights` may be empty: all 1.
pub fn auc(scores: &[f64], labels: &[u8], weights: &[f64]) -> Option<f64> {
    check(scores, labels, weights);
    Some(Ranking::new(scores).areas(labels, weigher(weights))?.0)
}

/// Average precision: the mean over positive rows of the precision at their score. Absent as [`auc`] is.
pub fn average_precision(scores: &[f64], labels: &[u8], weights: &[f64]) -> Option<f64> {
    check(scores, labels, weights);
    Some(Ranking::new(scores).areas(labels, weigher(weights))?.1)
}

/// Mean squared difference of probability and label; 0 is best. Absent without weight.
pub fn brier(scores: &[f64], labels: &[u8], weights: &[f64]) -> Option<f64> {
    check(scores, labels, weights);
    let weight = weigher(weights);
    let (mut sum, mut total) = (0.0, 0.0);
    for (row, (score, label)) in scores.iter().zip(labels).enumerate() {
        let miss = score - f64::from(*label);
        sum += weight(row) * miss * miss;
        total += weight(row);
    }
    (total > 0.0).then(|| sum / total)
}

/// Rows of similar probability: what was promised and what came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// Rows.
    pub rows: usize,
    /// Summed weight.
    pub weight: f64,
    /// Mean probability.
    pub predicted: f64,
    /// Share of positives.
    pub observed: f64,
}

/// Ten bins of about equally many rows by rising probability (fewer where many are equal). Equal widths would put
/// nearly all rows into one bin when positives are rare.
pub fn reliability(scores: &[f64], labels: &[u8], weights: &[f64]) -> Vec<Reliability> {
    check(scores, labels, weights);
    let weight = weigher(weights);
    let ranking = Ranking::new(scores);
    let mut bins = Vec::new();
    let (mut rows, mut sums, mut seen) = (0, [0.0; 3], 0);
    let mut end = scores.len() / BINS;
    for tie in ranking.ties.iter().rev() {
        for row in &ranking.order[tie.clone()] {
            let weight = weight(*row);
            sums[0] += weight;
            sums[1] += weight * scores[*row];
            sums[2] += weight * f64::from(labels[*row]);
        }
        rows += tie.len();
        seen += tie.len();
        if seen >= end || seen == scores.len() {
            if sums[0] > 0.0 {
                let [weight, predicted, observed] = sums;
                bins.push(Reliability { rows, weight, predicted: predicted / weight, observed: observed / weight });
            }
            (rows, sums) = (0, [0.0; 3]);
            // A run of equal scores may have passed several ends: the next bin stops at the first ahead.
            end = (seen * BINS / scores.len() + 1) * scores.len() / BINS;
        }
    }
    bins
}

/// Mean distance of promised and observed rate over the bins of [`reliability`]. Absent without weight.
pub fn expected_calibration_error(scores: &[f64], labels: &[u8], weights: &[f64]) -> Option<f64> {
    let bins = reliability(scores, labels, weights);
    let total: f64 = bins.iter().map(|bin| bin.weight).sum();
    let sum: f64 = bins.iter().map(|bin| bin.weight * (bin.predicted - bin.observed).abs()).sum();
    (total > 0.0).then(|| sum / total)
}

/// Share of positives among the `k` rows of the highest scores (or all, if fewer). Absent for no rows.
pub fn precision_at(scores: &[f64], labels: &[u8], k: usize) -> Option<f64> {
    check(scores, labels, &[]);
    let taken = k.min(scores.len());
    (taken > 0).then(|| Ranking::new(scores).hits(labels, taken) / taken as f64)
}

fn weigher(weights: &[f64]) -> impl Fn(usize) -> f64 {
    |row| weights.get(row).copied().unwrap_or(1.0)
}

fn check(scores: &[f64], labels: &[u8], weights: &[f64]) {
    assert_eq!(scores.len(), labels.len(), "one label for each score");
    assert!(weights.is_empty() || weights.len() == scores.len(), "one weight for each score, or none");
}

#[cfg(test)]
mod tests;
