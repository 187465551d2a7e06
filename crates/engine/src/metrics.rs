//! Every metric of the product, declared once. Labels are bounded: topics, partitions, stages, reasons, rules.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base::{Millis, Timestamp};
use events::TopicId;
use findings::{Finding, Severity};
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Histogram, HistogramOpts, HistogramTimer, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::error::Result;
use crate::ports::{LaneId, Source};
use crate::progress::WatchProgress;
use crate::spec::{Input, PipelineSpec};
use crate::worker::{Done, Worker};

/// Parts of a turn that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Decoding and walking records.
    Decode,
    /// Closing ticks and committing them.
    Ticks,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Ticks => "ticks",
        }
    }
}

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

/// Every severity that a finding can have.
const SEVERITIES: [Severity; 5] =
    [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
/// The rule named where a finding has none that the pipeline knows.
const OF_THE_MODEL: &str = "model";

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    /// CPU, memory and files of this process, under the names everybody uses.
    process: Registry,
    received: IntCounterVec,
    rejected: IntCounterVec,
    late: IntCounterVec,
    duplicates: IntCounterVec,
    dead_letters: IntCounterVec,
    findings: IntCounterVec,
    rows: IntCounterVec,
    ticks: IntCounterVec,
    idle: IntCounterVec,
    reference_rejects: IntCounterVec,
    watermark_lag: IntGaugeVec,
    source_last: IntGaugeVec,
    consumer_lag: IntGaugeVec,
    open_rows: IntGaugeVec,
    state_keys: IntGaugeVec,
    state_bytes: IntGaugeVec,
    open_cases: IntGaugeVec,
    last_tick: IntGaugeVec,
    checkpoint_age: IntGaugeVec,
    shares_wait: IntGaugeVec,
    shares_day: IntGaugeVec,
    shares_bytes: IntGauge,
    end_to_end: Histogram,
    lanes: IntGauge,
    lanes_all: IntGauge,
    rebalances: IntCounterVec,
    scores: Histogram,
    stages: HistogramVec,
    ledger_entries: IntCounter,
    ledger_last: IntGauge,
    /// It is known how many entries there were before this process.
    ledger_found: OnceLock<()>,
    ledger_failures: IntCounter,
    archived: IntGaugeVec,
    sink_failures: IntCounterVec,
    key_age: IntGauge,
    watch_last: IntGaugeVec,
    watch_waiting: IntGaugeVec,
    watch_lag: IntGaugeVec,
    rekeyed: IntCounterVec,
    rekey_lag: IntGaugeVec,
    rekey_skew: IntGauge,
    rekey_unknown: IntGauge,
}

