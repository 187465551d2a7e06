//! Which rows are trained on and which are held out. Whole groups go one way: a user the trees have seen would
//! flatter every number computed on the rest. Read next: `train.rs`.

use std::collections::{BTreeMap, BTreeSet};

use base::Seed;

use crate::error::{Error, Result};
use crate::table::{MissingRule, Table};

/// Row numbers of both sides, ascending.
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) held: Vec<usize>,
}

impl Split {
    /// Holds out `share` of the groups with a positive row, and `share` of the others, chosen by `seed` and group
    /// number alone: neither row order nor the presence of other groups' rows changes the draw's ranking.
    pub(crate) fn by_group(labels: &[u8], groups: &[u64], share: f64, seed: Seed) -> Result<Self> {
        let mut positive_groups = BTreeMap::new();
        for (group, label) in groups.iter().zip(labels) {
            *positive_groups.entry(*group).or_insert(false) |= *label == 1;
        }
        let of_class = |class| positive_groups.iter().filter(move |(_, positive)| **positive == class).map(|(g, _)| *g);
        let positive: Vec<u64> = of_class(true).collect();
        if positive.len() < 2 {
            return Err(Error::FewPositiveGroups { found: positive.len() });
        }
        let mut held = draw(positive, share, seed);
        held.extend(draw(of_class(false).collect(), share, seed));
        let (held, train) = (0..groups.len()).partition(|row| held.contains(&groups[*row]));
        Ok(Self { train, held })
    }
}

/// `share` of the groups; at least one and not all where there are two or more.
fn draw(mut groups: Vec<u64>, share: f64, seed: Seed) -> BTreeSet<u64> {
    groups.sort_by_key(|group| (seed.index(*group), *group));
    let most = groups.len().saturating_sub(1);
    let count = ((groups.len() as f64 * share).round() as usize).clamp(1.min(most), most);
    groups.into_iter().take(count).collect()
}

/// Some rows of a table, gathered, with missing values replaced.
pub(crate) struct Slice {
    pub(crate) columns: Vec<Vec<f32>>,
    pub(crate) labels: Vec<u8>,
    pub(crate) weights: Vec<f64>,
    pub(crate) groups: Vec<u64>,
    pub(crate) days: Vec<i64>,
    /// Empty, or one for each row.
    pub(crate) incidents: Vec<u64>,
}

impl Slice {
    /// The rows `rows` of `table`. Refuses a slice without weight in either class; `name` is for the error.
    pub(crate) fn gather(table: &Table, rows: &[usize], rules: &[MissingRule], name: &'static str) -> Result<Self> {
        let column = |(column, rule): (&Vec<f32>, &MissingRule)| {
            let mut values = gather(column, rows);
            rule.fill(&mut values);
            values
        };
        let slice = Self {
            columns: table.columns.iter().zip(rules).map(column).collect(),
            labels: gather(&table.labels, rows),
            weights: rows.iter().map(|row| f64::from(table.weights[*row])).collect(),
            groups: gather(&table.groups, rows),
            days: gather(&table.days, rows),
            incidents: if table.incidents.is_empty() { Vec::new() } else { gather(&table.incidents, rows) },
        };
        for label in [0, 1] {
            if slice.weight_of(label) <= 0.0 {
                return Err(Error::EmptyClass { slice: name, label });
            }
        }
        Ok(slice)
    }

    /// The summed weight of the rows of one label.
    pub(crate) fn weight_of(&self, label: u8) -> f64 {
        let weighed = self.labels.iter().zip(&self.weights);
        weighed.filter(|(other, _)| **other == label).map(|(_, weight)| *weight).sum()
    }
}

/// The values at `rows`, in that order.
pub(crate) fn gather<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| values[*row]).collect()
}

#[cfg(test)]
mod tests;
