use serde_json::json;

use super::*;
use crate::{Known, Pins, Reference};
use events::Offset;

fn keys() -> PseudonymKeys {
    PseudonymKeys::generate("k1", std::array::from_fn(|index| index as u8)).unwrap()
}

fn vienna() -> TimeZone {
    TimeZone::get("Europe/Vienna").unwrap()
}

fn rows() -> Vec<(Kind, serde_json::Value)> {
    vec![
        (
            Kind::Staff,
            json!({"user": "Huber42", "names": ["H.Huber", 815], "role": "nurse", "unit": "W1", "shift": "night",
                "manager": "Chief1", "hired": "2020-01-01", "ends": "2025-03-04", "patient": "4711^^^EPI",
                "household": "Ring 7", "address": "Ring  7, Wien", "surname": "Huber", "lat": 48.208_174,
                "lon": 16.373_819, "valid_from": "2024-01-01T00:00:00+01:00", "remark": "secret"}),
        ),
        (
            Kind::Staff,
            json!({"user": "Chief1", "unit": "W1", "kind": "shared", "valid_from": 0, "lat": 91.0, "lon": 1}),
        ),
        (
            Kind::Patients,
            json!({"patient": "004711", "household": "ring 7", "address": "Ring 7, Wien", "surname": "HUBER",
                "surname_frequency": 0.0123, "vip": true, "deceased_on": "2025-02-03", "staff_user": "huber42",
                "insurer": "OEGK", "unit": "W1", "valid_from": 0, "recorded_at": 86_400_000}),
        ),
        (
            Kind::Relations,
            json!({"id": "Case-Huber", "kind": "encounter", "patient": 4711, "unit": "W1", "user": "h.huber",
                "from": "2025-01-01", "to": "2025-01-03", "author": "Chief1"}),
        ),
        (
            Kind::Relations,
            json!({"id": "Case-Huber", "kind": "encounter", "patient": "8", "unit": "W1",
                "from": "2025-01-01", "to": "2025-01-05", "valid_from": "2025-01-02"}),
        ),
    ]
}

fn applied(rows: impl Iterator<Item = (Kind, Vec<u8>)>) -> Reference {
    let mut reference = Reference::new(vienna());
    for (offset, (kind, row)) in (0..).map(Offset).zip(rows) {
        reference.apply(kind, 0, offset, Timestamp::from_millis(offset.0), &row, &keys()).unwrap();
    }
    reference
}

#[test]
fn raw_and_pseudonymised_rows_answer_every_lookup_alike_and_nothing_raw_remains() {
    let keys = keys();
    let raw: Vec<_> = rows().into_iter().map(|(kind, row)| (kind, row.to_string().into_bytes())).collect();
    let kept: Vec<_> =
        raw.iter().map(|(kind, row)| (*kind, pseudonymise(*kind, row, &keys, &vienna()).unwrap())).collect();
    for (_, row) in &kept {
        let text = std::str::from_utf8(row).unwrap().to_lowercase();
        for word in ["huber", "chief", "ring", "wien", "4711", "815", "secret", "208", "case"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
    let again: Vec<_> =
        kept.iter().map(|(kind, row)| (*kind, pseudonymise(*kind, row, &keys, &vienna()).unwrap())).collect();
    assert_eq!(kept, again, "a kept row is kept as it is");

    let (one, two) = (applied(raw.into_iter()), applied(kept.into_iter()));
    assert_eq!(one.counts(), two.counts());
    assert_eq!(one.ends(), two.ends());
    let day = |day: i64| Timestamp::from_millis(1_735_689_600_000 + day * 86_400_000);
    for genesis in [Pins::default(), one.ends()] {
        for at in -400..70 {
            let known = Known { pins: &one.ends(), genesis: &genesis, tick_end: day(at + 1) };
            for user in ["huber42", "H.HUBER", "815", "Chief1", "nobody"].map(|name| keys.user(name)) {
                assert_eq!(one.user_of(&user, day(at), &known), two.user_of(&user, day(at), &known));
                let shown = |reference: &Reference| format!("{:?}", reference.staff(&user, day(at), &known));
                assert_eq!(shown(&one), shown(&two));
                for patient in ["4711", "8", "9"].map(|id| keys.patient(id)) {
                    let shown = |reference: &Reference| {
                        let reason = reference.reason(&user, Some("W1"), &patient, day(at), &known);
                        format!("{:?} {reason:?}", reference.patient(&patient, day(at), &known))
                    };
                    assert_eq!(shown(&one), shown(&two));
                }
            }
        }
    }
}

#[test]
fn a_pseudonym_of_another_key_is_a_name_like_any_other() {
    let other = PseudonymKeys::generate("k2", std::array::from_fn(|index| index as u8)).unwrap();
    let row = json!({"user": other.user("a"), "valid_from": 0}).to_string();
    let kept = pseudonymise(Kind::Staff, row.as_bytes(), &keys(), &vienna()).unwrap();
    assert!(!String::from_utf8(kept).unwrap().contains(&other.user("a")));
}

#[test]
fn what_apply_rejects_is_rejected() {
    for (kind, row) in [(Kind::Staff, "{}"), (Kind::Patients, "[]"), (Kind::Relations, "{\"id\":1}")] {
        let mut reference = Reference::new(vienna());
        let applied = reference.apply(kind, 0, Offset(0), Timestamp::MIN, row.as_bytes(), &keys());
        assert_eq!(pseudonymise(kind, row.as_bytes(), &keys(), &vienna()).unwrap_err(), applied.unwrap_err());
    }
}
