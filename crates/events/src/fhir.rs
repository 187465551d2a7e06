//! HL7 FHIR AuditEvent, read by shape and not by version: STU3, R4, R4B, R5 and IHE BALP on top, alone or in Bundles.
//!
//! Free text (`outcomeDesc`, `description`, names) is not kept: it says things about patients. The raw action and
//! outcome are the source's codes. Sources: hl7.org/fhir/auditevent.html, profiles.ihe.net/ITI/BALP.
//! Read next: `fhir/agents.rs` (who acted), `fhir/shape.rs` (what is read), `fhir/query.rs` (what was searched).

mod agents;
mod codes;
mod query;
mod shape;

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::decode::row::{AccessRow, AuthRow, Common, OptionText, Word};
use crate::json::{self, check_part_count};
use crate::moment::{NumberUnit, RawTime};
use crate::{Fault, RejectReason, words};
use codes::dicom;
use query::Query;
use shape::{Bundle, Entity, Head, given};

pub(crate) use shape::AuditEvent;

/// A FHIR document of a kind that holds events.
pub(crate) enum Document<'a> {
    /// One AuditEvent.
    Event(Box<AuditEvent<'a>>),
    /// Many.
    Bundle(Vec<Entry<'a>>),
}

/// An entry of a Bundle, not yet read.
pub(crate) struct Entry<'a> {
    raw: Result<shape::Entry<'a>, Fault>,
}

impl<'a> Entry<'a> {
    /// The text of the entry's resource, and the AuditEvent it must be.
    pub(crate) fn event(&self) -> Result<(&'a str, AuditEvent<'a>), Fault> {
        let entry = self.raw.as_ref().map_err(Fault::clone)?;
        let resource = entry.resource.map(RawValue::get);
        let text = resource.ok_or_else(|| unknown("a Bundle entry without resource"))?;
        match read(text)? {
            Document::Event(event) => Ok((text, *event)),
            Document::Bundle(_) => Err(unknown("a Bundle within a Bundle")),
        }
    }

    /// The entry's address, which names the event where it has no id of its own.
    pub(crate) fn full_url(&self) -> Option<&str> {
        self.raw.as_ref().ok().and_then(|entry| given(entry.full_url.as_ref()))
    }
}

fn unknown(detail: &str) -> Fault {
    Fault::new(RejectReason::UnknownShape, detail)
}

/// Reads a document, a Bundle's entries only as far as finding them.
pub(crate) fn read(text: &str) -> Result<Document<'_>, Fault> {
    let read = json::parse::<AuditEvent<'_>>(text);
    if let Ok(event) = read {
        match event.resource_type.as_deref() {
            Some("AuditEvent") => return Ok(Document::Event(Box::new(event))),
            Some("Bundle") => {}
            Some(_) => return Err(unknown("`resourceType` is neither AuditEvent nor Bundle")),
            None => return Err(Fault::missing("resourceType")),
        }
    } else if let Err(fault) = read {
        // Another resource may well use one of our names otherwise; say the simpler thing.
        match json::parse::<Head<'_>>(text)?.resource_type.as_deref() {
            Some("AuditEvent") | None => return Err(fault),
            Some("Bundle") => {}
            Some(_) => return Err(unknown("`resourceType` is neither AuditEvent nor Bundle")),
        }
    }
    let entries = json::parse::<Bundle<'_>>(text)?.entry.unwrap_or_default();
    if entries.is_empty() {
        return Err(Fault::new(RejectReason::Empty, "a Bundle without entries"));
    }
    check_part_count(entries.len())?;
    Ok(Document::Bundle(entries.into_iter().map(|entry| Entry { raw: json::parse(entry.get()) }).collect()))
}

impl AuditEvent<'_> {
    /// Whether the source marks the event as test data. The purpose of use does not count: the user chooses it, and
    /// must not be able to make an access disappear.
    pub(crate) fn is_test_data(&self) -> bool {
        self.meta.as_ref().is_some_and(|meta| meta.security.has("HTEST"))
    }

    /// The codes that say what happened, the specific ones first. R5 examples swap `category` and `code`, so all
    /// four places are one.
    fn happened(&self) -> impl Iterator<Item = &str> {
        let places = [&self.subtype, &self.code, &self.category, &self.family];
        places.into_iter().flat_map(|codes| codes.iter()).map(|code| &*code.code)
    }

    fn is_a(&self, code: &str) -> bool {
        self.happened().any(|known| known == code)
    }

    fn entities(&self) -> &[Entity<'_>] {
        self.entity.as_deref().unwrap_or_default()
    }
}

