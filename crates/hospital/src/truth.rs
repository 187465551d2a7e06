//! The truth, kept apart from everything the hospital sends: why each chart was opened, what the insiders did, who
//! looked odd and was innocent.

use std::sync::Arc;

use base::Timestamp;
use serde::{Serialize, Serializer};

/// Why one event happened. Written for every event of an incident, and once per chart opened otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TruthRow {
    /// When.
    pub time: Timestamp,
    /// Raw user id.
    #[serde(serialize_with = "text")]
    pub user: Arc<str>,
    /// Id of the event.
    pub event_id: String,
    /// Raw record number; absent in sign-ins and in searches that opened nothing.
    pub patient: Option<String>,
    /// `care_team`, `consult`, `coding`, `audit`, `wrong_patient`, `own_record`, ...; `incident` for what an insider
    /// did; `cover` for the normal-looking accesses a padded incident hides behind (they carry no incident).
    pub why: &'static str,
    /// The incident this is an act of.
    pub incident: Option<IncidentRef>,
}

/// Which incident an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentRef {
    /// Index into [`crate::Hospital::incidents`].
    pub id: u32,
    /// Name of the scenario.
    pub scenario: &'static str,
    /// Whether it hides behind covering accesses.
    pub padded: bool,
}

/// How openly an insider acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Setting {
    /// Much in a short time.
    Loud,
    /// Little, and in working hours.
    Quiet,
}

/// One incident, as far as it has happened in the days handed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Its index.
    pub id: u32,
    /// Name of the scenario.
    pub scenario: &'static str,
    /// Raw id of the user whose account acts.
    #[serde(serialize_with = "text")]
    pub user: Arc<str>,
    /// Loud or quiet.
    pub setting: Setting,
    /// Whether it hides behind covering accesses.
    pub padded: bool,
    /// Time of the first event; absent until one happened.
    pub first: Option<Timestamp>,
    /// Time of the last event so far.
    pub last: Option<Timestamp>,
    /// Raw record numbers of the charts opened, in order of number.
    pub targets: Vec<String>,
    /// Events so far, sign-ins included.
    pub events: u64,
    /// The hard negative that looks like it.
    pub benign_twin: &'static str,
}

/// Somebody who looks odd and is innocent: a hard negative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BenignOddity {
    /// Which kind, see [`crate::scenarios`].
    pub kind: &'static str,
    /// Raw user id.
    #[serde(serialize_with = "text")]
    pub user: Arc<str>,
    /// Begin.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
}

fn text<S: Serializer>(user: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(user)
}
