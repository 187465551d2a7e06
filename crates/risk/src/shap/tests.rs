use base::Seed;
use proptest::prelude::*;

use super::*;
use crate::synthetic::{arrays, columns};

/// The mean leaf below `node` when only the features in `known` (a bit set) are known of the row.
fn conditional(forest: &Forest, node: usize, row: &[f32], known: u32) -> f64 {
    let arrays = forest.arrays();
    let feature = arrays.feature[node];
    if feature == LEAF {
        return f64::from(arrays.value[node]);
    }
    let left = arrays.left[node] as usize;
    if known >> feature & 1 == 1 {
        let goes_left = row[usize::from(feature)] <= arrays.threshold[node];
        return conditional(forest, if goes_left { left } else { left + 1 }, row, known);
    }
    let (yes, no) = forest.shares(left);
    yes * conditional(forest, left, row, known) + no * conditional(forest, left + 1, row, known)
}

/// Shapley values by their definition: over all subsets of the other features.
fn by_definition(forest: &Forest, row: &[f32]) -> Vec<f64> {
    let features = row.len() as u32;
    let value = |known: u32| {
        let trees = forest.trees();
        (0..trees).map(|tree| conditional(forest, forest.span(tree).start, row, known)).sum::<f64>() / trees as f64
    };
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let one = |feature: u32| {
        let others = (0..1_u32 << features).filter(|set| set >> feature & 1 == 0);
        others.fold(0.0, |sum, set| {
            let size = set.count_ones();
            let weight = factorial(size) * factorial(features - size - 1) / factorial(features);
            sum + weight * (value(set | 1 << feature) - value(set))
        })
    };
    (0..features).map(one).collect()
}

proptest! {
    #[test]
    fn contributions_are_shapley_values(seed: u64, levels in 1_usize..7, features in 1_usize..5) {
        let seed = Seed(seed);
        let forest = Forest::new(arrays(seed, 2, levels, features), features).unwrap();
        let row: Vec<f32> = columns(seed, 1, features).iter().map(|column| column[0]).collect();
        for (fast, slow) in contributions(&forest, &row).into_iter().zip(by_definition(&forest, &row)) {
            prop_assert!((fast - slow).abs() < 1e-10, "{} is not {}", fast, slow);
        }
    }

    #[test]
    fn contributions_add_up_in_deep_trees(seed: u64, features in 1_usize..40) {
        let seed = Seed(seed);
        let forest = Forest::new(arrays(seed, 3, 12, features), features).unwrap();
        let columns = columns(seed, 1, features);
        let row: Vec<f32> = columns.iter().map(|column| column[0]).collect();
        let sum = forest.base() + contributions(&forest, &row).iter().sum::<f64>();
        prop_assert!((sum - forest.scores(&columns)[0]).abs() < 1e-9);
    }
}

/// A chain as deep as a model may be, each level another feature: the longest path there is.
#[test]
fn the_deepest_chain_adds_up() {
    let levels = LEVELS_MAX;
    let nodes = 2 * levels - 1;
    let mut arrays = crate::forest::Arrays { roots: vec![0], ..Default::default() };
    for node in 0..nodes {
        let splits = node == 0 || (node % 2 == 1 && node + 2 < nodes);
        arrays.feature.push(if splits { (node / 2 + node % 2) as u16 } else { LEAF });
        arrays.threshold.push(if splits { 0.5 } else { 0.0 });
        arrays.left.push(if splits { (node + 1 + node % 2) as u32 } else { 0 });
        arrays.value.push(if splits { 0.0 } else { (node % 7) as f32 / 7.0 });
        arrays.cover.push(1.0 + (node * 37 % 100) as f32);
    }
    arrays.sum_covers();
    let forest = Forest::new(arrays, levels).unwrap();
    for row in [vec![0.0; levels], vec![1.0; levels], (0..levels).map(|at| (at % 3) as f32 / 2.0).collect()] {
        let score = forest.scores(&row.iter().map(|value| vec![*value]).collect::<Vec<_>>())[0];
        let sum = forest.base() + contributions(&forest, &row).iter().sum::<f64>();
        assert!((sum - score).abs() < 1e-9, "{sum} is not {score}");
    }
}
