//! How the SQL of a window becomes panes: one `SELECT ... GROUP BY key` is planned once and split in three.
//!
//! `Partial` turns the rows of a scoring step into a pane of aggregate states, `PartialReduce` merges panes into a coarser
//! one, `Final` makes a window's result of the panes in it. States and keys are one Arrow batch; nothing promises
//! their layout across DataFusion versions, so stored panes are only read back under the same digests.

use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};

use crate::error::{Error, Result};
use crate::slot::Slot;
use crate::sorted::sort_by_keys;
use crate::sql::{Runner, SqlText, check_keys, plan};

/// The three plans of one window group.
#[derive(Debug)]
pub(crate) struct WindowPlans {
    rows: Arc<Slot>,
    partial: Runner,
    states: Arc<Slot>,
    reduce: Runner,
    panes: Arc<Slot>,
    finish: Runner,
    key_count: usize,
}

impl WindowPlans {
    /// Compiles `sql`, which must group the table `relation` by exactly `keys`, its first output columns.
    pub(crate) fn compile(sql: &SqlText, relation: &str, schema: &SchemaRef, keys: &[&str]) -> Result<Self> {
        let rows = Slot::new(Arc::clone(schema));
        let single = plan(sql, &[(relation, &rows)])?;
        let node = find_aggregate(sql, &single)?;
        let aggregate = as_aggregate(&node);
        check_states(sql, aggregate)?;

        let no_filter = vec![None; aggregate.aggr_expr().len()];
        let part = |mode, filters: &[_], input| -> Result<Arc<dyn ExecutionPlan>> {
            let group = match mode {
                AggregateMode::Partial => aggregate.group_expr().clone(),
                _ => aggregate.group_expr().as_final(),
            };
            let expressions = aggregate.aggr_expr().to_vec();
            let schema = aggregate.input_schema();
            Ok(Arc::new(AggregateExec::try_new(mode, group, expressions, filters.to_vec(), input, schema)?))
        };
        let partial = part(AggregateMode::Partial, aggregate.filter_expr(), Arc::clone(aggregate.input()))?;
        let states = Slot::new(partial.schema());
        let reduce = part(AggregateMode::PartialReduce, &no_filter, states.scan()?)?;
        let panes = Slot::new(partial.schema());
        let merged = part(AggregateMode::Final, &no_filter, panes.scan()?)?;
        let finish = Arc::clone(&single)
            .transform_down(|at| {
                let is_aggregate = at.downcast_ref::<AggregateExec>().is_some();
                Ok(if is_aggregate { Transformed::yes(Arc::clone(&merged)) } else { Transformed::no(at) })
            })?
            .data;
        check_keys(sql, &finish.schema(), keys)?;
        check_groups(sql, &partial.schema(), keys)?;
        Ok(Self {
            rows,
            partial: Runner::new(partial)?,
            states,
            reduce: Runner::new(reduce)?,
            panes,
            finish: Runner::new(finish)?,
            key_count: keys.len(),
        })
    }

    /// Rows to a pane of states, sorted by key.
    pub(crate) fn partial(&self, rows: Vec<RecordBatch>) -> Result<RecordBatch> {
        self.rows.put(rows);
        sort_by_keys(&self.partial.run()?, self.key_count)
    }

    /// Panes to one coarser pane, sorted by key.
    pub(crate) fn reduce(&self, panes: Vec<RecordBatch>) -> Result<RecordBatch> {
        self.states.put(coalesced(panes)?);
        sort_by_keys(&self.reduce.run()?, self.key_count)
    }

    /// Panes to the result of a window, sorted by key.
    pub(crate) fn finish(&self, panes: Vec<RecordBatch>) -> Result<RecordBatch> {
        self.panes.put(coalesced(panes)?);
        sort_by_keys(&self.finish.run()?, self.key_count)
    }

    /// Columns of a result.
    pub(crate) fn result_schema(&self) -> SchemaRef {
        self.finish.schema()
    }
}

fn as_aggregate(node: &Arc<dyn ExecutionPlan>) -> &AggregateExec {
    node.downcast_ref::<AggregateExec>().expect("find_aggregate returns an aggregate")
}

/// The one aggregate of a plan.
fn find_aggregate(sql: &SqlText, plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut found = Vec::new();
    plan.apply(|node| {
        if node.downcast_ref::<AggregateExec>().is_some() {
            found.push(Arc::clone(node));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match <[_; 1]>::try_from(found) {
        Ok([node]) if matches!(as_aggregate(&node).mode(), AggregateMode::Single) => Ok(node),
        _ => Err(Error::Sql {
            file: sql.file.clone(),
            line: 1,
            problem: "a window needs exactly one GROUP BY".to_owned(),
            hint: Some("write one SELECT with plain aggregates; DISTINCT belongs inside count()".to_owned()),
        }),
    }
}

/// Refuses a pane that does not begin with the keys as texts: its SQL groups by something else and makes the keys of that.
fn check_groups(sql: &SqlText, pane: &SchemaRef, keys: &[&str]) -> Result<()> {
    match pane.fields().iter().take(keys.len()).find(|field| *field.data_type() != DataType::Utf8) {
        None => Ok(()),
        Some(other) => Err(Error::Sql {
            file: sql.file.clone(),
            line: 1,
            problem: format!(
                "it is not grouped by the keys {keys:?} as texts: `{}` is {}",
                other.name(),
                other.data_type()
            ),
            hint: Some(format!("end with GROUP BY {}", keys.join(", "))),
        }),
    }
}

/// Refuses aggregates whose merged state depends on the order of rows or panes: equal rows must give equal bytes.
fn check_states(sql: &SqlText, aggregate: &AggregateExec) -> Result<()> {
    for expression in aggregate.aggr_expr() {
        let state = expression.state_fields()?;
        let name = expression.fun().name().to_owned();
        let float = state.iter().any(|field| field.data_type().is_floating());
        let extreme = matches!(name.as_str(), "min" | "max");
        // They keep the values and sort them in the end.
        let sorts = matches!(name.as_str(), "median" | "percentile_cont");
        let ordered = matches!(name.as_str(), "array_agg" | "first_value" | "last_value" | "nth_value" | "string_agg");
        let text_set = state.iter().any(|field| match field.data_type() {
            DataType::List(item) => !item.data_type().is_integer(),
            _ => false,
        });
        if (float && !extreme) || ordered || (text_set && !sorts) {
            let needle = name.to_ascii_lowercase();
            let lines = sql.text.lines().position(|line| line.to_ascii_lowercase().contains(&needle));
            return Err(Error::Sql {
                file: sql.file.clone(),
                line: lines.map_or(1, |line| line + 1),
                problem: format!("`{name}` over these columns has a state that depends on the order of rows"),
                hint: Some(
                    "aggregate integers or decimals: sum(x)/count(*) for a mean, count(DISTINCT x_h) over a hash column"
                        .to_owned(),
                ),
            });
        }
    }
    Ok(())
}

/// Small batches put together: a plan looks at each column of each batch, however few its rows.
pub(crate) fn coalesced(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    const SMALL: usize = 1_024;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    match batches.first() {
        Some(first) if batches.len() > 1 && rows < SMALL * batches.len() => {
            Ok(vec![concat_batches(&first.schema(), &batches)?])
        }
        _ => Ok(batches),
    }
}
