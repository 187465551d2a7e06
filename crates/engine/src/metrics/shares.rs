//! What lanes share with each other: how long one waits for it, up to which day it goes by it, and what it takes.

use base::{Millis, Timestamp};
use prometheus::{IntGauge, IntGaugeVec};

use super::registrar::Registrar;
use super::{Metrics, narrow, remove};
use crate::error::Result;
use crate::ports::LaneId;

pub(super) struct Shares {
    wait: IntGaugeVec,
    day: IntGaugeVec,
    bytes: IntGauge,
}

impl Shares {
    pub(super) fn new(registrar: &Registrar<'_>) -> Result<Self> {
        Ok(Self {
            wait: registrar.gauges(
                "shares_wait_seconds",
                "How long a lane has waited for what others share of a day: one of them is down or far behind.",
                &["lane"],
            )?,
            day: registrar.gauges(
                "shares_day_timestamp_seconds",
                "End of the day up to which a lane goes by what all lanes share: the day before yesterday.",
                &["lane"],
            )?,
            bytes: registrar.gauge(
                "shares_bytes",
                "Bytes of what all lanes share, in memory: they grow while one of them is away.",
            )?,
        })
    }

    pub(super) fn forget(&self, lane: &str) {
        for vec in [&self.wait, &self.day] {
            remove(vec, &[lane]);
        }
    }
}

impl Metrics {
    /// How long a lane has waited for what others share, and up to which day it goes by that.
    pub(crate) fn shares(&self, lane: LaneId, waited: Millis, in_use: Option<Timestamp>) {
        self.shares.wait.with_label_values(&[&lane.to_string()]).set(waited.0 / 1_000);
        if let Some(day_end) = in_use {
            self.shares.day.with_label_values(&[&lane.to_string()]).set(day_end.millis() / 1_000);
        }
    }

    /// What is held of all lanes' shares.
    pub(crate) fn shares_held(&self, bytes: usize) {
        self.shares.bytes.set(narrow(bytes));
    }
}
