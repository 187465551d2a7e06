//! Nothing but behaviour may tell an insider's event from an honest one: a single column that has no business
//! knowing must rank them no better than a coin.

use std::collections::{BTreeMap, BTreeSet};

use base::Seed;
use serde_json::Value;

use super::{START, json, play};
use crate::{HospitalConfig, Item, Mix, Scenario, Site};

/// Names of the columns tried.
const COLUMNS: [&str; 7] =
    ["sub-second digits", "event id", "row order", "length", "workstation", "workstation number", "weekday"];
/// Of one incident's day at most so many events count, so that one harvest does not speak for all.
const PER_DAY: usize = 2;
/// Hospitals played: what counts is the number of incidents, about 45 in each, for the events of one are alike.
const HOSPITALS: u64 = 25;

type Values = [Option<f64>; 7];

/// Honest and incident events that are alike in role, verb and place.
#[derive(Default)]
struct Group {
    honest: Vec<Values>,
    incident: Vec<Values>,
}

fn digest(text: &str) -> f64 {
    (Seed(1).child(text).0 >> 12) as f64
}

/// The event's id, which stands first: reading all of three million events would take minutes.
fn id(item: &Item) -> &str {
    let id = std::str::from_utf8(&item.json[7..24]).unwrap();
    assert!(item.json.starts_with(b"{\"id\":\"") && item.json[24] == b'"');
    id
}

/// What must be equal for two events to be compared.
fn alike(value: &Value, role: &str) -> String {
    let text = |name: &str| value[name].as_str().unwrap_or("-").to_owned();
    let network = text("address").split('.').next().unwrap().to_owned();
    let flags =
        [&value["break_glass"], &value["sensitive"], &value["mfa"], &value["proxy"]].map(|flag| flag.to_string());
    let there = ["encounter", "reason", "outcome_raw"].map(|name| value.get(name).is_some());
    let words = ["action", "resource", "activity", "outcome", "factor"].map(text);
    // Whose unit is busier sends more honest events, and its name has its own length: compare within a unit.
    let unit = value["unit"].as_str().or_else(|| Some(value["workstation"].as_str()?.rsplit_once('-')?.0));
    format!("{role} {unit:?} {network} {flags:?} {there:?} {words:?}")
}

fn collect(seed: u64, groups: &mut BTreeMap<String, Group>) {
    let scenarios = Mix { incidents_per_1000: 380.0, ..Mix::default() };
    // Few events for each chart opened: more incidents in the same time.
    let site = Site { verbosity: 0.25, ..Site::small() };
    let demo = HospitalConfig::demo(Seed(seed), START);
    let config = HospitalConfig { site, staff: 120, first_incident_day: 7, scenarios, ..demo };
    let played = play(config);
    let mut roles = BTreeMap::new();
    for row in played.rows().filter(|row| row.kind == "staff") {
        roles.insert(row.key.clone(), json(&row.json)["role"].as_str().unwrap().to_owned());
    }
    let mut incidents = BTreeMap::new();
    for row in played.truth() {
        if let Some(incident) = row.incident {
            incidents.insert(row.event_id.clone(), incident.id);
        }
    }
    let culprits: BTreeSet<_> = played.incidents.iter().map(|incident| incident.user.clone()).collect();
    let mut counted: BTreeMap<(u32, usize), usize> = BTreeMap::new();
    for (index, day) in played.days.iter().enumerate().skip(7) {
        for (place, item) in day.items.iter().enumerate() {
            let id = id(item);
            let incident = incidents.get(id);
            // Of the honest one in four is enough.
            let honest = incident.is_none() && !culprits.contains(&item.user) && place % 4 == 0;
            if let Some(incident) = incident {
                let count = counted.entry((*incident, index)).or_default();
                *count += 1;
                if *count > PER_DAY {
                    continue;
                }
            } else if !honest {
                continue;
            }
            let value = json(&item.json);
            let moment = item.time.millis() / 5_000;
            let same = |other: &&Item| other.time.millis() / 5_000 == moment;
            let before = day.items[..place].iter().rev().take_while(same).count() as f64;
            let after = day.items[place + 1..].iter().take_while(same).count() as f64;
            let id = u64::from_str_radix(&id[1..], 16).unwrap();
            let values = [
                Some((item.time.millis() % 1000) as f64),
                Some((id >> 12) as f64),
                (before + after > 0.0).then(|| before / (before + after)),
                Some(item.json.len() as f64),
                value["workstation"].as_str().map(digest),
                value["workstation"].as_str().and_then(|name| name.rsplit('-').next()?.parse().ok()),
                Some(index as f64 % 7.0),
            ];
            let role = roles.get(&*item.user).map_or("-", String::as_str);
            let group = groups.entry(alike(&value, role)).or_default();
            if incident.is_some() { group.incident.push(values) } else { group.honest.push(values) }
        }
    }
}

