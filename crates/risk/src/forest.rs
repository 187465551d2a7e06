//! The forest as flat arrays: what is stored, what makes it valid, and how rows walk through it.
//!
//! A model is data. Everything the walk relies on (indexes in range, every node reached once, bounded depth) is
//! checked in [`Forest::new`], so that a walk always ends where it should. Read next: `shap.rs`, `format.rs`.

use std::ops::Range;

use crate::limits::{BLOCK_ROWS, FEATURES_MAX, LANES, LEVELS_MAX, NODES_MAX, ROWS_MAX, TREES_MAX};

/// The feature number of a leaf.
pub(crate) const LEAF: u16 = u16::MAX;

/// What the file holds. Nodes of a tree are contiguous and breadth-first; right child = left child + 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Arrays {
    /// The feature a node tests, or [`LEAF`].
    pub(crate) feature: Vec<u16>,
    /// `x <= threshold` goes left. 0 in leaves.
    pub(crate) threshold: Vec<f32>,
    /// Left child, counted over all trees. 0 in leaves.
    pub(crate) left: Vec<u32>,
    /// The probability a leaf gives. 0 in splits.
    pub(crate) value: Vec<f32>,
    /// Training rows that pass through.
    pub(crate) cover: Vec<f32>,
    /// The first node of each tree.
    pub(crate) roots: Vec<u32>,
}

impl Arrays {
    /// Makes each split's cover the sum of its children's. Children stand behind their parents: from the back, each
    /// split finds them complete.
    pub(crate) fn sum_covers(&mut self) {
        for node in (0..self.cover.len()).rev() {
            if self.feature[node] != LEAF {
                let left = self.left[node] as usize;
                self.cover[node] = self.cover[left] + self.cover[left + 1];
            }
        }
    }
}

/// A node as the walk wants it: 12 bytes. A leaf leads to itself, so a row may take surplus steps.
#[derive(Clone, Copy, Debug)]
struct Step {
    threshold: f32,
    /// Left child, counted from the root.
    left: u32,
    feature: u16,
}

/// Checked arrays and what is derived from them.
#[derive(Clone, Debug)]
pub(crate) struct Forest {
    arrays: Arrays,
    features: usize,
    steps: Vec<Step>,
    /// Steps from the root to the deepest leaf, tree by tree.
    depths: Vec<u8>,
    /// The mean score, each leaf weighted with its cover: where explanations start.
    base: f64,
}

impl Forest {
    /// Checks `arrays` for a model of `features` features. Says what does not hold.
    pub(crate) fn new(arrays: Arrays, features: usize) -> Result<Self, String> {
        check_sizes(&arrays, features)?;
        let mut forest = Self { arrays, features, steps: Vec::new(), depths: Vec::new(), base: 0.0 };
        for tree in 0..forest.trees() {
            let depth = check_tree(&forest.arrays, features, forest.span(tree));
            forest.depths.push(depth.map_err(|reason| format!("tree {tree}: {reason}"))?);
            let steps = forest.span(tree).map(|node| forest.step(tree, node)).collect::<Vec<_>>();
            forest.steps.extend(steps);
        }
        forest.base = forest.mean_score();
        Ok(forest)
    }

    /// What the file holds.
    pub(crate) fn arrays(&self) -> &Arrays {
        &self.arrays
    }

    /// How many features a row has.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// How many trees.
    pub(crate) fn trees(&self) -> usize {
        self.arrays.roots.len()
    }

    /// Levels of nodes of the deepest tree.
    pub(crate) fn levels(&self) -> usize {
        self.depths.iter().map(|depth| usize::from(*depth) + 1).max().unwrap_or(0)
    }

    /// The score explanations start from.
    pub(crate) fn base(&self) -> f64 {
        self.base
    }

    /// The nodes of a tree.
    pub(crate) fn span(&self, tree: usize) -> Range<usize> {
        let end = self.arrays.roots.get(tree + 1).map_or(self.arrays.feature.len(), |root| *root as usize);
        self.arrays.roots[tree] as usize..end
    }

