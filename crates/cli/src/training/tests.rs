use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{Field, Schema, TimeUnit};
use arrow::ipc::writer::FileWriter;

use super::*;

const HOUR: i64 = 3_600_000;

fn rows(ends: &[i64], users: &[&str]) -> RecordBatch {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let count = ends.len();
    let schema = Schema::new(vec![
        Field::new("tick_end", time, false),
        Field::new("user_key", DataType::Utf8, false),
        Field::new("charts", DataType::Int64, true),
        Field::new("rule_mass", DataType::Boolean, true),
        Field::new("score", DataType::Float64, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMillisecondArray::from(ends.to_vec()).with_timezone("UTC")),
        Arc::new(StringArray::from(users.to_vec())),
        Arc::new(Int64Array::from_iter_values(0..count as i64)),
        Arc::new(BooleanArray::from(vec![false; count])),
        Arc::new(Float64Array::new_null(count)),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

#[test]
fn a_row_is_positive_for_24_hours_after_an_act() {
    let acts = Acts::from([("u1".to_owned(), vec![(100 * HOUR, 7)])]);
    let positive = |hour: i64| incident_at(&acts, "u1", hour * HOUR) == Some(7);
    // A tick holds what happened before its end, so the act at its very end is not in it.
    assert_eq!([99, 100, 101, 124, 125].map(positive), [false, false, true, true, false]);
    assert_eq!(incident_at(&acts, "u2", 101 * HOUR), None);
}

#[test]
fn keys_times_scores_and_rules_are_no_features() {
    assert_eq!(feature_names(&rows(&[HOUR], &["u1"])), ["charts"]);
}

#[test]
fn day_close_rows_and_first_rows_after_acts_are_telling() {
    let file = std::env::temp_dir().join(format!("chartwarden-rows-{}.arrow", std::process::id()));
    let ends: Vec<i64> = [1, 5, 9, 30, 31].map(|hour| hour * HOUR).into();
    let batch = rows(&ends, &["u1", "u1", "u1", "u1", "u1"]);
    let mut writer = FileWriter::try_new(File::create(&file).unwrap(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let acts = Acts::from([("u1".to_owned(), vec![(2 * HOUR, 1)])]);
    let telling = telling_rows(&file, &acts, &TimeZone::UTC).unwrap();
    std::fs::remove_file(&file).unwrap();
    // Row 1 follows the act, row 2 closes the first day, row 4 the second.
    assert_eq!(telling, BTreeSet::from([1, 2, 4]));
}
