//! What happens to registers beside care: the rows from before the start, hires, notices, marriages, moves; and the
//! machines that write into charts too.

use std::sync::Arc;

use base::{Millis, Seed};

use crate::calendar::LocalDay;
use crate::config::HospitalConfig;
use crate::draw::Draw;
use crate::flow::Stay;
use crate::hospital::{Item, Stream};
use crate::json::Object;
use crate::render::Output;
use crate::role::{Role, UnitKind};
use crate::rows::{self, ReferenceRow, Relation};
use crate::site::Site;
use crate::staff::World;
use crate::truth::TruthRow;
use crate::work::Context;

/// Account of the interface that files laboratory results.
const INTERFACE: &str = "svc-interface";
/// A new colleague stands in the directory this many days before the first shift.
const HIRED_AHEAD_DAYS: i32 = 5;
/// Moves and marriages per person of staff and day.
const CHANGES: f64 = 0.0006;

/// The registers as they stand on the first day of the warm-up.
pub(crate) fn register(world: &World, site: &Site, day: &LocalDay, seed: Seed) -> Vec<ReferenceRow> {
    let mut draw = Draw::new(seed.child("register"));
    let time = day.start();
    let mut found = Vec::with_capacity(world.town.persons.len() + world.workers.len());
    for person in 0..world.town.persons.len() as u32 {
        if world.town.has_chart(person) {
            found.push(rows::patient(world, site, person, None, time));
        }
    }
    let laboratory = world.unit(world.unit_of(UnitKind::Laboratory)).name.as_str();
    found.push(rows::service_account(site, INTERFACE, laboratory, time));
    for (index, worker) in world.workers.iter().enumerate() {
        let index = index as u32;
        if worker.hired <= day.index + HIRED_AHEAD_DAYS {
            found.push(rows::staff(world, site, index, day, time));
        }
        for patient in &worker.cohort {
            if site.work_queues && draw.chance(site.completeness(Role::Researcher)) {
                found.push(Relation::of_user("work_queue", *patient, index, time).row(world, site));
            }
        }
    }
    found
}

/// One day's hires, notices, marriages and moves.
pub(crate) fn live(world: &mut World, config: &HospitalConfig, day: &LocalDay) -> Vec<ReferenceRow> {
    let site = &config.site;
    let mut draw = Draw::new(config.seed.child("lives").index(day.index as u64));
    let mut found = Vec::new();
    let mut changed: Vec<u32> = Vec::new();
    let first = day.index == -crate::limits::WARM_UP_DAYS;
    for (index, worker) in world.workers.iter().enumerate() {
        let hired = worker.hired == day.index + HIRED_AHEAD_DAYS && !first;
        let noticed = worker.ends.is_some_and(|ends| ends.noticed == day.index) && !first;
        if hired || noticed {
            changed.push(index as u32);
        }
    }
    let chances = world.workers.len() as f64 * CHANGES;
    for _ in 0..draw.round(chances) {
        let index = draw.below(world.workers.len()) as u32;
        let person = world.worker(index).person;
        // Into the household of somebody else: a marriage, or a move in with a parent.
        let other = world.town.anybody(&mut draw);
        let household = world.town.persons[other as usize].household;
        if household == world.town.persons[person as usize].household || world.worker(index).hired > day.index {
            continue;
        }
        world.town.move_to(person, household);
        changed.push(index);
    }
    for index in changed {
        let time = day.at(draw.between(8.0, 17.0));
        found.push(rows::staff(world, site, index, day, time));
        let person = world.worker(index).person;
        if world.town.has_chart(person) {
            found.push(rows::patient(world, site, person, None, time));
        }
    }
    found
}

/// The laboratory's interface files results at its own cadence, round the clock.
pub(crate) fn machines(context: &Context<'_>, seed: Seed, out: &mut Output) {
    let site = context.site;
    let mut draw = Draw::new(seed.child("machines"));
    let ids = seed.child("machine ids");
    let user: Arc<str> = INTERFACE.into();
    let mut stays: Vec<Stay> = Vec::new();
    for unit in 0..context.world.units.len() as u16 {
        if context.world.unit(unit).kind.has_beds() {
            stays.extend(context.flow.present(unit).copied());
        }
    }
    let unit = context.world.unit_of(UnitKind::Laboratory);
    let mut buffer = Vec::new();
    let mut time = context.day.start() + Millis(draw.span(0, 60_000));
    for number in 0_u64.. {
        let Some(stay) = draw.pick(&stays).filter(|_| time < context.day.end()) else { return };
        let id = ids.index(number).0;
        let patient = context.world.town.record(stay.patient);
        if stay.from <= time && time < stay.to {
            let mut object = Object::new(&mut buffer);
            object.hex("id", "e", id).time("time", time, site.epoch_times).text("user", &user);
            object.text("patient", &patient).text("action", "create").text("outcome", "success");
            object.text("resource", "Observation").flag("break_glass", false);
            object.text("unit", &context.world.unit(unit).name).address("address", [10, 0, 0, 12]);
            object.text("actor", "system");
            if site.application {
                object.text("application", "interface-engine");
            }
            object.end();
            out.items.push(Item { time, user: Arc::clone(&user), stream: Stream::Access, json: buffer.clone() });
            let (event_id, patient) = (format!("e{id:016x}"), Some(patient));
            let user = Arc::clone(&user);
            out.truth.push(TruthRow { time, user, event_id, patient, why: "interface", incident: None });
        }
        // Every five minutes a run, a second apart within it.
        let pause = if draw.chance(0.2) { 300_000 } else { 1_000 };
        time = time + Millis(pause + draw.span(0, 120));
    }
}
