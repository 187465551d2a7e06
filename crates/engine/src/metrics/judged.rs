//! What closed ticks come to: feature rows, scores and findings.

use findings::{Finding, Severity};
use prometheus::{Histogram, IntCounterVec};

use super::Metrics;
use super::registrar::Registrar;
use crate::error::Result;
use crate::spec::PipelineSpec;
use crate::worker::Done;

/// Every severity that a finding can have.
pub(super) const SEVERITIES: [Severity; 5] =
    [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
/// The rule named where a finding has none that the pipeline knows.
const OF_THE_MODEL: &str = "model";

pub(super) struct Judged {
    rows: IntCounterVec,
    scores: Histogram,
    findings: IntCounterVec,
}

impl Judged {
    pub(super) fn new(registrar: &Registrar<'_>, spec: &PipelineSpec) -> Result<Self> {
        let findings = registrar.counters("findings_total", "Findings committed.", &["severity", "rule"])?;
        // The first finding of a rule is an increase only over a series that was there before.
        for rule in spec.all_rules().map(|rule| rule.id.as_str()).chain([OF_THE_MODEL]) {
            for severity in SEVERITIES {
                findings.with_label_values(&[severity.caption(), rule]).reset();
            }
        }
        Ok(Self {
            rows: registrar.counters("feature_rows_total", "Feature rows computed.", &["grain"])?,
            scores: registrar.histogram(
                "score",
                "Calibrated scores of users at scoring ticks.",
                &[0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9],
            )?,
            findings,
        })
    }

    /// Rows and scores of a lane.
    pub(super) fn done(&self, done: &Done) {
        self.rows.with_label_values(&["user"]).inc_by(done.user_rows);
        self.rows.with_label_values(&["pair"]).inc_by(done.pair_rows);
        done.scores.iter().for_each(|score| self.scores.observe(*score));
    }
}

impl Metrics {
    pub(crate) fn found(&self, spec: &PipelineSpec, findings: &[Finding]) {
        for finding in findings {
            let known = |rule: &&String| spec.all_rules().any(|known| known.id == **rule);
            let rule = finding.rules.iter().find(known).map_or(OF_THE_MODEL, String::as_str);
            self.judged.findings.with_label_values(&[finding.severity.caption(), rule]).inc();
        }
    }
}
