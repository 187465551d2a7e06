//! Whose charts an insider is after.

use crate::draw::Draw;
use crate::scenario::Scenario;
use crate::staff::World;
use crate::truth::Setting;

/// Targets known when the incident is planned. Empty where the day decides, `None` where this person has no motive.
pub(crate) fn targets(
    world: &World,
    worker: u32,
    scenario: Scenario,
    (setting, wanted): (Setting, usize),
    draw: &mut Draw,
) -> Option<Vec<u32>> {
    let own = world.worker(worker).person;
    let town = &world.town;
    let household = town.persons[own as usize].household;
    let members = |household: u32| town.households[household as usize].members.iter().copied();
    let mut found: Vec<u32> = match scenario {
        Scenario::HouseholdMember => members(household).filter(|person| *person != own).collect(),
        Scenario::CoWorker => {
            let mut staff: Vec<u32> = world.unit(world.worker(worker).unit).staff.clone();
            staff.retain(|colleague| *colleague != worker);
            draw.shuffle(&mut staff);
            staff.truncate(if setting == Setting::Loud { 4 } else { 1 });
            staff.into_iter().map(|colleague| world.worker(colleague).person).collect()
        }
        Scenario::VipCuriosity | Scenario::CrowdCuriosity => {
            let vips: Vec<u32> = (0..town.persons.len() as u32).filter(|it| town.persons[*it as usize].vip).collect();
            draw.pick(&vips).into_iter().collect()
        }
        Scenario::ColleagueCrowd => {
            let others: Vec<u32> = world.workers.iter().map(|worker| worker.person).filter(|it| *it != own).collect();
            draw.pick(&others).into_iter().collect()
        }
        Scenario::ExPartner => {
            let near: Vec<u32> = town.neighbours(household).into_iter().flat_map(members).collect();
            draw.pick(&near).into_iter().collect()
        }
        Scenario::OwnRecordTampering => vec![own],
        Scenario::SlowHarvest => {
            let insurer = town.persons[town.anybody(draw) as usize].insurer;
            strangers(world, wanted, draw, |person| town.persons[person as usize].insurer == insurer)
        }
        Scenario::ResearchBeyond => {
            let cohort = &world.worker(worker).cohort;
            strangers(world, wanted, draw, |person| !cohort.contains(&person))
        }
        Scenario::LeaverHarvest if setting == Setting::Loud && draw.chance(0.5) => {
            // Down the list, number by number.
            let first = town.anybody(draw);
            (0..wanted as u32).map(|step| town.next_record(first, step)).collect()
        }
        Scenario::GlassAbuse | Scenario::DrugDiversion | Scenario::BorrowedSession => return Some(Vec::new()),
        _ => strangers(world, wanted, draw, |person| person != own),
    };
    found.retain(|person| town.has_chart(*person));
    (!found.is_empty()).then_some(found)
}

fn strangers(world: &World, wanted: usize, draw: &mut Draw, suits: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut found = Vec::with_capacity(wanted);
    for _ in 0..wanted * 60 {
        if found.len() >= wanted {
            break;
        }
        let person = world.town.anybody(draw);
        if world.town.has_chart(person) && suits(person) {
            found.push(person);
        }
    }
    found
}
