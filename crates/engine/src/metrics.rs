//! Every metric of the product, each declared once by its area in `metrics/`. Labels are bounded: topics, partitions,
//! stages, reasons, rules.
//!
//! Here stands what concerns several areas at once; what concerns one is told beside what that declares.

use base::Timestamp;
use prometheus::{IntGaugeVec, Registry, TextEncoder};

mod inputs;
mod judged;
mod lanes;
mod process;
mod registrar;
mod rekey;
mod shares;
mod sinks;
mod turns;
mod watches;

use crate::error::Result;
use crate::ports::{LaneId, Source};
use crate::spec::PipelineSpec;
use crate::worker::{Done, Worker};
use inputs::Inputs;
use judged::Judged;
use lanes::Lanes;
use process::Process;
use registrar::Registrar;
use rekey::Rekey;
use shares::Shares;
pub use sinks::Sink;
use sinks::Sinks;
pub(crate) use turns::Stage;
use turns::Turns;
use watches::Watches;

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    process: Process,
    inputs: Inputs,
    lanes: Lanes,
    turns: Turns,
    judged: Judged,
    shares: Shares,
    watches: Watches,
    sinks: Sinks,
    rekey: Rekey,
}

impl Metrics {
    /// Registers every metric, and the facts about this build and its model.
    pub fn new(spec: &PipelineSpec) -> Result<Self> {
        let registry = Registry::new_custom(Some("chartwarden".to_owned()), None)?;
        let registrar = Registrar(&registry);
        Ok(Self {
            process: Process::new(&registrar, spec.models())?,
            inputs: Inputs::new(&registrar)?,
            lanes: Lanes::new(&registrar)?,
            turns: Turns::new(&registrar)?,
            judged: Judged::new(&registrar, spec)?,
            shares: Shares::new(&registrar)?,
            watches: Watches::new(&registrar)?,
            sinks: Sinks::new(&registrar)?,
            rekey: Rekey::new(&registrar)?,
            registry,
        })
    }

    /// The exposition in Prometheus text format 0.0.4.
    pub fn text(&self) -> String {
        let families = [self.registry.gather(), self.process.system.gather()].concat();
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    /// Takes away what is said of a lane that is no longer here.
    pub(crate) fn forget(&self, lane: LaneId, spec: &PipelineSpec) {
        let name = lane.to_string();
        self.lanes.forget(&name);
        self.shares.forget(&name);
        self.inputs.forget(&name, spec);
    }

    pub(crate) fn done(&self, spec: &PipelineSpec, done: &Done) {
        self.inputs.done(done);
        self.judged.done(done);
        self.found(spec, &done.findings);
    }

    pub(crate) fn lane(
        &self,
        lane: LaneId,
        spec: &PipelineSpec,
        worker: &Worker,
        broker_time: Option<Timestamp>,
        source: &dyn Source,
    ) {
        self.lanes.stand(lane, worker, broker_time);
        self.inputs.stand(lane, spec, worker, source);
    }
}

/// A count as what a gauge holds.
fn narrow(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// Takes a series away. One that was never set cannot be removed, and need not be.
fn remove(vec: &IntGaugeVec, labels: &[&str]) {
    drop(vec.remove_label_values(labels));
}

#[cfg(test)]
mod tests;
