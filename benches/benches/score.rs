//! Scoring rows of the shipped models' schemas, and explaining them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use base::Seed;
use chartwarden_benches::harness::{Bench, Mode, Outcome};
use chartwarden_benches::world::pipeline;
use engine::{ModelUse, PipelineSpec};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows with numbers from a seed: small counts, as features are, a tenth of them missing.
fn rows(schema: &SchemaRef, count: usize) -> RecordBatch {
    let column = |place: usize, kind: &DataType, nullable: bool| -> ArrayRef {
        let draw = |row: usize| Seed(7).index(place as u64).index(row as u64).0;
        match kind {
            DataType::Utf8 => Arc::new(StringArray::from_iter_values((0..count).map(|row| format!("u{row:07}")))),
            DataType::Boolean => {
                Arc::new((0..count).map(|row| Some(draw(row).is_multiple_of(2))).collect::<BooleanArray>())
            }
            kind => {
                let number = |row: usize| (!nullable || !draw(row).is_multiple_of(10)).then(|| (draw(row) % 97) as f64);
                let numbers: ArrayRef = Arc::new((0..count).map(number).collect::<Float64Array>());
                cast(&numbers, kind).unwrap_or_else(|_| new_null_array(kind, count))
            }
        }
    };
    let columns = schema.fields().iter().enumerate();
    let columns = columns.map(|(place, field)| column(place, field.data_type(), field.is_nullable()));
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).expect("columns follow the schema")
}

fn main() {
    let mode = Mode::from_arguments();
    let spec = PipelineSpec::load(&pipeline(), ModelUse::Score).unwrap_or_else(|problems| panic!("{problems}"));
    let bind = |model: &Option<risk::Model>, schema: &SchemaRef| {
        model.as_ref().expect("the shipped pipeline has models").bind(schema).expect("models fit their pipeline")
    };
    let count = mode.pick(500, 20_000);
    let (pair_schema, user_schema) = (spec.program().pair_schema(), spec.program().user_schema());
    let (pair, user) = (bind(&spec.models().pair, pair_schema), bind(&spec.models().user, user_schema));
    let (pairs, users) = (rows(pair_schema, count), rows(user_schema, count));

    // A row's score is the same alone, in a small batch and in a large one.
    let whole = user.score(&users).expect("scores");
    for row in (0..count).step_by(97) {
        assert_eq!(user.score(&users.slice(row, 1)).expect("a score"), whole[row..=row]);
    }

    let passes = mode.pick(1, 10);
    let bits = |scores: Vec<f64>| scores.into_iter().map(f64::to_bits).fold(0_u64, u64::wrapping_add);
    let explained = mode.pick(3, 300);
    Bench::new("score", "rows", mode)
        .with("pair model, batches of 20,000", || {
            let sum = (0..passes).map(|_| bits(pair.score(&pairs).expect("scores"))).fold(0, u64::wrapping_add);
            Outcome::of((passes * count) as u64, sum)
        })
        .with("user model, batches of 20,000", || {
            let sum = (0..passes).map(|_| bits(user.score(&users).expect("scores"))).fold(0, u64::wrapping_add);
            Outcome::of((passes * count) as u64, sum)
        })
        .with("user model, batches of 50", || {
            let batches = (0..count / 50).map(|batch| users.slice(batch * 50, 50));
            let sum = batches.map(|batch| bits(user.score(&batch).expect("scores"))).fold(0, u64::wrapping_add);
            Outcome::of((count / 50 * 50) as u64, sum)
        })
        .with("user model, explained", || {
            let explanations = (0..explained).map(|row| user.explain(&users, row).expect("an explanation"));
            let sum = explanations.map(|explanation| explanation.raw.to_bits()).fold(0, u64::wrapping_add);
            Outcome::of(explained as u64, sum)
        })
        .run();
}
