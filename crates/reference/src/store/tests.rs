use std::sync::LazyLock;

use base::Millis;
use serde_json::{Value, json};

use super::*;
use crate::{RelationKind, Rung};

mod naive;

const HOUR: i64 = 3_600_000;

static KEYS: LazyLock<PseudonymKeys> =
    LazyLock::new(|| PseudonymKeys::generate("1", std::array::from_fn(|index| index as u8)).unwrap());

fn hour(hours: i64) -> Timestamp {
    Timestamp::from_millis(hours * HOUR)
}

/// A reference whose rows were appended at the hours given, all in partition 0.
struct World {
    reference: Reference,
    genesis: Pins,
}

impl World {
    fn new() -> Self {
        Self { reference: Reference::new(TimeZone::UTC), genesis: Pins::default() }
    }

    fn add(&mut self, kind: Kind, appended: i64, row: Value) {
        let offset = self.reference.ends().get(kind, 0);
        self.reference.apply(kind, 0, offset, hour(appended), row.to_string().as_bytes(), &KEYS).unwrap();
    }

    /// Everything so far was there when the pipeline first started.
    fn genesis_here(&mut self) {
        self.genesis = self.reference.ends();
    }

    fn see<T>(&self, tick_end: i64, look: impl FnOnce(&Reference, &Known<'_>) -> T) -> T {
        let pins = self.reference.pin_at(hour(tick_end), &self.genesis);
        look(&self.reference, &Known { pins: &pins, genesis: &self.genesis, tick_end: hour(tick_end) })
    }

    /// The reason of user `u`, who works in `W1`, for patient `p`; seen from the end of the access's own tick.
    fn reason(&self, at: i64) -> Reason {
        self.reason_seen(at, at + 1)
    }

    fn reason_seen(&self, at: i64, tick_end: i64) -> Reason {
        let (user, patient) = (KEYS.user("u"), KEYS.patient("p"));
        self.see(tick_end, |reference, known| reference.reason(&user, Some("W1"), &patient, hour(at), known))
    }

    fn role(&self, at: i64, tick_end: i64) -> Option<String> {
        let user = KEYS.user("u");
        self.see(tick_end, |reference, known| {
            reference.staff(&user, hour(at), known).and_then(|staff| staff.role.map(str::to_owned))
        })
    }
}

fn staff(role: &str, valid_from: i64) -> Value {
    json!({"user": "u", "role": role, "unit": "W1", "valid_from": valid_from * HOUR})
}

#[test]
fn a_transfer_never_erases_the_past() {
    let mut world = World::new();
    world.add(Kind::Staff, 0, staff("nurse", 0));
    world.add(Kind::Staff, 50, staff("manager", 100));
    assert_eq!(world.role(99, 200).as_deref(), Some("nurse"));
    assert_eq!(world.role(100, 200).as_deref(), Some("manager"));
    assert_eq!(world.role(-1, 200), None);
}

#[test]
fn a_correction_counts_from_when_it_was_known() {
    let mut world = World::new();
    world.add(Kind::Staff, 0, staff("nurse", 0));
    world.add(Kind::Staff, 50, staff("doctor", 0));
    assert_eq!(world.role(10, 50).as_deref(), Some("nurse"), "appended at the tick's end is not before it");
    assert_eq!(world.role(10, 51).as_deref(), Some("doctor"));
}

#[test]
fn rows_below_genesis_count_from_when_they_were_recorded_and_no_end_is_foreseen() {
    let mut world = World::new();
    let ends = |valid_from: i64, recorded_at: Option<i64>, ends: i64| {
        json!({"user": "u", "role": "nurse", "valid_from": valid_from * HOUR,
            "recorded_at": recorded_at.map(|hours| hours * HOUR), "ends": ends * HOUR})
    };
    world.add(Kind::Staff, 900, ends(0, Some(20), 300));
    world.genesis_here();
    assert_eq!(world.role(10, 20), None, "not recorded yet, although valid");
    assert_eq!(world.role(10, 21).as_deref(), Some("nurse"));
    let user = KEYS.user("u");
    let seen_end = |world: &World, at, tick_end| {
        world.see(tick_end, |reference, known| reference.staff(&user, hour(at), known).unwrap().ends)
    };
    assert_eq!(seen_end(&world, 250, 299), None, "the last day is not known before it is there");
    assert_eq!(seen_end(&world, 250, 300), Some(hour(300)));
    // Live, an announced leave is known from its announcement.
    world.add(Kind::Staff, 1_000, ends(400, None, 2_000));
    assert_eq!(seen_end(&world, 1_100, 1_101), Some(hour(2_000)));
}

fn relation(extra: Value) -> Value {
    let mut row = json!({"id": "r1", "kind": "encounter", "patient": "p", "unit": "W1", "from": 0});
    row.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    row
}

#[test]
fn the_rungs_of_the_ladder() {
    let now = |extra: Value| {
        let mut world = World::new();
        world.add(Kind::Staff, 0, json!({"user": "mate", "unit": "W1", "valid_from": 0}));
        world.add(Kind::Staff, 0, json!({"user": "far", "unit": "W9", "valid_from": 0}));
        world.add(Kind::Staff, 0, json!({"user": "u", "names": ["badge-7"], "unit": "W1", "valid_from": 0}));
        world.add(Kind::Relations, 0, relation(extra));
        let reason = world.reason(1_000);
        (reason.rung, reason.unit_match)
    };
    let ended = |hours_ago: i64| json!({"to": (1_000 - hours_ago) * HOUR});
    for (extra, expected) in [
        (json!({"user": "u", "unit": null}), (Rung::OwnTeamNow, false)),
        (json!({"user": "badge-7", "unit": null}), (Rung::OwnTeamNow, false)),
        (json!({"user": "u"}), (Rung::OwnTeamNow, true)),
        (json!({}), (Rung::OwnUnitNow, true)),
        (json!({"user": "mate", "unit": null}), (Rung::OwnUnitNow, true)),
        (json!({"user": "far", "unit": null}), (Rung::OtherUnitNow, false)),
        (json!({"user": "stranger", "unit": null}), (Rung::OtherUnitNow, false)),
        (json!({"unit": "W2"}), (Rung::OtherUnitNow, false)),
        (ended(0), (Rung::Within24h, true)),
        (ended(24), (Rung::Within24h, true)),
        (ended(25), (Rung::Within72h, true)),
        (ended(73), (Rung::Within14d, true)),
        (ended(14 * 24 + 1), (Rung::Ever, true)),
        (json!({"unit": "W2", "to": 999 * HOUR}), (Rung::Never, false)),
        (json!({"from": 1_001 * HOUR}), (Rung::Never, false)),
        (json!({"kind": "appointment", "from": 1_024 * HOUR}), (Rung::OwnUnitNow, true)),
        (json!({"kind": "appointment", "from": 1_025 * HOUR}), (Rung::Never, false)),
        (json!({"from": 500 * HOUR, "to": 500 * HOUR}), (Rung::Never, false)),
        (json!({"patient": "q"}), (Rung::Never, false)),
    ] {
        assert_eq!(now(extra.clone()), expected, "{extra}");
    }
}

#[test]
fn the_best_of_several_reasons_is_named() {
    let mut world = World::new();
    assert_eq!(world.reason(10), Reason::NONE);
    world.add(Kind::Relations, 0, relation(json!({"id": "a", "to": 5 * HOUR})));
    assert_eq!(world.reason(10).rung, Rung::Within24h);
    world.add(Kind::Relations, 0, relation(json!({"id": "b", "unit": "W2"})));
    let reason = world.reason(10);
    assert_eq!((reason.rung, reason.unit_match), (Rung::OtherUnitNow, true), "the own unit had the patient, too");
    world.add(Kind::Relations, 0, relation(json!({"id": "c", "kind": "work_queue", "unit": null, "user": "u"})));
    world.add(Kind::Relations, 0, relation(json!({"id": "d", "kind": "order", "unit": null, "user": "u"})));
    let reason = world.reason(10);
    assert_eq!((reason.rung, reason.kind), (Rung::OwnTeamNow, Some(RelationKind::Order)));
}

#[test]
fn an_order_does_not_clear_its_author() {
    let written = |author: &str, recorded_at: i64| {
        let mut world = World::new();
        world.add(Kind::Staff, 0, json!({"user": "u", "names": ["login-u"], "valid_from": 0}));
        world.add(
            Kind::Relations,
            0,
            relation(json!({"kind": "order", "unit": null, "user": "u", "author": author, "recorded_at": recorded_at * HOUR})),
        );
        world
    };
    for (author, recorded_at, rung) in [
        ("u", 100, Rung::SelfAuthored),
        ("login-u", 100, Rung::SelfAuthored),
        ("u", 101, Rung::SelfAuthored),
        ("u", 77, Rung::SelfAuthored),
        ("u", 76, Rung::OwnTeamNow),
        ("doctor", 101, Rung::OwnTeamNow),
    ] {
        let reason = written(author, recorded_at).reason(100);
        assert_eq!(reason.rung, rung, "{author} {recorded_at}");
        assert_eq!(reason.kind, Some(RelationKind::Order));
    }
    let mut world = written("u", 100);
    world.add(Kind::Relations, 0, relation(json!({"id": "old", "to": HOUR})));
    let reason = world.reason(1_000);
    assert_eq!(reason.rung, Rung::OwnTeamNow, "what the user wrote long before counts");
    assert_eq!(world.reason(100).rung, Rung::Within14d.min(world.reason(100).rung), "another reason stands by itself");
    assert_ne!(world.reason(100).rung, Rung::OwnTeamNow);
}

#[test]
fn a_relation_that_arrives_late_explains_only_for_those_who_look_later() {
    let mut world = World::new();
    world.add(Kind::Relations, 12, relation(json!({"from": 9 * HOUR})));
    assert_eq!(world.reason_seen(10, 11).rung, Rung::Never);
    assert_eq!(world.reason_seen(10, 13).rung, Rung::OwnUnitNow);
}

#[test]
fn a_patient_moved_between_units_has_been_on_both() {
    let mut world = World::new();
    world.add(Kind::Relations, 0, relation(json!({})));
    world.add(Kind::Relations, 100, relation(json!({"unit": "W2", "valid_from": 100 * HOUR})));
    assert_eq!(world.reason_seen(99, 200).rung, Rung::OwnUnitNow);
    let after = world.reason_seen(110, 200);
    assert_eq!((after.rung, after.unit_match), (Rung::OtherUnitNow, true));
    world.add(Kind::Relations, 120, relation(json!({"unit": "W2", "valid_from": 100 * HOUR, "to": 120 * HOUR})));
    assert_eq!(world.reason_seen(110, 120).rung, Rung::OtherUnitNow, "the discharge is not known yet");
    assert_eq!(world.reason_seen(130, 131).rung, Rung::Within72h, "30 hours after leaving the own unit");
}

#[test]
fn a_relation_corrected_to_another_patient_leaves_the_first() {
    let mut world = World::new();
    world.add(Kind::Relations, 0, relation(json!({})));
    world.add(Kind::Relations, 50, relation(json!({"patient": "q"})));
    assert_eq!(world.reason_seen(60, 40).rung, Rung::OwnUnitNow);
    assert_eq!(world.reason_seen(60, 61).rung, Rung::Never);
    let (user, q) = (KEYS.user("u"), KEYS.patient("q"));
    let rung = |tick_end| {
        world.see(tick_end, |reference, known| reference.reason(&user, Some("W1"), &q, hour(60), known).rung)
    };
    assert_eq!((rung(40), rung(61)), (Rung::Never, Rung::OwnUnitNow));
}

#[test]
fn tombstones_and_repeats_change_nothing_and_are_counted() {
    let mut world = World::new();
    world.add(Kind::Staff, 0, staff("nurse", 0));
    let pins = world.reference.ends();
    let apply = |world: &mut World, offset, value: &[u8]| {
        world.reference.apply(Kind::Staff, 0, Offset(offset), hour(1), value, &KEYS)
    };
    apply(&mut world, 1, b"").unwrap();
    apply(&mut world, 0, staff("thief", 0).to_string().as_bytes()).unwrap();
    let reject = apply(&mut world, 2, br#"{"user":"SECRET"}"#).unwrap_err();
    assert_eq!(reject.to_string(), "missing_field: field `valid_from` is absent");
    assert_eq!(world.role(10, 20).as_deref(), Some("nurse"));
    let counts = world.reference.counts();
    assert_eq!((counts.versions, counts.tombstones, counts.repeats, counts.rejects, counts.staff), (1, 1, 1, 1, 1));
    assert_eq!((pins.get(Kind::Staff, 0), world.reference.ends().get(Kind::Staff, 0)), (Offset(1), Offset(3)));
}

#[test]
fn pins_rise_with_the_tick_and_never_fall_below_genesis() {
    let mut world = World::new();
    for appended in [10, 20, 30] {
        world.add(Kind::Staff, appended, staff("nurse", 0));
    }
    let mut genesis = Pins::default();
    genesis.set(Kind::Staff, 0, Offset(1));
    genesis.set(Kind::Relations, 4, Offset(9));
    for (tick_end, pin) in [(0, 1), (20, 1), (21, 2), (31, 3), (1_000, 3)] {
        let pins = world.reference.pin_at(hour(tick_end), &genesis);
        assert_eq!(pins.get(Kind::Staff, 0), Offset(pin), "{tick_end}");
        assert_eq!(pins.get(Kind::Relations, 4), Offset(9), "a partition not read yet stays at genesis");
    }
}

#[test]
fn everything_said_of_staff_and_patients_comes_back_as_pseudonyms() {
    let mut world = World::new();
    world.add(
        Kind::Staff,
        0,
        json!({"user": "JDoe", "names": ["jane@house.example", "B-77"], "role": "nurse", "unit": "W1", "shift": "night",
            "manager": "boss", "hired": "2020-01-01", "ends": "2021-06-30", "patient": "0042", "household": "h1",
            "address": "1 Elm St", "surname": "Doe", "lat": 59.91273, "lon": 10.74609, "kind": "person",
            "valid_from": "2020-01-01T00:00:00Z", "recorded_at": 0}),
    );
    world.add(
        Kind::Patients,
        0,
        json!({"patient": 42, "household": "h1", "address": "1 elm  st", "surname": "DOE", "surname_frequency": 0.001,
            "vip": true, "deceased_on": "2022-02-02", "staff_user": "jdoe", "insurer": "acme", "unit": "W3",
            "valid_from": "2020-01-01"}),
    );
    let at = Timestamp::from_millis(1_700_000_000_000);
    world.see(at.millis() / HOUR + 1, |reference, known| {
        for name in ["jdoe", "JANE@house.example", "b-77"] {
            let staff = reference.staff(&KEYS.user(name), at, known).unwrap();
            assert_eq!(staff.user_key, KEYS.user("jdoe"), "{name}");
            assert_eq!(reference.user_of(&KEYS.user(name), at, known), Some(staff.user_key));
            assert_eq!((staff.role, staff.unit, staff.shift), (Some("nurse"), Some("W1"), Some("night")));
            assert_eq!(staff.ends.map(Timestamp::millis), Some(1_625_097_600_000), "the end of the last day");
            assert_eq!(staff.hired.map(Timestamp::millis), Some(1_577_836_800_000));
            assert_eq!((staff.home, staff.kind), (Some((59.91, 10.75)), StaffKind::Person));
            assert_eq!(staff.manager, Some(&*KEYS.user("boss")));
        }
        let staff = reference.staff(&KEYS.user("jdoe"), at, known).unwrap();
        let patient = reference.patient(staff.patient_key.unwrap(), at, known).unwrap();
        assert_eq!(
            (patient.household, patient.address, patient.surname),
            (staff.household, staff.address, staff.surname)
        );
        assert_eq!(patient.staff_user_key, Some(staff.user_key));
        assert_eq!((patient.vip, patient.surname_frequency), (true, Some(0.001)));
        assert_eq!((patient.insurer, patient.unit), (Some("acme"), Some("W3")));
        assert!(patient.deceased_on.is_some());
        assert_eq!(reference.user_of(&KEYS.user("nobody"), at, known), None);
        assert!(reference.patient(&KEYS.patient("43"), at, known).is_none());
    });
    let all = format!("{:?}", world.reference);
    for secret in ["JDoe", "jdoe", "jane", "B-77", "b-77", "Elm", "elm", "Doe\"", "doe\"", "h1\""] {
        assert!(!all.contains(secret), "{secret} is kept");
    }
}

#[test]
fn a_name_goes_to_its_new_bearer_from_that_day() {
    let mut world = World::new();
    world.add(Kind::Staff, 0, json!({"user": "ann", "names": ["pager-1"], "valid_from": 0}));
    world.add(Kind::Staff, 0, json!({"user": "bob", "names": ["pager-1"], "valid_from": 100 * HOUR}));
    let pager = KEYS.user("pager-1");
    let bearer = |at| world.see(200, |reference, known| reference.user_of(&pager, hour(at), known).map(str::to_owned));
    assert_eq!(bearer(99), Some(KEYS.user("ann")));
    assert_eq!(bearer(100), Some(KEYS.user("bob")));
}

#[test]
fn times_without_a_zone_are_local_and_a_date_lasts_until_the_local_midnight() {
    for (zone, from, to) in [
        ("Europe/Vienna", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("America/New_York", "2026-03-29T04:00:00Z", "2026-03-30T04:00:00Z"),
        ("Australia/Sydney", "2026-03-28T13:00:00Z", "2026-03-29T13:00:00Z"),
    ] {
        let mut reference = Reference::new(TimeZone::get(zone).unwrap());
        let row = r#"{"user":"u","valid_from":"2026-03-29","hired":"2026-03-29T00:00:00","ends":"2026-03-29"}"#;
        assert_eq!(reference.load_ndjson(Kind::Staff, row.as_bytes(), hour(0), &KEYS).rows, 1);
        let pins = reference.ends();
        let at = |text: &str| Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let known = Known { pins: &pins, genesis: &Pins::default(), tick_end: at("2027-01-01T00:00:00Z") };
        let user = KEYS.user("u");
        assert!(reference.staff(&user, at(from) - Millis(1), &known).is_none(), "{zone}");
        let staff = reference.staff(&user, at(from), &known).unwrap();
        // The Viennese day has 23 hours.
        assert_eq!((staff.hired, staff.ends), (Some(at(from)), Some(at(to))), "{zone}");
    }
}

#[test]
fn a_file_is_read_by_line() {
    let mut reference = Reference::new(TimeZone::UTC);
    let text = format!("{}\n\n{{\"user\":\n{}\r\n", staff("nurse", 0), staff("doctor", 10));
    let loaded = reference.load_ndjson(Kind::Staff, text.as_bytes(), hour(0), &KEYS);
    assert_eq!(loaded.rows, 2);
    let rejects: Vec<_> = loaded.rejects.iter().map(|(offset, reject)| format!("{offset}: {reject}")).collect();
    assert_eq!(rejects, ["2: not_json: ends at byte 7 in the middle of a value"]);
    assert_eq!(reference.ends().get(Kind::Staff, 0), Offset(4));
}

#[test]
fn bad_rows_are_refused_with_the_field_and_without_its_value() {
    for (kind, row, expected) in [
        (Kind::Staff, r#"{"user":" ","valid_from":0}"#, "missing_field: field `user` is absent"),
        (
            Kind::Staff,
            r#"{"user":"x","valid_from":0,"kind":"SECRET"}"#,
            "unknown_shape: field `kind`: expected person, service or shared",
        ),
        (Kind::Staff, r#"{"user":"x","valid_from":"SECRET"}"#, "bad_time: field `valid_from` cannot be read as a time"),
        (Kind::Patients, r#"{"patient":"x","vip":"SECRET"}"#, "wrong_type: field `vip`, byte 28: expected a boolean"),
        (
            Kind::Relations,
            r#"{"id":"x","kind":"order","patient":"p","from":0}"#,
            "missing_field: neither field `user` nor field `unit` is there",
        ),
        (Kind::Relations, r#"{"id":"x","patient":"p"}"#, "missing_field: field `kind` is absent"),
        (Kind::Relations, "[1]", "wrong_type: the document, byte 0: expected an object"),
    ] {
        let mut reference = Reference::new(TimeZone::UTC);
        let reject = reference.apply(kind, 0, Offset(0), hour(0), row.as_bytes(), &KEYS).unwrap_err();
        assert_eq!(reject.to_string(), expected, "{row}");
    }
    let long = format!(r#"{{"user":"x","valid_from":0,"unit":"{}"}}"#, "x".repeat(129));
    let reject =
        Reference::new(TimeZone::UTC).apply(Kind::Staff, 0, Offset(0), hour(0), long.as_bytes(), &KEYS).unwrap_err();
    assert_eq!(reject.to_string(), "too_large: field `unit` has 129 bytes, the limit is 128");
}
