//! What an operator decides: when a case is opened and told again, the rules, and what features mean in words.
//!
//! Plain data that can be read from configuration; `definitions.rs` checks it. Read next: `definitions.rs`.

use base::{Digest, Millis};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// When cases are opened, updated and closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Score at and above which a case is opened: the threshold that follows from the alert budget.
    pub open_score: f64,
    /// Score of a (user, patient) pair at and above which the patient counts as implicated.
    pub pair_score: f64,
    /// How far the score must rise above what was last told before it is told again.
    pub update_rise: f64,
    /// Least time between two findings of a case. A rule that has not been told does not wait.
    pub update_gap: Millis,
    /// Most updates of a case. A rule that has not been told is told even then: rules are few.
    pub updates_max: u32,
    /// A case is closed after this long without a rule firing and without a score at the threshold.
    pub close_after: Millis,
    /// Most feature sentences of a finding.
    pub explain_top: usize,
    /// Most patients shown as evidence.
    pub evidence_top: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            open_score: 0.5,
            pair_score: 0.5,
            update_rise: 0.15,
            update_gap: Millis::hours(24),
            updates_max: 5,
            close_after: Millis::days(7),
            explain_top: 5,
            evidence_top: 10,
        }
    }
}

/// How grave a rule or finding is. An `Informational` rule is told in a case but neither opens nor updates one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing beside other things.
    Informational,
    /// Rarely worth a person's time alone.
    Low,
    /// Worth a look.
    #[default]
    Medium,
    /// Worth a look today.
    High,
    /// Worth a look now.
    Critical,
}

impl Severity {
    /// The OCSF `severity_id`.
    pub fn id(self) -> i64 {
        self as i64 + 1
    }

    /// The OCSF caption.
    pub fn caption(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }

    /// The severity of an OCSF `severity_id`, where it is one of ours.
    pub fn from_id(id: i64) -> Option<Self> {
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical].into_iter().find(|s| s.id() == id)
    }

    /// The least risk score, out of 100, of a finding as grave as this: the middle of its fifth.
    pub(crate) fn risk_floor(self) -> i64 {
        self as i64 * 20 + 10
    }
}

/// How sure a rule is that what it names is what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Often has a harmless cause.
    Low,
    /// Sometimes has a harmless cause.
    #[default]
    Medium,
    /// Hardly ever has a harmless cause.
    High,
}

impl Confidence {
    /// The OCSF `confidence_id`.
    pub fn id(self) -> i64 {
        self as i64 + 1
    }

    /// The OCSF caption.
    pub fn caption(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}

/// A rule: a boolean column of the feature row, and how a finding speaks of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stable identifier.
    pub id: String,
    /// The boolean column of the feature batch that is true where the rule fires.
    pub column: String,
    /// Short title; the strongest rule's title is the case's.
    pub title: String,
    /// How grave it is.
    #[serde(default)]
    pub severity: Severity,
    /// What happened, as a template over the feature row: `opened {charts_1h|charts} after leaving on {left:date}`.
    pub sentence: String,
    /// ATT&CK technique ids, as in `T1078` or `T1110.003`.
    #[serde(default)]
    pub attack: Vec<String>,
    /// How sure the rule is.
    #[serde(default)]
    pub confidence: Confidence,
}

/// What a model feature means to a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureMeaning {
    /// The feature: a column of the feature batch.
    pub name: String,
    /// The sentence as a template; `{value}` is this feature, other placeholders are columns.
    pub sentence: String,
    /// Correlated features share a group and are told once; the strongest group names a case that no rule names.
    #[serde(default)]
    pub group: String,
    /// The sentence when the value is zero or false. Without one a zero is not told: "opened 0 charts" says nothing.
    #[serde(default)]
    pub zero: Option<String>,
    /// The column this feature is to be compared with: the user's own past or the peers'.
    #[serde(default)]
    pub baseline: Option<String>,
}

/// What the cases of a lane are about: users, or entities that many users meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The column of the feature batch that identifies its rows.
    pub column: String,
    /// What an entity is, in words, as in `Patient record`; absent for users.
    pub entity: Option<String>,
}

impl Subject {
    /// Users.
    pub fn user() -> Self {
        Self { column: "user_key".to_owned(), entity: None }
    }
}

/// What produced a finding; part of its bytes, so that a replay can be held against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The house's time zone: sentences tell times by its clocks.
    #[serde(with = "jiff::fmt::serde::tz::required", default = "utc")]
    pub time_zone: TimeZone,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Version of the pipeline.
    pub version: String,
    /// Digest of the pipeline's specification.
    pub spec: Digest,
    /// Digest of its SQL.
    pub sql: Digest,
    /// Digest of the model file.
    pub model: Digest,
    /// Name of the model.
    pub model_name: String,
    /// Version of the engine that computed it.
    pub engine_version: String,
}

/// What findings of former versions tell times in.
fn utc() -> TimeZone {
    TimeZone::UTC
}

/// What a finding says about its case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// The case was opened.
    Opened,
    /// Something materially new happened in an open case.
    Updated,
    /// The case fell quiet and was closed.
    Closed,
}

impl Activity {
    /// The OCSF `activity_id`: 1 create, 2 update, 3 close.
    pub fn id(self) -> i64 {
        self as i64 + 1
    }

    /// The OCSF caption.
    pub fn caption(self) -> &'static str {
        match self {
            Self::Opened => "Create",
            Self::Updated => "Update",
            Self::Closed => "Close",
        }
    }

    /// The word used in lists and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Closed => "closed",
        }
    }

    /// The activity of an OCSF `activity_id`.
    pub fn from_id(id: i64) -> Option<Self> {
        [Self::Opened, Self::Updated, Self::Closed].into_iter().find(|activity| activity.id() == id)
    }
}
