use base::Seed;
use proptest::prelude::*;

use super::*;
use crate::synthetic::uniform;

/// Scores whose labels follow `truth`.
fn sample(rows: u64, truth: Platt) -> (Vec<f64>, Vec<u8>) {
    let score = |row| uniform(Seed(1), row);
    let label = |row| u8::from(uniform(Seed(2), row) < truth.probability(score(row)));
    ((0..rows).map(score).collect(), (0..rows).map(label).collect())
}

#[test]
fn a_known_curve_is_found_again() {
    let truth = Platt { slope: 0.7, intercept: -3.0 };
    let (scores, labels) = sample(50_000, truth);
    let found = Platt::fit(&scores, &labels, &vec![1.0; scores.len()]);
    assert!((found.slope - truth.slope).abs() < 0.05, "{found:?}");
    assert!((found.intercept - truth.intercept).abs() < 0.05, "{found:?}");
}

#[test]
fn the_mean_probability_is_the_rate_of_the_rows() {
    let (scores, labels) = sample(20_000, Platt { slope: 2.0, intercept: -4.0 });
    let weights = vec![2.0; scores.len()];
    let found = Platt::fit(&scores, &labels, &weights);
    let rate = labels.iter().map(|label| f64::from(*label)).sum::<f64>() / labels.len() as f64;
    let mean = scores.iter().map(|score| found.probability(*score)).sum::<f64>() / scores.len() as f64;
    assert!((mean - rate).abs() < 1e-3, "{mean} is promised, {rate} came");
}

#[test]
fn weights_move_the_prior() {
    let (scores, labels) = sample(5_000, Platt { slope: 1.0, intercept: 0.0 });
    let weights: Vec<f64> = labels.iter().map(|label| if *label == 1 { 1.0 } else { 9.0 }).collect();
    let (plain, weighted) =
        (Platt::fit(&scores, &labels, &vec![1.0; labels.len()]), Platt::fit(&scores, &labels, &weights));
    // Nine times as many negatives move the log-odds by log 9.
    assert!((plain.intercept - weighted.intercept - 9.0_f64.ln()).abs() < 0.1, "{plain:?} {weighted:?}");
}

#[test]
fn backward_and_useless_scores_are_flattened() {
    for scores in [[0.1, 0.2, 0.8, 0.9], [0.5; 4]] {
        let found = Platt::fit(&scores, &[1, 1, 0, 0], &[1.0; 4]);
        assert!(found.is_valid(), "{found:?}");
        assert!((found.probability(0.5) - 0.5).abs() < 0.02, "{found:?}");
    }
}

#[test]
fn separable_rows_have_a_finite_curve() {
    let found = Platt::fit(&[0.0, 0.0, 1.0], &[0, 0, 1], &[1.0; 3]);
    assert!(found.is_valid(), "{found:?}");
    assert!(found.probability(0.0) < found.probability(1.0));
}

#[test]
fn scores_are_whole_millionths() {
    assert_eq!(quantise(0.123_456_49), 0.123_456);
    assert_eq!(quantise(0.123_456_51), 0.123_457);
    assert_eq!((quantise(0.0), quantise(1.0)), (0.0, 1.0));
}

proptest! {
    #[test]
    fn the_curve_rises(
        rows in prop::collection::vec((0.0_f64..=1.0, 0_u8..2, 0.01_f64..100.0), 2..60),
        a in 0.0_f64..=1.0,
        b in 0.0_f64..=1.0,
    ) {
        let labels: Vec<u8> = rows.iter().map(|row| row.1).collect();
        prop_assume!(labels.contains(&0) && labels.contains(&1));
        let scores: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let weights: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let platt = Platt::fit(&scores, &labels, &weights);
        prop_assert!(platt.is_valid(), "{:?}", platt);
        let (low, high) = (platt.probability(a.min(b)), platt.probability(a.max(b)));
        prop_assert!(low <= high && (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
    }
}
