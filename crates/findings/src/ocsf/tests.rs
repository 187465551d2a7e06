use arrow::array::RecordBatch;
use expect_test::{Expect, expect, expect_file};

use super::*;
use crate::fixture::{Line, at, batch, cases, line, meanings, origin, pair, rules, schema, tick};
use crate::{Cases, Contribution, FeatureMeaning, Finding, PairEvidence, Policy, Rule, Tick};

/// A case with every kind of finding: opened by rule and model, updated by each kind of news, closed; one by the model
/// alone; one by a rule alone with a technique nobody knows.
fn findings() -> Vec<Finding> {
    let mut all = rules();
    all[1].attack.push("T9999.001".to_owned());
    let mut cases = Cases::new(Policy::default(), all, meanings(), origin(), &schema()).unwrap();
    let evidence = |patients: &[&str]| -> Vec<PairEvidence> {
        let reason = |patient: &str| if patient == "p2" { "own unit, 14 days ago" } else { "" };
        let give = |(index, patient): (usize, &&str)| PairEvidence {
            reason: reason(patient).to_owned(),
            ..pair(patient, 2, 3 + i64::try_from(index).unwrap(), 0.9 - index as f64 / 10.0)
        };
        patients.iter().enumerate().map(give).collect()
    };
    let mut findings = Vec::new();
    let ticks = [
        (
            3,
            vec![
                Line {
                    rules: &["after-leaving", "surname"],
                    evidence: evidence(&["p1", "p2"]),
                    ..line("u1:3kq7", 0.62)
                },
                line("u1:9zzz", 0.81),
                Line { rules: &["household"], ..line("u1:aaaa", 0.02) },
            ]
            .into_iter()
            .collect::<Vec<_>>(),
        ),
        (
            4,
            vec![Line {
                rules: &["after-leaving", "audit-off"],
                evidence: evidence(&["p1", "p2"]),
                ..line("u1:3kq7", 0.9)
            }],
        ),
        (30, vec![Line { evidence: evidence(&["p1", "p2", "p3", "p4", "p5"]), ..line("u1:3kq7", 0.3) }]),
    ];
    for (hours, lines) in ticks {
        findings.extend(tick(&mut cases, at(hours), &lines).unwrap().findings);
    }
    findings.extend(cases.close_quiet(at(24 * 9)).unwrap().findings);
    findings
}

/// The file is also what the OCSF validators under `tests/interop/ocsf` are held against.
#[test]
fn the_golden_findings() {
    let findings = findings();
    let mut lines = String::new();
    for finding in &findings {
        crate::validate(&finding.bytes).unwrap();
        lines.push_str(std::str::from_utf8(&finding.bytes).unwrap());
        lines.push('\n');
    }
    expect_file!["../../golden/findings.ndjson"].assert_eq(&lines);
}

fn check_told(index: usize, expected: Expect) {
    let finding = &findings()[index];
    let head =
        format!("{} {} {}\n{}\n", finding.user_key, finding.activity.name(), finding.severity.caption(), finding.title);
    expected.assert_eq(&(head + &finding.sentences.join("\n")));
}

// Read these as the person who has to act on them: each line is a fact from the row, strongest first.

#[test]
fn a_case_opened_by_rule_and_model() {
    check_told(0, expect![[]]);
}

#[test]
fn a_case_opened_by_the_model_alone() {
    check_told(1, expect![[]]);
}

#[test]
fn a_case_opened_by_a_rule_alone() {
    check_told(2, expect![[]]);
}

#[test]
fn an_update_by_a_new_rule() {
    check_told(3, expect![[]]);
}

#[test]
fn an_update_after_the_cool_down() {
    check_told(4, expect![[]]);
}

#[test]
fn a_closing() {
    check_told(5, expect![[]]);
}

