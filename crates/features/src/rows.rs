//! Feature rows: the newest value of every window and baseline side by side, then one projection in SQL.
//!
//! All inputs are sorted by key, so a row is found by binary search and columns are gathered with `take`: no joins at
//! run time. Only the columns that the SQL names are gathered.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use events::schema::ColumnKind;

use crate::baseline::BaselinePlan;
use crate::error::{Error, Result};
use crate::pair_scores;
use crate::plan::{renamed, size_name};
use crate::slot::Slot;
use crate::spec::{ProgramSpec, SqlText};
use crate::sql::{Runner, columns_named, plan};
use crate::window::WindowPlans;

/// Where a column of a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// A column that the lane computes for each row (`BASE`).
    Base(usize),
    /// The newest closed value of a window.
    Window { group: usize, size: usize, column: usize },
    /// A baseline of closed days.
    Baseline { baseline: usize, column: usize },
    /// What the user's pairs come to.
    RollUp { size: usize, column: usize },
    /// A pair's last day, for evidence.
    Merged { group: usize, column: usize },
}

/// Columns every row begins with: keys first, then what the reference says of the user.
pub(crate) const BASE: [(&str, ColumnKind); 11] = [
    ("user_key", ColumnKind::Text),
    ("patient_key", ColumnKind::Text),
    ("local_hour", ColumnKind::Int),
    ("local_weekday", ColumnKind::Int),
    ("role", ColumnKind::Text),
    ("unit", ColumnKind::Text),
    ("shift", ColumnKind::Text),
    ("account_kind", ColumnKind::Text),
    ("tenure_days", ColumnKind::Long),
    ("days_to_end", ColumnKind::Long),
    ("after_end", ColumnKind::Flag),
];

/// A field of a row and its origin.
pub(crate) type RowField = (Field, Origin);

/// The fields a row relation offers.
pub(crate) fn row_fields(
    spec: &ProgramSpec,
    groups: &[WindowPlans],
    baselines: &[BaselinePlan],
    keys: usize,
    windows: bool,
) -> Vec<RowField> {
    let mut fields = Vec::new();
    for (index, (name, kind)) in BASE.iter().enumerate() {
        if keys == 2 || *name != "patient_key" {
            fields.push((Field::new(*name, kind.data_type(), index > 1), Origin::Base(index)));
        }
    }
    for (group, (window, plans)) in spec.windows.iter().zip(groups).enumerate() {
        let schema = plans.result_schema();
        let columns = schema.fields().iter().enumerate().skip(window.keys.len());
        if !windows {
            if window.keys.len() == keys && window.keys[0] == "user_key" {
                fields.extend(columns.map(|(column, field)| {
                    let name = format!("{}_{}", window.name, field.name());
                    (renamed(field, name), Origin::Merged { group, column })
                }));
            }
            continue;
        }
        // Scores of pairs exist only after pairs have been scored: their own rows cannot see this tick's.
        if window.keys.len() > keys || (keys == 2 && window.name == pair_scores::RELATION) {
            continue;
        }
        for (size, window_size) in window.sizes.iter().enumerate() {
            let size_name = size_name(*window_size);
            fields.extend(columns.clone().map(|(column, field)| {
                let name = format!("{}_{size_name}_{}", window.name, field.name());
                (renamed(field, name), Origin::Window { group, size, column })
            }));
        }
    }
    if windows {
        let known = |key: &String| fields.iter().any(|(field, _)| field.name() == key);
        let usable: Vec<bool> = spec.baselines.iter().map(|baseline| baseline.keys.iter().all(known)).collect();
        for (baseline, (spec, plan)) in spec.baselines.iter().zip(baselines).enumerate() {
            if usable[baseline] {
                let schema = plan.schema();
                let columns = schema.fields().iter().enumerate().skip(spec.keys.len());
                fields.extend(columns.map(|(column, field)| {
                    let name = format!("{}_{}", spec.name, field.name());
                    (renamed(field, name), Origin::Baseline { baseline, column })
                }));
            }
        }
    }
    if windows && keys == 1 {
        for (size, window_size) in pair_scores::window().sizes.iter().enumerate() {
            let size_name = size_name(*window_size);
            let schema = pair_scores::roll_up_schema();
            fields.extend(schema.fields().iter().enumerate().skip(1).map(|(column, field)| {
                let name = format!("{}_{size_name}_{}", pair_scores::RELATION, field.name());
                (renamed(field, name), Origin::RollUp { size, column })
            }));
        }
    }
    fields
}

/// One row SQL, over the columns it names.
#[derive(Debug)]
pub(crate) struct RowPlan {
    slot: Arc<Slot>,
    schema: SchemaRef,
    origins: Vec<Origin>,
    runner: Runner,
}

