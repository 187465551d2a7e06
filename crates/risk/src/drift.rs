//! Whether today's rows look like the training rows: the population stability index against bins fixed in the model.
//!
//! Reference and observation are integer counts, so those of parts of a day add up. The customary bands (below 0.1
//! steady, above 0.25 moved) are convention, not mathematics. Read next: `model.rs`, which holds the references.

use serde::{Deserialize, Serialize};

use crate::limits::{BINS, DRIFT_ROWS_MIN, REFERENCE_EDGES_MAX};

/// Training rows counted into bins: bin `i` holds values up to and including edge `i`, the last those above all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    edges: Vec<f32>,
    counts: Counts,
}

/// Rows counted into a reference's bins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Rows in each bin.
    pub bins: Vec<u64>,
    /// Rows without a value.
    pub missing: u64,
}

impl Counts {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.bins.iter().sum::<u64>() + self.missing
    }

    /// Adds rows counted elsewhere into bins of the same reference.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.bins.len(), other.bins.len(), "counts of one reference");
        self.bins.iter_mut().zip(&other.bins).for_each(|(sum, count)| *sum += count);
        self.missing += other.missing;
    }
}

impl Reference {
    /// Ten bins of about equally many of `values` (NaN = missing), fewer where many are equal.
    pub fn of(values: &[f32]) -> Self {
        let mut present: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
        present.sort_by(f32::total_cmp);
        let mut edges = Vec::new();
        if let Some(greatest) = present.last() {
            edges.extend((1..BINS).map(|part| present[part * present.len() / BINS]));
            edges.dedup();
            // Nothing lies above the greatest value, and a bin below it must remain.
            edges.retain(|edge| edge < greatest);
            if edges.is_empty() {
                edges = vec![greatest.next_down(), *greatest];
            }
        }
        let mut reference = Self { edges, counts: Counts { bins: Vec::new(), missing: 0 } };
        reference.counts = reference.count(values);
        reference
    }

    /// The training rows.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The upper edges of all bins but the last.
    pub fn edges(&self) -> &[f32] {
        &self.edges
    }

    /// Counts rows into the bins; NaN is missing.
    pub fn count(&self, values: &[f32]) -> Counts {
        let mut counts = Counts { bins: vec![0; self.edges.len() + 1], missing: 0 };
        for value in values {
            match value.is_nan() {
                true => counts.missing += 1,
                false => counts.bins[self.edges.partition_point(|edge| edge < value)] += 1,
            }
        }
        counts
    }

    /// Whether edges rise and counts fit them.
    pub(crate) fn is_valid(&self) -> bool {
        let rows = self.counts.bins.iter().try_fold(self.counts.missing, |sum, count| sum.checked_add(*count));
        self.edges.len() <= REFERENCE_EDGES_MAX
            && self.edges.iter().all(|edge| edge.is_finite())
            && self.edges.is_sorted_by(|a, b| a < b)
            && self.counts.bins.len() == self.edges.len() + 1
            && rows.is_some()
    }
}

/// The population stability index of `observed` against `reference`: 0 when shares are equal, larger the further
/// they moved; missing is a bin of its own. Absent below 200 observed rows, where it would be noise.
pub fn psi(reference: &Reference, observed: &Counts) -> Option<f64> {
    assert_eq!(reference.counts.bins.len(), observed.bins.len(), "counts of this reference");
    if observed.rows() < DRIFT_ROWS_MIN {
        return None;
    }
    // Half a row more in every bin keeps an empty one from making the index infinite.
    let shares = |counts: &Counts| {
        let cells = counts.bins.iter().chain([&counts.missing]);
        let total = counts.rows() as f64 + 0.5 * (counts.bins.len() + 1) as f64;
        cells.map(|count| (*count as f64 + 0.5) / total).collect::<Vec<_>>()
    };
    let pairs = shares(&reference.counts).into_iter().zip(shares(observed));
    Some(pairs.map(|(then, now)| (now - then) * libm::log(now / then)).sum())
}

#[cfg(test)]
mod tests;
