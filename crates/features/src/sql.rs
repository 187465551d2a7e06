//! Planning and running one SQL text over slots, with settings under which equal rows give equal bytes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_expr::projection::Projector;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::executor::block_on;

use crate::error::{Error, Result};
use crate::slot::Slot;

/// A SQL text and the file it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlText {
    /// File, as the pipeline names it.
    pub file: String,
    /// The text.
    pub text: String,
}

/// A session in which one plan runs in one partition: nothing depends on how rows are spread over threads.
pub(crate) fn session() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(1).with_information_schema(false);
    // Above 1: partial aggregation never passes rows through ungrouped.
    config.options_mut().execution.skip_partial_aggregation_probe_ratio_threshold = 1.1;
    config.options_mut().optimizer.enable_dynamic_filter_pushdown = false;
    let session = SessionContext::new_with_config(config);
    // It would turn a lone DISTINCT into nested groups that have no mergeable state.
    session.remove_optimizer_rule("single_distinct_aggregation_to_group_by");
    session
}

/// Plans `sql` over the slots' tables.
pub(crate) fn plan(sql: &SqlText, tables: &[(&str, &Arc<Slot>)]) -> Result<Arc<dyn ExecutionPlan>> {
    let session = session();
    for (name, slot) in tables {
        session.register_table(*name, Arc::new(slot.table()?))?;
    }
    let planned = block_on(async {
        let frame = session.sql(&sql.text).await?;
        match beside_rows(frame.logical_plan())? {
            Some(function) => Ok(Err(function)),
            None => frame.create_physical_plan().await.map(Ok),
        }
    });
    planned.map_err(|error| sql_error(sql, tables, &error))?.map_err(|function| Error::Sql {
        file: sql.file.clone(),
        line: line_with(&sql.text, &function),
        problem: format!("`{function}` gives another value at every run, so a replay could not say the same"),
        hint: Some("take times from the rows, such as `event_ms`".to_owned()),
    })
}

/// A function whose value does not follow from the rows alone: a clock, or chance.
fn beside_rows(plan: &LogicalPlan) -> datafusion::error::Result<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| match part {
                Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
                    found = Some(call.func.name().to_owned());
                    Ok(TreeNodeRecursion::Stop)
                }
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    })?;
    Ok(found)
}

/// The tables that `sql` reads.
pub(crate) fn tables_named(sql: &SqlText) -> Result<Vec<String>> {
    let state = session().state();
    let dialect = state.config_options().sql_parser.dialect;
    let parsed = state.sql_to_statement(&sql.text, &dialect);
    let named = parsed.and_then(|statement| state.resolve_table_references(&statement));
    let named = named.map_err(|error| sql_error(sql, &[], &error))?;
    Ok(named.iter().map(|table| table.table().to_owned()).collect())
}

