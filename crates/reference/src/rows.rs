//! Rows as they arrive: one flat JSON object each. Raw ids, names and addresses become pseudonyms here and go no
//! further, but for the number of a house; keys that are not listed are ignored, `null` is absent. What is a pseudonym
//! under the same key already (rows from an archive) passes unchanged.
//!
//! Staff: `user`, `names` (other ids of the same person: login, badge, e-mail), `role`, `unit`, `shift` (day, evening,
//! night, rotating), `manager` (a user), `hired`, `ends`, `patient` (own record), `household`, `address`, `street` (with
//! its town) and `house_number` (both read from the address if absent), `surname`, `lat`, `lon` (home), `kind` (person,
//! service, shared; person if absent), `valid_from`, `recorded_at`.
//!
//! Patients: `patient`, `household`, `address`, `street`, `house_number`, `surname`, `surname_frequency` (0 to 1), `vip`,
//! `deceased_on`, `staff_user`, `insurer`, `unit` (the ward now), `valid_from`, `recorded_at`.
//!
//! Relations: `id`, `kind` (encounter, appointment, order, referral, on_call, care_team, work_queue), `patient`, `user`
//! and/or `unit`, `from`, `to` (absent: it goes on), `author` (the user who wrote it), `valid_from` (`from` if absent),
//! `recorded_at`. `id` names one relation of one patient within its kind. The same `id` with a later `valid_from` follows on the earlier (a transfer); with the same one it
//! corrects it (a discharge sets `to`, a cancellation sets `to` to `from`).
//!
//! `user`, `patient`, `valid_from` and, of relations, `id`, `kind`, `from` and one of `user` and `unit` must be there.
//! Times are RFC 3339, a date, or milliseconds since the epoch; without zone they are local to the house. A date is its
//! first instant, but for `ends`, `to` and `deceased_on` the end of that day.

use base::{Kind as ErrorKind, Timestamp};
use events::{Fault, NumberUnit, PseudonymKeys, RawTime, RejectReason, Text};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use serde::Deserialize;

use crate::limits::{NAMES_MAX, PSEUDONYM_CHARS, ROW_BYTES_MAX, TEXT_BYTES_MAX};
use crate::{RelationKind, StaffKind};

/// Why a row is not taken; the detail quotes nothing of it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{reason}: {detail}")]
pub struct RowReject {
    /// Why, as a closed list.
    pub reason: RejectReason,
    /// Why, for a person.
    pub detail: String,
}

impl RowReject {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl From<Fault> for RowReject {
    fn from(fault: Fault) -> Self {
        Self { reason: fault.reason, detail: fault.detail }
    }
}

/// A row of any kind, its ids pseudonymised.
pub(crate) struct Row<T> {
    pub(crate) valid_from: Timestamp,
    pub(crate) recorded_at: Option<Timestamp>,
    pub(crate) facts: T,
}

pub(crate) struct Staff {
    pub(crate) user: String,
    pub(crate) names: Vec<String>,
    pub(crate) role: Option<String>,
    pub(crate) unit: Option<String>,
    pub(crate) shift: Option<String>,
    pub(crate) manager: Option<String>,
    pub(crate) hired: Option<Timestamp>,
    pub(crate) ends: Option<Timestamp>,
    pub(crate) patient: Option<String>,
    pub(crate) household: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) house: Option<House>,
    pub(crate) surname: Option<String>,
    pub(crate) home: Option<(f64, f64)>,
    pub(crate) kind: StaffKind,
}

/// A house on a street: whoever lives a few numbers away is a neighbour.
pub(crate) struct House {
    /// Token of the street.
    pub(crate) street: String,
    pub(crate) number: u32,
}

pub(crate) struct Patient {
    pub(crate) patient: String,
    pub(crate) household: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) house: Option<House>,
    pub(crate) surname: Option<String>,
    pub(crate) surname_frequency: Option<f64>,
    pub(crate) vip: bool,
    pub(crate) deceased_on: Option<Timestamp>,
    pub(crate) staff_user: Option<String>,
    pub(crate) insurer: Option<String>,
    pub(crate) unit: Option<String>,
}

