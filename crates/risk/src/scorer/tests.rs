use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array};
use arrow::datatypes::{Field, Schema};

use super::*;
use crate::synthetic::{batch, leaf_of, model, table};

fn bound(batch: &RecordBatch) -> Scorer {
    model().bind(batch.schema_ref()).unwrap()
}

fn with_column(batch: &RecordBatch, index: usize, column: ArrayRef) -> RecordBatch {
    let mut fields: Vec<Field> = batch.schema_ref().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields[index] = Field::new(fields[index].name(), column.data_type().clone(), true);
    let mut columns = batch.columns().to_vec();
    columns[index] = column;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn scores_are_the_naive_scores_in_millionths() {
    let table = table(333, 2);
    let batch = batch(&table);
    let forest = model().forest();
    for (row, score) in bound(&batch).score(&batch).unwrap().into_iter().enumerate() {
        let substitute = |(column, rule): (&Vec<f32>, &crate::MissingRule)| {
            if column[row].is_nan() { rule.substitute() } else { column[row] }
        };
        let values: Vec<f32> = table.columns.iter().zip(model().missing_rules()).map(substitute).collect();
        let trees = 0..forest.trees();
        let sum = trees.fold(0.0, |sum, tree| sum + f64::from(forest.arrays().value[leaf_of(forest, tree, &values)]));
        assert_eq!(score, quantise(model().calibration().probability(sum / forest.trees() as f64)));
        assert_eq!(score, (score * 1e6).round() / 1e6);
    }
}

#[test]
fn a_row_scores_the_same_in_any_batch() {
    let batch = batch(&table(200, 2));
    let scorer = bound(&batch);
    let whole = scorer.score(&batch).unwrap();
    for (start, length) in [(0, 1), (63, 2), (64, 64), (7, 130), (199, 1), (50, 0)] {
        assert_eq!(scorer.score(&batch.slice(start, length)).unwrap(), whole[start..start + length]);
    }
}

#[test]
fn types_do_not_matter() {
    let table = table(300, 2);
    let plain = batch(&table);
    let set = |value: &f32| Some(*value == 1.0);
    let booleans: BooleanArray = table.columns[0].iter().map(set).collect();
    let counts: Int64Array = table.columns[1].iter().map(|value| Some(*value as i64)).collect();
    let gaps: Float64Array = table.columns[2].iter().map(|x| (!x.is_nan()).then_some(f64::from(*x))).collect();
    let mut typed = with_column(&plain, 0, Arc::new(booleans));
    typed = with_column(&typed, 1, Arc::new(counts));
    typed = with_column(&typed, 2, Arc::new(gaps));
    assert_eq!(bound(&typed).score(&typed).unwrap(), bound(&plain).score(&plain).unwrap());
    // A scorer bound to one type takes another under the same name.
    assert_eq!(bound(&plain).score(&typed).unwrap(), bound(&plain).score(&plain).unwrap());
}

#[test]
fn infinities_and_nulls_score() {
    let plain = batch(&table(3, 2));
    let extreme: ArrayRef = Arc::new(Float32Array::from(vec![f32::INFINITY, f32::NEG_INFINITY, f32::NAN]));
    let spoiled = (0..6).fold(plain, |batch, index| with_column(&batch, index, Arc::clone(&extreme)));
    let scorer = bound(&spoiled);
    assert!(scorer.score(&spoiled).unwrap().iter().all(|score| (0.0..=1.0).contains(score)));
    assert!((0..3).all(|row| scorer.explain(&spoiled, row).is_ok()));
}

#[test]
fn columns_may_stand_anywhere_but_not_move() {
    let plain = batch(&table(20, 2));
    let moved = plain.project(&[5, 3, 1, 0, 2, 4]).unwrap();
    assert_eq!(bound(&moved).score(&moved).unwrap(), bound(&plain).score(&plain).unwrap());
    let error = bound(&plain).score(&moved).unwrap_err();
    assert_eq!(error.to_string(), "column 0 of the batch is `absent`, the scorer is bound to `flag` there");
    let narrow = plain.project(&[0]).unwrap();
    assert!(matches!(bound(&plain).score(&narrow), Err(Error::BatchSchema { index: 1, .. })));
}

#[test]
fn explanations_add_up_and_name_what_is_odd() {
    let table = table(1_000, 2);
    let batch = batch(&table);
    let scorer = bound(&batch);
    let scores = scorer.score(&batch).unwrap();
    let mut named = [0, 0];
    for (row, score) in scores.iter().enumerate() {
        let why = scorer.explain(&batch, row).unwrap();
        assert!((why.base + why.contributions.iter().sum::<f64>() - why.raw).abs() < 1e-6);
        assert_eq!(why.probability, *score);
        assert!(why.contributions[4] == 0.0 && why.contributions[5] == 0.0, "neither constant nor absent says much");
        assert_eq!(why.values[1], table.columns[1][row]);
        if table.columns[0][row] == 1.0 {
            named[usize::from(why.raising(2).iter().any(|(feature, _)| *feature == 0))] += 1;
        }
    }
    assert!(named[1] > 10 && named[0] == 0, "a set flag is among the two first reasons: {named:?}");
}

#[test]
fn rows_outside_the_batch_are_refused() {
    let batch = batch(&table(3, 2));
    let error = bound(&batch).explain(&batch, 3).unwrap_err();
    assert_eq!(error.to_string(), "row 3 is outside a batch of 3 rows");
}
