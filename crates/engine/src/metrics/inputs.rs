//! What comes in: events by topic, what became of those that could not be used, and how far a lane has read.

use events::TopicId;
use prometheus::{IntCounterVec, IntGaugeVec};

use super::registrar::Registrar;
use super::{Metrics, narrow, remove};
use crate::error::Result;
use crate::ports::{LaneId, Source};
use crate::spec::{Input, PipelineSpec};
use crate::worker::{Done, Worker};

pub(super) struct Inputs {
    received: IntCounterVec,
    rejected: IntCounterVec,
    late: IntCounterVec,
    duplicates: IntCounterVec,
    dead_letters: IntCounterVec,
    idle: IntCounterVec,
    reference_rejects: IntCounterVec,
    source_last: IntGaugeVec,
    consumer_lag: IntGaugeVec,
    open_rows: IntGaugeVec,
}

impl Inputs {
    pub(super) fn new(registrar: &Registrar<'_>) -> Result<Self> {
        let counters = |name, help, labels: &[&str]| registrar.counters(name, help, labels);
        let gauges = |name, help, labels: &[&str]| registrar.gauges(name, help, labels);
        Ok(Self {
            received: counters("events_received_total", "Events read and accepted.", &["topic", "format"])?,
            rejected: counters("events_rejected_total", "Events that could not be used, by reason.", &["reason"])?,
            late: counters("events_late_total", "Events whose tick had closed.", &["stage"])?,
            duplicates: counters("events_duplicate_total", "Events that had been read before.", &["stage"])?,
            dead_letters: counters("dlq_records_total", "Records passed to the dead-letter topic.", &["reason"])?,
            idle: counters("idle_decisions_total", "Silent topics that stopped holding their lane.", &["topic"])?,
            reference_rejects: counters("reference_rows_rejected_total", "Reference rows passed over.", &["kind"])?,
            source_last: gauges(
                "source_last_event_timestamp_seconds",
                "The newest event time of a topic's records that this process has read; 0 where it has read none.",
                &["source", "lane"],
            )?,
            consumer_lag: gauges("consumer_lag_records", "Records not yet read.", &["topic", "partition"])?,
            open_rows: gauges("open_rows", "Rows that wait for their tick to close.", &["topic", "lane"])?,
        })
    }

    /// What a lane read and did not use.
    pub(super) fn done(&self, done: &Done) {
        for reason in &done.rejects {
            self.rejected.with_label_values(&[reason]).inc();
            self.dead_letters.with_label_values(&[reason]).inc();
        }
        self.late.with_label_values(&["walk"]).inc_by(done.late);
        self.dead_letters.with_label_values(&["late"]).inc_by(done.late);
        self.duplicates.with_label_values(&["walk"]).inc_by(done.duplicates);
    }

    /// Where a lane stands in each of its topics.
    pub(super) fn stand(&self, lane: LaneId, spec: &PipelineSpec, worker: &Worker, source: &dyn Source) {
        let name = lane.to_string();
        for (topic, input) in (0u8..).map(TopicId).zip(spec.inputs()) {
            let walker = worker.lane().walker(topic);
            let seconds = walker.heard().map_or(0, |heard| heard.millis().max(0) / 1_000);
            self.source_last.with_label_values(&[&input.topic, &name]).set(seconds);
            self.open_rows.with_label_values(&[&input.topic, &name]).set(narrow(walker.open_row_count()));
            if let Some(lag) = source.lag(lane, topic) {
                self.consumer_lag.with_label_values(&[&input.topic, &name]).set(narrow(lag));
            }
        }
    }

    pub(super) fn forget(&self, lane: &str, spec: &PipelineSpec) {
        for input in spec.inputs() {
            for vec in [&self.source_last, &self.consumer_lag, &self.open_rows] {
                remove(vec, &[&input.topic, lane]);
            }
        }
    }
}

impl Metrics {
    pub(crate) fn received(&self, input: &Input, events: usize) {
        let labels = [input.topic.as_str(), input.format.name()];
        self.inputs.received.with_label_values(&labels).inc_by(events as u64);
    }

    pub(crate) fn idle_decision(&self, topic: &str) {
        self.inputs.idle.with_label_values(&[topic]).inc();
    }

    pub(crate) fn reference_reject(&self, kind: &str) {
        self.inputs.reference_rejects.with_label_values(&[kind]).inc();
    }
}
