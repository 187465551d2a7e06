//! How much of honest work the recorded reasons explain, and that they tell nothing they could not know.

use std::collections::BTreeMap;

use base::{Millis, Seed, Timestamp};
use serde_json::Value;

use super::{Played, START, json, play, small};
use crate::{HospitalConfig, Mix, Site};

/// A reason as the rows tell it.
struct Reason {
    user: Option<String>,
    unit: Option<String>,
    from: i64,
    to: i64,
}

fn time(value: &Value) -> Option<i64> {
    if let Some(millis) = value.as_i64() {
        return Some(millis);
    }
    let time: jiff::Timestamp = value.as_str()?.parse().unwrap();
    Some(time.as_millisecond())
}

fn reasons(played: &Played) -> BTreeMap<String, Vec<Reason>> {
    let mut newest: BTreeMap<String, Value> = BTreeMap::new();
    for row in played.rows().filter(|row| row.kind == "relations") {
        newest.insert(row.key.clone(), json(&row.json));
    }
    let mut found: BTreeMap<String, Vec<Reason>> = BTreeMap::new();
    for value in newest.into_values() {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let (from, to) = (time(&value["from"]).unwrap(), time(&value["to"]).unwrap_or(i64::MAX / 2));
        let reason = Reason { user: text("user"), unit: text("unit"), from, to };
        found.entry(text("patient").unwrap()).or_default().push(reason);
    }
    found
}

/// Share of honest chart opens without any reason of the own unit or person, now, in the last 14 days, or within
/// the next day.
fn unexplained(played: &Played) -> f64 {
    let reasons = reasons(played);
    let mut units = BTreeMap::new();
    for item in played.items() {
        let value = json(&item.json);
        if let Some(unit) = value["unit"].as_str() {
            units.insert(value["id"].as_str().unwrap().to_owned(), unit.to_owned());
        }
    }
    let honest = |why: &str| !matches!(why, "incident" | "interface" | "cover");
    let (mut opens, mut without) = (0, 0);
    for row in played.truth().filter(|row| row.incident.is_none() && honest(row.why)) {
        let (Some(patient), Some(unit)) = (&row.patient, units.get(&row.event_id)) else { continue };
        let at = row.time.millis();
        let fits = |reason: &Reason| {
            let who = reason.user.as_deref() == Some(&*row.user) || reason.unit.as_ref() == Some(unit);
            who && reason.from <= at + Millis::hours(24).0 && at <= reason.to + Millis::days(14).0
        };
        opens += 1;
        without += u32::from(!reasons.get(patient).is_some_and(|all| all.iter().any(fits)));
    }
    f64::from(without) / f64::from(opens)
}

#[test]
fn an_honest_site_leaves_about_one_open_in_twenty_unexplained() {
    let config = HospitalConfig { days: 12, scenarios: Mix::none(), ..HospitalConfig::demo(Seed(3), START) };
    let share = unexplained(&play(config));
    assert!((0.035..0.065).contains(&share), "{share:.4} of honest opens have no reason");
}

#[test]
fn a_poor_site_explains_less() {
    let site = Site { completeness: [0.3; crate::Role::COUNT], ..Site::small() };
    let share = unexplained(&play(HospitalConfig { site, scenarios: Mix::none(), ..small(5) }));
    assert!(share > 0.3, "{share:.4}");
}

#[test]
fn a_row_is_recorded_when_it_says_and_knows_nothing_later() {
    let played = play(HospitalConfig { days: 28, first_incident_day: 8, ..small(6) });
    let mut ending = 0;
    for row in played.rows() {
        let value = json(&row.json);
        assert_eq!(time(&value["recorded_at"]), Some(row.time.millis()), "{value}");
        // The end of a stay is written when it comes; of an appointment or a queue it is known before.
        let known_ahead = matches!(value["kind"].as_str(), Some("appointment" | "work_queue" | "referral" | "on_call"));
        if let Some(to) = time(&value["to"]).filter(|_| !known_ahead) {
            assert!(to <= row.time.millis(), "{value}");
        }
        if let Some(deceased) = time(&value["deceased_on"]) {
            assert!(deceased <= row.time.millis());
        }
        ending += u32::from(row.kind == "staff" && value["ends"].is_string() && row.time >= START);
    }
    assert!(ending > 0, "nobody gave notice");
}

#[test]
fn orders_written_after_the_look_come_within_two_hours() {
    let played = play(small(8));
    let late = |row: &&crate::ReferenceRow| {
        let value = json(&row.json);
        let kind = value["kind"].as_str();
        let from = time(&value["from"]).unwrap_or(0);
        matches!(kind, Some("referral" | "on_call")) && row.time > Timestamp::from_millis(from)
    };
    let rows: Vec<_> = played.rows().filter(|row| row.kind == "relations").filter(late).collect();
    assert!(rows.len() > 10, "{} late rows", rows.len());
    for row in rows {
        let from = Timestamp::from_millis(time(&json(&row.json)["from"]).unwrap());
        assert!(row.time - from <= Millis::minutes(270), "{}", String::from_utf8_lossy(&row.json));
    }
}