pub(crate) struct Relation {
    pub(crate) id: String,
    pub(crate) kind: RelationKind,
    pub(crate) patient: String,
    pub(crate) user: Option<String>,
    pub(crate) unit: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) from: Timestamp,
    pub(crate) to: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct RawStaff<'a> {
    #[serde(borrow)]
    user: Option<Text<'a>>,
    names: Option<Vec<Text<'a>>>,
    role: Option<Text<'a>>,
    unit: Option<Text<'a>>,
    shift: Option<Text<'a>>,
    manager: Option<Text<'a>>,
    hired: Option<RawTime<'a>>,
    ends: Option<RawTime<'a>>,
    patient: Option<Text<'a>>,
    household: Option<Text<'a>>,
    address: Option<Text<'a>>,
    street: Option<Text<'a>>,
    house_number: Option<Text<'a>>,
    surname: Option<Text<'a>>,
    lat: Option<f64>,
    lon: Option<f64>,
    kind: Option<Text<'a>>,
    valid_from: Option<RawTime<'a>>,
    recorded_at: Option<RawTime<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct RawPatient<'a> {
    #[serde(borrow)]
    patient: Option<Text<'a>>,
    household: Option<Text<'a>>,
    address: Option<Text<'a>>,
    street: Option<Text<'a>>,
    house_number: Option<Text<'a>>,
    surname: Option<Text<'a>>,
    surname_frequency: Option<f64>,
    vip: Option<bool>,
    deceased_on: Option<RawTime<'a>>,
    staff_user: Option<Text<'a>>,
    insurer: Option<Text<'a>>,
    unit: Option<Text<'a>>,
    valid_from: Option<RawTime<'a>>,
    recorded_at: Option<RawTime<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct RawRelation<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    kind: Option<Text<'a>>,
    patient: Option<Text<'a>>,
    user: Option<Text<'a>>,
    unit: Option<Text<'a>>,
    from: Option<RawTime<'a>>,
    to: Option<RawTime<'a>>,
    author: Option<Text<'a>>,
    valid_from: Option<RawTime<'a>>,
    recorded_at: Option<RawTime<'a>>,
}

pub(crate) fn staff(value: &[u8], keys: &PseudonymKeys, zone: &TimeZone) -> Result<Row<Staff>, RowReject> {
    let raw: RawStaff<'_> = events::parse_json(text(value)?)?;
    let names = raw.names.unwrap_or_default();
    if names.len() > NAMES_MAX {
        let detail = format!("{} names, the limit is {NAMES_MAX}", names.len());
        return Err(Fault::new(RejectReason::TooLarge, detail).into());
    }
    let kind = match given(raw.kind) {
        None => StaffKind::Person,
        Some(kind) => StaffKind::parse(&kind).ok_or_else(|| unknown("kind", "person, service or shared"))?,
    };
    let address = given(raw.address);
    let on_earth = |(north, east): &(f64, f64)| (-90.0..=90.0).contains(north) && (-180.0..=180.0).contains(east);
    let token = |text| given(text).map(|text| token(&text, keys));
    let facts = Staff {
        user: user(&needed("user", raw.user)?, keys),
        names: names.into_iter().filter_map(|name| given(Some(name))).map(|name| user(&name, keys)).collect(),
        role: short("role", raw.role)?,
        unit: short("unit", raw.unit)?,
        shift: short("shift", raw.shift)?,
        manager: given(raw.manager).map(|manager| user(&manager, keys)),
        hired: start("hired", raw.hired, zone)?,
        ends: end("ends", raw.ends, zone)?,
        patient: given(raw.patient).map(|patient| patient_key(&patient, keys)),
        household: token(raw.household),
        house: house(address.as_deref(), given(raw.street), given(raw.house_number), keys),
        address: address.map(|address| self::token(&address, keys)),
        surname: token(raw.surname),
        home: raw.lat.zip(raw.lon).filter(on_earth),
        kind,
    };
    let valid_from = start("valid_from", raw.valid_from, zone)?.ok_or_else(|| Fault::missing("valid_from"))?;
    Ok(Row { valid_from, recorded_at: start("recorded_at", raw.recorded_at, zone)?, facts })
}

