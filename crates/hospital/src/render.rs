//! From sittings to bytes. One code path for everybody: here, an incident is only a number that goes to the truth.

use std::sync::Arc;

use base::{Millis, Seed, Timestamp};

use crate::draw::Draw;
use crate::hospital::{Item, Stream};
use crate::json::Object;
use crate::names;
use crate::plan::Plan;
use crate::role::Role;
use crate::roster::Shift;
use crate::sitting::{self, Sitting};
use crate::tasks::{self, Step};
use crate::truth::{IncidentRef, TruthRow};
use crate::visit::{Task, Visit};
use crate::work::Context;

/// Reasons people type or choose when they override an access rule.
const REASONS: [&str; 8] = [
    "direct patient care",
    "covering for a colleague",
    "emergency",
    "patient asked me",
    "asked to advise",
    "follow-up of a result",
    "urgent call from the unit",
    "administrative",
];

/// What one day's people produce.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) items: Vec<Item>,
    pub(crate) truth: Vec<TruthRow>,
}

/// Writes one person's day.
pub(crate) struct Renderer<'a> {
    context: &'a Context<'a>,
    plans: &'a [Plan],
    out: &'a mut Output,
    draw: Draw,
    ids: Seed,
    written: u64,
    user: Arc<str>,
    role: Role,
    unit: u16,
    buffer: Vec<u8>,
    steps: Vec<Step>,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        plans: &'a [Plan],
        (worker, unit): (u32, u16),
        seed: Seed,
        out: &'a mut Output,
    ) -> Self {
        let person = context.world.worker(worker);
        Self {
            context,
            plans,
            out,
            draw: Draw::new(seed.child("render")),
            ids: seed.child("ids"),
            written: 0,
            user: Arc::clone(&person.user),
            role: person.role,
            unit,
            buffer: Vec::with_capacity(512),
            steps: Vec::new(),
        }
    }

    /// Everything of one sitting.
    pub(crate) fn sitting(&mut self, sitting: &Sitting, shift: Option<&Shift>) {
        let first = sitting::factor(self.context, self.role, sitting, shift);
        let approach = sitting.approach;
        let steps = i64::from(approach.failures) * 9_000 + i64::from(approach.refused) * 45_000;
        let mut time = sitting.start - Millis(steps);
        for _ in 0..approach.failures {
            self.auth(sitting, time, ("logon", "failure", "wrong password"), first);
            time = time + Millis(self.draw.span(3_000, 9_000));
        }
        if self.context.site.factors {
            let word = if approach.by_hand { "denied" } else { "timeout" };
            for _ in 0..approach.refused {
                self.auth(sitting, time, ("challenge", "failure", word), "push");
                time = time + Millis(self.draw.span(9_000, 45_000));
            }
        }
        if !approach.succeeds {
            return;
        }
        let start = sitting.start;
        if sitting.origin.remote && self.context.site.factors {
            let before = Millis(self.draw.span(1_500, 8_000));
            self.auth(sitting, start - before, ("challenge", "success", "approved"), "push");
        }
        self.auth(sitting, start, ("logon", "success", "ok"), first);
        for visit in &sitting.visits {
            self.visit(sitting, visit);
        }
        if sitting.logoff {
            self.auth(sitting, sitting.end, ("logoff", "success", "ok"), first);
        }
    }

    fn auth(
        &mut self,
        sitting: &Sitting,
        time: Timestamp,
        (activity, outcome, word): (&str, &str, &str),
        factor: &str,
    ) {
        let site = self.context.site;
        let origin = &sitting.origin;
        let id = self.next_id();
        let mut object = Object::new(&mut self.buffer);
        object.hex("id", "a", id).time("time", time, site.epoch_times).text("user", &self.user);
        object.text("activity", activity).text("outcome", outcome);
        if site.raw_words || outcome == "failure" {
            object.text("outcome_raw", word);
        }
        if site.factors && activity != "logoff" {
            object.text("factor", factor).flag("mfa", origin.remote || factor == "webauthn");
        }
        object.address("address", origin.address);
        if site.networks {
            object.text("network", origin.network);
        }
        if site.places {
            object.text("country", origin.country).decimal("lat", origin.latitude, 3);
            object.decimal("lon", origin.longitude, 3);
        }
        object.text("device", &origin.device);
        if let Some(workstation) = origin.workstation.as_ref().filter(|_| site.workstation) {
            object.text("workstation", workstation);
        }
        object.hex("session", "s", sitting.session).flag("remote", origin.remote);
        if origin.remote {
            object.flag("proxy", origin.proxy);
        }
        if factor == "webauthn" && activity == "logon" {
            object.number("sign_count", time.millis() / 60_000 - 28_000_000);
        }
        if factor == "biometric" && activity == "logon" {
            let worn = self.draw.chance(0.04);
            object.decimal("match_score", self.draw.between(if worn { 0.55 } else { 0.85 }, 0.999), 3);
            object.decimal("liveness_score", self.draw.between(if worn { 0.6 } else { 0.9 }, 0.999), 3);
        }
        object.text("actor", "human");
        if site.application {
            object.text("application", if origin.network == "vpn" { "vpn-gateway" } else { "directory" });
        }
        object.end();
        self.push(Stream::Auth, time);
        self.tell(time, format!("a{id:016x}"), None, sitting.why, sitting.incident);
    }

    fn visit(&mut self, sitting: &Sitting, visit: &Visit) {
        let searched = !visit.listed && self.draw.chance(0.75);
        let mut steps = std::mem::take(&mut self.steps);
        tasks::steps(visit.task, searched, self.context.site.verbosity, &mut self.draw, &mut steps);
        let patient = self.context.world.town.record(visit.patient);
        let reason = visit.glass.then(|| REASONS[self.draw.weighted(&[30., 15., 12., 8., 10., 8., 5., 12.])]);
        if reason.is_some() {
            let at = steps.iter().position(|step| step.action != "search").unwrap_or(0);
            let gap = if at == 0 { 0 } else { 2_500 + self.draw.span(0, 6_000) };
            if let Some(next) = steps.get_mut(at) {
                next.gap = self.draw.span(1_500, 6_000);
            }
            steps.insert(at, Step { action: "override", resource: "Patient", gap });
        }
        let mut time = visit.time;
        let mut told = false;
        for step in &steps {
            time = time + Millis(step.gap);
            let id = self.access(sitting, visit, step, time, (&patient, reason));
            if visit.incident.is_some() || (!told && step.action != "search") {
                told = true;
                let patient = (visit.task != Task::Search).then(|| patient.clone());
                self.tell(time, format!("e{id:016x}"), patient, visit.why, visit.incident);
            }
        }
        self.steps = steps;
    }

    fn access(
        &mut self,
        sitting: &Sitting,
        visit: &Visit,
        step: &Step,
        time: Timestamp,
        (patient, reason): (&str, Option<&str>),
    ) -> u64 {
        let site = self.context.site;
        let id = self.next_id();
        let searched = (step.action == "search").then(|| self.search(visit, patient));
        let failed = self.draw.chance(0.004);
        let bytes = match step.action {
            "export" => Some(self.draw.span(40_000, 900_000)),
            "print" => Some(self.draw.span(8_000, 220_000)),
            _ => None,
        };
        let mut object = Object::new(&mut self.buffer);
        object.hex("id", "e", id).time("time", time, site.epoch_times).text("user", &self.user);
        if step.action != "search" {
            object.text("patient", patient);
        }
        object.text("action", step.action);
        if site.raw_words {
            object.text("action_raw", tasks::raw_word(step.action));
        }
        object.text("outcome", if failed { "failure" } else { "success" }).text("resource", step.resource);
        if site.purpose {
            object.text("purpose", if reason.is_some() { "BTG" } else { self.role.purpose() });
        }
        object.flag("break_glass", reason.is_some());
        if let Some(reason) = reason.filter(|_| step.action == "override") {
            object.text("reason", reason);
        }
        if let Some((text, results)) = &searched {
            object.text("search", text).number("results", *results);
        }
        if let Some(bytes) = bytes {
            object.number("bytes", bytes);
        }
        object.text("unit", &self.context.world.unit(self.unit).name);
        if let Some(workstation) = sitting.origin.workstation.as_ref().filter(|_| site.workstation) {
            object.text("workstation", workstation);
        }
        object.address("address", sitting.origin.address);
        if site.networks {
            object.text("network", sitting.origin.network);
        }
        if site.session {
            object.hex("session", "s", sitting.session);
        }
        if site.encounter && visit.encounter != 0 && step.action != "search" {
            object.number("encounter", i64::from(visit.encounter));
        }
        let sensitive = self.context.world.town.persons[visit.patient as usize].sensitive;
        object.flag("sensitive", sensitive && step.action != "search").text("actor", "human");
        if site.application {
            object.text("application", "ehr");
        }
        object.end();
        self.push(Stream::Access, time);
        id
    }

    /// What is typed into the search field, and how many answers come.
    fn search(&mut self, visit: &Visit, record: &str) -> (String, i64) {
        let town = &self.context.world.town;
        let person = &town.persons[visit.patient as usize];
        let namesakes = town.surnames.frequency(person.surname) * town.persons.len() as f64;
        match self.draw.weighted(&[0.55, 0.25, 0.2]) {
            0 => (names::surname(person.surname), self.draw.round(namesakes * 0.9).max(1) as i64),
            1 => {
                let text = format!("{} {}", names::given(person.given), names::surname(person.surname));
                (text, self.draw.round(namesakes / names::GIVEN as f64).max(1) as i64)
            }
            _ => (record.to_owned(), 1),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.written += 1;
        self.ids.index(self.written).0
    }

    fn push(&mut self, stream: Stream, time: Timestamp) {
        let json = self.buffer.as_slice().to_vec();
        self.out.items.push(Item { time, user: Arc::clone(&self.user), stream, json });
    }

    fn tell(
        &mut self,
        time: Timestamp,
        event_id: String,
        patient: Option<String>,
        why: &'static str,
        incident: Option<u32>,
    ) {
        // Of ordinary sign-ins nothing needs telling.
        if incident.is_none() && why == "sign_in" {
            return;
        }
        let incident = incident.map(|index| {
            let plan = &self.plans[index as usize];
            IncidentRef { id: index, scenario: plan.scenario.name(), padded: plan.padded }
        });
        let why = if incident.is_some() && why == "sign_in" { "incident" } else { why };
        self.out.truth.push(TruthRow { time, user: Arc::clone(&self.user), event_id, patient, why, incident });
    }
}
