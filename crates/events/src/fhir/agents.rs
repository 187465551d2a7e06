//! Who acted, from where: the user among the agents of an AuditEvent.
//!
//! The roles "source" and "destination" say which way data went, not who asked: the client of a read is the
//! destination, that of a create or a query the source. So the user is never taken from them, only, where nothing better is
//! known, the client's address (IHE BALP, "AuditEvent agent" tables).

use std::borrow::Cow;
use std::net::IpAddr;

use super::codes::dicom;
use super::shape::{Agent, AuditEvent, given};
use crate::decode::row::acting;

/// Types of agents that stand for a person: v3-ParticipationType, BALP UserAgentTypes, extra-security-role-type.
const PERSON_TYPES: [&str; 6] = ["IRCP", "AUT", "INF", "UserSamlAgent", "UserOauthAgent", "humanuser"];
const PERSON_RESOURCES: [&str; 3] = ["Practitioner", "PractitionerRole", "Person"];
const PATIENT_RESOURCES: [&str; 2] = ["Patient", "RelatedPerson"];
const SYSTEM_RESOURCES: [&str; 5] = ["Device", "Organization", "HealthcareService", "Location", "Endpoint"];
/// SNOMED CT "Patient" and v3-RoleClass PAT.
const PATIENT_TYPES: [&str; 2] = ["116154003", "PAT"];
const OAUTH_TOKEN: &str = "urn:ietf:params:oauth:jti:";

/// The one who acted.
pub(super) struct Actor<'e> {
    pub(super) user: Option<Cow<'e, str>>,
    pub(super) kind: &'static str,
    agent: Option<&'e Agent<'e>>,
}

/// Finds the one who acted: a person who asked, else whoever asked, else a person, else the system itself.
pub(super) fn actor<'e>(event: &'e AuditEvent<'e>) -> Actor<'e> {
    let agents = event.agent.as_deref().unwrap_or_default();
    let named = || agents.iter().filter(|agent| identity(agent).is_some());
    let asked = |agent: &&Agent<'_>| agent.requestor == Some(true);
    let agent = named()
        .find(|agent| asked(agent) && is_person(agent))
        .or_else(|| named().find(|agent| asked(agent) && kind(agent) != "system"))
        .or_else(|| named().find(|agent| is_person(agent)))
        .or_else(|| named().find(asked))
        .or_else(|| named().find(|agent| client_role(event).is_some_and(|role| agent.kind.has(role))))
        .or_else(|| named().next());
    if let Some(agent) = agent {
        let kind = kind(agent);
        let user = acting(identity(agent), kind);
        return Actor { user, kind, agent: Some(agent) };
    }
    let source = event.source.as_ref();
    let observer = source.and_then(|source| source.observer.as_ref()).and_then(|observer| observer.name("Device"));
    Actor { user: observer, kind: "system", agent: None }
}

fn is_person(agent: &Agent<'_>) -> bool {
    let typed = PERSON_TYPES.iter().any(|code| agent.kind.has(code) || agent.role.has(code));
    (typed || refers_to(agent, &PERSON_RESOURCES)) && !refers_to(agent, &PATIENT_RESOURCES)
}

