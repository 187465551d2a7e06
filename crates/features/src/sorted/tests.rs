use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use proptest::prelude::*;

use super::*;

type Row = (Option<String>, Option<String>);

/// Two key columns, and the place of each row in `rows`.
fn batch(rows: &[Row]) -> RecordBatch {
    let users: StringArray = rows.iter().map(|(user, _)| user.as_deref()).collect();
    let patients: StringArray = rows.iter().map(|(_, patient)| patient.as_deref()).collect();
    let places = Int64Array::from_iter_values(0..rows.len() as i64);
    let columns: [(&str, ArrayRef, bool); 3] =
        [("u", Arc::new(users), true), ("p", Arc::new(patients), true), ("place", Arc::new(places), false)];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let keys = key_columns(batch, 2);
    let key = |column: usize, row| text(keys[column], row).map(str::to_owned);
    (0..batch.num_rows()).map(|row| (key(0, row), key(1, row))).collect()
}

fn places(batch: &RecordBatch) -> Vec<i64> {
    batch.column(2).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
}

/// Short keys, and some on both sides of sixteen bytes, which are compared at once.
fn key() -> impl Strategy<Value = Row> {
    (prop::option::weighted(0.9, "(user-of-nobody)?[ab]{0,4}"), prop::option::weighted(0.9, "[cd]{0,2}"))
}

proptest! {
    #[test]
    fn sorting_is_what_the_standard_library_does(rows_in in prop::collection::vec(key(), 0..60)) {
        let sorted = sort_by_keys(&batch(&rows_in), 2).unwrap();
        let mut expected: Vec<(Row, i64)> = rows_in.into_iter().zip(0..).collect();
        expected.sort();
        let (keys, at): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
        prop_assert_eq!(rows(&sorted), keys);
        prop_assert_eq!(places(&sorted), at);
    }

    #[test]
    fn whatever_is_looked_for_is_found_as_by_looking_at_every_row(
        known in prop::collection::btree_set(key(), 0..40),
        wanted in prop::collection::vec(key(), 0..40),
        sorted in any::<bool>(),
    ) {
        let known: Vec<Row> = known.into_iter().collect();
        let mut wanted = wanted;
        if sorted {
            wanted.sort();
        }
        let (batch, keys) = (batch(&known), batch(&wanted));
        let found = find(&key_columns(&keys, 2), &batch);
        let slow = wanted.iter().map(|row| {
            let place = known.iter().position(|other| other == row).filter(|_| row.0.is_some() && row.1.is_some());
            place.map(|place| place as u32)
        });
        prop_assert_eq!(found, slow.collect::<UInt32Array>());
    }

    #[test]
    fn rows_are_picked_as_by_looking_at_every_row(
        panes in prop::collection::vec(prop::collection::btree_set(key(), 0..20), 0..5),
        wanted in prop::collection::btree_set(("[ab]{0,2}", "[cd]{0,2}"), 0..20),
        by in 1_usize..=2,
    ) {
        let panes: Vec<Vec<Row>> = panes.into_iter().map(|pane| pane.into_iter().collect()).collect();
        let is_wanted = |row: &Row| match by {
            1 => wanted.iter().any(|(user, _)| Some(user) == row.0.as_ref()),
            _ => wanted.iter().any(|(user, patient)| (Some(user), Some(patient)) == (row.0.as_ref(), row.1.as_ref())),
        };
        let keys: Vec<Row> = match by {
            1 => wanted.iter().map(|(user, _)| user).collect::<std::collections::BTreeSet<_>>().into_iter()
                .map(|user| (Some(user.clone()), None)).collect(),
            _ => wanted.iter().cloned().map(|(user, patient)| (Some(user), Some(patient))).collect(),
        };
        let keys = batch(&keys);
        let batches: Vec<_> = panes.iter().map(|pane| batch(pane)).collect();
        let picked = rows_of(&batches, &key_columns(&keys, by)).unwrap();
        let picked: Vec<Row> = picked.iter().flat_map(rows).collect();
        let slow: Vec<Row> = panes.iter().flatten().filter(|row| is_wanted(row)).cloned().collect();
        prop_assert_eq!(picked, slow);
    }
}