#[test]
fn the_object_of_an_opening() {
    let value: Json = serde_json::from_slice(&findings()[2].bytes).unwrap();
    expect![[]].assert_eq(&serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn the_identifier_covers_content_case_and_pipeline() {
    let opened = |score, pipeline: &str, hours| {
        let origin = Origin { pipeline: pipeline.to_owned(), ..origin() };
        let mut cases = Cases::new(Policy::default(), rules(), meanings(), origin, &schema()).unwrap();
        tick(&mut cases, at(hours), &[line("u1", score)]).unwrap().findings.remove(0).id
    };
    let id = opened(0.6, "a", 1);
    assert_eq!(id, opened(0.6, "a", 1));
    assert_eq!(id, opened(0.600_000_4, "a", 1), "what is below a millionth is not told");
    for other in [opened(0.600_001, "a", 1), opened(0.6, "b", 1), opened(0.6, "a", 2)] {
        assert_ne!(id, other);
    }
}

/// One row of the fixture's columns, with contributions and evidence as given.
fn one(
    cases: &mut Cases,
    features: &RecordBatch,
    score: f64,
    explain: Vec<Contribution>,
    pairs: Vec<PairEvidence>,
) -> Finding {
    let explain = |_: usize| explain.clone();
    let evidence = |_: &str| pairs.clone();
    let tick = Tick { end: at(0), features, scores: &[score], explain: &explain, evidence: &evidence };
    cases.step(&tick).unwrap().findings.remove(0)
}

#[test]
fn correlated_features_are_told_once_and_zeros_only_where_they_say_something() {
    let told = |weights: &[(&str, f64)]| {
        let explain = weights.iter().map(|(feature, weight)| Contribution {
            feature: (*feature).to_owned(),
            value: 0.0,
            weight: *weight,
        });
        let finding = one(&mut cases(), &batch(&[line("u1", 0.9)]), 0.9, explain.collect(), Vec::new());
        finding.sentences.join(" ")
    };
    let hour = "Opened 14 charts with no documented reason in the last hour; usual for this user: up to 2.5.";
    let day = "Opened 14 charts with no documented reason in a day.";
    let export = "Exported nothing, only looked.";
    let score = "The model's score is 0.90, the threshold 0.50.";
    // One sentence per group, by the group's sum; `household_24h` is zero and has no sentence for it.
    assert_eq!(
        told(&[("export_bytes_24h", 0.4), ("charts_1h", 0.3), ("charts_24h", 0.2), ("household_24h", 0.9)]),
        format!("{hour} {export} {score}")
    );
    assert_eq!(
        told(&[("export_bytes_24h", 0.4), ("charts_1h", 0.1), ("charts_24h", 0.2)]),
        format!("{export} {day} {score}")
    );
    // What is correlated and speaks against weighs against.
    assert_eq!(
        told(&[("charts_1h", -0.5), ("charts_24h", 0.2), ("export_bytes_24h", 0.1)]),
        format!("{export} {score}")
    );
    let bare = "The model's score is 0.90, the threshold 0.50; it rests on `unknown_feature`.";
    assert_eq!(told(&[("unknown_feature", 0.4), ("charts_1h", f64::NAN)]), bare);
    assert_eq!(told(&[]), score);
}

#[test]
fn the_largest_finding_fits() {
    let wide = "\u{10ffff}\"".repeat(200);
    let pairs = (0..1_000).map(|index| PairEvidence {
        patient_key: format!("{index:0128}"),
        accesses: i64::MAX,
        actions: (0..50).map(|action| (format!("{action}{wide}"), i64::MAX)).collect(),
        reason: wide.clone(),
        score: f64::NAN,
        flags: (0..50).map(|flag| format!("{flag}{wide}")).collect(),
        first_time: base::Timestamp::MIN,
        last_time: base::Timestamp::MAX,
    });
    let title = "\"".repeat(120);
    let rules: Vec<_> = (0..128)
        .map(|index| Rule {
            id: format!("{index:064}"),
            column: "audit_off".to_owned(),
            title: title.clone(),
            severity: Severity::High,
            sentence: "\"".repeat(300) + "{user_key}{user_key}{user_key}",
            attack: (0..8).map(|sub| format!("T{index:04}.{sub:03}")).collect(),
            ..Rule::default()
        })
        .collect();
    let meanings: Vec<_> = ["charts_1h", "charts_24h", "export_bytes_24h", "household_24h"]
        .map(|name| FeatureMeaning {
            name: name.to_owned(),
            sentence: "\"".repeat(360),
            zero: Some("\"".repeat(360)),
            ..FeatureMeaning::default()
        })
        .to_vec();
    let explain =
        meanings.iter().map(|meaning| Contribution { feature: meaning.name.clone(), value: 1.0, weight: f64::MAX });
    let policy = Policy { explain_top: 10, evidence_top: 12, ..Policy::default() };
    let explain = explain.collect();
    let mut cases = Cases::new(policy, rules, meanings, origin(), &schema()).unwrap();
    let features = batch(&[Line { rules: &["audit-off"], ..line("u1", 1.0) }]);
    let finding = one(&mut cases, &features, 1.0, explain, pairs.collect());
    crate::validate(&finding.bytes).unwrap();
    let view = crate::read(&finding.bytes).unwrap();
    assert_eq!((view.rules.len(), view.evidence.len()), (128, 12));
}
