use proptest::prelude::*;

use super::*;

const SCORES: [f64; 6] = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4];
const LABELS: [u8; 6] = [1, 0, 1, 0, 0, 1];

#[test]
fn areas_by_hand() {
    // Positives beat 3, 2 and 0 of the 3 negatives.
    assert_eq!(auc(&SCORES, &LABELS, &[]), Some(5.0 / 9.0));
    let expected = (1.0 + 2.0 / 3.0 + 3.0 / 6.0) / 3.0;
    assert!((average_precision(&SCORES, &LABELS, &[]).unwrap() - expected).abs() < 1e-15);
}

#[test]
fn ties_count_half() {
    assert_eq!(auc(&[0.5; 4], &[1, 0, 0, 1], &[]), Some(0.5));
    assert_eq!(average_precision(&[0.5; 4], &[1, 0, 0, 1], &[]), Some(0.5));
    assert_eq!(precision_at(&[0.5; 4], &[1, 0, 0, 1], 1), Some(0.5));
}

#[test]
fn one_class_has_no_areas() {
    assert_eq!(auc(&SCORES, &[0; 6], &[]), None);
    assert_eq!(average_precision(&SCORES, &[1; 6], &[]), None);
    assert_eq!(auc(&[], &[], &[]), None);
    assert_eq!(auc(&SCORES, &LABELS, &[0.0; 6]), None);
}

#[test]
fn precision_at_takes_the_top() {
    assert_eq!(precision_at(&SCORES, &LABELS, 1), Some(1.0));
    assert_eq!(precision_at(&SCORES, &LABELS, 4), Some(0.5));
    assert_eq!(precision_at(&SCORES, &LABELS, 99), Some(0.5));
    assert_eq!(precision_at(&SCORES, &LABELS, 0), None);
}

#[test]
fn probabilities_by_hand() {
    assert_eq!(brier(&[1.0, 0.5], &[1, 0], &[]), Some(0.125));
    assert_eq!(brier(&[1.0, 0.5], &[1, 0], &[1.0, 0.0]), Some(0.0));
    // One bin: all scores are equal. Promised 0.25, one of two came.
    assert_eq!(expected_calibration_error(&[0.25; 2], &[1, 0], &[]), Some(0.25));
    // A row of weight 3 against one of weight 1: the observed rate is 0.25 as promised.
    assert_eq!(expected_calibration_error(&[0.25; 2], &[1, 0], &[1.0, 3.0]), Some(0.0));
}

#[test]
fn bins_hold_about_equally_many_rows() {
    let scores: Vec<f64> = (0..1_000).map(|row| f64::from(row) / 1_000.0).collect();
    let bins = reliability(&scores, &[0; 1_000], &[]);
    assert_eq!(bins.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [100; 10]);
    assert!(bins.is_sorted_by(|a, b| a.predicted < b.predicted));
    // Most rows are equal: they share a bin, those after it are not cut into crumbs, and no row is lost.
    let scores: Vec<f64> = (0..1_000).map(|row| f64::from(row.max(849))).collect();
    let bins = reliability(&scores, &[0; 1_000], &[]);
    assert_eq!(bins.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [850, 50, 100]);
}

proptest! {
    #[test]
    fn auc_is_the_share_of_pairs_won(rows in prop::collection::vec((0_u8..6, 0_u8..2, 1_u8..4), 1..40)) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let labels: Vec<u8> = rows.iter().map(|row| row.1).collect();
        let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
        let (mut won, mut pairs) = (0.0, 0.0);
        for i in (0..rows.len()).filter(|i| labels[*i] == 1) {
            for j in (0..rows.len()).filter(|j| labels[*j] == 0) {
                let pair = weights[i] * weights[j];
                pairs += pair;
                won += pair * if scores[i] > scores[j] { 1.0 } else if scores[i] == scores[j] { 0.5 } else { 0.0 };
            }
        }
        match auc(&scores, &labels, &weights) {
            Some(auc) => prop_assert!((auc - won / pairs).abs() < 1e-12),
            None => prop_assert_eq!(pairs, 0.0),
        }
    }

    #[test]
    fn row_order_changes_nothing(rows in prop::collection::vec((0_u8..6, 0_u8..2), 1..40), k in 1_usize..50) {
        let split = |rows: &[(u8, u8)]| {
            let (scores, labels): (Vec<f64>, Vec<u8>) = rows.iter().map(|(s, l)| (f64::from(*s), *l)).unzip();
            (auc(&scores, &labels, &[]), average_precision(&scores, &labels, &[]), precision_at(&scores, &labels, k))
        };
        let mut reversed = rows.clone();
        reversed.reverse();
        prop_assert_eq!(split(&rows), split(&reversed));
    }
}