/// The columns of the table `relation` that `sql` reads.
pub(crate) fn columns_named(sql: &SqlText, relation: &str, schema: &SchemaRef) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    plan(sql, &[(relation, &Slot::new(Arc::clone(schema)))])?.apply(|node| {
        if node.downcast_ref::<StreamingTableExec>().is_some() {
            names.extend(node.schema().fields().iter().map(|field| field.name().clone()));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names)
}

/// Refuses an output whose first columns are not these keys: rows are sorted and found by them, as texts.
pub(crate) fn check_keys(sql: &SqlText, output: &SchemaRef, keys: &[&str]) -> Result<()> {
    let names: Vec<_> = output.fields().iter().map(|field| field.name().as_str()).collect();
    let wrong = |problem, hint| Err(Error::Sql { file: sql.file.clone(), line: 1, problem, hint: Some(hint) });
    if !names.starts_with(keys) {
        return wrong(
            format!("the first columns must be the keys {keys:?}, but are {names:?}"),
            format!("begin with SELECT {}; where there is a GROUP BY, it is by the same", keys.join(", ")),
        );
    }
    match output.fields().iter().take(keys.len()).find(|field| *field.data_type() != DataType::Utf8) {
        None => Ok(()),
        Some(key) => wrong(
            format!("the key `{}` must be a Utf8 text, but is {}", key.name(), key.data_type()),
            format!("select the column itself, or arrow_cast({}, 'Utf8')", key.name()),
        ),
    }
}

/// A plan with its place to run.
#[derive(Debug)]
pub(crate) struct Runner {
    schema: SchemaRef,
    /// The projections at the root of the plan, the lowest first: applied here, because as a node each writes its
    /// expressions out as text at every start.
    projectors: Vec<Projector>,
    /// What is below them.
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    /// The plan as it is run, and how often it has been.
    used: Mutex<(Arc<dyn ExecutionPlan>, u32)>,
    reset_every: u32,
}

impl Runner {
    pub(crate) fn new(plan: Arc<dyn ExecutionPlan>) -> Result<Self> {
        /// A reset costs as much as a small run; without any, each run would append its metrics to the plan's.
        const RESET_EVERY: u32 = 64;
        let schema = plan.schema();
        let (mut plan, mut projectors) = (plan, Vec::new());
        while let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
            let input = Arc::clone(projection.input());
            projectors.insert(0, projection.projection_expr().make_projector(&input.schema())?);
            plan = input;
        }
        let used = Mutex::new((Arc::clone(&plan), 0));
        let reset_every = if is_stateless(&plan) { RESET_EVERY } else { 1 };
        Ok(Self { schema, projectors, plan, context: session().task_ctx(), used, reset_every })
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Runs the plan over what its slots hold.
    pub(crate) fn run(&self) -> Result<RecordBatch> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.1 >= self.reset_every {
            *used = (reset_plan_states(Arc::clone(&self.plan))?, 0);
        }
        used.1 += 1;
        let batches = block_on(collect(Arc::clone(&used.0), Arc::clone(&self.context)))?;
        let batch = match <[RecordBatch; 1]>::try_from(batches) {
            Ok([batch]) => batch,
            Err(batches) => concat_batches(&self.plan.schema(), &batches)?,
        };
        Ok(self.projectors.iter().try_fold(batch, |batch, projector| projector.project_batch(&batch))?)
    }
}

/// Whether a plan keeps nothing but metrics from one run to the next: a join, say, would keep its first build side.
fn is_stateless(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let node = plan.downcast_ref::<AggregateExec>().is_some()
        || plan.downcast_ref::<ProjectionExec>().is_some()
        || plan.downcast_ref::<FilterExec>().is_some()
        || plan.downcast_ref::<CooperativeExec>().is_some()
        || plan.downcast_ref::<StreamingTableExec>().is_some();
    node && plan.children().into_iter().all(is_stateless)
}

/// DataFusion's message with file, line and the nearest name.
fn sql_error(sql: &SqlText, tables: &[(&str, &Arc<Slot>)], error: &DataFusionError) -> Error {
    let root = error.find_root();
    let message = root.strip_backtrace();
    let message = message.lines().next().unwrap_or_default().to_owned();
    let unknown = message.split("No field named ").nth(1).and_then(|rest| rest.split([' ', '.']).next());
    let Some(unknown) = unknown.map(|name| name.trim_matches('"').to_owned()) else {
        return Error::Sql { file: sql.file.clone(), line: line_in(&message), problem: message, hint: None };
    };
    use datafusion::physical_plan::streaming::PartitionStream as _;
    let names = tables.iter().flat_map(|(_, slot)| slot.schema().fields().iter().map(|field| field.name().clone()));
    let nearest = names.min_by_key(|name| distance(name, &unknown));
    let line = line_with(&sql.text, &unknown);
    let tables = tables.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Error::Sql {
        file: sql.file.clone(),
        line,
        problem: format!("unknown column `{unknown}`"),
        hint: nearest.map(|name| format!("did you mean `{name}`? the columns of {tables} are at hand")),
    }
}

/// The line on which a word first stands outside comments, or the first.
fn line_with(text: &str, word: &str) -> usize {
    text.lines().position(|line| holds_word(line, word)).map_or(1, |line| line + 1)
}

fn holds_word(line: &str, word: &str) -> bool {
    let code = line.split("--").next().unwrap_or_default();
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|token| token.eq_ignore_ascii_case(word))
}

/// The line the parser names (`at Line: 4, Column: 7`), or the first.
fn line_in(message: &str) -> usize {
    let digits = message.split("Line: ").nth(1).unwrap_or("1");
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(1)
}

/// Edit distance (Levenshtein), for hints.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
