//! What is written beside the main path: the ledger, the archive, and how often either failed.

use std::sync::OnceLock;

use base::Timestamp;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::Metrics;
use super::registrar::Registrar;
use crate::error::Result;
use crate::ports::LaneId;

/// What is written beside the main path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Parquet files.
    Archive,
    /// The ledger and its receipts.
    Ledger,
}

impl Sink {
    const ALL: [Self; 2] = [Self::Archive, Self::Ledger];

    /// As in labels and texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Ledger => "ledger",
        }
    }
}

pub(super) struct Sinks {
    failures: IntCounterVec,
    archived: IntGaugeVec,
    ledger_entries: IntCounter,
    ledger_last: IntGauge,
    /// It is known how many entries there were before this process.
    ledger_found: OnceLock<()>,
    ledger_failures: IntCounter,
}

impl Sinks {
    pub(super) fn new(registrar: &Registrar<'_>) -> Result<Self> {
        let failures = registrar.counters(
            "sink_failures_total",
            "Failures of what is written beside detection; it is tried again.",
            &["sink"],
        )?;
        Sink::ALL.iter().for_each(|sink| failures.with_label_values(&[sink.name()]).reset());
        Ok(Self {
            failures,
            archived: registrar.gauges(
                "archive_last_tick_timestamp_seconds",
                "End of the newest tick in the archive; files of a lane end once a day at the latest.",
                &["lane"],
            )?,
            ledger_entries: registrar
                .counter("ledger_entries_total", "Entries in the ledger, those of earlier processes included.")?,
            ledger_last: registrar.gauge(
                "ledger_last_anchor_timestamp_seconds",
                "When the ledger last grew in this process; 0 where it has not.",
            )?,
            ledger_found: OnceLock::new(),
            ledger_failures: registrar
                .counter("ledger_verify_failures_total", "Receipts that did not verify right after sealing.")?,
        })
    }
}

impl Metrics {
    /// What the ledger held when this process first opened it: nothing that has grown here.
    pub fn ledger_found(&self, entries: u64) {
        if self.sinks.ledger_found.set(()).is_ok() {
            self.sinks.ledger_entries.inc_by(entries);
        }
    }

    /// What the ledger holds.
    pub fn ledger(&self, entries: u64, at: Timestamp) {
        let more = entries.saturating_sub(self.sinks.ledger_entries.get());
        if more > 0 {
            self.sinks.ledger_entries.inc_by(more);
            self.sinks.ledger_last.set(at.millis() / 1_000);
        }
    }

    /// A receipt did not verify right after its finding was sealed.
    pub fn ledger_failure(&self) {
        self.sinks.ledger_failures.inc();
    }

    /// The newest tick of a lane in the archive.
    pub fn archived(&self, lane: LaneId, tick_end: Option<Timestamp>) {
        if let Some(end) = tick_end {
            self.sinks.archived.with_label_values(&[&lane.to_string()]).set(end.millis() / 1_000);
        }
    }

    /// Archive or ledger failed.
    pub fn sink_failure(&self, sink: Sink) {
        self.sinks.failures.with_label_values(&[sink.name()]).inc();
    }
}
