//! Laws of the hospital: volume, order, equal bytes, conservation, density. Next: `tests/leaks.rs`,
//! `tests/reasons.rs`, `tests/contract.rs`.

mod contract;
mod leaks;
mod reasons;

use std::collections::{BTreeMap, BTreeSet};

use base::{Kind, Seed, Timestamp};
use serde_json::Value;

use super::{Day, Hospital, Item};
use crate::calendar::Calendar;
use crate::plan::{self, Plan};
use crate::rows::ReferenceRow;
use crate::staff::World;
use crate::truth::TruthRow;
use crate::{BenignOddity, Error, HospitalConfig, Incident, Mix, Scenario, Site};

/// 2026-03-02T00:00 in Amsterdam, a Monday.
const START: Timestamp = Timestamp::from_millis(1_772_406_000_000);

/// Everything a hospital ever handed out.
struct Played {
    reference: Vec<ReferenceRow>,
    days: Vec<Day>,
    incidents: Vec<Incident>,
    oddities: Vec<BenignOddity>,
}

impl Played {
    fn items(&self) -> impl Iterator<Item = &Item> {
        self.days.iter().flat_map(|day| &day.items)
    }

    fn truth(&self) -> impl Iterator<Item = &TruthRow> {
        self.days.iter().flat_map(|day| &day.truth)
    }

    fn rows(&self) -> impl Iterator<Item = &ReferenceRow> {
        self.reference.iter().chain(self.days.iter().flat_map(|day| &day.reference))
    }
}

fn play(config: HospitalConfig) -> Played {
    let mut hospital = Hospital::new(config).unwrap();
    let reference = hospital.reference();
    let days = std::iter::from_fn(|| hospital.next_day()).collect();
    Played { reference, days, incidents: hospital.incidents(), oddities: hospital.oddities() }
}

