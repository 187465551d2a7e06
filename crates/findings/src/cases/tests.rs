use base::{Kind, Millis};
use expect_test::{Expect, expect};

use super::*;
use crate::fixture::{
    Given, Line, at, batch, cases, line, meanings, origin, pair, rules, schema, tick, tick_given, told,
};

/// Runs ticks of one user, `hours: line`, and lists what was told when.
fn check(policy: Policy, ticks: Vec<(i64, Line)>, expected: Expect) {
    let mut cases = Cases::new(policy, rules(), meanings(), origin(), &schema()).unwrap();
    let mut told = String::new();
    for (hours, line) in ticks {
        let mut step = cases.close_quiet(at(hours)).unwrap();
        step.findings.extend(tick(&mut cases, at(hours), &[line]).unwrap().findings);
        for finding in step.findings {
            crate::validate(&finding.bytes).unwrap();
            let because = crate::read(&finding.bytes).unwrap().because.join(", ");
            told.push_str(&format!("at {hours} h: {} ({because})\n", finding.activity.name()));
        }
    }
    expected.assert_eq(&told);
}

#[test]
fn a_score_at_the_threshold_opens_one_case() {
    check(
        Policy::default(),
        vec![(1, line("u1", 0.499_999)), (2, line("u1", 0.5)), (3, line("u1", 0.6)), (4, line("u1", 0.2))],
        expect![[r#"
            at 2 h: opened (score)
        "#]],
    );
}

#[test]
fn a_rule_opens_a_case_unless_it_is_informational() {
    let with = |rules| Line { rules, ..line("u1", 0.01) };
    check(
        Policy::default(),
        vec![(1, with(&["surname"])), (2, with(&["household", "surname"]))],
        expect![[r#"
            at 2 h: opened (rule:household)
        "#]],
    );
}

#[test]
fn a_rise_waits_for_the_cool_down_and_is_not_forgotten() {
    // Risen at 3 h and fallen again at 30 h: told at 30 h, when the day has passed. 0.74 is no rise over 0.9.
    check(
        Policy::default(),
        vec![(2, line("u1", 0.55)), (3, line("u1", 0.9)), (30, line("u1", 0.4)), (60, line("u1", 0.74))],
        expect![[r#"
            at 2 h: opened (score)
            at 30 h: updated (score_rise)
        "#]],
    );
}

#[test]
fn a_rise_of_exactly_the_hysteresis_is_material() {
    // 0.55 + 0.15 is 0.7000000000000001 in floats.
    check(
        Policy { update_gap: Millis(0), ..Policy::default() },
        vec![(1, line("u1", 0.55)), (2, line("u1", 0.699_999)), (3, line("u1", 0.7))],
        expect![[r#"
            at 1 h: opened (score)
            at 3 h: updated (score_rise)
        "#]],
    );
}

#[test]
fn a_new_rule_waits_for_nothing_and_is_told_once() {
    let with = |rules| Line { rules, ..line("u1", 0.6) };
    check(
        Policy { updates_max: 1, ..Policy::default() },
        vec![
            (1, with(&["household"])),
            (2, with(&["household", "audit-off"])),
            (3, with(&["after-leaving", "audit-off"])),
            (4, with(&["household", "audit-off", "after-leaving", "surname"])),
        ],
        expect![[r#"
            at 1 h: opened (rule:household, score)
            at 2 h: updated (rule:audit-off)
            at 3 h: updated (rule:after-leaving)
        "#]],
    );
}

#[test]
fn the_cap_holds_back_rises_and_patients() {
    let policy = Policy { updates_max: 2, update_gap: Millis::hours(1), ..Policy::default() };
    let with = |score, patients: &[&str]| Line {
        evidence: patients.iter().map(|patient| pair(patient, 1, 3, 0.8)).collect(),
        ..line("u1", score)
    };
    check(
        policy,
        vec![
            (1, with(0.5, &["p1"])),
            (2, with(0.5, &["p1", "p2"])),
            (3, with(0.8, &["p1", "p2"])),
            (4, with(0.99, &["p1", "p2", "p3"])),
        ],
        expect![[r#"
            at 1 h: opened (score)
            at 2 h: updated (patients)
            at 3 h: updated (score_rise)
        "#]],
    );
}

#[test]
fn a_patient_with_a_low_pair_score_is_no_news() {
    let with = |score| Line { evidence: vec![pair("p1", 1, 3, score)], ..line("u1", 0.6) };
    check(
        Policy { update_gap: Millis(0), ..Policy::default() },
        vec![(1, with(0.2)), (2, with(0.499)), (3, with(0.5)), (4, with(0.7))],
        expect![[r#"
            at 1 h: opened (score)
            at 3 h: updated (patients)
        "#]],
    );
}

#[test]
fn a_case_closes_after_quiet_and_the_next_act_opens_another() {
    let day = 24;
    check(
        Policy::default(),
        vec![
            (0, line("u1", 0.6)),
            (6 * day, line("u1", 0.5)),
            (13 * day - 1, line("u1", 0.4)),
            (13 * day, line("u1", 0.7)),
        ],
        expect![[r#"
            at 0 h: opened (score)
            at 312 h: closed (quiet)
            at 312 h: opened (score)
        "#]],
    );
}

#[test]
fn a_step_closes_what_fell_quiet_by_itself() {
    let mut cases = cases();
    tick(&mut cases, at(0), &[line("u1", 0.6)]).unwrap();
    let step = tick(&mut cases, at(24 * 8), &[line("u1", 0.6)]).unwrap();
    assert_eq!(told(&step), "u1 closed, u1 opened");
    assert_ne!(step.findings[0].case_id, step.findings[1].case_id);
    assert_eq!(step.touched.len(), 1);
    assert!(step.touched[0].1.is_some());
}

#[test]
fn findings_and_state_come_in_order_of_users() {
    let mut cases = cases();
    let step = tick(&mut cases, at(0), &[line("u1", 0.6), line("u2", 0.1), line("u3", 0.9)]).unwrap();
    assert_eq!(told(&step), "u1 opened, u3 opened");
    assert_eq!(cases.open_count(), 2);
    let closed = cases.close_quiet(at(24 * 7)).unwrap();
    assert_eq!(told(&closed), "u1 closed, u3 closed");
    assert_eq!(closed.touched, [("u1".to_owned(), None), ("u3".to_owned(), None)]);
    assert_eq!(cases.open_count(), 0);
    assert_eq!(cases.close_quiet(at(24 * 8)).unwrap(), Step::default());
}

#[test]
fn the_days_threshold_counts_from_the_next_tick_and_is_told() {
    let mut cases = cases();
    cases.set_open_score(0.3).unwrap();
    let step = tick(&mut cases, at(0), &[line("u1", 0.3)]).unwrap();
    assert_eq!(crate::read(&step.findings[0].bytes).unwrap().open_score, 0.3);
    for refused in [0.0, -0.1, 1.1, f64::NAN, 1e-9] {
        assert_eq!(cases.set_open_score(refused).unwrap_err().kind(), Kind::Invalid);
    }
}

/// A history with every kind of step in it.
fn history() -> Vec<(i64, Vec<Line>)> {
    let evidence = |patients: &[&str]| patients.iter().map(|patient| pair(patient, 1, 3, 0.8)).collect::<Vec<_>>();
    vec![
        (
            1,
            vec![line("u1", 0.6), Line { rules: &["household"], evidence: evidence(&["p2", "p1"]), ..line("u2", 0.1) }],
        ),
        (2, vec![line("u1", 0.95), Line { rules: &["audit-off", "household"], ..line("u2", 0.2) }]),
        (
            30,
            vec![
                line("u1", 0.3),
                Line { evidence: evidence(&["p1", "p9", "p3"]), ..line("u2", 0.2) },
                line("u3", 0.51),
            ],
        ),
        (24 * 9, vec![line("u1", 0.7)]),
        (24 * 20, vec![line("u2", 0.1)]),
    ]
}

#[test]
fn the_same_ticks_give_the_same_bytes_in_whatever_order_rows_are_handed_over() {
    let run = |given| {
        let mut cases = cases();
        let step = |(hours, lines): (i64, Vec<Line>)| {
            let closed = cases.close_quiet(at(hours)).unwrap();
            (closed, tick_given(&mut cases, at(hours), &lines, given).unwrap())
        };
        history().into_iter().map(step).collect::<Vec<_>>()
    };
    assert_eq!(run(Given::Forwards), run(Given::Backwards));
}

#[test]
fn a_restored_lane_goes_on_as_if_it_had_never_stopped() {
    let mut straight = cases();
    let mut stored: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (hours, lines) in history() {
        // Every tick starts from the stored bytes alone.
        let mut restored = cases();
        for (user, bytes) in &stored {
            restored.restore(user, bytes).unwrap();
        }
        for round in 0..2 {
            let step = |cases: &mut Cases| match round {
                0 => cases.close_quiet(at(hours)).unwrap(),
                _ => tick(cases, at(hours), &lines).unwrap(),
            };
            let (expected, got) = (step(&mut straight), step(&mut restored));
            assert_eq!(expected, got, "at {hours} h");
            for (user, bytes) in got.touched {
                match bytes {
                    Some(bytes) => stored.insert(user, bytes),
                    None => stored.remove(&user),
                };
            }
        }
        assert_eq!(straight.open_count(), stored.len());
    }
}

#[test]
fn a_row_that_changes_nothing_stores_nothing() {
    let mut cases = cases();
    tick(&mut cases, at(0), &[line("u1", 0.6)]).unwrap();
    assert_eq!(tick(&mut cases, at(1), &[line("u1", 0.1)]).unwrap(), Step::default());
}

#[test]
fn stored_bytes_that_were_changed_are_refused() {
    let mut cases = cases();
    let step = tick(&mut cases, at(0), &[line("u1", 0.6)]).unwrap();
    let bytes = step.touched[0].1.clone().unwrap();
    cases.restore("u1", &bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let broken = [
        String::new(),
        text.replace("\"version\":1", "\"version\":2"),
        text.replace("{\"active\"", "{ \"active\""),
        text.replace("\"updates\"", "\"extra\":1,\"updates\""),
        text[..text.len() - 1].to_owned(),
    ];
    for bytes in broken {
        assert_eq!(cases.restore("u1", bytes.as_bytes()).unwrap_err().kind(), Kind::Corrupt, "{bytes}");
    }
}

#[test]
fn every_flipped_byte_of_a_stored_case_is_refused_or_is_another_case() {
    let mut cases = cases();
    let step = tick(&mut cases, at(0), &[line("u1", 0.6)]).unwrap();
    let bytes = step.touched[0].1.clone().unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        if cases.restore("u1", &flipped).is_ok() {
            assert_eq!(cases.open["u1"].to_bytes().unwrap(), flipped);
        }
    }
}

#[test]
fn rows_that_are_no_tick_are_our_bug_and_say_which_row() {
    let refused = |lines: &[Line]| {
        let error = tick(&mut cases(), at(0), lines).unwrap_err();
        assert_eq!(error.kind(), Kind::Bug);
        error.to_string()
    };
    assert_eq!(
        refused(&[line("u2", 0.1), line("u1", 0.1)]),
        "feature batch: row 1 is not after row 0 in order of `user_key`"
    );
    assert_eq!(
        refused(&[line("u1", 0.1), line("u1", 0.1)]),
        "feature batch: row 1 is not after row 0 in order of `user_key`"
    );
    assert_eq!(refused(&[line("u1", 1.5)]), "feature batch: score 1.5 of row 0 is not between 0 and 1");
    assert_eq!(refused(&[line("u1", f64::NAN)]), "feature batch: score NaN of row 0 is not between 0 and 1");
    assert_eq!(refused(&[line("", 0.9)]), "subject of 0 bytes, expected 1 to 128");

    let batch = batch(&[line("u1", 0.1)]);
    let nothing = |_: usize| Vec::new();
    let no_one = |_: &str| Vec::new();
    let step = |features, scores| {
        let tick = Tick { end: at(0), features, scores, explain: &nothing, evidence: &no_one };
        cases().step(&tick).unwrap_err().to_string()
    };
    assert_eq!(step(&batch, &[]), "feature batch: 1 rows but 0 scores");
    let without = batch.project(&[0]).unwrap();
    assert_eq!(step(&without, &[0.1]), "feature batch: column `after_leaving` is missing or not Boolean");
    let without = batch.project(&[1]).unwrap();
    assert_eq!(step(&without, &[0.1]), "feature batch: column `user_key` is missing or not text without nulls");
}

#[test]
fn a_case_survives_the_removal_of_its_rule() {
    let mut cases = cases();
    let step = tick(&mut cases, at(0), &[Line { rules: &["household"], ..line("u1", 0.1) }]).unwrap();
    let mut later = Cases::new(Policy::default(), Vec::new(), meanings(), origin(), &schema()).unwrap();
    later.restore("u1", step.touched[0].1.as_ref().unwrap()).unwrap();
    let closed = later.close_quiet(at(24 * 7)).unwrap();
    assert_eq!(closed.findings[0].rules, ["household"]);
    crate::validate(&closed.findings[0].bytes).unwrap();
}