/// The event as an access.
pub(crate) fn access<'e>(event: &'e AuditEvent<'e>, full_url: Option<&'e str>) -> AccessRow<'e> {
    let actor = agents::actor(event);
    let query = event.entities().iter().find_map(|entity| given(entity.query.as_ref())).and_then(Query::decode);
    let action = action(event, query.is_some());
    let purpose = event.purpose_of_event.first().or(event.authorization.first()).or(actor.purpose());
    let overrides = matches!(purpose, Some("BTG" | "ETREAT"))
        || event.purpose_of_event.has("BTG")
        || event.authorization.has("BTG")
        || actor.breaks_glass();
    let labels = || event.entities().iter().flat_map(|entity| entity.security_label.iter());
    AccessRow {
        common: common(event, full_url, &actor),
        patient: patient(event),
        break_glass: overrides || action.word == "override",
        action,
        resource: resource(event, query.as_ref()),
        purpose: purpose.map(Cow::Borrowed),
        search: query.as_ref().and_then(Query::name).map(Cow::Owned),
        encounter: encounter(event),
        sensitive: labels().any(|label| {
            let confidentiality = label.system.as_deref().is_none_or(|system| system.ends_with("Confidentiality"));
            confidentiality && matches!(&*label.code, "R" | "V")
        }),
        ..AccessRow::default()
    }
}

/// The event as an authentication; what is none becomes activity `other`.
pub(crate) fn auth<'e>(event: &'e AuditEvent<'e>, full_url: Option<&'e str>) -> AuthRow<'e> {
    let actor = agents::actor(event);
    let word = match event.is_a(dicom::USER_AUTHENTICATION) {
        true if event.is_a(dicom::LOGIN) => "logon",
        true if event.is_a(dicom::LOGOUT) => "logoff",
        _ => "other",
    };
    let raw = event.happened().next().map(Cow::Borrowed);
    AuthRow { common: common(event, full_url, &actor), activity: Word { word, raw }, ..AuthRow::default() }
}

fn common<'e>(event: &'e AuditEvent<'e>, full_url: Option<&'e str>, actor: &agents::Actor<'e>) -> Common<'e> {
    let place = actor.place(event);
    let source = event.source.as_ref();
    let observer = source.and_then(|source| source.observer.as_ref());
    let observer_name = observer.and_then(|observer| {
        let display = given(observer.display.as_ref()).map(Cow::Borrowed);
        display.or_else(|| observer.name("Device"))
    });
    let site = source.and_then(|source| given(source.identifier.as_ref()?.value.as_ref()));
    Common {
        id: given(event.id.as_ref()).or(full_url).map(Cow::Borrowed),
        time: time(event),
        number_unit: NumberUnit::Millis,
        user: actor.user.clone(),
        outcome: outcome(event),
        workstation: place.workstation,
        address: place.address,
        network: None,
        session: actor.session(),
        actor: actor.kind,
        application: observer_name.or(site.map(Cow::Borrowed)),
    }
}

/// When it happened, if that is said to the second; else when it was recorded. Periods are not used: a session of
/// hours belongs where it was recorded.
fn time<'e>(event: &'e AuditEvent<'e>) -> Option<RawTime<'e>> {
    let occurred = event.occurred_date_time.as_ref();
    let occurred = occurred.filter(|raw| raw.read(NumberUnit::Millis).is_some_and(|moment| !moment.date_only));
    occurred.or(event.recorded.as_ref()).cloned()
}

/// The digits of R4 and the severities of R5 (hl7.org/fhir/R5/valueset-audit-event-outcome), of which a warning is "not
/// important enough to cause the action to fail": what was asked for was done.
fn outcome<'e>(event: &'e AuditEvent<'e>) -> Word<'e> {
    let raw = event.outcome.first();
    let word = match raw.map(str::trim) {
        Some("0" | "success" | "information" | "warning") => "success",
        Some("4" | "8" | "12" | "error" | "fatal") => "failure",
        _ => "unknown",
    };
    Word { word, raw: raw.map(Cow::Borrowed) }
}

