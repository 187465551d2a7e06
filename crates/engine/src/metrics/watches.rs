//! Lanes of watches: how far every other lane has spoken to them, and what they have not read.

use prometheus::IntGaugeVec;

use super::registrar::Registrar;
use super::{Metrics, narrow, remove};
use crate::error::Result;
use crate::ports::LaneId;
use crate::progress::WatchProgress;

pub(super) struct Watches {
    last: IntGaugeVec,
    waiting: IntGaugeVec,
    lag: IntGaugeVec,
}

impl Watches {
    pub(super) fn new(registrar: &Registrar<'_>) -> Result<Self> {
        let gauges = |name, help| registrar.gauges(name, help, &["lane"]);
        Ok(Self {
            last: gauges(
                "watch_last_step_timestamp_seconds",
                "Up to where every lane has spoken to a lane of watches: one that is down holds it back.",
            )?,
            waiting: gauges("watch_waiting_steps", "Steps that wait until every lane has spoken of them.")?,
            lag: gauges("watch_lag_records", "Records that a lane of watches has not read yet.")?,
        })
    }
}

impl Metrics {
    pub(crate) fn watched(&self, lane: LaneId, seen: &WatchProgress) {
        let name = lane.to_string();
        if let Some(watermark) = seen.watermark {
            self.watches.last.with_label_values(&[&name]).set(watermark.millis() / 1_000);
        }
        self.watches.waiting.with_label_values(&[&name]).set(narrow(seen.waiting));
        if let Some(lag) = seen.lag {
            self.watches.lag.with_label_values(&[&name]).set(narrow(lag));
        }
    }

    /// Takes away what is said of a lane of watches that is no longer here.
    pub(crate) fn forget_watch(&self, lane: LaneId) {
        for vec in [&self.watches.last, &self.watches.waiting, &self.watches.lag] {
            remove(vec, &[&lane.to_string()]);
        }
    }
}
