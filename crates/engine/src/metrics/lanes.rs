//! Lanes: which this process owns, where each of them stands, and what it keeps in memory.

use base::{Millis, Timestamp};
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

use super::registrar::Registrar;
use super::{Metrics, narrow, remove};
use crate::error::Result;
use crate::ports::LaneId;
use crate::worker::Worker;

pub(super) struct Lanes {
    owned: IntGauge,
    all: IntGauge,
    assigned: IntCounterVec,
    ticks: IntCounterVec,
    watermark_lag: IntGaugeVec,
    state_keys: IntGaugeVec,
    state_bytes: IntGaugeVec,
    open_cases: IntGaugeVec,
    last_tick: IntGaugeVec,
    checkpoint_age: IntGaugeVec,
}

impl Lanes {
    pub(super) fn new(registrar: &Registrar<'_>) -> Result<Self> {
        let gauges = |name, help, labels: &[&str]| registrar.gauges(name, help, labels);
        let all = "Lanes there are, here and elsewhere: partitions of the input topics.";
        Ok(Self {
            owned: registrar.gauge("lanes", "Lanes this process owns.")?,
            all: registrar.gauge("lanes_all", all)?,
            assigned: registrar.counters("lanes_assigned_total", "Lanes taken up since the start.", &[])?,
            ticks: registrar.counters("ticks_closed_total", "Ticks closed.", &["lane"])?,
            watermark_lag: gauges(
                "watermark_lag_seconds",
                "How far a lane's watermark is behind the broker's time.",
                &["lane"],
            )?,
            state_keys: gauges("state_keys", "Users (or values seen with users) a lane remembers.", &["lane", "kind"])?,
            state_bytes: gauges("state_bytes", "Bytes of sealed panes in memory.", &["lane"])?,
            open_cases: gauges("open_cases", "Cases that are open.", &["lane"])?,
            last_tick: gauges("last_tick_timestamp_seconds", "End of the last committed tick.", &["lane"])?,
            checkpoint_age: gauges("checkpoint_age_seconds", "Time since a lane last committed.", &["lane"])?,
        })
    }

    /// Where a lane stands.
    pub(super) fn stand(&self, lane: LaneId, worker: &Worker, broker_time: Option<Timestamp>) {
        let name = lane.to_string();
        let watermark = worker.lane().watermark();
        if let Some(now) = broker_time.filter(|_| watermark > Timestamp::MIN) {
            self.watermark_lag.with_label_values(&[&name]).set((now - watermark).0 / 1_000);
        }
        let (users, seen) = worker.lane().state_keys();
        self.state_keys.with_label_values(&[name.as_str(), "users"]).set(narrow(users));
        self.state_keys.with_label_values(&[name.as_str(), "seen"]).set(narrow(seen));
        self.open_cases.with_label_values(&[&name]).set(narrow(worker.open_cases()));
        if let Some(end) = worker.lane().last_tick() {
            self.last_tick.with_label_values(&[&name]).set(end.millis() / 1_000);
        }
    }

    pub(super) fn forget(&self, lane: &str) {
        let [lag, bytes, cases] = [&self.watermark_lag, &self.state_bytes, &self.open_cases];
        for vec in [lag, bytes, cases, &self.last_tick, &self.checkpoint_age] {
            remove(vec, &[lane]);
        }
        for kind in ["users", "seen"] {
            remove(&self.state_keys, &[lane, kind]);
        }
    }
}

impl Metrics {
    pub(crate) fn lanes(&self, owned: usize, all: u32) {
        self.lanes.owned.set(narrow(owned));
        self.lanes.all.set(i64::from(all));
    }

    pub(crate) fn assigned(&self, lanes: usize) {
        let none: [&str; 0] = [];
        self.lanes.assigned.with_label_values(&none).inc_by(lanes as u64);
    }

    pub(crate) fn ticked(&self, lane: LaneId, ticks: u64, state_bytes: Option<usize>) {
        let name = lane.to_string();
        self.lanes.ticks.with_label_values(&[&name]).inc_by(ticks);
        if let Some(bytes) = state_bytes {
            self.lanes.state_bytes.with_label_values(&[&name]).set(narrow(bytes));
        }
    }

    /// How long ago a lane committed.
    pub(crate) fn checkpoint(&self, lane: LaneId, age: Millis) {
        self.lanes.checkpoint_age.with_label_values(&[&lane.to_string()]).set(age.0.max(0) / 1_000);
    }
}
