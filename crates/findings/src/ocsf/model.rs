//! The shape of our Detection Findings: the attributes we write and read, of the many OCSF 1.8.0 has.
//!
//! Names are the schema's. Read next: `view.rs`.

use std::collections::BTreeMap;

use base::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::evidence::Pair;
use crate::policy::Origin;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DetectionFinding {
    pub(crate) activity_id: i64,
    pub(crate) activity_name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) anomaly_analyses: Vec<AnomalyAnalysis>,
    pub(crate) category_name: String,
    pub(crate) category_uid: i64,
    pub(crate) class_name: String,
    pub(crate) class_uid: i64,
    pub(crate) confidence: String,
    pub(crate) confidence_id: i64,
    pub(crate) evidences: Vec<EvidenceItem>,
    pub(crate) finding_info: FindingInfo,
    pub(crate) is_alert: bool,
    pub(crate) message: String,
    pub(crate) metadata: Metadata,
    pub(crate) observables: Vec<Observable>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) resources: Vec<Resource>,
    pub(crate) risk_score: i64,
    pub(crate) severity: String,
    pub(crate) severity_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status_detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status_id: Option<i64>,
    pub(crate) time: Timestamp,
    pub(crate) type_name: String,
    pub(crate) type_uid: i64,
    pub(crate) unmapped: Unmapped,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) product: Product,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<String>,
    pub(crate) version: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) feature: Feature,
    pub(crate) name: String,
    pub(crate) vendor_name: String,
    pub(crate) version: String,
}

/// The pipeline, as the part of the product that speaks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Feature {
    pub(crate) name: String,
    pub(crate) version: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FindingInfo {
    pub(crate) analytic: Analytic,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attacks: Vec<Attack>,
    pub(crate) created_time: Timestamp,
    pub(crate) desc: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_seen_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_seen_time: Option<Timestamp>,
    pub(crate) modified_time: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_analytics: Vec<Analytic>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_events: Vec<RelatedEvent>,
    pub(crate) title: String,
    pub(crate) uid: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Analytic {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) type_id: i64,
    pub(crate) uid: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attack {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sub_technique: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tactic: Option<Named>,
    pub(crate) technique: Named,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Named {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) uid: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RelatedEvent {
    pub(crate) type_name: String,
    pub(crate) type_uid: i64,
    pub(crate) uid: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AnomalyAnalysis {
    pub(crate) analysis_targets: Vec<AnalysisTarget>,
    pub(crate) anomalies: Vec<Anomaly>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) baselines: Vec<Anomaly>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AnalysisTarget {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// An anomaly, or the baseline it is held against.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Anomaly {
    pub(crate) observation_parameter: String,
    pub(crate) observations: Vec<Observation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observed_pattern: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Observation {
    pub(crate) value: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EvidenceItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<Actor>,
    pub(crate) data: EvidenceData,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum EvidenceData {
    Pair(Pair),
    Features { features: BTreeMap<String, Json> },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Actor {
    pub(crate) user: User,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) uid: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resource {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<String>,
    pub(crate) role: String,
    pub(crate) role_id: i64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) uid: String,
}

/// `type` is left out: its caption changed between versions of the schema.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Observable {
    pub(crate) name: String,
    pub(crate) type_id: i64,
    pub(crate) value: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unmapped {
    pub(crate) chartwarden: Ours,
}

/// What OCSF has no home for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ours {
    /// Why the finding was told: `rule:<id>`, `score`, `score_rise`, `patients` or `quiet`.
    pub(crate) because: Vec<String>,
    /// The weightiest contributions to the score, either way.
    pub(crate) contributions: Vec<Weighed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<EvidenceNote>,
    pub(crate) open_score: f64,
    /// Place within the case, from 0.
    pub(crate) ordinal: u32,
    pub(crate) origin: Origin,
    pub(crate) rules: Vec<String>,
    pub(crate) score: f64,
    /// What the case is about, where that is no user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<SubjectNote>,
}

/// An entity that many users met.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SubjectNote {
    /// What it is, in words.
    pub(crate) entity: String,
    pub(crate) uid: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Weighed {
    pub(crate) feature: String,
    pub(crate) value: Json,
    pub(crate) weight: f64,
}

/// All evidence of the tick, shown or not: SHA-256 over the RFC 8785 array of its rows, in the order of `evidences`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EvidenceNote {
    pub(crate) digest: Digest,
    pub(crate) rows: usize,
}