impl RowPlan {
    pub(crate) fn compile(sql: &SqlText, relation: &str, fields: Vec<RowField>, keys: usize) -> Result<Self> {
        let named = columns_named(sql, relation, &schema_of(fields.iter()))?;
        let fields: Vec<_> = fields.into_iter().filter(|(field, _)| named.contains(field.name())).collect();
        let schema = schema_of(fields.iter());
        let slot = Slot::new(Arc::clone(&schema));
        let planned = plan(sql, &[(relation, &slot)])?;
        check_output(sql, &planned.schema(), keys)?;
        let origins = fields.into_iter().map(|(_, origin)| origin).collect();
        Ok(Self { slot, schema, origins, runner: Runner::new(planned)? })
    }

    pub(crate) fn output_schema(&self) -> SchemaRef {
        self.runner.schema()
    }

    /// Where each input column comes from, in order.
    pub(crate) fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Runs the SQL over columns gathered in the order of `origins`.
    pub(crate) fn run(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        self.slot.put(vec![RecordBatch::try_new(Arc::clone(&self.schema), columns)?]);
        self.runner.run()
    }
}

fn schema_of<'a>(fields: impl Iterator<Item = &'a RowField>) -> SchemaRef {
    Arc::new(Schema::new(fields.map(|(field, _)| field.clone()).collect::<Vec<_>>()))
}

/// A row SQL starts with its keys and gives numbers and flags otherwise: the model and the rules read them.
fn check_output(sql: &SqlText, schema: &SchemaRef, keys: usize) -> Result<()> {
    let expected = &["user_key", "patient_key"][..keys];
    let names = schema.fields().iter().map(|field| field.name().as_str());
    if names.take(keys).ne(expected.iter().copied()) {
        return Err(Error::Sql {
            file: sql.file.clone(),
            line: 1,
            problem: format!("the first columns must be {expected:?}"),
            hint: None,
        });
    }
    Ok(())
}

/// Sorted keys of the rows to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowKeys {
    pub(crate) users: Vec<String>,
    /// As long as `users`, or empty when rows are keyed by user alone.
    pub(crate) patients: Vec<String>,
}

impl RowKeys {
    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    /// Which row of a key-sorted batch belongs to each of our rows; `by` is how many key columns the batch has.
    pub(crate) fn find_in(&self, batch: &RecordBatch, by: usize) -> UInt32Array {
        let users = batch.column(0).as_string::<i32>();
        let patients = (by == 2).then(|| batch.column(1).as_string::<i32>());
        let find = |row: usize| {
            let (mut low, mut high) = (0, users.len());
            while low < high {
                let middle = low + (high - low) / 2;
                let order = users.value(middle).cmp(&self.users[row]).then_with(|| {
                    patients.map_or(Ordering::Equal, |patients| patients.value(middle).cmp(&self.patients[row]))
                });
                match order {
                    Ordering::Less => low = middle + 1,
                    Ordering::Greater => high = middle,
                    Ordering::Equal => return u32::try_from(middle).ok(),
                }
            }
            None
        };
        (0..self.len()).map(find).collect()
    }
}

/// Which row of a batch, whose first columns are texts, belongs to each row of these.
pub(crate) fn find_by_texts(values: &[&StringArray], batch: &RecordBatch) -> UInt32Array {
    let keys: Vec<_> = batch.columns()[..values.len()].iter().map(|column| column.as_string::<i32>()).collect();
    let mut known: HashMap<Vec<&str>, u32> = HashMap::new();
    for (place, row) in (0u32..).zip(0..batch.num_rows()) {
        let mut key = Vec::new();
        if read_texts(&keys, row, &mut key) {
            known.insert(key, place);
        }
    }
    let rows = values.first().map_or(0, |values| values.len());
    let mut key = Vec::new();
    let find = |row| read_texts(values, row, &mut key).then(|| known.get(key.as_slice()).copied()).flatten();
    (0..rows).map(find).collect()
}

/// The texts of a row; false where one is absent.
fn read_texts<'a>(columns: &[&'a StringArray], row: usize, texts: &mut Vec<&'a str>) -> bool {
    texts.clear();
    texts.extend(columns.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row)));
    texts.len() == columns.len()
}

/// A column gathered by row, null where there is none.
pub(crate) fn gather(
    batch: Option<&RecordBatch>,
    column: usize,
    rows: &UInt32Array,
    kind: &DataType,
) -> Result<ArrayRef> {
    match batch {
        Some(batch) if batch.num_rows() > 0 => Ok(take(batch.column(column), rows, None)?),
        _ => Ok(new_null_array(kind, rows.len())),
    }
}
