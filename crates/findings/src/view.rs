//! Findings read back: what a person is shown of the bytes.
//!
//! Reading is strict about JSON and generous about attributes: what a later version adds is passed over.
//! Read next: `ocsf/model.rs`, the shape that is read.

use base::{Digest, Timestamp};

use crate::canonical;
use crate::error::{Error, Result};
use crate::evidence::{Contribution, PairEvidence};
use crate::ocsf::model::{DetectionFinding, EvidenceData};
use crate::policy::{Activity, Origin, Severity};

/// A finding as read from its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingView {
    /// Identifier of the finding.
    pub id: String,
    /// Identifier of the case.
    pub case_id: String,
    /// Place within the case, from 0.
    pub ordinal: u32,
    /// Pseudonym of the user or entity it is about.
    pub subject: String,
    /// What it is, where it is no user.
    pub entity: Option<String>,
    /// End of the tick it was told at.
    pub tick_end: Timestamp,
    /// End of the tick the case was opened at.
    pub opened: Timestamp,
    /// What it says about the case.
    pub activity: Activity,
    /// How grave the case is.
    pub severity: Severity,
    /// How sure it is: `Low`, `Medium` or `High`.
    pub confidence: String,
    /// The score.
    pub score: f64,
    /// The threshold that day.
    pub open_score: f64,
    /// 0 to 100, for queues that mix sources.
    pub risk_score: i64,
    /// Title of the case.
    pub title: String,
    /// What happened, most telling first.
    pub sentences: Vec<String>,
    /// Why it was told: `rule:<id>`, `score`, `score_rise`, `patients` or `quiet`.
    pub because: Vec<String>,
    /// Rules of the case, strongest first.
    pub rules: Vec<RuleView>,
    /// ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// First and last access of the evidence so far.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The evidence shown, most telling first.
    pub evidence: Vec<PairEvidence>,
    /// How many rows of evidence there were, and the digest over all of them.
    pub evidence_digest: Option<(usize, Digest)>,
    /// The weightiest contributions; the value is NaN where it was missing or is no number.
    pub contributions: Vec<Contribution>,
    /// Ids of earlier findings of the case, oldest first.
    pub earlier: Vec<String>,
    /// What produced it.
    pub origin: Origin,
}

/// A rule as a finding names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleView {
    /// Identifier.
    pub id: String,
    /// Title, where the finding gives it.
    pub title: Option<String>,
}

/// Reads the bytes of a finding.
pub fn read(bytes: &[u8]) -> Result<FindingView> {
    let value = canonical::strict(bytes)?;
    let event: DetectionFinding =
        serde_json::from_value(value).map_err(|error| Error::Finding(format!("not one of ours: {error}")))?;
    let missing = |what: &str| Error::Finding(format!("{what} is missing or unknown"));
    let user = event.evidences.first().and_then(|evidence| Some(evidence.actor.as_ref()?.user.uid.clone()));
    let info = event.finding_info;
    let ours = event.unmapped.chartwarden;
    let (entity, subject) = match ours.subject {
        Some(subject) => (Some(subject.entity), Some(subject.uid)),
        None => (None, user),
    };
    let analytics: Vec<_> = std::iter::once(&info.analytic).chain(&info.related_analytics).collect();
    let title = |id: &String| {
        let rule = analytics.iter().find(|analytic| analytic.type_id == 1 && analytic.uid == *id)?;
        rule.name.clone()
    };
    let rules = ours.rules.iter().map(|id| RuleView { id: id.clone(), title: title(id) }).collect();
    let technique = |attack: crate::ocsf::model::Attack| attack.sub_technique.unwrap_or(attack.technique).uid;
    Ok(FindingView {
        id: event.metadata.uid.ok_or_else(|| missing("metadata.uid"))?,
        case_id: info.uid,
        ordinal: ours.ordinal,
        subject: subject.ok_or_else(|| missing("evidences[0].actor.user.uid"))?,
        entity,
        tick_end: event.time,
        opened: info.created_time,
        activity: Activity::from_id(event.activity_id).ok_or_else(|| missing("activity_id"))?,
        severity: Severity::from_id(event.severity_id).ok_or_else(|| missing("severity_id"))?,
        confidence: event.confidence,
        score: ours.score,
        open_score: ours.open_score,
        risk_score: event.risk_score,
        title: info.title,
        sentences: info.desc.lines().map(str::to_owned).collect(),
        because: ours.because,
        rules,
        techniques: info.attacks.into_iter().map(technique).collect(),
        span: info.first_seen_time.zip(info.last_seen_time),
        evidence: event
            .evidences
            .into_iter()
            .filter_map(|evidence| match evidence.data {
                EvidenceData::Pair(pair) => Some(pair.into_evidence()),
                EvidenceData::Features { .. } => None,
            })
            .collect(),
        evidence_digest: ours.evidence.map(|evidence| (evidence.rows, evidence.digest)),
        contributions: ours
            .contributions
            .into_iter()
            .map(|weighed| Contribution {
                feature: weighed.feature,
                value: number(&weighed.value),
                weight: weighed.weight,
            })
            .collect(),
        earlier: info.related_events.into_iter().map(|event| event.uid).collect(),
        origin: ours.origin,
    })
}

/// Flags count as 0 and 1.
fn number(value: &serde_json::Value) -> f64 {
    match value {
        serde_json::Value::Bool(flag) => f64::from(u8::from(*flag)),
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

#[cfg(test)]
mod tests;
