//! From grown trees to flat arrays: equal-valued subtrees are merged, nodes are numbered breadth-first, thresholds
//! are rounded so that the `f32` test is the trainer's `f64` test, covers are counted. Read next: `forest.rs`.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::forest::{Arrays, Forest, LEAF};
use crate::grow::{GrownNode, GrownTree};
use crate::limits::NODES_MAX;

/// The forest of these trees, with covers counted on `columns`, the (gap-free) training rows.
pub(crate) fn compile(trees: &[GrownTree], columns: &[Vec<f32>]) -> Result<Forest> {
    let mut arrays = Arrays::default();
    for tree in trees {
        flatten(tree, columns.len(), &mut arrays)?;
        if arrays.feature.len() > NODES_MAX {
            return Err(Error::ModelTooLarge { what: "nodes", found: arrays.feature.len(), max: NODES_MAX });
        }
    }
    arrays.sum_covers();
    let mut forest = Forest::new(arrays, columns.len()).map_err(Error::Trainer)?;
    forest.count_covers(columns).map_err(Error::Trainer)?;
    Ok(forest)
}

/// Appends one tree.
fn flatten(tree: &GrownTree, features: usize, arrays: &mut Arrays) -> Result<()> {
    let merged = merge(tree)?;
    let root = arrays.feature.len();
    arrays.roots.push(root as u32);
    let mut queue = VecDeque::from([0]);
    let mut next = root as u32 + 1;
    while let Some(index) = queue.pop_front() {
        let node = &tree.nodes[index];
        let (feature, threshold, left, value) = match (merged[index], split_of(node)) {
            (None, Some((threshold, children))) if node.split_feature < features => {
                queue.extend(children);
                next += 2;
                (node.split_feature as u16, round_down(threshold), next - 2, 0.0)
            }
            (Some(value), _) => (LEAF, 0.0, 0, value),
            _ => return Err(Error::Trainer(format!("node {index} is neither a split nor a leaf"))),
        };
        arrays.feature.push(feature);
        arrays.threshold.push(threshold);
        arrays.left.push(left);
        arrays.value.push(value);
        arrays.cover.push(1.0);
    }
    Ok(())
}

/// For each node the value of its whole subtree, if it has only one. The trainer goes on splitting pure nodes, so
/// most of what it grows is merged here.
fn merge(tree: &GrownTree) -> Result<Vec<Option<f32>>> {
    let mut merged: Vec<Option<f32>> = vec![None; tree.nodes.len()];
    for (index, node) in tree.nodes.iter().enumerate().rev() {
        merged[index] = match split_of(node) {
            None => Some(node.output as f32),
            Some((_, [yes, no])) => {
                if yes <= index || no <= index || yes >= tree.nodes.len() || no >= tree.nodes.len() {
                    return Err(Error::Trainer(format!("node {index} has children {yes} and {no}")));
                }
                merged[yes].filter(|value| merged[no] == Some(*value))
            }
        };
    }
    match merged.is_empty() {
        true => Err(Error::Trainer("a tree has no nodes".to_owned())),
        false => Ok(merged),
    }
}

fn split_of(node: &GrownNode) -> Option<(f64, [usize; 2])> {
    Some((node.split_value?, [node.true_child?, node.false_child?]))
}

/// The largest `f32` not above `threshold`: for every `f32` x, `x <= result` exactly when `x <= threshold`.
fn round_down(threshold: f64) -> f32 {
    let nearest = threshold as f32;
    if f64::from(nearest) > threshold { nearest.next_down() } else { nearest }
}

#[cfg(test)]
mod tests;
