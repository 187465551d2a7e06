//! What the process is and runs with: its build, its models, the age of its key, what the system says of it.

use base::Millis;
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, Registry};

use super::Metrics;
use super::registrar::Registrar;
use crate::error::Result;
use crate::spec::Models;

pub(super) struct Process {
    /// CPU, memory and files of this process, under the names everybody uses.
    pub(super) system: Registry,
    key_age: IntGauge,
}

impl Process {
    pub(super) fn new(registrar: &Registrar<'_>, models: &Models) -> Result<Self> {
        let system = Registry::new();
        system.register(Box::new(ProcessCollector::for_self()))?;
        let build = registrar.gauges("build_info", "Always 1; the version is in the label.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let help = "Always 1; the model and its digest are in the labels.";
        let model = registrar.gauges("model_info", help, &["model", "version"])?;
        for model_in_use in [&models.pair, &models.user].into_iter().flatten() {
            model.with_label_values(&[model_in_use.name(), &model_in_use.digest().short()]).set(1);
        }
        Ok(Self { system, key_age: registrar.gauge("pseudonym_key_age_seconds", "Age of the pseudonym key file.")? })
    }
}

impl Metrics {
    /// How old the pseudonym key is.
    pub fn key_age(&self, age: Millis) {
        self.process.key_age.set(age.0.max(0) / 1_000);
    }
}
