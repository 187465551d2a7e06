//! The SQL of a watch's entities: checked when it is planned, run over what users did with each.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use crate::error::{Error, Result};
use crate::slot::Slot;
use crate::sorted::sort_by_keys;
use crate::spec::WatchSpec;
use crate::sql::{Runner, check_keys, plan};

/// The plan of a watch's entities: over what users did with each, within the window.
#[derive(Debug)]
pub(crate) struct WatchPlan {
    users: Arc<Slot>,
    runner: Runner,
}

impl WatchPlan {
    pub(crate) fn compile(spec: &WatchSpec, users: SchemaRef) -> Result<Self> {
        let slot = Slot::new(users);
        let planned = plan(&spec.entities, &[(format!("{}_users", spec.name).as_str(), &slot)])?;
        let is_first = planned.schema().fields().first().is_some_and(|field| *field.name() == spec.key);
        if !is_first || grouped_by(&planned)? != [spec.key.as_str()] {
            return Err(Error::Sql {
                file: spec.entities.file.clone(),
                line: 1,
                problem: format!("there must be one row for each `{}`, which must be the first column", spec.key),
                hint: Some(format!("begin with SELECT {0} and end with GROUP BY {0}", spec.key)),
            });
        }
        check_keys(&spec.entities, &planned.schema(), &[&spec.key])?;
        Ok(Self { users: slot, runner: Runner::new(planned)? })
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.runner.schema()
    }

    /// Users' rows to rows of entities, sorted by key.
    pub(super) fn run(&self, users: RecordBatch) -> Result<RecordBatch> {
        self.users.put(vec![users]);
        sort_by_keys(&self.runner.run()?, 1)
    }
}

/// The keys that a plan groups by, in its one aggregate; none where it has none.
fn grouped_by(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    plan.apply(|node| {
        let aggregate = node.downcast_ref::<AggregateExec>();
        keys.extend(aggregate.into_iter().flat_map(|node| node.group_expr().expr()).map(|(_, name)| name.clone()));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(keys)
}
