//! Exact path-dependent TreeSHAP: how much each feature moves a row from the mean score to its own.
//!
//! Lundberg, Erion, Lee: Consistent individualized feature attribution for tree ensembles (arXiv 1802.03888),
//! algorithm 2: on the way down a tree, a path of the distinct features met keeps, for every size of subset, the
//! weight of the subsets that lead here. Costs leaves times levels squared; recursion is as deep as the tree, which
//! `limits.rs` bounds. Read next: `scorer.rs`, which checks the sum.

use crate::forest::{Forest, LEAF};
use crate::limits::LEVELS_MAX;

/// A distinct feature of the path. The first entry of a path stands for no feature.
#[derive(Clone, Copy, Default)]
struct Entry {
    feature: u16,
    /// Share of the training rows that go this way when the feature is unknown.
    unknown: f64,
    /// 1 if the row goes this way when the feature is known, else 0.
    known: f64,
    /// Weight of the subsets with as many features as this entry's place.
    weight: f64,
}

/// What each feature adds to the score of a gap-free row.
pub(crate) fn contributions(forest: &Forest, row: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; row.len()];
    // A path grows by at most one entry a level, and each level writes its own copy behind its parent's.
    let mut workspace = vec![Entry::default(); (LEVELS_MAX + 1) * (LEVELS_MAX + 2) / 2];
    for tree in 0..forest.trees() {
        let mut walk = Walk { forest, row, sums: &mut sums };
        let start = Entry { feature: LEAF, unknown: 1.0, known: 1.0, weight: 0.0 };
        walk.visit(forest.span(tree).start, 0, start, &mut workspace);
    }
    let trees = forest.trees() as f64;
    sums.iter_mut().for_each(|sum| *sum /= trees);
    sums
}

struct Walk<'a> {
    forest: &'a Forest,
    row: &'a [f32],
    sums: &'a mut [f64],
}

impl Walk<'_> {
    /// Visits `node`, reached over `added`; the parent's path is the first `len` entries of `space`.
    fn visit(&mut self, node: usize, len: usize, added: Entry, space: &mut [Entry]) {
        let (parent, space) = space.split_at_mut(len);
        space[..len].copy_from_slice(parent);
        extend(space, len, added);
        let mut len = len + 1;
        let arrays = self.forest.arrays();
        let feature = arrays.feature[node];
        if feature == LEAF {
            return self.settle(&space[..len], f64::from(arrays.value[node]));
        }
        // A feature met before leaves the path and comes back with the product of both shares.
        let mut before = Entry { feature, unknown: 1.0, known: 1.0, weight: 0.0 };
        if let Some(place) = space[1..len].iter().position(|entry| entry.feature == feature) {
            before = Entry { weight: 0.0, ..space[place + 1] };
            unwind(&mut space[..len], place + 1);
            len -= 1;
        }
        let left = arrays.left[node] as usize;
        let goes_left = self.row[usize::from(feature)] <= arrays.threshold[node];
        let (left_share, right_share) = self.forest.shares(left);
        for (child, share, taken) in [(left, left_share, goes_left), (left + 1, right_share, !goes_left)] {
            let known = if taken { before.known } else { 0.0 };
            self.visit(child, len, Entry { unknown: before.unknown * share, known, ..before }, space);
        }
    }

    /// Books a leaf to the features of its path.
    fn settle(&mut self, path: &[Entry], value: f64) {
        for (place, entry) in path.iter().enumerate().skip(1) {
            let weight = unwound_weight(path, place);
            self.sums[usize::from(entry.feature)] += weight * (entry.known - entry.unknown) * value;
        }
    }
}

/// Adds an entry behind the first `len` of `path`.
fn extend(path: &mut [Entry], len: usize, added: Entry) {
    path[len] = Entry { weight: if len == 0 { 1.0 } else { 0.0 }, ..added };
    let size = (len + 1) as f64;
    for place in (0..len).rev() {
        let weight = path[place].weight;
        path[place + 1].weight += added.known * weight * (place + 1) as f64 / size;
        path[place].weight = added.unknown * weight * (len - place) as f64 / size;
    }
}

/// Takes the entry at `place` out, as if it had never been added; the last place of `path` is free afterwards.
fn unwind(path: &mut [Entry], place: usize) {
    let last = path.len() - 1;
    let Entry { known, unknown, .. } = path[place];
    let size = path.len() as f64;
    let mut carried = path[last].weight;
    for at in (0..last).rev() {
        let weight = path[at].weight;
        if known != 0.0 {
            path[at].weight = carried * size / ((at + 1) as f64 * known);
            carried = weight - path[at].weight * unknown * (last - at) as f64 / size;
        } else {
            path[at].weight = weight * size / (unknown * (last - at) as f64);
        }
    }
    for at in place..last {
        path[at] = Entry { weight: path[at].weight, ..path[at + 1] };
    }
}

/// The sum of the weights that would remain after [`unwind`], without unwinding.
fn unwound_weight(path: &[Entry], place: usize) -> f64 {
    let last = path.len() - 1;
    let Entry { known, unknown, .. } = path[place];
    let size = path.len() as f64;
    let mut carried = path[last].weight;
    let mut sum = 0.0;
    for at in (0..last).rev() {
        if known != 0.0 {
            let weight = carried * size / ((at + 1) as f64 * known);
            sum += weight;
            carried = path[at].weight - weight * unknown * (last - at) as f64 / size;
        } else {
            sum += path[at].weight * size / (unknown * (last - at) as f64);
        }
    }
    sum
}

#[cfg(test)]
mod tests;