    /// The mean over the trees for each row of gap-free columns: the score before calibration, 0 to 1.
    pub(crate) fn scores(&self, columns: &[Vec<f32>]) -> Vec<f64> {
        let mut scores = vec![0.0; columns.first().map_or(0, Vec::len)];
        self.walk(columns, |tree, rows, leaves| {
            let values = &self.arrays.value[self.span(tree)];
            for (sum, leaf) in scores[rows].iter_mut().zip(leaves) {
                *sum += f64::from(values[*leaf as usize]);
            }
        });
        let trees = self.trees() as f64;
        scores.iter_mut().for_each(|sum| *sum /= trees);
        scores
    }

    /// Counts the rows of `columns` through every node, in place of the covers held. Refuses rows that miss a leaf:
    /// explanations could not weigh it.
    pub(crate) fn count_covers(&mut self, columns: &[Vec<f32>]) -> Result<(), String> {
        let mut counts = vec![0_u32; self.arrays.cover.len()];
        self.walk(columns, |tree, rows, leaves| {
            let counts = &mut counts[self.span(tree)];
            leaves[..rows.len()].iter().for_each(|leaf| counts[*leaf as usize] += 1);
        });
        let is_missed = |node: &usize| self.arrays.feature[*node] == LEAF && counts[*node] == 0;
        if let Some(node) = (0..counts.len()).find(is_missed) {
            return Err(format!("no training row reaches leaf {node}"));
        }
        self.arrays.cover = counts.into_iter().map(|count| count as f32).collect();
        self.arrays.sum_covers();
        self.base = self.mean_score();
        Ok(())
    }

    /// Takes all rows through all trees, a block of rows at a time: `visit(tree, rows, leaves)`, where a leaf is
    /// counted from its tree's root and leaves past the last row mean nothing. Trees come in order for each row.
    fn walk(&self, columns: &[Vec<f32>], mut visit: impl FnMut(usize, Range<usize>, &[u32; BLOCK_ROWS])) {
        let rows = columns.first().map_or(0, Vec::len);
        let mut block = vec![0.0_f32; self.features * BLOCK_ROWS];
        for first in (0..rows).step_by(BLOCK_ROWS) {
            let end = rows.min(first + BLOCK_ROWS);
            for (target, column) in block.chunks_exact_mut(BLOCK_ROWS).zip(columns) {
                target[..end - first].copy_from_slice(&column[first..end]);
            }
            for tree in 0..self.trees() {
                let leaves = descend(&self.steps[self.span(tree)], self.depths[tree], &block, end - first);
                visit(tree, first..end, &leaves);
            }
        }
    }

    fn step(&self, tree: usize, node: usize) -> Step {
        let root = self.arrays.roots[tree];
        match self.arrays.feature[node] {
            // Nothing exceeds infinity, so a row in a leaf steps to the leaf.
            LEAF => Step { threshold: f32::INFINITY, left: node as u32 - root, feature: 0 },
            feature => Step { threshold: self.arrays.threshold[node], left: self.arrays.left[node] - root, feature },
        }
    }

    /// The mean of [`Forest::expectation`] over the trees.
    fn mean_score(&self) -> f64 {
        let sum: f64 = (0..self.trees()).map(|tree| self.expectation(tree)).sum();
        sum / self.trees() as f64
    }

    /// The mean leaf value of a tree; at each split the sides weigh as their covers do.
    fn expectation(&self, tree: usize) -> f64 {
        let span = self.span(tree);
        let mut means = vec![0.0_f64; span.len()];
        for node in span.clone().rev() {
            means[node - span.start] = match self.arrays.feature[node] {
                LEAF => f64::from(self.arrays.value[node]),
                _ => {
                    let left = self.arrays.left[node] as usize;
                    let (share, other) = self.shares(left);
                    share * means[left - span.start] + other * means[left + 1 - span.start]
                }
            };
        }
        means[0]
    }

    /// Which parts of a split's rows go to its children `left` and `left + 1`.
    pub(crate) fn shares(&self, left: usize) -> (f64, f64) {
        let (yes, no) = (f64::from(self.arrays.cover[left]), f64::from(self.arrays.cover[left + 1]));
        (yes / (yes + no), no / (yes + no))
    }
}

