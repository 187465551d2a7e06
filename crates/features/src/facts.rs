//! What a lane remembers of each user from row to row: the last access, the last sign-in, streaks.
//!
//! Those of the users that a tick touched stand in its pane, so a restart begins where the log stood; when the hour ends
//! they go to the head topic, user by user, and are deleted there once the user has been silent for long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use base::{FastMap, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::{DENIALS_MAX, DESKS_MAX, FACTS_KEPT, SESSION_OPEN, STRANGERS_KEPT, WORK_PAUSE};

/// A user's last facts, as of the last sealed tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastFacts {
    /// First event seen of the user, and the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) known: Option<(Timestamp, Timestamp)>,
    /// The present stretch of work: its first event and its last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_work: Option<(Timestamp, Timestamp)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) access: Option<LastAccess>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sign_in: Option<LastSignIn>,
    /// Where the user last signed in from, of the sign-ins whose place is known and no VPN's, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) placed: Option<(Timestamp, (f64, f64))>,
    /// Failed sign-ins in a row.
    #[serde(default)]
    pub(crate) failures: i32,
    /// Times of denied or ignored challenges, newest last, [`DENIALS_MAX`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) denials: Vec<Timestamp>,
    /// When the last odd sign-in happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) odd_sign_in: Option<Timestamp>,
    /// Workstations (hashed) the user signed in at within [`SESSION_OPEN`], and when last; newest last, [`DESKS_MAX`] at
    /// most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) desks: Vec<(i64, Timestamp)>,
    /// Patients charted for lately (hash of the patient, time of the newest entry).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) charted: Vec<(i64, Timestamp)>,
}

impl LastFacts {
    /// As they are stored.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::State(format!("last facts cannot be written: {error}")))
    }

    /// Reads what was stored of `user`.
    pub(crate) fn from_bytes(user: &str, bytes: &[u8]) -> Result<Self> {
        let damaged = |error| Error::State(format!("the last facts of `{user}` are damaged: {error}"));
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// Notes an event of the user, and says since when there were some. Whoever was forgotten begins anew, whether or not
    /// the lane still held something.
    pub(crate) fn heard(&mut self, time: Timestamp) -> Timestamp {
        if self.is_forgotten(time) {
            *self = Self::default();
        }
        let (since, newest) = self.known.unwrap_or((time, time));
        self.known = Some((since, newest.max(time)));
        since
    }

    /// Whether the user has been silent for so long that nothing is remembered. Of a name that never got in, and may be
    /// invented, that is sooner.
    pub(crate) fn is_forgotten(&self, at: Timestamp) -> bool {
        let kept = if self.at_work.is_some() { FACTS_KEPT } else { STRANGERS_KEPT };
        self.known.is_some_and(|(_, newest)| at - newest > kept)
    }

    /// Notes a denied or ignored challenge.
    pub(crate) fn denied(&mut self, time: Timestamp) {
        if self.denials.len() == DENIALS_MAX {
            self.denials.remove(0);
        }
        self.denials.push(time);
    }

    /// Notes a sign-in at a workstation.
    pub(crate) fn sits_down(&mut self, workstation: i64, time: Timestamp) {
        self.desks.retain(|(desk, at)| *desk != workstation && time - *at <= SESSION_OPEN);
        if self.desks.len() == DESKS_MAX {
            self.desks.remove(0);
        }
        self.desks.push((workstation, time));
    }

    /// When the user last signed in at a workstation, if that is remembered.
    pub(crate) fn signed_in_at(&self, workstation: i64) -> Option<Timestamp> {
        self.desks.iter().find(|(desk, _)| *desk == workstation).map(|(_, at)| *at)
    }

    /// When the stretch of work began that an event of the user belongs to.
    pub(crate) fn working_since(&self, time: Timestamp) -> Timestamp {
        let going_on = self.at_work.filter(|(_, last)| time - *last <= WORK_PAUSE);
        going_on.map_or(time, |(since, _)| since)
    }

    /// Notes that the user worked.
    pub(crate) fn works(&mut self, time: Timestamp) {
        self.at_work = Some((self.working_since(time), time));
    }
}

/// The last access of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastAccess {
    pub(crate) time: Timestamp,
    pub(crate) patient: i64,
    pub(crate) workstation: i64,
    /// The workstation used before this one, and when it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<(i64, Timestamp)>,
    /// Accesses since the session began.
    pub(crate) place: i32,
}

/// The last successful sign-in of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastSignIn {
    pub(crate) time: Timestamp,
    pub(crate) device: i64,
}

/// The facts of those users as a batch for a stored pane; `None` when there are none.
pub(crate) fn batch(users: &BTreeSet<String>, known: &FastMap<String, LastFacts>) -> Result<Option<RecordBatch>> {
    let found = users.iter().filter_map(|user| known.get_key_value(user));
    let found = found.map(|(user, facts)| Ok((user.as_str(), facts.to_bytes()?)));
    let (users, facts): (Vec<_>, Vec<_>) = found.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    if users.is_empty() {
        return Ok(None);
    }
    let field = |name, kind| Field::new(name, kind, false);
    let schema = Schema::new(vec![field("user_key", DataType::Utf8), field("facts", DataType::Binary)]);
    let columns: [ArrayRef; 2] = [Arc::new(StringArray::from(users)), Arc::new(BinaryArray::from_iter_values(facts))];
    Ok(Some(RecordBatch::try_new(Arc::new(schema), columns.into())?))
}

/// The rows of a stored batch.
pub(crate) fn read(batch: &RecordBatch) -> Result<BTreeMap<String, LastFacts>> {
    let (users, facts) = (batch.column(0).as_string::<i32>(), batch.column(1).as_binary::<i32>());
    let rows = users.iter().zip(facts).filter_map(|(user, facts)| user.zip(facts));
    rows.map(|(user, facts)| Ok((user.to_owned(), LastFacts::from_bytes(user, facts)?))).collect()
}

/// Great-circle distance in kilometres (haversine, Earth's mean radius 6,371.0088 km; IUGG). `libm`, so that every
/// machine gives the same bytes.
pub(crate) fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let half = |x: f64, y: f64| libm::sin((x - y).to_radians() / 2.0);
    let (lat, lon) = (half(a.0, b.0), half(a.1, b.1));
    let h = lat * lat + libm::cos(a.0.to_radians()) * libm::cos(b.0.to_radians()) * lon * lon;
    2.0 * 6_371.008_8 * libm::asin(libm::sqrt(h.clamp(0.0, 1.0)))
}

/// A fixed 64-bit hash of a text (FNV-1a with the finaliser of SplitMix64): distinct counts run on integers.
pub(crate) fn hash64(text: &str) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    i64::from_ne_bytes((hash ^ (hash >> 31)).to_ne_bytes())
}

#[cfg(test)]
mod tests;