fn kind(agent: &Agent<'_>) -> &'static str {
    if refers_to(agent, &PATIENT_RESOURCES) || PATIENT_TYPES.iter().any(|code| agent.kind.has(code)) {
        return "patient";
    }
    if is_person(agent) {
        return "human";
    }
    if refers_to(agent, &SYSTEM_RESOURCES) || agent.kind.has(dicom::APPLICATION) {
        return "system";
    }
    // Who asked and is no machine is a person; who did not ask is a part of the machinery.
    if agent.requestor == Some(true) { "human" } else { "system" }
}

fn refers_to(agent: &Agent<'_>, kinds: &[&str]) -> bool {
    let references = agent.who.iter().chain(&agent.reference);
    references.filter_map(|reference| reference.target()).any(|target| kinds.contains(&target.kind))
}

/// The agent's id: what identifies it in business, else the resource, the other id, or a name.
fn identity<'e>(agent: &'e Agent<'e>) -> Option<Cow<'e, str>> {
    let home = if refers_to(agent, &["Patient"]) { "Patient" } else { "Practitioner" };
    let who = agent.who.as_ref().or(agent.reference.as_ref());
    let user_id = || given(agent.user_id.as_ref()?.value.as_ref());
    who.and_then(|who| who.identifier_value())
        .or_else(|| user_id().map(Cow::Borrowed))
        .or_else(|| who.and_then(|who| who.link(home)))
        .or_else(|| given(agent.alt_id.as_ref()).map(Cow::Borrowed))
        .or_else(|| who.and_then(|who| given(who.display.as_ref())).map(Cow::Borrowed))
        .or_else(|| given(agent.name.as_ref()).map(Cow::Borrowed))
}

/// The role of the client, by which way the data went.
fn client_role(event: &AuditEvent<'_>) -> Option<&'static str> {
    if event.is_a(dicom::EXPORT) || event.is_a(dicom::IMPORT) {
        return None;
    }
    match event.action.as_deref().map(str::trim) {
        Some("R") => Some(dicom::DESTINATION),
        // The data of a query is the question itself, so its client is the source.
        Some("C" | "U" | "E") => Some(dicom::SOURCE),
        Some("D") => Some(dicom::APPLICATION),
        _ => None,
    }
}

/// Where the user sat.
#[derive(Default)]
pub(super) struct Place<'e> {
    pub(super) address: Option<Cow<'e, str>>,
    pub(super) workstation: Option<Cow<'e, str>>,
}

impl<'e> Actor<'e> {
    /// The address or machine name of the user's agent, else of the client.
    pub(super) fn place(&self, event: &'e AuditEvent<'e>) -> Place<'e> {
        let agents = event.agent.as_deref().unwrap_or_default();
        let mut place = Place::default();
        if let Some(agent) = self.agent {
            place.fill(agent);
        }
        if event.is_a(dicom::EXPORT) || event.is_a(dicom::IMPORT) {
            return place;
        }
        // Where nobody is marked as the client, older writers name the workstation as the source.
        let role = client_role(event).filter(|role| agents.iter().any(|agent| agent.kind.has(role)));
        for agent in agents.iter().filter(|agent| role.is_none_or(|role| agent.kind.has(role))) {
            place.fill(agent);
        }
        place
    }

    /// The id of the access token, where the policy names one (BALP, OAuth use).
    pub(super) fn session(&self) -> Option<Cow<'e, str>> {
        let policies = self.agent?.policy.as_deref().unwrap_or_default();
        policies.iter().find_map(|policy| policy.trim().strip_prefix(OAUTH_TOKEN)).map(Cow::Borrowed)
    }

    /// The purpose the user's agent claims.
    pub(super) fn purpose(&self) -> Option<&'e str> {
        let agent = self.agent?;
        agent.purpose_of_use.first().or_else(|| agent.authorization.first())
    }

    /// Whether it claims to break the glass, be it beside another purpose.
    pub(super) fn breaks_glass(&self) -> bool {
        self.agent.is_some_and(|agent| agent.purpose_of_use.has("BTG") || agent.authorization.has("BTG"))
    }
}

impl<'e> Place<'e> {
    fn fill(&mut self, agent: &'e Agent<'e>) {
        let network = agent.network.as_ref();
        let text = network.and_then(|network| network.address.as_ref()).or(agent.network_string.as_ref());
        let Some(text) = given(text) else { return };
        if text.parse::<IpAddr>().is_ok() {
            self.address.get_or_insert(Cow::Borrowed(text));
            return;
        }
        // Type 5 is a URI, 3 a telephone number, 4 an e-mail address: none of them a place to sit at.
        let elsewhere = network.is_some_and(|network| ["3", "4", "5"].iter().any(|code| network.kind.has(code)));
        if !elsewhere && !text.contains("://") {
            self.workstation.get_or_insert(Cow::Borrowed(text));
        }
    }
}
