use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use expect_test::{Expect, expect, expect_file};

use super::*;
use crate::fixture::{Line, at, batch, cases, line, meanings, origin, pair, rules, schema, tick};
use crate::{Cases, Contribution, FeatureMeaning, Finding, Other, PairEvidence, Policy, Rule, Severity, Subject, Tick};

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
    let mut findings = findings();
    findings.extend(findings_about_an_address());
    let mut lines = String::new();
    for finding in &findings {
        crate::validate(&finding.bytes).unwrap();
        lines.push_str(std::str::from_utf8(&finding.bytes).unwrap());
        lines.push('\n');
    }
    expect_file!["../../golden/findings.ndjson"].assert_eq(&lines);
}

#[test]
fn a_finding_of_a_version_that_named_no_zone_is_sealed_and_read_in_utc() {
    let golden = include_str!("../../golden/findings.ndjson").lines().next().unwrap();
    let former = golden.replacen(r#""time_zone":"Europe/Vienna","#, "", 1);
    assert_ne!(former, golden);
    // That version said less, and its finding was another: it bore the identifier of what it said.
    let id = identifier_of(canonical::strict(former.as_bytes()).unwrap()).unwrap();
    let former = former.replacen(&crate::read(golden.as_bytes()).unwrap().id, &id, 1);
    crate::validate(former.as_bytes()).unwrap();
    let former = crate::read(former.as_bytes()).unwrap();
    assert_eq!((former.id, former.origin.time_zone), (id, jiff::tz::TimeZone::UTC));
}

#[test]
fn few_striking_charts_are_told_before_what_moved_the_model_and_many_after_it() {
    let first = |striking: usize| {
        let score = |index| if index < striking { 0.5 } else { 0.499_999 };
        let evidence = (0..5).map(|index| pair(&format!("p{index}"), 2, 3, score(index))).collect();
        let step = tick(&mut cases(), at(3), &[Line { evidence, ..line("u1:3kq7", 0.62) }]).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&step.findings[0].bytes).unwrap();
        let sentences = told["finding_info"]["desc"].as_str().unwrap().lines();
        sentences.take_while(|sentence| sentence.starts_with("Chart of ")).count()
    };
    assert_eq!([0, 1, 3, 4, 5].map(first), [0, 1, 3, 0, 0]);
}

