//! The scoring step under way: a relation's rows since the last one ended, aggregated together when it ends.
//!
//! No window hops in between, so nobody needs states per tick; many small runs of a plan cost far more than one. Many
//! rows are aggregated earlier, so that the end of a step is never a burst.

use arrow::array::{AsArray, RecordBatch};
use base::Timestamp;

use crate::error::Result;
use crate::lane::Lane;
use crate::limits::STEP_ROWS_MAX;
use crate::plan::Relation;
use crate::window::coalesced;

/// One relation's part of the step.
#[derive(Debug)]
pub(crate) struct OpenStep {
    /// Rows not aggregated yet, in the order they were sealed.
    rows: Vec<RecordBatch>,
    /// States of rows that were many, by window group of the relation.
    early: Vec<Vec<RecordBatch>>,
    /// The rows of the tick under way, to be stored unless the step ends with it.
    pub(crate) of_tick: Option<RecordBatch>,
}

impl OpenStep {
    pub(crate) fn new(groups: usize) -> Self {
        Self { rows: Vec::new(), early: vec![Vec::new(); groups], of_tick: None }
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.early.iter().all(Vec::is_empty)
    }
}

impl Lane {
    /// Adds sealed rows of a relation to the step under way: as they are kept, with the columns that windows name.
    pub(crate) fn add_to_step(&mut self, input: usize, rows: RecordBatch) -> Result<()> {
        if self.plans.inputs[input].relation != Relation::PairScores {
            let users = rows.column_by_name("user_key").map(|users| users.as_string::<i32>());
            // Rows of a user stand together.
            let mut last = "";
            for user in users.into_iter().flatten().flatten() {
                if user != last && !self.active_users.contains(user) {
                    self.active_users.insert(user.to_owned());
                }
                last = user;
            }
        }
        let step = &mut self.open[input];
        step.rows.push(rows);
        if step.rows.iter().map(RecordBatch::num_rows).sum::<usize>() >= STEP_ROWS_MAX {
            self.aggregate_step(input)?;
        }
        Ok(())
    }

    fn aggregate_step(&mut self, input: usize) -> Result<()> {
        let step = &mut self.open[input];
        if step.rows.is_empty() {
            return Ok(());
        }
        let rows = coalesced(std::mem::take(&mut step.rows))?;
        for (early, group) in step.early.iter_mut().zip(&self.plans.inputs[input].groups) {
            let states = self.plans.groups[*group].partial(rows.clone())?;
            if states.num_rows() > 0 {
                early.push(states);
            }
        }
        Ok(())
    }

    /// Ends the step with the tick that ends at `end`: streams before pairs are scored, scores of pairs after.
    pub(crate) fn close_step(&mut self, end: Timestamp, scores: bool) -> Result<()> {
        for input in 0..self.open.len() {
            if (self.plans.inputs[input].relation == Relation::PairScores) != scores || self.open[input].is_empty() {
                continue;
            }
            self.aggregate_step(input)?;
            let step = &mut self.open[input];
            step.of_tick = None;
            for (early, group) in step.early.iter_mut().zip(&self.plans.inputs[input].groups) {
                let mut states = std::mem::take(early);
                let pane = match states.len() {
                    0 => continue,
                    1 => states.remove(0),
                    _ => self.plans.groups[*group].reduce(states)?,
                };
                match self.program.watch_groups().position(|watched| watched == *group) {
                    Some(watch) => self.crossing[watch] = Some(pane),
                    None => drop(self.panes[*group].minute.insert(end, pane)),
                }
            }
        }
        Ok(())
    }

    /// Whether the tick under way leaves anything to be stored.
    pub(crate) fn leaves_pane(&self, end: Timestamp) -> bool {
        self.open.iter().any(|step| step.of_tick.is_some())
            || self.panes.iter().any(|panes| panes.minute.contains_key(&end))
            || self.pending.contains_key(&end)
            || !self.memory.seen_today.is_empty()
            || !self.memory.touched.is_empty()
    }

    /// Whether no row waits for its step to end.
    pub(crate) fn step_is_empty(&self) -> bool {
        self.open.iter().all(OpenStep::is_empty)
    }
}
