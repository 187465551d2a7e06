//! Batches sorted by their keys, which are their first columns: how they become so, and how rows are found by key.
//!
//! Everything that is kept is sorted, so that looking rows up is walking along, and no join is planned.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{interleave_record_batch, take_record_batch};

use crate::error::Result;

/// Sorts by the first `keys` columns, ascending, absent values first: grouped output comes in the order of its input,
/// which is often made of few sorted runs.
pub(crate) fn sort_by_keys(batch: &RecordBatch, keys: usize) -> Result<RecordBatch> {
    let columns = key_columns(batch, keys);
    let rows = batch.num_rows();
    if (1..rows).all(|row| order(&columns, row - 1, &columns, row).is_le()) {
        return Ok(batch.clone());
    }
    let mut places: Vec<usize> = (0..rows).collect();
    places.sort_by(|a, b| order(&columns, *a, &columns, *b));
    let places: UInt32Array = places.into_iter().map(|place| u32::try_from(place).ok()).collect();
    Ok(take_record_batch(batch, &places)?)
}

/// Which row of a batch has the key that stands in each row of `keys`; none where it has none, or a part of it is absent.
pub(crate) fn find(keys: &[&StringArray], batch: &RecordBatch) -> UInt32Array {
    let columns = key_columns(batch, keys.len());
    let (rows, mut place) = (batch.num_rows(), 0);
    let mut find = |row: usize| {
        if keys.iter().any(|key| key.is_null(row)) {
            return None;
        }
        if place > 0 && order(&columns, place - 1, keys, row).is_ge() {
            place = 0;
        }
        place = skip(place, rows, |at| order(&columns, at, keys, row).is_lt());
        u32::try_from(place).ok().filter(|_| place < rows && order(&columns, place, keys, row).is_eq())
    };
    (0..keys.first().map_or(0, |key| key.len())).map(&mut find).collect()
}

/// The rows of batches that begin with one of `keys`, which are sorted too, in one batch; none where there are none.
pub(crate) fn rows_of(batches: &[RecordBatch], keys: &[&StringArray]) -> Result<Vec<RecordBatch>> {
    let count = keys.first().map_or(0, |key| key.len());
    let mut places = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let columns = key_columns(batch, keys.len());
        let (rows, mut row, mut key) = (batch.num_rows(), 0, 0);
        while row < rows && key < count {
            match order(&columns, row, keys, key) {
                Ordering::Less => row = skip(row + 1, rows, |at| order(&columns, at, keys, key).is_lt()),
                Ordering::Greater => key = skip(key + 1, count, |at| order(&columns, row, keys, at).is_gt()),
                Ordering::Equal => {
                    places.push((number, row));
                    row += 1;
                }
            }
        }
    }
    if places.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &places)?])
}

/// Keys are texts: `sql::check_keys` has seen it of results, `window.rs` of panes.
fn key_columns(batch: &RecordBatch, keys: usize) -> Vec<&StringArray> {
    batch.columns()[..keys].iter().map(|column| column.as_string::<i32>()).collect()
}

fn order(columns: &[&StringArray], row: usize, others: &[&StringArray], other: usize) -> Ordering {
    for (column, others) in columns.iter().zip(others) {
        let order = match (text(column, row), text(others, other)) {
            (Some(one), Some(other)) => compare(one.as_bytes(), other.as_bytes()),
            (one, other) => one.is_some().cmp(&other.is_some()),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// As bytes are ordered. Pseudonyms nearly always differ within the first sixteen, which are one number.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    match (one.split_first_chunk::<16>(), other.split_first_chunk::<16>()) {
        (Some((first, rest)), Some((others, others_rest))) => {
            u128::from_be_bytes(*first).cmp(&u128::from_be_bytes(*others)).then_with(|| rest.cmp(others_rest))
        }
        _ => one.cmp(other),
    }
}

/// The first place from `from` on that is not `below`, up to `end`: near ones are found in few steps.
fn skip(from: usize, end: usize, below: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (from, 1);
    while low + step <= end && below(low + step - 1) {
        low += step;
        step *= 2;
    }
    let mut high = end.min(low + step - 1).max(low);
    while low < high {
        let middle = low + (high - low) / 2;
        if below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests;
