//! From a forest's mean to a probability: Platt's sigmoid on the log-odds.
//!
//! Two parameters can be fitted on a handful of positives, and a rising curve leaves the ranking alone. Method:
//! Platt, Probabilistic outputs for support vector machines (1999), with the Newton steps of Lin, Lin and Weng,
//! A note on Platt's probabilistic outputs (2007). Logarithms and exponentials come from `libm`, so that every
//! machine gives the same bytes. Read next: `evaluation.rs`.

use serde::{Deserialize, Serialize};

use crate::limits::SCORE_SCALE;

/// Moves scores a little from 0 and 1, where log-odds are infinite. All scores move, so no two become equal.
const SHRINK: f64 = 1.0 / 8192.0;
/// Least slope: forests that rank held-out rows backwards are flattened, never turned round.
const SLOPE_MIN: f64 = 1e-3;
/// Largest slope and intercept a model may have.
const PARAMETER_MAX: f64 = 1e3;
const STEPS_MAX: usize = 100;

/// `probability = sigmoid(slope * log_odds(score) + intercept)`; the slope is positive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platt {
    /// How log-odds are stretched.
    pub slope: f64,
    /// How they are moved; takes back what weighting the positives did to the prior.
    pub intercept: f64,
}

impl Platt {
    /// Fits on rows the forest has not seen, at their natural weights: the prior of those rows is the prior of the
    /// result, whatever weighting the forest was trained with. Both labels must occur with weight.
    pub(crate) fn fit(scores: &[f64], labels: &[u8], weights: &[f64]) -> Self {
        let points = points(scores, labels, weights);
        let prior = points.iter().map(|point| point.weight * point.target).sum::<f64>();
        let flat = Self { slope: SLOPE_MIN, intercept: logit(prior) };
        let fitted = newton(&points, Self { slope: 1.0, ..flat }, true);
        match fitted.slope >= SLOPE_MIN {
            true => fitted.bounded(),
            false => newton(&points, flat, false).bounded(),
        }
    }

    /// The calibrated probability of a score.
    pub fn probability(self, score: f64) -> f64 {
        sigmoid(self.slope * log_odds(score) + self.intercept)
    }

    /// Whether the curve rises and its numbers are usable.
    pub(crate) fn is_valid(self) -> bool {
        (SLOPE_MIN..=PARAMETER_MAX).contains(&self.slope) && (-PARAMETER_MAX..=PARAMETER_MAX).contains(&self.intercept)
    }

    fn bounded(self) -> Self {
        Self {
            slope: self.slope.clamp(SLOPE_MIN, PARAMETER_MAX),
            intercept: self.intercept.clamp(-PARAMETER_MAX, PARAMETER_MAX),
        }
    }
}

/// Rounds a probability to whole millionths, as an integer: two machines that differ in the last bit agree here.
pub(crate) fn quantise(probability: f64) -> f64 {
    let scale = f64::from(SCORE_SCALE);
    let whole = (probability * scale).round() as u32;
    f64::from(whole.min(SCORE_SCALE)) / scale
}

struct Point {
    x: f64,
    target: f64,
    weight: f64,
}

/// Log-odds, targets and weights that sum to 1. Targets stop short of 0 and 1 by Platt's rule, so that separable
/// rows do not ask for an infinite slope.
fn points(scores: &[f64], labels: &[u8], weights: &[f64]) -> Vec<Point> {
    let positives = labels.iter().filter(|label| **label == 1).count() as f64;
    let negatives = labels.len() as f64 - positives;
    let targets = [1.0 / (negatives + 2.0), (positives + 1.0) / (positives + 2.0)];
    let total: f64 = weights.iter().sum();
    let point = |((score, label), weight): ((&f64, &u8), &f64)| Point {
        x: log_odds(*score),
        target: targets[usize::from(*label)],
        weight: weight / total,
    };
    scores.iter().zip(labels).zip(weights).map(point).collect()
}

/// Minimises the weighted log-loss from `start`; without `sloped` only the intercept moves.
fn newton(points: &[Point], start: Platt, sloped: bool) -> Platt {
    let mut at = start;
    let mut value = loss(points, at);
    for _ in 0..STEPS_MAX {
        let Some((step, decrement)) = direction(points, at, sloped) else { break };
        if decrement < 1e-16 {
            break;
        }
        let halvings = (0..40).map(|halving| 0.5_f64.powi(halving));
        let candidates = halvings.map(|length| Platt {
            slope: at.slope - length * step.slope,
            intercept: at.intercept - length * step.intercept,
        });
        let mut weighed = candidates.map(|candidate| (candidate, loss(points, candidate)));
        let Some((better, lower)) = weighed.find(|(_, lower)| *lower < value) else { break };
        (at, value) = (better, lower);
    }
    at
}

/// The Newton step and how steeply the loss falls along it.
fn direction(points: &[Point], at: Platt, sloped: bool) -> Option<(Platt, f64)> {
    // A little curvature of its own keeps the matrix invertible when all scores are equal.
    let (mut aa, mut ab, mut bb, mut a, mut b) = (1e-12, 0.0, 1e-12, 0.0, 0.0);
    for point in points {
        let p = sigmoid(at.slope * point.x + at.intercept);
        let (residual, curvature) = (point.weight * (p - point.target), point.weight * p * (1.0 - p));
        a += residual * point.x;
        b += residual;
        aa += curvature * point.x * point.x;
        ab += curvature * point.x;
        bb += curvature;
    }
    if !sloped {
        return Some((Platt { slope: 0.0, intercept: b / bb }, b * b / bb));
    }
    let determinant = aa * bb - ab * ab;
    if determinant <= 0.0 {
        return None;
    }
    let step = Platt { slope: (bb * a - ab * b) / determinant, intercept: (aa * b - ab * a) / determinant };
    Some((step, a * step.slope + b * step.intercept))
}

fn loss(points: &[Point], at: Platt) -> f64 {
    let one = |point: &Point| {
        let z = at.slope * point.x + at.intercept;
        // log(1 + e^z) - target * z, without overflow.
        point.weight * (z.max(0.0) + libm::log1p(libm::exp(-z.abs())) - point.target * z)
    };
    points.iter().map(one).sum()
}

fn log_odds(score: f64) -> f64 {
    logit((score + SHRINK) / (1.0 + 2.0 * SHRINK))
}

fn logit(p: f64) -> f64 {
    libm::log(p / (1.0 - p))
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-z))
}

#[cfg(test)]
mod tests;