/// The leaves the first `rows` rows of a block end in. Several rows step together, so that waiting for one node's memory is shared.
fn descend(steps: &[Step], depth: u8, block: &[f32], rows: usize) -> [u32; BLOCK_ROWS] {
    let mut leaves = [0_u32; BLOCK_ROWS];
    for (lane, at) in leaves.chunks_exact_mut(LANES).take(rows.div_ceil(LANES)).enumerate() {
        for _ in 0..depth {
            for (offset, node) in at.iter_mut().enumerate() {
                let step = steps[*node as usize];
                let value = block[usize::from(step.feature) * BLOCK_ROWS + lane * LANES + offset];
                *node = step.left + u32::from(value > step.threshold);
            }
        }
    }
    leaves
}

fn check_sizes(arrays: &Arrays, features: usize) -> Result<(), String> {
    let within = |what, found: usize, max| match (1..=max).contains(&found) {
        true => Ok(()),
        false => Err(format!("{found} {what}, expected 1 to {max}")),
    };
    within("features", features, FEATURES_MAX)?;
    within("trees", arrays.roots.len(), TREES_MAX)?;
    let nodes = arrays.feature.len();
    within("nodes", nodes, NODES_MAX)?;
    let others = [arrays.threshold.len(), arrays.left.len(), arrays.value.len(), arrays.cover.len()];
    if others.iter().any(|len| *len != nodes) {
        return Err(format!("{nodes} features of nodes, but {others:?} thresholds, children, values and covers"));
    }
    if arrays.roots[0] != 0 || !arrays.roots.is_sorted_by(|a, b| a < b) {
        return Err("roots do not start at 0 and rise".to_owned());
    }
    match arrays.roots.last() {
        Some(last) if *last as usize >= nodes => Err(format!("last root {last} is outside {nodes} nodes")),
        _ => Ok(()),
    }
}

/// Checks one tree; its depth in steps. Breadth-first order leaves one possible place for each pair of children:
/// right behind the pairs before. So comparing with that place proves range, order, and that each node is reached
/// exactly once.
fn check_tree(arrays: &Arrays, features: usize, span: Range<usize>) -> Result<u8, String> {
    let mut levels = vec![0_u8; span.len()];
    let mut next = span.start + 1;
    for node in span.clone() {
        if node >= next {
            return Err(format!("node {node} is not reached"));
        }
        check_numbers(arrays, node)?;
        let (feature, left) = (arrays.feature[node], arrays.left[node] as usize);
        if feature == LEAF {
            continue;
        }
        if usize::from(feature) >= features {
            return Err(format!("node {node} tests feature {feature} of {features}"));
        }
        if left != next || left + 1 >= span.end {
            return Err(format!("node {node} has its children at {left}, expected {next} and below {}", span.end));
        }
        if arrays.cover[node] != arrays.cover[left] + arrays.cover[left + 1] {
            return Err(format!("the cover of node {node} is not the sum of its children's"));
        }
        next += 2;
        let level = levels[node - span.start] + 1;
        if usize::from(level) >= LEVELS_MAX {
            return Err(format!("more than {LEVELS_MAX} levels"));
        }
        levels[left - span.start] = level;
        levels[left + 1 - span.start] = level;
    }
    match next == span.end {
        true => Ok(levels.into_iter().max().unwrap_or(0)),
        false => Err(format!("nodes end at {next}, expected {}", span.end)),
    }
}

fn check_numbers(arrays: &Arrays, node: usize) -> Result<(), String> {
    let (threshold, value, cover) = (arrays.threshold[node], arrays.value[node], arrays.cover[node]);
    // Bits are compared where zero is meant: -0 would be a second way to write the same model.
    let leaf = arrays.feature[node] == LEAF;
    if leaf && (threshold.to_bits() != 0 || arrays.left[node] != 0) {
        return Err(format!("leaf {node} has a threshold or children"));
    }
    if leaf && !(0.0..=1.0).contains(&value) {
        return Err(format!("leaf {node} has value {value}, expected 0 to 1"));
    }
    if !leaf && (value.to_bits() != 0 || !threshold.is_finite()) {
        return Err(format!("split {node} has value {value} and threshold {threshold}, expected 0 and a number"));
    }
    match (1.0..=ROWS_MAX as f32).contains(&cover) && cover.fract() == 0.0 {
        true => Ok(()),
        false => Err(format!("node {node} has cover {cover}, expected a whole number from 1 to {ROWS_MAX}")),
    }
}

#[cfg(test)]
mod tests;
