use proptest::prelude::*;

use super::*;

fn split(feature: usize, threshold: f64, children: [usize; 2]) -> GrownNode {
    let [yes, no] = children.map(Some);
    GrownNode { output: 0.5, split_feature: feature, split_value: Some(threshold), true_child: yes, false_child: no }
}

fn leaf(value: f64) -> GrownNode {
    GrownNode { output: value, split_feature: 0, split_value: None, true_child: None, false_child: None }
}

#[test]
fn equal_subtrees_merge_and_nodes_come_breadth_first() {
    // The trainer numbers depth-first; its node 4 splits rows of one value.
    let tree = GrownTree {
        nodes: vec![
            split(0, 0.5, [1, 4]),
            split(1, 0.25, [2, 3]),
            leaf(0.0),
            leaf(0.5),
            split(1, 0.75, [5, 6]),
            leaf(1.0),
            leaf(1.0),
        ],
    };
    let columns = vec![vec![0.0, 0.0, 1.0, 1.0, 0.0], vec![0.0, 1.0, 0.0, 1.0, 0.0]];
    let forest = compile(&[tree], &columns).unwrap();
    let arrays = forest.arrays();
    assert_eq!(arrays.feature, [0, 1, LEAF, LEAF, LEAF]);
    assert_eq!(arrays.threshold, [0.5, 0.25, 0.0, 0.0, 0.0]);
    assert_eq!(arrays.left, [1, 3, 0, 0, 0]);
    assert_eq!(arrays.value, [0.0, 0.0, 1.0, 0.0, 0.5]);
    assert_eq!(arrays.cover, [5.0, 3.0, 2.0, 2.0, 1.0]);
    assert_eq!(forest.scores(&columns), [0.0, 0.5, 1.0, 1.0, 0.0]);
    // The mean over the rows that were counted.
    assert_eq!(forest.base(), 2.5 / 5.0);
}

#[test]
fn broken_trees_are_refused() {
    let check = |nodes| assert!(matches!(compile(&[GrownTree { nodes }], &[vec![0.0]]), Err(Error::Trainer(_))));
    check(vec![]);
    check(vec![split(0, 0.5, [0, 1]), leaf(1.0)]);
    check(vec![split(0, 0.5, [1, 2]), leaf(1.0)]);
    check(vec![split(7, 0.5, [1, 2]), leaf(1.0), leaf(0.0)]);
    check(vec![leaf(1.5)]);
    check(vec![leaf(f64::NAN)]);
    // No row goes right.
    check(vec![split(0, 0.5, [1, 2]), leaf(1.0), leaf(0.0)]);
}

proptest! {
    #[test]
    fn a_rounded_threshold_sends_every_number_the_same_way(low in -1e6_f32..1e6, between in 0.0_f64..1.0) {
        let high = low.next_up();
        let threshold = f64::from(low) + (f64::from(high) - f64::from(low)) * between;
        for x in [low.next_down(), low, high, high.next_up()] {
            prop_assert_eq!(f64::from(x) <= threshold, x <= round_down(threshold));
        }
    }
}
