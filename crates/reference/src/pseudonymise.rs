//! Rows fit to be kept: the same row with pseudonyms in place of raw ids, names and addresses, the number of a house beside
//! the token of its street, and a coarse home.
//!
//! What comes out is written anew from the fields that were understood, so nothing else of the raw row can pass.
//! Applying it gives what applying the raw row gives: times are the instants they were read as, and pseudonyms under
//! the same key pass `rows.rs` unchanged.

use base::Timestamp;
use events::{Fault, PseudonymKeys, RejectReason};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::rows::{self, Patient, Relation, Row, Staff};
use crate::store::coarse;
use crate::{Kind, RowReject};

/// Rewrites a row with pseudonyms; a row that [`crate::Reference::apply`] would reject is rejected here.
/// `zone` is that of times which name none.
pub fn pseudonymise(kind: Kind, value: &[u8], keys: &PseudonymKeys, zone: &TimeZone) -> Result<Vec<u8>, RowReject> {
    match kind {
        Kind::Staff => written(&StaffOut::from(rows::staff(value, keys, zone)?)),
        Kind::Patients => written(&PatientOut::from(rows::patient(value, keys, zone)?)),
        Kind::Relations => written(&RelationOut::from(rows::relation(value, keys, zone)?)),
    }
}

fn written(row: &impl Serialize) -> Result<Vec<u8>, RowReject> {
    let fault = |_| Fault::new(RejectReason::UnknownShape, "the row cannot be written again");
    serde_json::to_vec(row).map_err(|error| fault(error).into())
}

#[derive(Serialize)]
struct StaffOut {
    user: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    role: Option<String>,
    unit: Option<String>,
    shift: Option<String>,
    manager: Option<String>,
    hired: Option<Timestamp>,
    ends: Option<Timestamp>,
    patient: Option<String>,
    household: Option<String>,
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    street: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    house_number: Option<u32>,
    surname: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    kind: &'static str,
    valid_from: Timestamp,
    recorded_at: Option<Timestamp>,
}

impl From<Row<Staff>> for StaffOut {
    fn from(row: Row<Staff>) -> Self {
        let Row { valid_from, recorded_at, facts } = row;
        // The reference keeps a home in single precision: the same step here makes both ways round alike.
        let home = |degrees: f64| coarse(f64::from(degrees as f32));
        Self {
            user: facts.user,
            names: facts.names,
            role: facts.role,
            unit: facts.unit,
            shift: facts.shift,
            manager: facts.manager,
            hired: facts.hired,
            ends: facts.ends,
            patient: facts.patient,
            household: facts.household,
            address: facts.address,
            house_number: facts.house.as_ref().map(|house| house.number),
            street: facts.house.map(|house| house.street),
            surname: facts.surname,
            lat: facts.home.map(|(north, _)| home(north)),
            lon: facts.home.map(|(_, east)| home(east)),
            kind: facts.kind.name(),
            valid_from,
            recorded_at,
        }
    }
}

#[derive(Serialize)]
struct PatientOut {
    patient: String,
    household: Option<String>,
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    street: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    house_number: Option<u32>,
    surname: Option<String>,
    surname_frequency: Option<f64>,
    vip: bool,
    deceased_on: Option<Timestamp>,
    staff_user: Option<String>,
    insurer: Option<String>,
    unit: Option<String>,
    valid_from: Timestamp,
    recorded_at: Option<Timestamp>,
}

impl From<Row<Patient>> for PatientOut {
    fn from(row: Row<Patient>) -> Self {
        let Row { valid_from, recorded_at, facts } = row;
        Self {
            patient: facts.patient,
            household: facts.household,
            address: facts.address,
            house_number: facts.house.as_ref().map(|house| house.number),
            street: facts.house.map(|house| house.street),
            surname: facts.surname,
            surname_frequency: facts.surname_frequency,
            vip: facts.vip,
            deceased_on: facts.deceased_on,
            staff_user: facts.staff_user,
            insurer: facts.insurer,
            unit: facts.unit,
            valid_from,
            recorded_at,
        }
    }
}

#[derive(Serialize)]
struct RelationOut {
    id: String,
    kind: &'static str,
    patient: String,
    user: Option<String>,
    unit: Option<String>,
    from: Timestamp,
    to: Option<Timestamp>,
    author: Option<String>,
    valid_from: Timestamp,
    recorded_at: Option<Timestamp>,
}

impl From<Row<Relation>> for RelationOut {
    fn from(row: Row<Relation>) -> Self {
        let Row { valid_from, recorded_at, facts } = row;
        Self {
            id: facts.id,
            kind: facts.kind.name(),
            patient: facts.patient,
            user: facts.user,
            unit: facts.unit,
            from: facts.from,
            to: facts.to,
            author: facts.author,
            valid_from,
            recorded_at,
        }
    }
}

#[cfg(test)]
mod tests;
