//! What a case rests on: which patients' charts, when, how often and with what reason; and why the model scored so.
//!
//! Evidence arrives in any order and leaves in one: sorted, cleaned, with a digest over all of it, shown or not.
//! Read next: `tell.rs`.

use std::collections::BTreeMap;

use base::{Digest, Timestamp};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::error::{Error, Result};
use crate::limits::{
    EVIDENCE_LIST_MAX, FLAG_CHARS_MAX, JSON_INTEGER_MAX, JSON_INTEGER_MIN, KEY_BYTES_MAX, REASON_CHARS_MAX,
};
use crate::score::Micros;
use crate::words;

/// How much one feature moved the score of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The feature.
    pub feature: String,
    /// Its value in the row; NaN where it was missing.
    pub value: f64,
    /// Its contribution on the model's scale, positive where it raised the score.
    pub weight: f64,
}

/// Who or what a row of evidence names beside the subject of the case, by pseudonym.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Other {
    /// The patient whose record a user touched.
    Patient(String),
    /// The user who met an entity.
    User(String),
}

impl Other {
    /// The pseudonym.
    pub fn key(&self) -> &str {
        let (Self::Patient(key) | Self::User(key)) = self;
        key
    }
}

/// What a user did with one patient's record, or with an entity that is watched, over the time the windows remember.
#[derive(Clone, Debug, PartialEq)]
pub struct PairEvidence {
    /// The patient, or the user.
    pub other: Other,
    /// First access.
    pub first_time: Timestamp,
    /// Last access.
    pub last_time: Timestamp,
    /// How many accesses.
    pub accesses: i64,
    /// How many of each action.
    pub actions: Vec<(String, i64)>,
    /// The best documented reason found, in words; empty if there is none.
    pub reason: String,
    /// Score of the pair, 0 to 1.
    pub score: f64,
    /// What else is known of the two, in words: `same household`, `colleague`, `VIP`.
    pub flags: Vec<String>,
}

/// A [`PairEvidence`] as it stands in a finding and under the evidence digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pair {
    #[serde(flatten)]
    pub(crate) other: Other,
    pub(crate) first_time: Timestamp,
    pub(crate) last_time: Timestamp,
    pub(crate) accesses: i64,
    pub(crate) actions: BTreeMap<String, i64>,
    pub(crate) reason: String,
    pub(crate) score: f64,
    pub(crate) flags: Vec<String>,
    #[serde(skip)]
    pub(crate) micros: Micros,
}

/// All evidence of one case at one tick, most telling first.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) pairs: Vec<Pair>,
    pub(crate) digest: Digest,
}

impl Evidence {
    /// Cleans and sorts: by score, accesses, first access, then key.
    pub(crate) fn new(rows: Vec<PairEvidence>) -> Result<Self> {
        let mut pairs = rows.into_iter().map(Pair::new).collect::<Result<Vec<_>>>()?;
        pairs.sort_by(|a, b| {
            b.micros
                .cmp(&a.micros)
                .then_with(|| b.accesses.cmp(&a.accesses))
                .then_with(|| a.first_time.cmp(&b.first_time))
                .then_with(|| a.other.cmp(&b.other))
                .then_with(|| a.tie().cmp(&b.tie()))
        });
        let digest = canonical::digest(&canonical::bytes(&pairs)?);
        Ok(Self { pairs, digest })
    }

    /// The time the evidence covers.
    pub(crate) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.pairs.iter().map(|pair| pair.first_time).min()?;
        Some((first, self.pairs.iter().map(|pair| pair.last_time).max()?))
    }
}

impl Pair {
    fn new(row: PairEvidence) -> Result<Self> {
        check_key("key in the evidence", row.other.key())?;
        let text = |text: &str| words::tame(text, FLAG_CHARS_MAX);
        let mut actions = BTreeMap::new();
        for (name, count) in &row.actions {
            let total: &mut i64 = actions.entry(text(name)).or_default();
            *total = total.saturating_add(*count).clamp(JSON_INTEGER_MIN, JSON_INTEGER_MAX);
        }
        while actions.len() > EVIDENCE_LIST_MAX {
            actions.pop_last();
        }
        let mut flags: Vec<String> = row.flags.iter().map(|flag| text(flag)).filter(|flag| !flag.is_empty()).collect();
        flags.sort();
        flags.dedup();
        flags.truncate(EVIDENCE_LIST_MAX);
        let micros = Micros::of(row.score).unwrap_or_default();
        Ok(Self {
            other: row.other,
            first_time: json_time(row.first_time),
            last_time: json_time(row.last_time),
            accesses: row.accesses.clamp(JSON_INTEGER_MIN, JSON_INTEGER_MAX),
            actions,
            reason: words::tame(&row.reason, REASON_CHARS_MAX),
            score: micros.number(),
            flags,
            micros,
        })
    }

    fn tie(&self) -> (Timestamp, &BTreeMap<String, i64>, &str, &[String]) {
        (self.last_time, &self.actions, &self.reason, &self.flags)
    }

    /// One sentence about this patient, or this user, times by the clocks of the zone.
    pub(crate) fn sentence(&self, zone: &TimeZone) -> String {
        let (who, count) = match &self.other {
            Other::Patient(key) => (format!("chart of {key}"), words::count(self.accesses, "access", "accesses")),
            Other::User(key) => (format!("user {key}"), words::count(self.accesses, "event", "events")),
        };
        let mut told = format!("{who}: {count} {}", words::span(self.first_time, self.last_time, zone));
        let mut actions: Vec<_> = self.actions.iter().collect();
        actions.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        if !actions.is_empty() {
            let actions: Vec<_> =
                actions.into_iter().map(|(name, count)| format!("{} {name}", words::whole(*count))).collect();
            told.push_str(&format!(" ({})", actions.join(", ")));
        }
        match self.reason.as_str() {
            "" if matches!(self.other, Other::User(_)) => {}
            "" => told.push_str("; no reason on record"),
            reason => told.push_str(&format!("; reason on record: {reason}")),
        }
        if !self.flags.is_empty() {
            told.push_str(&format!("; {}", words::list(&self.flags)));
        }
        words::sentence(&told)
    }

    /// As the caller gave it, up to order and cleaning.
    pub(crate) fn into_evidence(self) -> PairEvidence {
        PairEvidence {
            other: self.other,
            first_time: self.first_time,
            last_time: self.last_time,
            accesses: self.accesses,
            actions: self.actions.into_iter().collect(),
            reason: self.reason,
            score: self.score,
            flags: self.flags,
        }
    }
}

/// A pseudonym is our own work: one that is empty or long is a bug, and cutting it would name somebody else.
pub(crate) fn check_key(what: &'static str, key: &str) -> Result<()> {
    match key.len() {
        1..=KEY_BYTES_MAX => Ok(()),
        bytes => Err(Error::Key { what, bytes, max: KEY_BYTES_MAX }),
    }
}

/// Held within the integers every JSON reader keeps exact.
pub(crate) fn json_time(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis().clamp(JSON_INTEGER_MIN, JSON_INTEGER_MAX))
}