pub(crate) fn patient(value: &[u8], keys: &PseudonymKeys, zone: &TimeZone) -> Result<Row<Patient>, RowReject> {
    let raw: RawPatient<'_> = events::parse_json(text(value)?)?;
    let token = |text| given(text).map(|text| token(&text, keys));
    let address = given(raw.address);
    let facts = Patient {
        patient: patient_key(&needed_patient(raw.patient)?, keys),
        household: token(raw.household),
        house: house(address.as_deref(), given(raw.street), given(raw.house_number), keys),
        address: address.map(|address| self::token(&address, keys)),
        surname: token(raw.surname),
        surname_frequency: raw.surname_frequency.filter(|share| (0.0..=1.0).contains(share)),
        vip: raw.vip.unwrap_or(false),
        deceased_on: end("deceased_on", raw.deceased_on, zone)?,
        staff_user: given(raw.staff_user).map(|name| user(&name, keys)),
        insurer: short("insurer", raw.insurer)?,
        unit: short("unit", raw.unit)?,
    };
    let valid_from = start("valid_from", raw.valid_from, zone)?.ok_or_else(|| Fault::missing("valid_from"))?;
    Ok(Row { valid_from, recorded_at: start("recorded_at", raw.recorded_at, zone)?, facts })
}

pub(crate) fn relation(value: &[u8], keys: &PseudonymKeys, zone: &TimeZone) -> Result<Row<Relation>, RowReject> {
    let raw: RawRelation<'_> = events::parse_json(text(value)?)?;
    let kind = needed("kind", raw.kind)?;
    let kind = RelationKind::parse(&kind)
        .ok_or_else(|| unknown("kind", "encounter, appointment, order, referral, on_call, care_team or work_queue"))?;
    let from = start("from", raw.from, zone)?.ok_or_else(|| Fault::missing("from"))?;
    let facts = Relation {
        id: relation_id(&needed("id", raw.id)?, keys),
        kind,
        patient: patient_key(&needed_patient(raw.patient)?, keys),
        user: given(raw.user).map(|name| user(&name, keys)),
        unit: short("unit", raw.unit)?,
        author: given(raw.author).map(|author| user(&author, keys)),
        from,
        to: end("to", raw.to, zone)?,
    };
    if facts.user.is_none() && facts.unit.is_none() {
        return Err(Fault::new(RejectReason::MissingField, "neither field `user` nor field `unit` is there").into());
    }
    let valid_from = start("valid_from", raw.valid_from, zone)?.unwrap_or(from);
    Ok(Row { valid_from, recorded_at: start("recorded_at", raw.recorded_at, zone)?, facts })
}

fn user(raw: &str, keys: &PseudonymKeys) -> String {
    passed(raw, 'u', keys).unwrap_or_else(|| keys.user(raw))
}

fn patient_key(raw: &str, keys: &PseudonymKeys) -> String {
    passed(raw, 'p', keys).unwrap_or_else(|| keys.patient(raw))
}

fn token(raw: &str, keys: &PseudonymKeys) -> String {
    passed(raw, 't', keys).unwrap_or_else(|| keys.token(raw))
}

/// The house of a row: as it is given, or else as its address says it. The first number is that of the house, and every word
/// without a digit names the street (`18 Mill Lane, Leeds`, `Hauptstraße 12a/3, 1010 Wien`).
fn house(address: Option<&str>, street: Option<String>, number: Option<String>, keys: &PseudonymKeys) -> Option<House> {
    let read = |street: &str, number: &str| {
        let number = number.split(|at: char| !at.is_ascii_digit()).find_map(|digits| digits.parse().ok())?;
        let words = street.split(|at: char| !at.is_alphanumeric());
        let words: Vec<_> =
            words.filter(|word| !word.is_empty() && !word.contains(|at: char| at.is_ascii_digit())).collect();
        let token = || (!words.is_empty()).then(|| keys.token(&words.join(" ")));
        Some(House { street: passed(street, 't', keys).or_else(token)?, number })
    };
    let given = street.zip(number).and_then(|(street, number)| read(&street, &number));
    given.or_else(|| {
        let address = address.filter(|address| passed(address, 't', keys).is_none())?;
        read(address, address)
    })
}

