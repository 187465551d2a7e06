//! `pipeline.toml` as written. Its comments are the manual of every setting; `check.rs` checks what stands here.

use std::collections::BTreeMap;

use base::Millis;
use events::Format;
use events::schema::Stream;
use features::WindowSize;
use findings::{Policy, Rule, Subject};
use serde::Deserialize;

use super::{Input, Watch};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSpec {
    pub(super) pipeline: RawPipeline,
    pub(super) kafka: RawKafka,
    #[serde(default)]
    pub(super) input: Vec<RawInput>,
    pub(super) reference: RawReference,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) networks: BTreeMap<String, String>,
    pub(super) windows: RawWindows,
    #[serde(default)]
    pub(super) window: Vec<RawWindow>,
    #[serde(default)]
    pub(super) seen: Vec<RawSeen>,
    #[serde(default)]
    pub(super) baseline: Vec<RawBaseline>,
    pub(super) scoring: RawScoring,
    #[serde(default)]
    pub(super) cases: RawCases,
    #[serde(default)]
    pub(super) rule: Vec<Rule>,
    #[serde(default)]
    pub(super) watch: Vec<RawWatch>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPipeline {
    /// Name: part of finding ids and metrics.
    pub(super) name: String,
    /// Version of the pipeline's content.
    pub(super) version: String,
    /// Who answers for it.
    #[expect(dead_code, reason = "required of every pipeline, read by people")]
    pub(super) owner: String,
    /// What it is for.
    #[serde(default)]
    pub(super) description: String,
    /// IANA time zone of the hospital.
    pub(super) time_zone: String,
}

/// How the pipeline appears on a Kafka cluster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKafka {
    pub(super) group: String,
    pub(super) state_prefix: String,
    pub(super) findings_topic: String,
    pub(super) dead_letter_topic: String,
    #[serde(default)]
    pub(super) properties: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInput {
    topic: String,
    stream: Stream,
    format: Format,
    lateness: Millis,
    #[serde(default)]
    rekeyed: bool,
}

impl RawInput {
    pub(super) fn checked(&self) -> Input {
        let Self { stream, format, lateness, rekeyed, .. } = *self;
        Input { topic: self.topic.clone(), stream, format, lateness, rekeyed }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReference {
    staff: String,
    patients: String,
    relations: String,
}

impl RawReference {
    pub(super) fn by_kind(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("staff", self.staff.clone()),
            ("patients", self.patients.clone()),
            ("relations", self.relations.clone()),
        ])
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) max_clock_skew: Millis,
    pub(super) max_event_age: Millis,
    pub(super) idle_after: Millis,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self { max_clock_skew: Millis::minutes(2), max_event_age: Millis::days(7), idle_after: Millis::minutes(1) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWindows {
    pub(super) tick: Millis,
    pub(super) explain_grace: Millis,
    pub(super) explained_up_to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWindow {
    pub(super) name: String,
    pub(super) relation: String,
    pub(super) keys: Vec<String>,
    pub(super) sql: String,
    #[serde(default)]
    pub(super) sizes: Vec<String>,
    #[serde(default)]
    pub(super) days: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSeen {
    pub(super) name: String,
    pub(super) relation: String,
    pub(super) column: String,
    pub(super) horizon: Millis,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBaseline {
    pub(super) name: String,
    pub(super) keys: Vec<String>,
    #[serde(default)]
    pub(super) rows: bool,
    pub(super) sql: String,
    pub(super) days: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWatch {
    pub(super) name: String,
    pub(super) entity: String,
    pub(super) relation: String,
    pub(super) key: String,
    pub(super) window: Millis,
    pub(super) users: String,
    pub(super) entities: String,
    #[serde(default)]
    pub(super) rule: Vec<Rule>,
}

impl RawWatch {
    pub(super) fn checked(&self) -> Watch {
        let subject = Subject { column: self.key.clone(), entity: Some(self.entity.clone()) };
        Watch { name: self.name.clone(), subject, rules: self.rule.clone() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScoring {
    pub(super) every: Millis,
    pub(super) pairs: String,
    pub(super) users: String,
    pub(super) evidence: String,
    #[serde(default)]
    pub(super) pair_model: Option<String>,
    #[serde(default)]
    pub(super) user_model: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCases {
    open_score: f64,
    pair_score: f64,
    update_rise: f64,
    update_gap: Millis,
    updates_max: u32,
    close_after: Millis,
    explain_top: usize,
    evidence_top: usize,
    pub(super) learn_days: u32,
}

impl Default for RawCases {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            open_score: policy.open_score,
            pair_score: policy.pair_score,
            update_rise: policy.update_rise,
            update_gap: policy.update_gap,
            updates_max: policy.updates_max,
            close_after: policy.close_after,
            explain_top: policy.explain_top,
            evidence_top: policy.evidence_top,
            learn_days: 14,
        }
    }
}

impl RawCases {
    pub(super) fn policy(&self) -> Policy {
        Policy {
            open_score: self.open_score,
            pair_score: self.pair_score,
            update_rise: self.update_rise,
            update_gap: self.update_gap,
            updates_max: self.updates_max,
            close_after: self.close_after,
            explain_top: self.explain_top,
            evidence_top: self.evidence_top,
        }
    }
}

/// `1h/5m`: size and hop.
pub(super) fn window_size(text: &str) -> Result<WindowSize, String> {
    let (size, hop) =
        text.split_once('/').ok_or_else(|| format!("`{text}` is no size: write size/hop, as in `1h/5m`"))?;
    let length = |text: &str| text.trim().parse::<Millis>().map_err(|error| error.to_string());
    Ok(WindowSize { size: length(size)?, hop: length(hop)? })
}

/// The rungs that can be named as the last one that explains.
const RUNGS: [&str; 7] =
    ["own_team_now", "own_unit_now", "other_unit_now", "within_24h", "within_72h", "within_14d", "ever"];

/// The number of a rung of the reason ladder.
pub(super) fn rung(name: &str) -> Result<u8, String> {
    let place = RUNGS.iter().position(|rung| *rung == name);
    let place = place.and_then(|place| u8::try_from(place).ok());
    place.ok_or_else(|| format!("`{name}` is no rung of the reason ladder: one of {}", RUNGS.join(", ")))
}
