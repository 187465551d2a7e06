//! Reference rows as the house's registers send them: raw JSON of staff, patients and care relations.
//!
//! A row's `time` is when it was recorded; nothing in it was unknown then (no end date before its notice).

use base::{Seed, Timestamp};
use serde::Serialize;

use crate::calendar::LocalDay;
use crate::json::Object;
use crate::names;
use crate::site::Site;
use crate::staff::World;

/// A row of reference data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReferenceRow {
    /// `staff`, `patients` or `relations`.
    pub kind: &'static str,
    /// Key of the row on a compacted topic: user, patient or relation id.
    pub key: String,
    /// When the row was recorded.
    pub time: Timestamp,
    /// The row.
    pub json: Vec<u8>,
}

/// A reason for somebody, or a unit, to open a chart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relation {
    pub(crate) id: u64,
    pub(crate) kind: &'static str,
    pub(crate) patient: u32,
    pub(crate) user: Option<u32>,
    pub(crate) unit: Option<u16>,
    pub(crate) from: Timestamp,
    pub(crate) to: Option<Timestamp>,
    pub(crate) author: Option<u32>,
    pub(crate) recorded: Timestamp,
}

impl Relation {
    /// A relation known from the moment it begins, of a unit.
    pub(crate) fn of_unit(kind: &'static str, patient: u32, unit: u16, from: Timestamp) -> Self {
        Self { id: 0, kind, patient, user: None, unit: Some(unit), from, to: None, author: None, recorded: from }
    }

    /// A relation known from the moment it begins, of one person.
    pub(crate) fn of_user(kind: &'static str, patient: u32, user: u32, from: Timestamp) -> Self {
        Self { id: 0, kind, patient, user: Some(user), unit: None, from, to: None, author: None, recorded: from }
    }

    /// The id, drawn from who, whom and when, so that the later row with the end has the same.
    fn number(&self) -> u64 {
        let who = self.user.map_or(u64::from(self.unit.unwrap_or(0)) | 1 << 40, u64::from);
        Seed(self.id)
            .child(self.kind)
            .index(who)
            .index(u64::from(self.patient))
            .index(self.from.millis().unsigned_abs())
            .0
    }

    pub(crate) fn row(&self, world: &World, site: &Site) -> ReferenceRow {
        let mut json = Vec::with_capacity(224);
        let id = format!("r{:016x}", self.number());
        let mut object = Object::new(&mut json);
        object.text("id", &id).text("kind", self.kind).text("patient", &world.town.record(self.patient));
        if let Some(user) = self.user {
            object.text("user", &world.worker(user).user);
        }
        if let Some(unit) = self.unit {
            object.text("unit", &world.unit(unit).name);
        }
        object.time("from", self.from, site.epoch_times);
        if let Some(to) = self.to {
            object.time("to", to, site.epoch_times);
        }
        if let Some(author) = self.author {
            object.text("author", &world.worker(author).user);
        }
        object.time("valid_from", self.from, site.epoch_times);
        object.time("recorded_at", self.recorded, site.epoch_times);
        object.end();
        ReferenceRow { kind: "relations", key: id, time: self.recorded, json }
    }
}

/// The directory's row of a member of staff as of `day`, recorded and valid from `time`.
pub(crate) fn staff(world: &World, site: &Site, index: u32, day: &LocalDay, time: Timestamp) -> ReferenceRow {
    let worker = world.worker(index);
    let person = &world.town.persons[worker.person as usize];
    let mut json = Vec::with_capacity(512);
    let mut object = Object::new(&mut json);
    object.text("user", &worker.user).names(&[&worker.login, &badge(worker.badge), &mail(&worker.login)]);
    object.text("role", worker.role.word(site.role_coding)).text("unit", &world.unit(worker.unit).name);
    if site.roster {
        object.text("shift", worker.pattern.word());
    }
    if let Some(manager) = worker.manager {
        object.text("manager", &world.worker(manager).user);
    }
    let since = i64::from(worker.hired - day.index);
    object.time("hired", day.start() + base::Millis::days(since), site.epoch_times);
    if let Some(ends) = worker.ends.filter(|ends| ends.noticed <= day.index) {
        let last = i64::from(ends.last + 1 - day.index);
        object.time("ends", day.start() + base::Millis::days(last), site.epoch_times);
    }
    if site.staff_records && person.has_record {
        object.text("patient", &world.town.record(worker.person));
    }
    home(&mut object, world, site, worker.person);
    object.text("kind", "person");
    object.time("valid_from", time, site.epoch_times).time("recorded_at", time, site.epoch_times);
    object.end();
    ReferenceRow { kind: "staff", key: worker.user.to_string(), time, json }
}

/// The row of an account that belongs to a machine.
pub(crate) fn service_account(site: &Site, user: &str, unit: &str, time: Timestamp) -> ReferenceRow {
    let mut json = Vec::with_capacity(160);
    let mut object = Object::new(&mut json);
    object.text("user", user).text("role", "service").text("unit", unit).text("kind", "service");
    object.time("valid_from", time, site.epoch_times).time("recorded_at", time, site.epoch_times);
    object.end();
    ReferenceRow { kind: "staff", key: user.to_owned(), time, json }
}

/// The register's row of a patient, with the ward if the site follows it.
pub(crate) fn patient(world: &World, site: &Site, person: u32, ward: Option<u16>, time: Timestamp) -> ReferenceRow {
    let someone = &world.town.persons[person as usize];
    let key = world.town.record(person);
    let mut json = Vec::with_capacity(320);
    let mut object = Object::new(&mut json);
    object.text("patient", &key);
    home(&mut object, world, site, person);
    object.decimal("surname_frequency", world.town.surnames.frequency(someone.surname), 6);
    object.flag("vip", someone.vip);
    if someone.deceased {
        object.time("deceased_on", time, site.epoch_times);
    }
    if let Some(staff) = someone.staff.filter(|_| site.staff_records) {
        object.text("staff_user", &world.worker(staff).user);
    }
    if site.insurer {
        object.text("insurer", &format!("INS-{:02}", someone.insurer + 1));
    }
    if let Some(ward) = ward.filter(|_| site.wards) {
        object.text("unit", &world.unit(ward).name);
    }
    object.time("valid_from", time, site.epoch_times).time("recorded_at", time, site.epoch_times);
    object.end();
    ReferenceRow { kind: "patients", key, time, json }
}

fn home(object: &mut Object<'_>, world: &World, site: &Site, person: u32) {
    let someone = &world.town.persons[person as usize];
    if site.household {
        object.text("household", &format!("h{:06}", someone.household));
    }
    object.text("address", &world.town.address(someone.household));
    object.text("surname", &names::surname(someone.surname));
    if someone.staff.is_some() && site.places {
        let (latitude, longitude) = world.town.position(someone.household);
        object.decimal("lat", latitude, 4).decimal("lon", longitude, 4);
    }
}

fn badge(number: u32) -> String {
    format!("b{number}")
}

fn mail(login: &str) -> String {
    format!("{login}@hospital.example")
}