/// A relation's id is kept to the letter, as a session's is: two that differ in case are two.
fn relation_id(raw: &str, keys: &PseudonymKeys) -> String {
    passed(raw, 's', keys).unwrap_or_else(|| keys.session(raw))
}

/// A pseudonym under these very keys passes unchanged: rows of an archive carry nothing else.
fn passed(raw: &str, prefix: char, keys: &PseudonymKeys) -> Option<String> {
    let name = raw.strip_prefix(prefix)?.strip_prefix(keys.id())?.strip_prefix(':')?;
    let base32 = |byte: u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
    (name.len() == PSEUDONYM_CHARS && name.bytes().all(base32)).then(|| raw.to_owned())
}

pub(crate) fn text(value: &[u8]) -> Result<&str, Fault> {
    if value.len() > ROW_BYTES_MAX {
        let detail = format!("the row has {} bytes, the limit is {ROW_BYTES_MAX}", value.len());
        return Err(Fault::new(RejectReason::TooLarge, detail));
    }
    std::str::from_utf8(value)
        .map_err(|error| Fault::new(RejectReason::NotUtf8, format!("not utf-8 at byte {}", error.valid_up_to())))
}

/// The text, if it says something.
pub(crate) fn given(text: Option<Text<'_>>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

pub(crate) fn needed(field: &str, text: Option<Text<'_>>) -> Result<String, Fault> {
    given(text).ok_or_else(|| Fault::missing(field))
}

fn needed_patient(text: Option<Text<'_>>) -> Result<String, Fault> {
    let raw = needed("patient", text)?;
    match PseudonymKeys::patient_id(&raw).trim().is_empty() {
        true => Err(Fault::missing("patient")),
        false => Ok(raw),
    }
}

/// A text that is kept as it came.
fn short(field: &str, text: Option<Text<'_>>) -> Result<Option<String>, Fault> {
    match given(text) {
        Some(text) if text.len() > TEXT_BYTES_MAX => {
            let detail = format!("field `{field}` has {} bytes, the limit is {TEXT_BYTES_MAX}", text.len());
            Err(Fault::new(RejectReason::TooLarge, detail))
        }
        text => Ok(text),
    }
}

fn unknown(field: &str, expected: &str) -> Fault {
    Fault::new(RejectReason::UnknownShape, format!("field `{field}`: expected {expected}"))
}

pub(crate) fn start(field: &str, raw: Option<RawTime<'_>>, zone: &TimeZone) -> Result<Option<Timestamp>, Fault> {
    read(field, raw, zone, 0.days())
}

fn end(field: &str, raw: Option<RawTime<'_>>, zone: &TimeZone) -> Result<Option<Timestamp>, Fault> {
    read(field, raw, zone, 1.day())
}

/// A time; of a date, its midnight and so much more of the calendar.
fn read(field: &str, raw: Option<RawTime<'_>>, zone: &TimeZone, of_date: Span) -> Result<Option<Timestamp>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    let bad = || Fault::new(RejectReason::BadTime, format!("field `{field}` cannot be read as a time"));
    let moment = raw.read(NumberUnit::Millis).ok_or_else(bad)?;
    if !moment.zone_missing {
        return Ok(Some(moment.at));
    }
    let local = || {
        let written = TimeZone::UTC.to_datetime(jiff::Timestamp::from_millisecond(moment.at.millis()).ok()?);
        let meant = if moment.date_only { written.checked_add(of_date).ok()? } else { written };
        zone.to_timestamp(meant).ok()
    };
    local().map(|at| Some(Timestamp::from_millis(at.as_millisecond()))).ok_or_else(bad)
}
