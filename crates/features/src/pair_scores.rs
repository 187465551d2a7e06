//! Scores of pairs, fed back as rows: the relation `pair_score`, and what a user's pairs come to.
//!
//! Scores are whole millionths, so sums and extremes are exact and their states merge in any order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use base::Millis;

use crate::error::Result;
use crate::spec::{SqlText, WindowSize, WindowSpec};

/// Name of the relation and of its window group.
pub(crate) const RELATION: &str = "pair_score";

/// The built-in window group over pair scores.
pub(crate) fn window() -> WindowSpec {
    WindowSpec {
        name: RELATION.to_owned(),
        relation: RELATION.to_owned(),
        keys: vec!["user_key".to_owned(), "patient_key".to_owned()],
        sql: SqlText {
            file: "(built in) pair_score".to_owned(),
            text: "SELECT user_key, patient_key, max(score) AS score FROM pair_score GROUP BY user_key, patient_key"
                .to_owned(),
        },
        sizes: vec![
            WindowSize { size: Millis::hours(1), hop: Millis::minutes(5) },
            WindowSize { size: Millis::hours(24), hop: Millis::hours(1) },
        ],
        days: true,
    }
}

/// Columns of the relation.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("user_key", DataType::Utf8, false),
        Field::new("patient_key", DataType::Utf8, false),
        Field::new("score", DataType::Int64, false),
    ]))
}

/// What a column of the relation means.
pub(crate) fn meaning(column: &str) -> Option<&'static str> {
    match column {
        "user_key" => Some("pseudonym of the user"),
        "patient_key" => Some("pseudonym of the patient"),
        "score" => Some("score of the pair at this step, in millionths"),
        _ => None,
    }
}

/// Rows of the relation: the keys of feature rows and their scores in millionths.
pub(crate) fn rows(pairs: &RecordBatch, scores: &[i64]) -> Result<RecordBatch> {
    let scores: ArrayRef = Arc::new(Int64Array::from(scores.to_vec()));
    Ok(RecordBatch::try_new(schema(), vec![Arc::clone(pairs.column(0)), Arc::clone(pairs.column(1)), scores])?)
}

/// What the pairs of each user come to, from a window result sorted by (user, patient): highest, second highest and
/// sum of scores in millionths, and how many pairs score above one half.
pub(crate) fn roll_up(result: &RecordBatch) -> Result<RecordBatch> {
    let users = result.column(0).as_string::<i32>();
    let scores = result.column(2).as_primitive::<Int64Type>();
    let (mut keys, mut sums) = (Vec::<&str>::new(), Vec::<[i64; 4]>::new());
    for row in 0..users.len() {
        let user = users.value(row);
        if keys.last() != Some(&user) {
            keys.push(user);
            sums.push([0; 4]);
        }
        let (Some([top, second, sum, over]), score) = (sums.last_mut(), scores.value(row)) else { continue };
        if score > *top {
            (*top, *second) = (score, *top);
        } else {
            *second = score.max(*second);
        }
        *sum += score;
        *over += i64::from(score > 500_000);
    }
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(keys))];
    columns.extend((0..4).map(|i| Arc::new(sums.iter().map(|sums| sums[i]).collect::<Int64Array>()) as ArrayRef));
    Ok(RecordBatch::try_new(roll_up_schema(), columns)?)
}

/// Columns of `roll_up`.
pub(crate) fn roll_up_schema() -> SchemaRef {
    let long = |name| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        Field::new("user_key", DataType::Utf8, false),
        long("top"),
        long("second"),
        long("sum"),
        long("over"),
    ]))
}