fn action<'e>(event: &'e AuditEvent<'e>, has_query: bool) -> Word<'e> {
    let letter = event.action.as_deref().map(str::trim);
    let raw = event.happened().next().or(letter).map(Cow::Borrowed);
    let said = |codes: &[&str]| event.happened().any(|code| codes.iter().any(|known| known.eq_ignore_ascii_case(code)));
    let disclosed = || event.entities().iter().any(|entity| entity.lifecycle.has("11"));
    let word = if said(&[dicom::OVERRIDE_STARTED]) {
        "override"
    } else if said(&[dicom::OVERRIDE_STOPPED, dicom::USER_AUTHENTICATION]) {
        "other"
    } else if said(&[dicom::EXPORT]) {
        // Before the REST interactions: a disclosure says how it was carried out as well.
        if said(&["disclose", "disclosure"]) || disclosed() { "disclose" } else { "export" }
    } else if let Some(word) = event.happened().find_map(interaction) {
        word
    } else if said(&[dicom::IMPORT]) {
        "create"
    } else if said(&[dicom::QUERY]) {
        "search"
    } else {
        match letter {
            Some("C") => "create",
            Some("R") => "read",
            Some("U") => "update",
            Some("D") => "delete",
            Some("E") if has_query => "search",
            _ => "other",
        }
    };
    Word { word, raw }
}

/// The REST interactions (hl7.org/fhir/restful-interaction), and our own words where a vendor uses them as codes.
fn interaction(code: &str) -> Option<&'static str> {
    match code {
        "vread" | "history" | "history-instance" | "history-type" => Some("read"),
        "search-type" | "search-system" => Some("search"),
        "patch" => Some("update"),
        "other" => None,
        _ => words::canonical(words::ACTIONS, code).filter(|word| !matches!(*word, "other" | "override")),
    }
}

/// The patient: the element of R5, an entity in the patient's role, or one that refers to a patient.
fn patient<'e>(event: &'e AuditEvent<'e>) -> OptionText<'e> {
    if let Some(patient) = &event.patient {
        return patient.link("Patient").or_else(|| patient.name("Patient"));
    }
    let entities = event.entities();
    let by_role = entities.iter().find(|entity| entity.role.has("1")).and_then(|entity| {
        let reference = entity.what.as_ref().or(entity.reference.as_ref());
        let identifier = || given(entity.identifier.as_ref()?.value.as_ref()).map(Cow::Borrowed);
        reference
            .and_then(|reference| reference.link("Patient").or_else(|| reference.name("Patient")))
            .or_else(identifier)
    });
    let referred = || references(event).find(|reference| reference.is_to("Patient"));
    by_role.or_else(|| referred().and_then(|reference| reference.link("Patient")))
}

fn references<'e>(event: &'e AuditEvent<'e>) -> impl Iterator<Item = &'e shape::Reference<'e>> {
    event.entities().iter().filter_map(|entity| entity.what.as_ref().or(entity.reference.as_ref()))
}

fn encounter<'e>(event: &'e AuditEvent<'e>) -> OptionText<'e> {
    let entity = || references(event).find(|reference| reference.is_to("Encounter"));
    event.encounter.as_ref().or_else(entity).and_then(|encounter| encounter.link("Encounter"))
}

/// What kind of record was touched: of the query, of the first resource that is not the patient, or the patient.
fn resource<'e>(event: &'e AuditEvent<'e>, query: Option<&Query>) -> OptionText<'e> {
    if let Some(kind) = query.and_then(Query::resource) {
        return Some(Cow::Owned(kind));
    }
    let kinds = || references(event).filter_map(|reference| reference.target()).map(|target| target.kind);
    // `entity.type` may be a resource type itself.
    let typed = || {
        let codes = event.entities().iter().flat_map(|entity| entity.kind.iter());
        codes
            .filter(|code| code.system.as_deref().is_some_and(|system| system.ends_with("/resource-types")))
            .map(|code| &*code.code)
            .next()
    };
    let other = kinds().find(|kind| *kind != "Patient");
    other.or_else(typed).or_else(|| kinds().next()).map(Cow::Borrowed)
}

#[cfg(test)]
mod tests;
