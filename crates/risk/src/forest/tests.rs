use base::Seed;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::synthetic::{arrays, columns, leaf_of};

/// Two trees: a split with two leaves, and a lone leaf.
fn small() -> Arrays {
    Arrays {
        feature: vec![1, LEAF, LEAF, LEAF],
        threshold: vec![0.5, 0.0, 0.0, 0.0],
        left: vec![1, 0, 0, 0],
        value: vec![0.0, 0.25, 0.75, 0.5],
        cover: vec![5.0, 3.0, 2.0, 5.0],
        roots: vec![0, 3],
    }
}

fn check(spoil: impl FnOnce(&mut Arrays), expect: Expect) {
    let mut arrays = small();
    spoil(&mut arrays);
    expect.assert_eq(&Forest::new(arrays, 2).unwrap_err());
}

#[test]
fn arrays_that_do_not_make_trees_are_refused() {
    assert!(Forest::new(small(), 2).is_ok());
    check(|a| *a = Arrays::default(), expect!["0 trees, expected 1 to 2000"]);
    check(
        |a| a.left.truncate(2),
        expect!["4 features of nodes, but [4, 2, 4, 4] thresholds, children, values and covers"],
    );
    check(|a| a.roots = vec![1, 3], expect!["roots do not start at 0 and rise"]);
    check(|a| a.roots = vec![0, 3, 3], expect!["roots do not start at 0 and rise"]);
    check(|a| a.roots = vec![0, 4], expect!["last root 4 is outside 4 nodes"]);
    check(|a| a.roots = vec![0, 2], expect!["tree 0: node 0 has its children at 1, expected 1 and below 2"]);
    check(|a| a.left[0] = 0, expect!["tree 0: node 0 has its children at 0, expected 1 and below 3"]);
    check(|a| a.left[0] = u32::MAX, expect!["tree 0: node 0 has its children at 4294967295, expected 1 and below 3"]);
    check(|a| a.feature[0] = 2, expect!["tree 0: node 0 tests feature 2 of 2"]);
    check(|a| (a.feature[0], a.threshold[0], a.left[0]) = (LEAF, 0.0, 0), expect!["tree 0: node 1 is not reached"]);
    check(|a| a.left[1] = 1, expect!["tree 0: leaf 1 has a threshold or children"]);
    check(|a| a.threshold[1] = -0.0, expect!["tree 0: leaf 1 has a threshold or children"]);
    check(|a| a.value[1] = f32::NAN, expect!["tree 0: leaf 1 has value NaN, expected 0 to 1"]);
    check(
        |a| a.threshold[0] = f32::NAN,
        expect!["tree 0: split 0 has value 0 and threshold NaN, expected 0 and a number"],
    );
    check(|a| a.cover[3] = 0.0, expect!["tree 1: node 3 has cover 0, expected a whole number from 1 to 16777216"]);
    check(|a| a.cover[3] = 1.5, expect!["tree 1: node 3 has cover 1.5, expected a whole number from 1 to 16777216"]);
    check(|a| a.cover[0] = 6.0, expect!["tree 0: the cover of node 0 is not the sum of its children's"]);
}

#[test]
fn trees_deeper_than_the_limit_are_refused() {
    // A chain: each left child splits again.
    let chain = |levels: usize| {
        let mut arrays = Arrays { roots: vec![0], ..Arrays::default() };
        for node in 0..2 * levels - 1 {
            let splits = node == 0 || (node % 2 == 1 && node + 2 < 2 * levels - 1);
            arrays.feature.push(if splits { 0 } else { LEAF });
            arrays.threshold.push(0.0);
            arrays.left.push(if splits { (node + 1 + node % 2) as u32 } else { 0 });
            arrays.value.push(0.0);
            arrays.cover.push(1.0);
        }
        arrays.sum_covers();
        Forest::new(arrays, 1)
    };
    assert_eq!(chain(LEVELS_MAX).unwrap().levels(), LEVELS_MAX);
    expect!["tree 0: more than 32 levels"].assert_eq(&chain(LEVELS_MAX + 1).unwrap_err());
}

proptest! {
    #[test]
    fn blocks_score_as_single_rows_do(seed: u64, rows in 1_usize..200, levels in 1_usize..9, trees in 1_usize..6) {
        let (seed, features) = (Seed(seed), 5);
        let forest = Forest::new(arrays(seed, trees, levels, features), features).unwrap();
        let columns = columns(seed, rows, features);
        let scores = forest.scores(&columns);
        prop_assert_eq!(scores.len(), rows);
        for (row, score) in scores.iter().enumerate() {
            let values: Vec<f32> = columns.iter().map(|column| column[row]).collect();
            let sum = (0..trees).fold(0.0, |sum, tree| {
                sum + f64::from(forest.arrays().value[leaf_of(&forest, tree, &values)])
            });
            prop_assert_eq!(sum / trees as f64, *score);
        }
    }

    #[test]
    fn covers_count_rows(seed: u64, rows in 200_usize..400) {
        let (seed, features) = (Seed(seed), 3);
        let mut forest = Forest::new(arrays(seed, 2, 3, features), features).unwrap();
        let columns = columns(seed, rows, features);
        // Random thresholds may leave a leaf without rows: refused, and nothing to compare.
        if forest.count_covers(&columns).is_ok() {
            prop_assert!(Forest::new(forest.arrays().clone(), features).is_ok());
            let mean = forest.scores(&columns).iter().sum::<f64>() / rows as f64;
            prop_assert!((forest.base() - mean).abs() < 1e-9);
        }
    }
}
