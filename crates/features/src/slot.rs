//! One-shot inputs: a table whose rows are put in before a run and are gone after it.
//!
//! Plans are built once over slots and run many times; a `MemTable` would have to be planned again for every batch.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use crate::error::Result;

/// The input of one plan.
pub(crate) struct Slot {
    schema: SchemaRef,
    rows: Mutex<Vec<RecordBatch>>,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot")
    }
}

impl Slot {
    pub(crate) fn new(schema: SchemaRef) -> Arc<Self> {
        Arc::new(Self { schema, rows: Mutex::new(Vec::new()) })
    }

    /// Puts the rows of the next run in.
    pub(crate) fn put(&self, rows: Vec<RecordBatch>) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// As a table for planning SQL.
    pub(crate) fn table(self: &Arc<Self>) -> Result<StreamingTable> {
        let stream: Arc<dyn PartitionStream> = Arc::clone(self) as _;
        Ok(StreamingTable::try_new(Arc::clone(&self.schema), vec![stream])?)
    }

    /// As the leaf of a plan built by hand.
    pub(crate) fn scan(self: &Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let stream: Arc<dyn PartitionStream> = Arc::clone(self) as _;
        let schema = Arc::clone(&self.schema);
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![stream], None, vec![], false, None)?))
    }
}

impl PartitionStream for Slot {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = std::mem::take(&mut *self.rows.lock().unwrap_or_else(PoisonError::into_inner));
        let rows = futures::stream::iter(rows.into_iter().map(Ok));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
