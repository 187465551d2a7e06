//! Tables and forests for tests: made from a seed, small, with known structure.

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Float32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use base::{Digest, Seed};

use crate::forest::{Arrays, Forest, LEAF};
use crate::{FeatureSpec, Model, Provenance, Table, TrainingConfig, train};

/// The `index`th draw of a seed, 0 up to but not including 1.
pub(crate) fn uniform(seed: Seed, index: u64) -> f64 {
    (seed.index(index).0 >> 11) as f64 / (1_u64 << 53) as f64
}

/// User-days of which about 4 % are positive; ten a user. Positive rows come from a tenth of the users.
///
/// `flag` is set on 1 % of negatives and 40 % of positives; `count` is 0 to 9 and 7 or more on 5 % and 80 %;
/// `gap` is missing on 5 % and 50 % and says nothing else; `noise` says nothing; `constant` never varies;
/// `absent` is always missing.
pub(crate) fn table(rows: usize, seed: u64) -> Table {
    let seed = Seed(seed);
    let names = ["flag", "count", "gap", "noise", "constant", "absent"].map(str::to_owned).to_vec();
    let mut table = Table { names, columns: vec![Vec::new(); 6], ..Table::default() };
    for row in 0..rows as u64 {
        let draw = |name| uniform(seed.child(name), row);
        let user = row / 10;
        let label = u8::from(user.is_multiple_of(10) && draw("label") < 0.4);
        let odds = |negative: f64, positive: f64| if label == 1 { positive } else { negative };
        let flag = if draw("flag") < odds(0.01, 0.4) { 1.0 } else { 0.0 };
        let high = draw("high") < odds(0.05, 0.8);
        let count = if high { 7.0 + (draw("count") * 3.0).floor() } else { (draw("count") * 7.0).floor() };
        let gap = if draw("missing") < odds(0.05, 0.5) { f64::NAN } else { draw("gap") * 30.0 };
        let values = [flag, count, gap, draw("noise"), 3.0, f64::NAN];
        table.columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value as f32));
        table.labels.push(label);
        table.weights.push(1.0);
        table.groups.push(user);
        table.days.push(20_000 + (row % 10) as i64);
    }
    table
}

/// A description for each column.
pub(crate) fn specs(table: &Table) -> Vec<FeatureSpec> {
    let spec = |name: &String| FeatureSpec {
        name: name.clone(),
        unit: String::new(),
        meaning: format!("{name} was {{value}}"),
    };
    table.names.iter().map(spec).collect()
}

/// Settings that train in a moment.
pub(crate) fn config() -> TrainingConfig {
    TrainingConfig {
        trees: 30,
        depth_max: 6,
        split_features: Some(3),
        positive_balance: 0.2,
        budget_per_day: 10,
        ..TrainingConfig::default()
    }
}

/// Where synthetic rows come from.
pub(crate) fn provenance() -> Provenance {
    Provenance { sites: vec!["north".to_owned()], ..Provenance::new(Digest([7; 32]), 20_000..20_010) }
}

/// A model trained once for all tests.
pub(crate) fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let table = table(4_000, 1);
        train("user-day", &table, &specs(&table), &config(), provenance()).unwrap()
    })
}

/// The columns of a table as nullable `f32`.
pub(crate) fn batch(table: &Table) -> RecordBatch {
    let fields: Vec<Field> = table.names.iter().map(|name| Field::new(name, DataType::Float32, true)).collect();
    let columns = table.columns.iter().map(|column| Arc::new(Float32Array::from(column.clone())) as ArrayRef);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect()).unwrap()
}

/// Random valid arrays: trees of up to `levels` levels over features with values 0 to 1, thresholds in eighths.
pub(crate) fn arrays(seed: Seed, trees: usize, levels: usize, features: usize) -> Arrays {
    let mut arrays = Arrays::default();
    for tree in 0..trees {
        let seed = seed.index(tree as u64);
        let root = arrays.feature.len();
        arrays.roots.push(root as u32);
        let mut queue = vec![1];
        let mut node = 0;
        while let Some(level) = queue.get(node).copied() {
            let draw = |name| uniform(seed.child(name), node as u64);
            if level < levels && draw("split") < 0.8 {
                arrays.feature.push((draw("feature") * features as f64) as u16);
                arrays.threshold.push((draw("threshold") * 8.0).floor() as f32 / 8.0);
                arrays.left.push((root + queue.len()) as u32);
                arrays.value.push(0.0);
                queue.extend([level + 1, level + 1]);
            } else {
                arrays.feature.push(LEAF);
                arrays.threshold.push(0.0);
                arrays.left.push(0);
                arrays.value.push(draw("value") as f32);
            }
            arrays.cover.push(1.0 + (draw("cover") * 50.0).floor() as f32);
            node += 1;
        }
    }
    arrays.sum_covers();
    arrays
}

/// Random rows in eighths, column by column, so that values meet thresholds exactly.
pub(crate) fn columns(seed: Seed, rows: usize, features: usize) -> Vec<Vec<f32>> {
    let value = |feature: usize, row: usize| {
        (uniform(seed.child("cell").index(feature as u64), row as u64) * 9.0).floor() as f32 / 8.0
    };
    (0..features).map(|feature| (0..rows).map(|row| value(feature, row)).collect()).collect()
}

/// The leaf of one row, the plain way.
pub(crate) fn leaf_of(forest: &Forest, tree: usize, row: &[f32]) -> usize {
    let arrays = forest.arrays();
    let mut node = arrays.roots[tree] as usize;
    while arrays.feature[node] != LEAF {
        let left = arrays.left[node] as usize;
        node = if row[usize::from(arrays.feature[node])] <= arrays.threshold[node] { left } else { left + 1 };
    }
    node
}
