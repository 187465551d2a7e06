//! Feature rows: the newest value of every window and baseline side by side, then one projection in SQL.
//!
//! All inputs are sorted by key, so a row is found by binary search and columns are gathered with `take`: no joins at
//! run time. Only the columns that the SQL names are gathered.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use events::schema::ColumnKind;

use crate::baseline::BaselinePlan;
use crate::error::Result;
use crate::pair_scores;
use crate::plan::{renamed, size_name};
use crate::slot::Slot;
use crate::spec::{ProgramSpec, SqlText};
use crate::sql::{Runner, check_keys, columns_named, plan};
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
pub(crate) const BASE: [(&str, ColumnKind); 10] = [
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
            if window.is_of_pairs() {
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
    let known = |key: &String| fields.iter().any(|(field, _)| field.name() == key);
    let usable: Vec<bool> =
        spec.baselines.iter().map(|baseline| !baseline.is_of_rows() && baseline.keys.iter().all(known)).collect();
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
        check_keys(sql, &planned.schema(), &["user_key", "patient_key"][..keys])?;
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

/// Sorted keys of the rows to be made.
#[derive(Clone, Debug)]
pub(crate) struct RowKeys {
    pub(crate) users: StringArray,
    /// Absent when rows are keyed by user alone.
    pub(crate) patients: Option<StringArray>,
}

impl RowKeys {
    pub(crate) fn of_users<'u>(users: impl Iterator<Item = &'u str>) -> Self {
        Self { users: StringArray::from_iter_values(users), patients: None }
    }

    pub(crate) fn of_pairs<'u>(pairs: impl Iterator<Item = (&'u str, &'u str)>) -> Self {
        let (users, patients): (Vec<_>, Vec<_>) = pairs.unzip();
        Self { users: StringArray::from(users), patients: Some(StringArray::from(patients)) }
    }

    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    /// The first `count` columns, of one or two.
    pub(crate) fn first(&self, count: usize) -> Vec<&StringArray> {
        std::iter::once(&self.users).chain(&self.patients).take(count).collect()
    }
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
