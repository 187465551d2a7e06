//! What `rekey` has copied, what it has still to copy, and whose names it did not know.

use std::collections::BTreeMap;

use base::Millis;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

use super::registrar::Registrar;
use super::{Metrics, narrow};
use crate::error::Result;

pub(super) struct Rekey {
    records: IntCounterVec,
    lag: IntGaugeVec,
    skew: IntGauge,
    unknown: IntGauge,
}

impl Rekey {
    pub(super) fn new(registrar: &Registrar<'_>) -> Result<Self> {
        let records = "Records that `rekey` copied, by whose they are.";
        let skew = "How far source partitions of `rekey` lie apart in event time.";
        let unknown = "Names that the staff directory does not know.";
        Ok(Self {
            records: registrar.counters("rekey_records_total", records, &["outcome"])?,
            lag: registrar.gauges("rekey_lag_records", "Records that `rekey` has not copied yet.", &["topic"])?,
            skew: registrar.gauge("rekey_skew_seconds", skew)?,
            unknown: registrar.gauge("rekey_unknown_names", unknown)?,
        })
    }
}

impl Metrics {
    /// What `rekey` has committed: records by outcome, what is left by source topic, and how many names are unknown.
    pub fn rekeyed(
        &self,
        outcomes: &BTreeMap<&'static str, u64>,
        lag: &BTreeMap<String, u64>,
        skew: Millis,
        unknown: usize,
    ) {
        for (outcome, count) in outcomes {
            self.rekey.records.with_label_values(&[outcome]).inc_by(*count);
        }
        for (topic, lag) in lag {
            self.rekey.lag.with_label_values(&[topic]).set(narrow(*lag));
        }
        self.rekey.skew.set(skew.0 / 1_000);
        self.rekey.unknown.set(narrow(unknown));
    }
}
