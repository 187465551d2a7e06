use super::*;
use crate::synthetic::uniform;

/// Rows of which every tenth group's are positive; `quality` of 1 separates them, of 0 does not.
fn held(quality: f64) -> (Slice, Vec<f64>) {
    let rows = 2_000_u64;
    let labels: Vec<u8> = (0..rows).map(|row| u8::from((row / 10) % 10 == 0)).collect();
    let score = |row: u64| uniform(Seed(4), row) * 0.5 + quality * 0.5 * f64::from(labels[row as usize]);
    let scores = (0..rows).map(score).collect();
    let slice = Slice {
        columns: Vec::new(),
        labels,
        weights: vec![1.0; rows as usize],
        groups: (0..rows).map(|row| row / 10).collect(),
        days: (0..rows).map(|row| (row % 10) as i64).collect(),
        incidents: Vec::new(),
    };
    (slice, scores)
}

#[test]
fn a_perfect_ranking_fills_the_budget() {
    let (slice, scores) = held(1.0);
    // 200 of 800 groups are held out: a quarter of the budget of 20.
    let metrics = evaluate(&slice, &scores, 800, 20, Seed(1));
    assert_eq!((metrics.rows, metrics.positives, metrics.groups), (2_000, 200, 200));
    assert_eq!((metrics.auc, metrics.average_precision), (1.0, 1.0));
    assert_eq!(metrics.prevalence, 0.1);
    let budget = metrics.budget;
    assert_eq!((budget.per_day_held_out, budget.reviewed), (5, 50));
    // 20 positives a day, 5 reviewed: all are hits, a quarter is found.
    assert_eq!((budget.precision, budget.recall), (1.0, 0.25));
    assert!(metrics.cross_fitted);
    assert!(metrics.expected_calibration_error < 0.02, "{}", metrics.expected_calibration_error);
}

#[test]
fn a_useless_ranking_is_called_so() {
    let (slice, scores) = held(0.0);
    let metrics = evaluate(&slice, &scores, 200, 20, Seed(1));
    let interval = metrics.auc_interval;
    assert!(interval.low < 0.5 && 0.5 < interval.high, "{interval:?}");
    assert!(interval.low <= metrics.auc && metrics.auc <= interval.high);
    assert!(metrics.budget.precision < 0.25);
    assert!(metrics.expected_calibration_error < 0.03);
}

#[test]
fn positives_of_one_group_cannot_be_cross_fitted() {
    let (mut slice, scores) = held(1.0);
    slice.labels.iter_mut().skip(10).for_each(|label| *label = 0);
    assert!(!evaluate(&slice, &scores, 200, 20, Seed(1)).cross_fitted);
}
