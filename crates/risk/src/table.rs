//! Training tables: columns of `f32` with labels, weights and groups, checked once before use.
//!
//! Also the rule for missing values, which is fixed here and repeated at scoring. Read next: `split.rs`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::{FEATURES_MAX, NAME_BYTES_MAX, ROWS_MAX};

/// What a feature is, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    /// The column's name.
    pub name: String,
    /// The unit of its values; may be empty.
    pub unit: String,
    /// A sentence template that says what a value means.
    pub meaning: String,
}

/// Labelled rows, column by column. All parts are equally long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Feature names, one for each column.
    pub names: Vec<String>,
    /// Feature values, column-major; NaN where missing.
    pub columns: Vec<Vec<f32>>,
    /// 1 for rows that belong to an incident, 0 for others.
    pub labels: Vec<u8>,
    /// How much each row counts: 1, or more where rows stand for others left out. Class balance is not its business.
    pub weights: Vec<f32>,
    /// The user of each row: all rows of one are trained on, or none.
    pub groups: Vec<u64>,
    /// The day of each row, since 1970-01-01: review budgets are per day.
    pub days: Vec<i64>,
    /// Which positive rows tell of the same incident; 0 for a row by itself. May be empty: every row by itself. Trees
    /// look at an incident as often as the square root of its rows says: one of a thousand charts must not drown one
    /// of three.
    pub incidents: Vec<u64>,
}

impl Table {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Refuses tables a model cannot be trained on.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_shape()?;
        self.check_names()?;
        self.check_values()?;
        if !self.columns.iter().any(|column| varies(column)) {
            return Err(Error::NothingVaries(self.columns.len()));
        }
        let first = self.labels[0];
        if self.labels.iter().all(|label| *label == first) {
            return Err(Error::OneClass { rows: self.rows(), label: first });
        }
        Ok(())
    }

    fn check_shape(&self) -> Result<()> {
        let size = |what, found, max| match (1..=max).contains(&found) {
            true => Ok(()),
            false => Err(Error::TableSize { what, found, max }),
        };
        size("features", self.names.len(), FEATURES_MAX)?;
        size("rows", self.rows(), ROWS_MAX)?;
        let shape = |part: &str, found, expected| match found == expected {
            true => Ok(()),
            false => Err(Error::TableShape { part: part.to_owned(), found, expected }),
        };
        shape("the list of columns", self.columns.len(), self.names.len())?;
        for (name, column) in self.names.iter().zip(&self.columns) {
            shape(&format!("column `{name}`"), column.len(), self.rows())?;
        }
        shape("the list of weights", self.weights.len(), self.rows())?;
        shape("the list of groups", self.groups.len(), self.rows())?;
        shape("the list of days", self.days.len(), self.rows())?;
        let incidents = if self.incidents.is_empty() { self.rows() } else { self.incidents.len() };
        shape("the list of incidents", incidents, self.rows())
    }

    fn check_names(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        for name in &self.names {
            check_name("feature", name)?;
            if !seen.insert(name) {
                return Err(Error::DuplicateFeature(name.clone()));
            }
        }
        Ok(())
    }

    fn check_values(&self) -> Result<()> {
        let value = |row, column: &str, value: String, bound| {
            Err(Error::Value { row, column: column.to_owned(), value, bound })
        };
        for (name, column) in self.names.iter().zip(&self.columns) {
            if let Some(row) = column.iter().position(|x| x.is_infinite() || x.abs() > VALUE_MAX) {
                return value(row, name, column[row].to_string(), "a number between -1e30 and 1e30, or NaN");
            }
        }
        if let Some(row) = self.labels.iter().position(|label| *label > 1) {
            return value(row, "labels", self.labels[row].to_string(), "0 or 1");
        }
        if let Some(row) = self.weights.iter().position(|weight| !(0.0..=WEIGHT_MAX).contains(weight)) {
            return value(row, "weights", self.weights[row].to_string(), "a number from 0 to 1e6");
        }
        Ok(())
    }
}

/// Largest magnitude of a training value: leaves room for a substitute below it.
const VALUE_MAX: f32 = 1e30;
/// Largest weight of a row: keeps sums far from overflow.
const WEIGHT_MAX: f32 = 1e6;

/// Refuses empty and overlong names.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<()> {
    match (1..=NAME_BYTES_MAX).contains(&name.len()) {
        true => Ok(()),
        false => Err(Error::Name { what, name: name.chars().take(40).collect(), max: NAME_BYTES_MAX }),
    }
}

/// The descriptions in the order of the table's columns.
pub(crate) fn order_specs(names: &[String], specs: &[FeatureSpec]) -> Result<Vec<FeatureSpec>> {
    if let Some(extra) = specs.iter().find(|spec| !names.contains(&spec.name)) {
        return Err(Error::Unpaired { name: extra.name.clone(), lacks: "column in the training table" });
    }
    let find = |name: &String| {
        let lacking = || Error::Unpaired { name: name.clone(), lacks: "description" };
        specs.iter().find(|spec| spec.name == *name).cloned().ok_or_else(lacking)
    };
    names.iter().map(find).collect()
}

fn varies(column: &[f32]) -> bool {
    // A column that is missing here and constant there tells rows apart as well.
    let first = column[0];
    column.iter().any(|x| x.is_nan() != first.is_nan() || (!x.is_nan() && *x != first))
}

/// What stands in for a missing value, in training and in scoring alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingRule {
    /// Training saw missing values: they lie below all others, so trees can split them off to the left.
    Below(f32),
    /// Training saw none, so nothing is known about them: they count as the median.
    Median(f32),
}

impl MissingRule {
    /// The rule for a training column.
    pub(crate) fn of(column: &[f32]) -> Self {
        let mut present: Vec<f32> = column.iter().copied().filter(|x| !x.is_nan()).collect();
        present.sort_by(f32::total_cmp);
        match present.first() {
            None => Self::Median(0.0),
            Some(least) if present.len() < column.len() => {
                // At least 1 below, and more for large magnitudes where 1 would be lost in rounding.
                Self::Below(least - (1.0 + least.abs() / 1024.0))
            }
            Some(_) => Self::Median(present[present.len() / 2]),
        }
    }

    /// The value that stands in.
    pub fn substitute(self) -> f32 {
        match self {
            Self::Below(value) | Self::Median(value) => value,
        }
    }

    /// Puts it in place of every NaN.
    pub(crate) fn fill(self, column: &mut [f32]) {
        let substitute = self.substitute();
        for value in column {
            if value.is_nan() {
                *value = substitute;
            }
        }
    }
}

#[cfg(test)]
mod tests;