fn small(seed: u64) -> HospitalConfig {
    let scenarios = Mix { incidents_per_1000: 200.0, ..Mix::default() };
    HospitalConfig { staff: 100, days: 10, first_incident_day: 3, scenarios, ..HospitalConfig::demo(Seed(seed), START) }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_demo_has_about_a_million_events_and_every_incident_happens() {
    let played = play(HospitalConfig::demo(Seed(1), START));
    let events = played.items().count();
    assert!((850_000..1_150_000).contains(&events), "{events} events");
    assert!((8..=14).contains(&played.incidents.len()));
    for incident in &played.incidents {
        assert!(incident.events > 0, "{incident:?} never happened");
        assert!(incident.first.is_some_and(|first| first >= START + base::Millis::days(14)));
    }
    let total: u64 = played.incidents.iter().map(|incident| incident.events).sum();
    assert_eq!(played.truth().filter(|row| row.incident.is_some()).count() as u64, total);
}

#[test]
fn days_are_whole_and_in_order() {
    let played = play(small(2));
    let calendar = Calendar::new("Europe/Amsterdam", START).unwrap();
    assert_eq!(played.days.len(), 10);
    assert!(played.reference.iter().all(|row| row.time < START));
    for (index, day) in played.days.iter().enumerate() {
        let local = calendar.day(index as i32);
        assert_eq!(day.date, local.date);
        let times: Vec<_> = day.items.iter().map(|item| item.time).collect();
        let truth: Vec<_> = day.truth.iter().map(|row| row.time).collect();
        let rows: Vec<_> = day.reference.iter().map(|row| row.time).collect();
        for (name, times) in [("items", times), ("truth", truth), ("rows", rows)] {
            assert!(times.is_sorted());
            let outside = times.iter().position(|time| !(local.start()..local.end()).contains(time));
            assert_eq!(outside, None, "day {index}: {name} outside {:?}", local.date);
        }
        // Night shifts work on both sides of midnight, on the first day too.
        assert!(day.items.first().unwrap().time < local.at(0.3));
    }
}

#[test]
fn every_event_says_who_when_and_what() {
    let mut ids = BTreeSet::new();
    for item in play(small(3)).items() {
        let value = json(&item.json);
        let time: jiff::Timestamp = value["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(time.as_millisecond(), item.time.millis());
        assert_eq!(value["user"].as_str(), Some(&*item.user));
        let word = if item.stream == super::Stream::Auth { "activity" } else { "action" };
        assert!(value[word].is_string() && value["outcome"].is_string() && value["address"].is_string());
        assert!(ids.insert(value["id"].as_str().unwrap().to_owned()), "{value} comes twice");
    }
}

#[test]
fn every_truth_row_has_its_event() {
    for seed in 4..7 {
        let played = play(small(seed));
        let mut events = BTreeMap::new();
        for item in played.items() {
            let value = json(&item.json);
            let patient = value["patient"].as_str().map(str::to_owned);
            events.insert(value["id"].as_str().unwrap().to_owned(), (item.time, item.user.clone(), patient));
        }
        for row in played.truth() {
            let (time, user, patient) = &events[&row.event_id];
            assert_eq!((time, user), (&row.time, &row.user), "{row:?}");
            assert!(patient.is_none() || *patient == row.patient, "{row:?}");
        }
        assert!(played.incidents.iter().all(|incident| incident.events > 0), "{:?}", played.incidents);
    }
}

#[test]
fn equal_seeds_give_equal_bytes_and_others_do_not() {
    let bytes = |config: HospitalConfig| {
        let played = play(config);
        let items = played.items().flat_map(|item| item.json.iter().copied());
        let rows = played.rows().flat_map(|row| row.json.iter().copied());
        let truth = played.truth().flat_map(|row| format!("{row:?}").into_bytes());
        items.chain(rows).chain(truth).collect::<Vec<u8>>()
    };
    let first = bytes(small(7));
    assert!(first == bytes(small(7)));
    assert!(first != bytes(small(8)));
    let drawn = |seed| HospitalConfig { site: Site::draw(Seed(seed)), ..small(7) };
    assert!(bytes(drawn(1)) == bytes(drawn(1)));
    assert!(bytes(drawn(1)) != bytes(drawn(2)));
}

/// What is planned, without playing it.
fn planned(config: &HospitalConfig) -> Vec<Plan> {
    let mut world = World::new(config.seed, &config.site, config.staff, config.days as i32, 0);
    plan::plan(config, &mut world, &mut Vec::new())
}

#[test]
fn no_demo_is_without_incidents_and_every_scenario_comes_up() {
    let mut kinds = BTreeSet::new();
    for seed in 0..40 {
        let plans = planned(&HospitalConfig::demo(Seed(seed), START));
        let here: BTreeSet<Scenario> = plans.iter().map(|plan| plan.scenario).collect();
        assert!((8..=14).contains(&plans.len()), "seed {seed}: {} incidents", plans.len());
        assert!(here.len() >= 6, "seed {seed}: {here:?}");
        let settings: BTreeSet<bool> = plans.iter().map(|plan| plan.padded).collect();
        assert!(settings.contains(&false));
        kinds.extend(here);
    }
    let usual = Scenario::ALL.into_iter().filter(|scenario| scenario.usual_weight() > 0.0);
    assert_eq!(kinds, usual.collect());
}

#[test]
fn tiny_and_odd_hospitals_work() {
    for (staff, days, first) in [(60, 3, 0), (61, 1, 0), (90, 4, 1)] {
        let scenarios = if days < 3 { Mix::none() } else { Mix::default() };
        let config = HospitalConfig { staff, days, first_incident_day: first, scenarios, ..small(9) };
        let played = play(HospitalConfig { site: Site::draw(Seed(u64::from(staff))), ..config });
        assert!(played.items().count() > 500);
        assert_eq!(played.incidents.is_empty(), days < 3);
    }
}

#[test]
fn hard_negatives_come_in_every_kind_and_are_innocent() {
    let mut kinds = BTreeSet::new();
    let known: BTreeSet<&str> = crate::scenarios().iter().map(|info| info.name).collect();
    for seed in 10..14 {
        let played = play(HospitalConfig { days: 28, staff: 120, first_incident_day: 14, ..small(seed) });
        let culprits: BTreeSet<_> = played.incidents.iter().map(|incident| incident.user.clone()).collect();
        for oddity in &played.oddities {
            assert!(known.contains(oddity.kind) && oddity.from < oddity.to);
            assert!(oddity.kind == "trauma_team" || !culprits.contains(&oddity.user));
            kinds.insert(oddity.kind);
        }
    }
    let expected: BTreeSet<&str> = crate::scenarios()[Scenario::COUNT..].iter().map(|info| info.name).collect();
    assert_eq!(kinds, expected);
}

#[test]
fn a_crowd_comes_only_where_it_is_asked_for() {
    for scenario in [Scenario::CrowdCuriosity, Scenario::ColleagueCrowd] {
        assert!(play(small(4)).incidents.iter().all(|incident| incident.scenario != scenario.name()));
        let weights = vec![(scenario, 1.0)];
        let played = play(HospitalConfig { scenarios: Mix { weights, ..small(4).scenarios }, ..small(4) });
        // By chart and day, who looked.
        let mut crowds: BTreeMap<(&str, i64), BTreeSet<&str>> = BTreeMap::new();
        for incident in &played.incidents {
            assert_eq!(incident.targets.len(), 1, "{incident:?}");
            let day = (incident.first.unwrap() - START).0 / base::Millis::days(1).0;
            crowds.entry((&incident.targets[0], day)).or_default().insert(&incident.user);
        }
        assert!(crowds.values().any(|lookers| lookers.len() >= 6), "{crowds:?}");
    }
}

#[test]
fn a_wrong_configuration_is_named() {
    let refuse = |change: fn(&mut HospitalConfig)| {
        let mut config = small(1);
        change(&mut config);
        let error = Hospital::new(config).err().unwrap();
        assert_eq!(error.kind(), Kind::Invalid);
        error
    };
    let named = |error: Error| match error {
        Error::OutOfRange { name, .. } => name,
        other => panic!("{other}"),
    };
    assert_eq!(named(refuse(|config| config.staff = 3)), "staff");
    assert_eq!(named(refuse(|config| config.days = 0)), "days");
    assert_eq!(named(refuse(|config| config.site.verbosity = f64::NAN)), "site.verbosity");
    assert_eq!(named(refuse(|config| config.scenarios.incidents_per_1000 = 1e9)), "incidents per 1000 staff");
    assert!(matches!(refuse(|config| config.first_incident_day = 9), Error::NoRoom { days: 10, .. }));
    let error = refuse(|config| config.time_zone = "Mars/Olympus".to_owned());
    assert_eq!(
        error.to_string(),
        "hospital: `Mars/Olympus` is not a known IANA time zone, write one as in `Europe/Amsterdam`"
    );
}
