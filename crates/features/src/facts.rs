//! What a lane remembers of each user from row to row: the last access, the last sign-in, streaks.
//!
//! Written to the head topic for every user a tick touched, so a restart begins where the log stood.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::WORK_PAUSE;

/// A user's last facts, as of the last sealed tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastFacts {
    /// First event ever seen of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) known_since: Option<Timestamp>,
    /// The present stretch of work: its first event and its last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_work: Option<(Timestamp, Timestamp)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) access: Option<LastAccess>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sign_in: Option<LastSignIn>,
    /// Failed sign-ins in a row.
    #[serde(default)]
    pub(crate) failures: i32,
    /// Times of denied or ignored challenges, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) denials: Vec<Timestamp>,
    /// When the last odd sign-in happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) odd_sign_in: Option<Timestamp>,
    /// Patients charted for lately (hash of the patient, time of the newest entry).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) charted: Vec<(i64, Timestamp)>,
}

impl LastFacts {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<(f64, f64)>,
    pub(crate) device: i64,
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
