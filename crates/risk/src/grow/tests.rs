use base::Seed;
use smartcore::linalg::basic::arrays::Array;

use super::*;
use crate::compile::compile;
use crate::split::Slice;
use crate::synthetic::{self, uniform};
use crate::table::MissingRule;

fn slice(rows: usize, seed: u64) -> Slice {
    let table = synthetic::table(rows, seed);
    let rules: Vec<MissingRule> = table.columns.iter().map(|column| MissingRule::of(column)).collect();
    Slice::gather(&table, &(0..rows).collect::<Vec<_>>(), &rules, "training").unwrap()
}

#[test]
fn flat_scores_are_the_librarys() {
    let train = slice(3_000, 5);
    let config = TrainingConfig { trees: 25, ..TrainingConfig::default() };
    let problem = Problem::new(&train, 4.0).unwrap();
    let library = fit(&problem, &config, 0).unwrap();
    let forest = compile(&read_out(&library).unwrap().trees, &train.columns).unwrap();
    let fresh = slice(1_000, 6);
    let matrix = Problem::new(&fresh, 1.0).unwrap().matrix;
    assert_eq!(matrix.shape(), (1_000, 6));
    let theirs = library.predict(&matrix).unwrap();
    let ours = forest.scores(&fresh.columns);
    let (least, most) = ours.iter().fold((1.0_f64, 0.0_f64), |(least, most), x| (least.min(*x), most.max(*x)));
    assert!(least < 0.1 && most > 0.5, "scores from {least} to {most} are too alike to compare");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours - theirs).abs() < 1e-6, "{ours} is not {theirs}");
    }
}

/// The library's classifiers pass over the cut points of flags and counts with rare positives: 0 of 8 and 1 in 9 of
/// such forests used them. Fails if anyone switches to one.
#[test]
fn a_flag_and_a_count_are_used() {
    for seed in 0..8 {
        let rows = 5_000_u64;
        let is_positive = |row: u64| row.is_multiple_of(100);
        let labels: Vec<u8> = (0..rows).map(|row| u8::from(is_positive(row))).collect();
        let draw = |name, row| uniform(Seed(seed).child(name), row);
        let flag = |row: u64| f32::from(u8::from(draw("flag", row) < if is_positive(row) { 0.3 } else { 0.01 }));
        let step = |row: u64| {
            let high = draw("high", row) < if is_positive(row) { 0.6 } else { 0.3 };
            if high { 7.0 + (draw("step", row) * 3.0).floor() as f32 } else { (draw("step", row) * 7.0).floor() as f32 }
        };
        let train = Slice {
            columns: vec![(0..rows).map(flag).collect(), (0..rows).map(step).collect()],
            labels,
            weights: vec![1.0; rows as usize],
            groups: (0..rows).collect(),
            days: vec![0; rows as usize],
            incidents: Vec::new(),
        };
        let config = TrainingConfig { trees: 10, split_features: Some(2), seed, ..TrainingConfig::default() };
        let grown = grow(&Problem::new(&train, 1.0).unwrap(), &config).unwrap();
        let arrays = compile(&grown.trees, &train.columns).unwrap().arrays().clone();
        assert!(grown.importances[0] > 0.2, "the flag carries the splits: {:?}", grown.importances);
        assert!(arrays.feature.contains(&0) && arrays.feature.contains(&1), "seed {seed} uses both");
        let count_cuts = arrays.feature.iter().zip(&arrays.threshold).filter(|(feature, _)| **feature == 1);
        assert!(count_cuts.clone().any(|(_, cut)| *cut == 6.5), "seed {seed} cuts where the rate changes");
    }
}

#[test]
fn as_many_trees_as_asked_for_each_from_another_seed() {
    let train = slice(300, 5);
    let config = TrainingConfig { trees: 60, depth_max: 4, ..TrainingConfig::default() };
    let grown = grow(&Problem::new(&train, 1.0).unwrap(), &config).unwrap();
    assert_eq!(grown.trees.len(), 60);
    assert!((grown.importances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let cuts = |tree: &GrownTree| tree.nodes.iter().map(|node| node.split_value).collect::<Vec<_>>();
    // The first tree of each fit would be the same if all fits had one seed.
    assert_ne!(cuts(&grown.trees[0]), cuts(&grown.trees[25]));
}

#[test]
fn an_incident_counts_as_the_square_root_of_its_rows() {
    let mut train = slice(300, 5);
    train.labels = (0..300).map(|row| u8::from(row < 104)).collect();
    train.weights = vec![1.0; 300];
    // An incident of a hundred rows, one of three, a positive row by itself.
    train.incidents = (0..300).map(|row| if row < 100 { 1 } else { u64::from(row < 103) * 2 }).collect();
    let weights = Problem::new(&train, 1.0).unwrap().weights;
    let sum = |rows: std::ops::Range<usize>| weights[rows].iter().sum::<f64>();
    let (large, small, single) = (sum(0..100), sum(100..103), sum(103..104));
    assert!(
        (large / single - 10.0).abs() < 1e-9 && (small / single - 3_f64.sqrt()).abs() < 1e-9,
        "{large} {small} {single}"
    );
    assert!((large + small + single - 104.0).abs() < 1e-9, "together the positives weigh what they weighed");
    assert!(weights[104..].iter().all(|weight| *weight == 1.0));
}