impl Metrics {
    /// Registers every metric, and the facts about this build and its model.
    pub fn new(spec: &PipelineSpec) -> Result<Self> {
        let registry = Registry::new_custom(Some("chartwarden".to_owned()), None)?;
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec> {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| -> Result<IntGaugeVec> {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let single = |name: &str, help: &str| -> Result<IntGauge> {
            let metric = IntGauge::new(name, help)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let plain = |name: &str, help: &str| -> Result<IntCounter> {
            let metric = IntCounter::new(name, help)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let process = Registry::new();
        process.register(Box::new(ProcessCollector::for_self()))?;
        let end_to_end = Histogram::with_opts(
            HistogramOpts::new(
                "end_to_end_seconds",
                "From the append time of a lane's newest record to the commit of the ticks it closed; what silence closed is \
                 not counted.",
            )
            .buckets(vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]),
        )?;
        registry.register(Box::new(end_to_end.clone()))?;
        let scores = Histogram::with_opts(
            HistogramOpts::new("score", "Calibrated scores of users at scoring ticks.")
                .buckets(vec![0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9]),
        )?;
        registry.register(Box::new(scores.clone()))?;
        let stages = HistogramVec::new(
            HistogramOpts::new("stage_duration_seconds", "Time spent in a stage of one turn of the main path."),
            &["stage"],
        )?;
        registry.register(Box::new(stages.clone()))?;
        let build = gauge("build_info", "Always 1; the version is in the label.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let model =
            gauge("model_info", "Always 1; the model and its digest are in the labels.", &["model", "version"])?;
        for model_in_use in [&spec.models().pair, &spec.models().user].into_iter().flatten() {
            model.with_label_values(&[model_in_use.name(), &model_in_use.digest().short()]).set(1);
        }
        let sink_failures = counter(
            "sink_failures_total",
            "Failures of what is written beside detection; it is tried again.",
            &["sink"],
        )?;
        Sink::ALL.iter().for_each(|sink| sink_failures.with_label_values(&[sink.name()]).reset());
        let findings = counter("findings_total", "Findings committed.", &["severity", "rule"])?;
        // The first finding of a rule is an increase only over a series that was there before.
        for rule in spec.all_rules().map(|rule| rule.id.as_str()).chain([OF_THE_MODEL]) {
            for severity in SEVERITIES {
                findings.with_label_values(&[severity.caption(), rule]).reset();
            }
        }
        Ok(Self {
            received: counter("events_received_total", "Events read and accepted.", &["topic", "format"])?,
            rejected: counter("events_rejected_total", "Events that could not be used, by reason.", &["reason"])?,
            late: counter("events_late_total", "Events whose tick had closed.", &["stage"])?,
            duplicates: counter("events_duplicate_total", "Events that had been read before.", &["stage"])?,
            dead_letters: counter("dlq_records_total", "Records passed to the dead-letter topic.", &["reason"])?,
            findings,
            rows: counter("feature_rows_total", "Feature rows computed.", &["grain"])?,
            ticks: counter("ticks_closed_total", "Ticks closed.", &["lane"])?,
            idle: counter("idle_decisions_total", "Silent topics that stopped holding their lane.", &["topic"])?,
            reference_rejects: counter("reference_rows_rejected_total", "Reference rows passed over.", &["kind"])?,
            watermark_lag: gauge(
                "watermark_lag_seconds",
                "How far a lane's watermark is behind the broker's time.",
                &["lane"],
            )?,
            source_last: gauge(
                "source_last_event_timestamp_seconds",
                "The newest event time of a topic's records that this process has read; 0 where it has read none.",
                &["source", "lane"],
            )?,
            consumer_lag: gauge("consumer_lag_records", "Records not yet read.", &["topic", "partition"])?,
            open_rows: gauge("open_rows", "Rows that wait for their tick to close.", &["topic", "lane"])?,
            state_keys: gauge("state_keys", "Users (or values seen with users) a lane remembers.", &["lane", "kind"])?,
            state_bytes: gauge("state_bytes", "Bytes of sealed panes in memory.", &["lane"])?,
            open_cases: gauge("open_cases", "Cases that are open.", &["lane"])?,
            last_tick: gauge("last_tick_timestamp_seconds", "End of the last committed tick.", &["lane"])?,
            checkpoint_age: gauge("checkpoint_age_seconds", "Time since a lane last committed.", &["lane"])?,
            shares_wait: gauge(
                "shares_wait_seconds",
                "How long a lane has waited for what others share of a day: one of them is down or far behind.",
                &["lane"],
            )?,
            shares_day: gauge(
                "shares_day_timestamp_seconds",
                "End of the day up to which a lane goes by what all lanes share: the day before yesterday.",
                &["lane"],
            )?,
            shares_bytes: single(
                "shares_bytes",
                "Bytes of what all lanes share, in memory: they grow while one of them is away.",
            )?,
            end_to_end,
            lanes: single("lanes", "Lanes this process owns.")?,
            lanes_all: single("lanes_all", "Lanes there are, here and elsewhere: partitions of the input topics.")?,
            rebalances: counter("lanes_assigned_total", "Lanes taken up since the start.", &[])?,
            scores,
            stages,
            ledger_entries: plain(
                "ledger_entries_total",
                "Entries in the ledger, those of earlier processes included.",
            )?,
            ledger_last: single(
                "ledger_last_anchor_timestamp_seconds",
                "When the ledger last grew in this process; 0 where it has not.",
            )?,
            ledger_found: OnceLock::new(),
            ledger_failures: plain(
                "ledger_verify_failures_total",
                "Receipts that did not verify right after sealing.",
            )?,
            archived: gauge(
                "archive_last_tick_timestamp_seconds",
                "End of the newest tick in the archive; files of a lane end once a day at the latest.",
                &["lane"],
            )?,
            sink_failures,
            key_age: single("pseudonym_key_age_seconds", "Age of the pseudonym key file.")?,
            watch_last: gauge(
                "watch_last_step_timestamp_seconds",
                "Up to where every lane has spoken to a lane of watches: one that is down holds it back.",
                &["lane"],
            )?,
            watch_waiting: gauge(
                "watch_waiting_steps",
                "Steps that wait until every lane has spoken of them.",
                &["lane"],
            )?,
            watch_lag: gauge("watch_lag_records", "Records that a lane of watches has not read yet.", &["lane"])?,
            rekeyed: counter("rekey_records_total", "Records that `rekey` copied, by whose they are.", &["outcome"])?,
            rekey_lag: gauge("rekey_lag_records", "Records that `rekey` has not copied yet.", &["topic"])?,
            rekey_skew: single("rekey_skew_seconds", "How far source partitions of `rekey` lie apart in event time.")?,
            rekey_unknown: single("rekey_unknown_names", "Names that the staff directory does not know.")?,
            process,
            registry,
        })
    }

    /// The exposition in Prometheus text format 0.0.4.
    pub fn text(&self) -> String {
        let families = [self.registry.gather(), self.process.gather()].concat();
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    /// What the ledger held when this process first opened it: nothing that has grown here.
    pub fn ledger_found(&self, entries: u64) {
        if self.ledger_found.set(()).is_ok() {
            self.ledger_entries.inc_by(entries);
        }
    }

    /// What the ledger holds.
    pub fn ledger(&self, entries: u64, at: Timestamp) {
        let more = entries.saturating_sub(self.ledger_entries.get());
        if more > 0 {
            self.ledger_entries.inc_by(more);
            self.ledger_last.set(at.millis() / 1_000);
        }
    }

    /// What `rekey` has committed: records by outcome, what is left by source topic, and how many names are unknown.
    pub fn rekeyed(
        &self,
        outcomes: &BTreeMap<&'static str, u64>,
        lag: &BTreeMap<String, u64>,
        skew: Millis,
        unknown: usize,
    ) {
        for (outcome, count) in outcomes {
            self.rekeyed.with_label_values(&[outcome]).inc_by(*count);
        }
        for (topic, lag) in lag {
            self.rekey_lag.with_label_values(&[topic]).set(i64::try_from(*lag).unwrap_or(i64::MAX));
        }
        self.rekey_skew.set(skew.0 / 1_000);
        self.rekey_unknown.set(i64::try_from(unknown).unwrap_or(i64::MAX));
    }

    /// A receipt did not verify right after its finding was sealed.
    pub fn ledger_failure(&self) {
        self.ledger_failures.inc();
    }

    /// The newest tick of a lane in the archive.
    pub fn archived(&self, lane: LaneId, tick_end: Option<Timestamp>) {
        if let Some(end) = tick_end {
            self.archived.with_label_values(&[&lane.to_string()]).set(end.millis() / 1_000);
        }
    }

    /// Archive or ledger failed.
    pub fn sink_failure(&self, sink: Sink) {
        self.sink_failures.with_label_values(&[sink.name()]).inc();
    }

    /// How old the pseudonym key is.
    pub fn key_age(&self, age: Millis) {
        self.key_age.set(age.0.max(0) / 1_000);
    }

    /// Takes away what is said of a lane that is no longer here.
    pub(crate) fn forget(&self, lane: LaneId, spec: &PipelineSpec) {
        let name = lane.to_string();
        // A series that was never set cannot be removed, and need not be.
        let gone = |vec: &IntGaugeVec, labels: &[&str]| drop(vec.remove_label_values(labels));
        let [lag, bytes, cases] = [&self.watermark_lag, &self.state_bytes, &self.open_cases];
        for vec in [lag, bytes, cases, &self.last_tick, &self.checkpoint_age, &self.shares_wait, &self.shares_day] {
            gone(vec, &[&name]);
        }
        for kind in ["users", "seen"] {
            gone(&self.state_keys, &[&name, kind]);
        }
        for input in spec.inputs() {
            for vec in [&self.source_last, &self.consumer_lag, &self.open_rows] {
                gone(vec, &[&input.topic, &name]);
            }
        }
    }

    /// A lane has committed ticks that a record closed; the newest record was appended so long ago.
    pub(crate) fn committed(&self, newest: Option<Millis>) {
        if let Some(newest) = newest.filter(|newest| *newest >= Millis(0)) {
            self.end_to_end.observe(newest.0 as f64 / 1_000.0);
        }
    }

    /// How long a lane has waited for what others share, and up to which day it goes by that.
    pub(crate) fn shares(&self, lane: LaneId, waited: Millis, in_use: Option<Timestamp>) {
        self.shares_wait.with_label_values(&[&lane.to_string()]).set(waited.0 / 1_000);
        if let Some(day_end) = in_use {
            self.shares_day.with_label_values(&[&lane.to_string()]).set(day_end.millis() / 1_000);
        }
    }

    /// What is held of all lanes' shares.
    pub(crate) fn shares_held(&self, bytes: usize) {
        self.shares_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// How long ago a lane committed.
    pub(crate) fn checkpoint(&self, lane: LaneId, age: Millis) {
        self.checkpoint_age.with_label_values(&[&lane.to_string()]).set(age.0.max(0) / 1_000);
    }

    pub(crate) fn time(&self, stage: Stage) -> HistogramTimer {
        self.stages.with_label_values(&[stage.name()]).start_timer()
    }

    pub(crate) fn assigned(&self, lanes: usize) {
        let none: [&str; 0] = [];
        self.rebalances.with_label_values(&none).inc_by(lanes as u64);
    }

    pub(crate) fn idle_decision(&self, topic: &str) {
        self.idle.with_label_values(&[topic]).inc();
    }

    pub(crate) fn reference_reject(&self, kind: &str) {
        self.reference_rejects.with_label_values(&[kind]).inc();
    }

    pub(crate) fn lanes(&self, owned: usize, all: u32) {
        self.lanes.set(i64::try_from(owned).unwrap_or(i64::MAX));
        self.lanes_all.set(i64::from(all));
    }

    pub(crate) fn done(&self, spec: &PipelineSpec, done: &Done) {
        for reason in &done.rejects {
            self.rejected.with_label_values(&[reason]).inc();
            self.dead_letters.with_label_values(&[reason]).inc();
        }
        self.late.with_label_values(&["walk"]).inc_by(done.late);
        self.dead_letters.with_label_values(&["late"]).inc_by(done.late);
        self.duplicates.with_label_values(&["walk"]).inc_by(done.duplicates);
        self.rows.with_label_values(&["user"]).inc_by(done.user_rows);
        self.rows.with_label_values(&["pair"]).inc_by(done.pair_rows);
        done.scores.iter().for_each(|score| self.scores.observe(*score));
        self.found(spec, &done.findings);
    }

    pub(crate) fn found(&self, spec: &PipelineSpec, findings: &[Finding]) {
        for finding in findings {
            let known = |rule: &&String| spec.all_rules().any(|known| known.id == **rule);
            let rule = finding.rules.iter().find(known).map_or(OF_THE_MODEL, String::as_str);
            self.findings.with_label_values(&[finding.severity.caption(), rule]).inc();
        }
    }

    pub(crate) fn watched(&self, lane: LaneId, seen: &WatchProgress) {
        let name = lane.to_string();
        if let Some(watermark) = seen.watermark {
            self.watch_last.with_label_values(&[&name]).set(watermark.millis() / 1_000);
        }
        self.watch_waiting.with_label_values(&[&name]).set(i64::try_from(seen.waiting).unwrap_or(i64::MAX));
        if let Some(lag) = seen.lag {
            self.watch_lag.with_label_values(&[&name]).set(i64::try_from(lag).unwrap_or(i64::MAX));
        }
    }

    /// Takes away what is said of a lane of watches that is no longer here.
    pub(crate) fn forget_watch(&self, lane: LaneId) {
        for vec in [&self.watch_last, &self.watch_waiting, &self.watch_lag] {
            drop(vec.remove_label_values(&[&lane.to_string()]));
        }
    }

    pub(crate) fn lane(
        &self,
        lane: LaneId,
        spec: &PipelineSpec,
        worker: &Worker,
        broker_time: Option<Timestamp>,
        source: &dyn Source,
    ) {
        let name = lane.to_string();
        let narrow = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let watermark = worker.lane().watermark();
        if let Some(now) = broker_time.filter(|_| watermark > Timestamp::MIN) {
            self.watermark_lag.with_label_values(&[&name]).set((now - watermark).0 / 1_000);
        }
        for (topic, input) in (0u8..).map(TopicId).zip(spec.inputs()) {
            let walker = worker.lane().walker(topic);
            let seconds = walker.heard().map_or(0, |heard| heard.millis().max(0) / 1_000);
            self.source_last.with_label_values(&[&input.topic, &name]).set(seconds);
            self.open_rows.with_label_values(&[&input.topic, &name]).set(narrow(walker.open_row_count()));
            if let Some(lag) = source.lag(lane, topic) {
                let lag = i64::try_from(lag).unwrap_or(i64::MAX);
                self.consumer_lag.with_label_values(&[&input.topic, &name]).set(lag);
            }
        }
        let (users, seen) = worker.lane().state_keys();
        self.state_keys.with_label_values(&[name.as_str(), "users"]).set(narrow(users));
        self.state_keys.with_label_values(&[name.as_str(), "seen"]).set(narrow(seen));
        self.open_cases.with_label_values(&[&name]).set(narrow(worker.open_cases()));
        if let Some(end) = worker.lane().last_tick() {
            self.last_tick.with_label_values(&[&name]).set(end.millis() / 1_000);
        }
    }

    pub(crate) fn received(&self, input: &Input, events: usize) {
        self.received.with_label_values(&[input.topic.as_str(), input.format.name()]).inc_by(events as u64);
    }

    pub(crate) fn ticked(&self, lane: LaneId, ticks: u64, state_bytes: Option<usize>) {
        let name = lane.to_string();
        self.ticks.with_label_values(&[&name]).inc_by(ticks);
        if let Some(bytes) = state_bytes {
            self.state_bytes.with_label_values(&[&name]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests;