/// An address that fails on many accounts, then gets in, then falls silent.
fn findings_about_an_address() -> Vec<Finding> {
    let rule = |id: &str, column: &str, title: &str, severity, sentence: &str| Rule {
        id: id.to_owned(),
        column: column.to_owned(),
        title: title.to_owned(),
        severity,
        sentence: sentence.to_owned(),
        attack: vec!["T1110.003".to_owned()],
        ..Rule::default()
    };
    let rules = vec![
        rule(
            "spraying",
            "spraying",
            "One address fails on many accounts",
            Severity::Medium,
            "failed on {out|accounts}",
        ),
        rule("got-in", "got_in", "One address gets in", Severity::High, "signed in as {in|users}"),
    ];
    let columns = |out: i64, let_in: i64| {
        let key: ArrayRef = Arc::new(StringArray::from(vec!["a1:77q2"]));
        let number = |number| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
        let flag = |flag| -> ArrayRef { Arc::new(BooleanArray::from(vec![flag])) };
        let columns = [
            ("address_key", key),
            ("out", number(out)),
            ("in", number(let_in)),
            ("spraying", flag(out > 5)),
            ("got_in", flag(let_in > 0)),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let subject = Subject { column: "address_key".to_owned(), entity: Some("Network address".to_owned()) };
    let schema = columns(0, 0).schema();
    let mut cases = Cases::about(subject, Policy::default(), rules, origin(), &schema).unwrap();
    let user = |user: &str, (action, score): (&str, f64)| PairEvidence {
        other: Other::User(user.to_owned()),
        actions: vec![(action.to_owned(), 1)],
        reason: String::new(),
        flags: Vec::new(),
        ..pair("", 2, 1, score)
    };
    let users = |got_in: bool| -> Vec<PairEvidence> {
        let last = if got_in { ("signed in", 1.0) } else { ("failed", 0.0) };
        (0..7).map(|index| user(&format!("u1:{index}"), if index == 6 { last } else { ("failed", 0.0) })).collect()
    };
    let mut findings = Vec::new();
    for (hours, got_in) in [(3, false), (4, true)] {
        let rows = columns(if got_in { 6 } else { 7 }, i64::from(got_in));
        let evidence = |_: &str| users(got_in);
        let tick =
            Tick { end: at(hours), features: &rows, scores: &[0.0], explain: &|_| Vec::new(), evidence: &evidence };
        findings.extend(cases.step(&tick).unwrap().findings);
    }
    findings.extend(cases.close_quiet(at(24 * 9)).unwrap().findings);
    findings
}

#[test]
fn a_case_about_an_address_names_the_users_and_whoever_it_got_in_as_first() {
    let findings = findings_about_an_address();
    let told: Vec<_> = findings.iter().map(|finding| finding.sentences.join("\n")).collect();
    expect![[r#"
        Failed on 7 accounts.
        User u1:0: 1 event on 2026-01-05 between 02:30 and 03:00 +01:00 (1 failed).
        User u1:1: 1 event on 2026-01-05 between 02:30 and 03:00 +01:00 (1 failed).
        User u1:2: 1 event on 2026-01-05 between 02:30 and 03:00 +01:00 (1 failed).
        7 users in all, listed in the evidence.

        New since the last report: rule "One address gets in" fired.
        Signed in as 1 user.
        Failed on 6 accounts.
        User u1:6: 1 event on 2026-01-05 between 02:30 and 03:00 +01:00 (1 signed in).
        User u1:0: 1 event on 2026-01-05 between 02:30 and 03:00 +01:00 (1 failed).
        User u1:1: 1 event on 2026-01-05 between 02:30 and 03:00 +01:00 (1 failed).
        7 users in all, listed in the evidence.

        Closed after 7 days of quiet: since 2026-01-05 05:00 +01:00 no rule that opens a case fired.
        The case was opened at 2026-01-05 04:00 +01:00 and had 1 update.
        It rested on: One address gets in and One address fails on many accounts.
        It was closed by itself: nobody need have reviewed it."#]]
    .assert_eq(&told.join("\n\n"));
    let view = crate::read(&findings[1].bytes).unwrap();
    assert_eq!((view.subject.as_str(), view.entity.as_deref()), ("a1:77q2", Some("Network address")));
    assert_eq!((view.rules.len(), view.evidence[0].other.key()), (2, "u1:6"));
    assert_eq!(findings.iter().map(|finding| finding.subject.as_str()).collect::<Vec<_>>(), ["a1:77q2"; 3]);
}

fn check_told(index: usize, expected: Expect) {
    let finding = &findings()[index];
    let head =
        format!("{} {} {}\n{}\n", finding.subject, finding.activity.name(), finding.severity.caption(), finding.title);
    expected.assert_eq(&(head + &finding.sentences.join("\n")));
}

// Read these as the person who has to act on them: each line is a fact from the row, strongest first.

#[test]
fn a_case_opened_by_rule_and_model() {
    check_told(
        0,
        expect![[r#"
            u1:3kq7 opened Critical
            Access after leaving
            Opened 14 charts after leaving on 2026-01-02.
            A patient bears the user's surname.
            Chart of p1: 3 accesses on 2026-01-05 between 02:30 and 03:00 +01:00 (2 read, 1 print); no reason on record; VIP and same household.
            Chart of p2: 4 accesses on 2026-01-05 between 02:30 and 03:00 +01:00 (3 read, 1 print); reason on record: own unit, 14 days ago; VIP and same household.
            Opened 14 charts with no documented reason in the last hour; usual for this user: up to 2.5.
            Exported nothing, only looked.
            The model's score is 0.62, the threshold 0.50."#]],
    );
}

#[test]
fn a_case_opened_by_the_model_alone() {
    check_told(
        1,
        expect![[r#"
        u1:9zzz opened High
        Unusual activity: charts without a reason
        Opened 14 charts with no documented reason in the last hour; usual for this user: up to 2.5.
        Exported nothing, only looked.
        The model's score is 0.81, the threshold 0.50."#]],
    );
}

#[test]
fn a_case_opened_by_a_rule_alone() {
    check_told(
        2,
        expect![[r#"
            u1:aaaa opened Medium
            Chart of the own household
            2 of the patients live at the user's own address.
            The model alone would not have raised this: score 0.02, threshold 0.50."#]],
    );
}

#[test]
fn an_update_by_a_new_rule() {
    check_told(
        3,
        expect![[r#"
            u1:3kq7 updated Critical
            Access after leaving
            New since the last report: rule "Audit log switched off" fired and the score rose from 0.62 to 0.90.
            Opened 14 charts after leaving on 2026-01-02.
            Switched the audit log off.
            Chart of p1: 3 accesses on 2026-01-05 between 02:30 and 03:00 +01:00 (2 read, 1 print); no reason on record; VIP and same household.
            Chart of p2: 4 accesses on 2026-01-05 between 02:30 and 03:00 +01:00 (3 read, 1 print); reason on record: own unit, 14 days ago; VIP and same household.
            Opened 14 charts with no documented reason in the last hour; usual for this user: up to 2.5.
            Exported nothing, only looked.
            The model's score is 0.90, the threshold 0.50."#]],
    );
}

#[test]
fn an_update_after_the_cool_down() {
    check_told(
        4,
        expect![[r#"
            u1:3kq7 updated Critical
            Access after leaving
            New since the last report: the charts of 3 further patients stand out.
            Chart of p3: 5 accesses on 2026-01-05 between 02:30 and 03:00 +01:00 (4 read, 1 print); no reason on record; VIP and same household.
            Chart of p4: 6 accesses on 2026-01-05 between 02:30 and 03:00 +01:00 (5 read, 1 print); no reason on record; VIP and same household.
            Chart of p5: 7 accesses on 2026-01-05 between 02:30 and 03:00 +01:00 (6 read, 1 print); no reason on record; VIP and same household.
            5 patients in all, listed in the evidence.
            The model's score is 0.30 now, under the threshold 0.50; in this case it reached 0.90."#]],
    );
}

#[test]
fn a_closing() {
    check_told(
        5,
        expect![[r#"
            u1:3kq7 closed Critical
            Access after leaving
            Closed after 7 days of quiet: since 2026-01-06 07:00 +01:00 no rule that opens a case fired and the score stayed below the threshold.
            The case was opened at 2026-01-05 04:00 +01:00 and had 2 updates.
            Its highest score was 0.90.
            It rested on: Access after leaving, Audit log switched off and Same surname.
            It was closed by itself: nobody need have reviewed it."#]],
    );
}

#[test]
fn the_object_of_an_opening() {
    let value: Json = serde_json::from_slice(&findings()[2].bytes).unwrap();
    expect![[r#"
        {
          "activity_id": 1,
          "activity_name": "Create",
          "category_name": "Findings",
          "category_uid": 2,
          "class_name": "Detection Finding",
          "class_uid": 2004,
          "confidence": "Medium",
          "confidence_id": 2,
          "evidences": [
            {
              "actor": {
                "user": {
                  "uid": "u1:aaaa"
                }
              },
              "data": {
                "features": {
                  "charts_1h": 14,
                  "charts_24h": 14,
                  "export_bytes_24h": 0,
                  "household_24h": 2
                }
              }
            }
          ],
          "finding_info": {
            "analytic": {
              "name": "Chart of the own household",
              "type": "Rule",
              "type_id": 1,
              "uid": "household"
            },
            "attacks": [
              {
                "tactic": {
                  "name": "Collection",
                  "uid": "TA0009"
                },
                "technique": {
                  "name": "Data from Information Repositories",
                  "uid": "T1213"
                },
                "version": "18.1"
              },
              {
                "sub_technique": {
                  "uid": "T9999.001"
                },
                "technique": {
                  "uid": "T9999"
                }
              }
            ],
            "created_time": 1767582000000,
            "desc": "2 of the patients live at the user's own address.\nThe model alone would not have raised this: score 0.02, threshold 0.50.",
            "modified_time": 1767582000000,
            "related_analytics": [
              {
                "name": "chart-access",
                "type": "Learning (ML/DL)",
                "type_id": 4,
                "uid": "0303030303030303030303030303030303030303030303030303030303030303"
              }
            ],
            "title": "Chart of the own household",
            "uid": "c-wjafwhrypkudbmjsdounwck4ze"
          },
          "is_alert": true,
          "message": "u1:aaaa: Chart of the own household. 2 of the patients live at the user's own address.",
          "metadata": {
            "product": {
              "feature": {
                "name": "insider-breach",
                "version": "3"
              },
              "name": "Chartwarden",
              "vendor_name": "Chartwarden",
              "version": "0.1.0"
            },
            "uid": "f-sgeoydqmcnsgich7te3owybwmy",
            "version": "1.8.0"
          },
          "observables": [
            {
              "name": "evidences[0].actor.user.uid",
              "type_id": 31,
              "value": "u1:aaaa"
            }
          ],
          "risk_score": 50,
          "severity": "Medium",
          "severity_id": 3,
          "status": "New",
          "status_id": 1,
          "time": 1767582000000,
          "type_name": "Detection Finding: Create",
          "type_uid": 200401,
          "unmapped": {
            "chartwarden": {
              "because": [
                "rule:household"
              ],
              "contributions": [
                {
                  "feature": "charts_1h",
                  "value": 14,
                  "weight": 1.25
                },
                {
                  "feature": "household_24h",
                  "value": 2,
                  "weight": -0.75
                },
                {
                  "feature": "charts_24h",
                  "value": 14,
                  "weight": 0.5
                },
                {
                  "feature": "export_bytes_24h",
                  "value": 0,
                  "weight": 0.25
                }
              ],
              "evidence": {
                "digest": "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                "rows": 0
              },
              "open_score": 0.5,
              "ordinal": 0,
              "origin": {
                "engine_version": "0.1.0",
                "model": "0303030303030303030303030303030303030303030303030303030303030303",
                "model_name": "chart-access",
                "pipeline": "insider-breach",
                "spec": "0101010101010101010101010101010101010101010101010101010101010101",
                "sql": "0202020202020202020202020202020202020202020202020202020202020202",
                "time_zone": "Europe/Vienna",
                "version": "3"
              },
              "rules": [
                "household"
              ],
              "score": 0.02
            }
          }
        }"#]].assert_eq(&serde_json::to_string_pretty(&value).unwrap());
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
fn what_a_rule_tells_of_is_not_told_again() {
    let explain = [("household_24h", 0.9), ("charts_1h", 0.3)].map(|(feature, weight)| Contribution {
        feature: feature.to_owned(),
        value: 2.0,
        weight,
    });
    let line = Line { rules: &["household"], ..line("u1", 0.9) };
    let finding = one(&mut cases(), &batch(&[line]), 0.9, explain.to_vec(), Vec::new());
    assert_eq!(
        finding.sentences,
        [
            "2 of the patients live at the user's own address.",
            "Opened 14 charts with no documented reason in the last hour; usual for this user: up to 2.5.",
            "The model's score is 0.90, the threshold 0.50.",
        ]
    );
}

#[test]
fn the_largest_finding_fits() {
    let wide = "\u{10ffff}\"".repeat(200);
    let pairs = (0..1_000).map(|index| PairEvidence {
        other: Other::Patient(format!("{index:0128}")),
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
