//! Baselines: plain SQL over the result rows of closed days, recomputed at each day close.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use base::{Millis, Timestamp};
use events::schema::ColumnKind;

use crate::error::Result;
use crate::panes::{ByEnd, GroupPanes};
use crate::plan::empty;
use crate::shared::SharedPlan;
use crate::slot::Slot;
use crate::sorted::sort_by_keys;
use crate::spec::{BaselineSpec, WindowSpec};
use crate::sql::{Runner, check_keys, plan};
use crate::window::WindowPlans;

/// One baseline's plan.
#[derive(Debug)]
pub(crate) enum BaselinePlan {
    /// By user: a lane owns all that it is over.
    Own(OwnPlan),
    /// By what users of all lanes have in common.
    Shared(Box<SharedPlan>),
}

impl BaselinePlan {
    pub(crate) fn compile(spec: &BaselineSpec, windows: &[WindowSpec], groups: &[WindowPlans]) -> Result<Self> {
        match spec.is_shared() {
            true => {
                let group = SharedPlan::group_of(spec, windows)?;
                let plan = SharedPlan::compile(spec, windows, group, &groups[group].result_schema())?;
                Ok(Self::Shared(Box::new(plan)))
            }
            false => OwnPlan::compile(spec, windows, groups).map(Self::Own),
        }
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        match self {
            Self::Own(plan) => plan.runner.schema(),
            Self::Shared(plan) => plan.schema(),
        }
    }

    pub(crate) fn shared(&self) -> Option<&SharedPlan> {
        match self {
            Self::Own(_) => None,
            Self::Shared(plan) => Some(plan),
        }
    }

    pub(crate) fn into_shared(self) -> Option<SharedPlan> {
        match self {
            Self::Own(_) => None,
            Self::Shared(plan) => Some(*plan),
        }
    }
}

/// The plan of a baseline by user.
#[derive(Debug)]
pub(crate) struct OwnPlan {
    /// Window groups it may read, and their slots.
    tables: Vec<(usize, Arc<Slot>, SchemaRef)>,
    runner: Runner,
    keys: usize,
    days: u32,
}

impl OwnPlan {
    fn compile(spec: &BaselineSpec, windows: &[WindowSpec], groups: &[WindowPlans]) -> Result<Self> {
        let kept = windows.iter().zip(groups).enumerate().filter(|(_, (window, _))| window.days);
        let mut tables: Vec<(usize, Arc<Slot>, SchemaRef)> = Vec::new();
        let mut names = Vec::new();
        for (index, (window, group)) in kept {
            let schema = day_schema(&group.result_schema());
            tables.push((index, Slot::new(Arc::clone(&schema)), schema));
            names.push(format!("{}_days", window.name));
        }
        let named: Vec<_> = names.iter().map(String::as_str).zip(tables.iter().map(|(_, slot, _)| slot)).collect();
        let planned = plan(&spec.sql, &named)?;
        let keys: Vec<_> = spec.keys.iter().map(String::as_str).collect();
        check_keys(&spec.sql, &planned.schema(), &keys)?;
        Ok(Self { tables, runner: Runner::new(planned)?, keys: spec.keys.len(), days: spec.days })
    }

    /// The baseline as of a day's close, sorted by key.
    pub(crate) fn run(&self, panes: &[GroupPanes], day_end: Timestamp) -> Result<RecordBatch> {
        let after = day_end - Millis::days(i64::from(self.days)) - Millis::hours(2);
        for (group, slot, schema) in &self.tables {
            let mut rows = day_rows(&panes[*group].day, after, day_end, schema)?;
            if rows.is_empty() {
                rows.push(empty(schema));
            }
            slot.put(rows);
        }
        sort_by_keys(&self.runner.run()?, self.keys)
    }
}

/// `day_end` and `days_ago` (0 = the day that closed last), then the window's result columns.
fn day_schema(result: &SchemaRef) -> SchemaRef {
    let mut fields = vec![
        Field::new("day_end", ColumnKind::Time.data_type(), false),
        Field::new("days_ago", DataType::Int32, false),
    ];
    fields.extend(result.fields().iter().map(|field| field.as_ref().clone()));
    Arc::new(Schema::new(fields))
}

fn day_rows(days: &ByEnd, after: Timestamp, to: Timestamp, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    use std::ops::Bound::{Excluded, Included};
    let days = days.range((Excluded(after), Included(to)));
    let with_day = days.map(|(end, batch)| {
        let rows = batch.num_rows();
        let ago = ((to - *end).0 + Millis::hours(12).0) / Millis::days(1).0;
        let end = TimestampMillisecondArray::from(vec![end.millis(); rows]).with_timezone("UTC");
        let ago = Int32Array::from(vec![i32::try_from(ago).unwrap_or(i32::MAX); rows]);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(end), Arc::new(ago)];
        columns.extend(batch.columns().iter().cloned());
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    });
    with_day.collect()
}
