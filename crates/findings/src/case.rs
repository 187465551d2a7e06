//! What is remembered of an open case between ticks, and its stored bytes.
//!
//! The bytes are canonical JSON with a version: equal cases have equal bytes, and a restored case goes on exactly
//! where the stored one stopped. Read next: `cases.rs`.

use std::collections::BTreeSet;

use base::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::error::{Error, Result};
use crate::limits::{EARLIER_MAX, STATE_BYTES_MAX};
use crate::policy::{Activity, Confidence, Severity};
use crate::score::Micros;

/// The layout of stored cases.
const VERSION: u32 = 1;

/// An open case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    version: u32,
    pub(crate) id: String,
    /// End of the tick that opened it.
    pub(crate) opened: Timestamp,
    /// Last tick at which a rule fired, the score was at the threshold, or a patient was newly implicated.
    pub(crate) active: Timestamp,
    /// Last tick a finding was told at.
    pub(crate) told: Timestamp,
    /// Findings told so far; the next finding's ordinal.
    pub(crate) ordinal: u32,
    pub(crate) updates: u32,
    /// Highest score that a finding has told.
    pub(crate) told_score: Micros,
    /// Highest score seen; above `told_score` by the rise, it is told as soon as cool-down and cap allow.
    pub(crate) peak_score: Micros,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) title: String,
    /// Severity of the strongest rule told, whose title is the case's; absent while only the model speaks.
    pub(crate) rule_severity: Option<Severity>,
    /// Ids of the rules told.
    pub(crate) rules: BTreeSet<String>,
    /// Patients told as implicated.
    pub(crate) patients: BTreeSet<String>,
    /// First and last time of the evidence seen.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
    /// Findings told before, newest last.
    pub(crate) earlier: Vec<Earlier>,
}

/// A finding told before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Earlier {
    pub(crate) id: String,
    pub(crate) activity: Activity,
}

impl Case {
    /// A case that starts at this tick; nothing of it is told yet.
    pub(crate) fn new(id: String, at: Timestamp) -> Self {
        Self {
            version: VERSION,
            id,
            opened: at,
            active: at,
            told: at,
            ordinal: 0,
            updates: 0,
            told_score: Micros(0),
            peak_score: Micros(0),
            severity: Severity::Informational,
            confidence: Confidence::Low,
            title: String::new(),
            rule_severity: None,
            rules: BTreeSet::new(),
            patients: BTreeSet::new(),
            span: None,
            earlier: Vec::new(),
        }
    }

    /// When it will have been quiet long enough, if nothing happens before.
    pub(crate) fn quiet_at(&self, close_after: Millis) -> Timestamp {
        self.active + close_after
    }

    /// Whether it has been quiet long enough at this time.
    pub(crate) fn is_quiet(&self, at: Timestamp, close_after: Millis) -> bool {
        at - self.active >= close_after
    }

    /// Remembers a finding as told.
    pub(crate) fn tell(&mut self, id: String, activity: Activity, at: Timestamp) {
        self.told = at;
        self.ordinal += 1;
        self.told_score = self.told_score.max(self.peak_score);
        if activity == Activity::Updated {
            self.updates += 1;
        }
        self.earlier.push(Earlier { id, activity });
        if self.earlier.len() > EARLIER_MAX {
            // The opening stays: it is the one people ask for.
            self.earlier.remove(1);
        }
    }

    /// The stored bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        canonical::bytes(self)
    }

    /// Reads stored bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > STATE_BYTES_MAX {
            return Err(Error::State(format!("{} bytes, at most {STATE_BYTES_MAX} allowed", bytes.len())));
        }
        let case: Self = serde_json::from_slice(bytes).map_err(|error| Error::State(error.to_string()))?;
        if case.version != VERSION {
            return Err(Error::State(format!("layout {} is not {VERSION}", case.version)));
        }
        if case.to_bytes()? != bytes {
            return Err(Error::State("not in canonical form".to_owned()));
        }
        Ok(case)
    }
}