/// Chance that a random incident event ranks above a random honest one of its group, ties counting half.
fn auc(groups: &BTreeMap<String, Group>, column: usize) -> (f64, usize) {
    let (mut sum, mut count) = (0.0, 0);
    for group in groups.values() {
        let mut honest: Vec<f64> = group.honest.iter().filter_map(|values| values[column]).collect();
        honest.sort_by(f64::total_cmp);
        // A handful of honest events says nothing about what is usual.
        if honest.len() < 100 {
            continue;
        }
        for value in group.incident.iter().filter_map(|values| values[column]) {
            let below = honest.partition_point(|other| *other < value);
            let equal = honest.partition_point(|other| *other <= value) - below;
            sum += (below as f64 + equal as f64 / 2.0) / honest.len() as f64;
            count += 1;
        }
    }
    (sum / count as f64, count)
}

#[test]
fn no_column_that_should_not_know_gives_an_incident_away() {
    let mut groups = BTreeMap::new();
    (0..HOSPITALS).for_each(|seed| collect(seed, &mut groups));
    let found: Vec<(f64, usize)> = (0..COLUMNS.len()).map(|column| auc(&groups, column)).collect();
    for (name, (auc, count)) in COLUMNS.iter().zip(&found) {
        assert!(*count > 1000, "{name}: only {count} events to compare");
        assert!((0.47..=0.53).contains(auc), "{name} of {COLUMNS:?} {found:.4?}");
    }
}

#[test]
fn no_label_reaches_an_event_or_a_row() {
    let scenarios = Mix { incidents_per_1000: 200.0, padded_share: 0.5, ..Mix::default() };
    let config = HospitalConfig { staff: 120, scenarios, ..HospitalConfig::demo(Seed(21), START) };
    let played = play(config);
    let mut labels: BTreeSet<&str> = crate::scenarios().iter().map(|info| info.name).collect();
    labels.extend(["incident", "padded", "loud", "quiet", "culprit"]);
    assert!(played.truth().any(|row| row.why == "cover"));
    let whys: BTreeSet<&str> = played.truth().map(|row| row.why).collect();
    let holds = |bytes: &[u8], label: &str| {
        let text = std::str::from_utf8(bytes).unwrap();
        text.contains(label)
    };
    let surely = |bytes: &[u8]| labels.iter().copied().find(|label| holds(bytes, label));
    for row in played.rows() {
        assert_eq!(surely(&row.json), None, "{}", String::from_utf8_lossy(&row.json));
    }
    for item in played.items() {
        assert_eq!(surely(&item.json), None, "{}", String::from_utf8_lossy(&item.json));
        // Reasons have plain words ("audit", "support"), so they are looked for as whole values.
        let value = json(&item.json);
        let told = |value: &Value| value.as_str().is_some_and(|text| whys.contains(text));
        assert!(!value.as_object().unwrap().values().any(told), "{value}");
    }
}

#[test]
fn culprits_come_from_all_roles_and_have_clean_days() {
    let mut roles = BTreeSet::new();
    for seed in 0..6 {
        let config = HospitalConfig::demo(Seed(seed), START);
        let world = crate::staff::World::new(config.seed, &config.site, config.staff, 28, 0);
        for plan in super::planned(&config) {
            roles.insert(world.worker(plan.worker).role);
            assert!(plan.days.first().is_some_and(|day| *day >= 14), "{plan:?}");
            assert!(plan.scenario != Scenario::ResearchBeyond || !plan.targets.is_empty());
        }
    }
    assert!(roles.len() >= 6, "{roles:?}");
}
