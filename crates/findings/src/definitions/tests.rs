use base::{Kind, Millis};
use expect_test::{Expect, expect};

use super::*;
use crate::fixture::{meanings, origin, rules, schema};

fn check(policy: Policy, rules: Vec<Rule>, meanings: Vec<FeatureMeaning>, origin: Origin, expected: Expect) {
    let error = Definitions::new(Subject::user(), policy, rules, meanings, origin, &schema()).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    let Error::Definitions(problems) = error else { panic!("{error}") };
    expected.assert_eq(&problems.join("\n"));
}

#[test]
fn unknown_columns_name_the_rule_the_column_and_the_nearest_name() {
    let mut rules = rules();
    rules[1].sentence = "opened {chart_1h|charts} and {nothing_like_it}".to_owned();
    rules[2].column = "after_leavin".to_owned();
    rules[3].column = "charts_1h".to_owned();
    let mut meanings = meanings();
    meanings[0].name = "charts_2h".to_owned();
    meanings[1].baseline = Some("charts_24h_p95".to_owned());
    meanings[2].zero = Some("exported {export_byte_24h}".to_owned());
    check(
        Policy::default(),
        rules,
        meanings,
        origin(),
        expect![[r#"
            rule `household`: unknown column `chart_1h`; did you mean `charts_1h`?
            rule `household`: unknown column `nothing_like_it`
            rule `after-leaving`: unknown column `after_leavin`; did you mean `after_leaving`?
            rule `audit-off`: column `charts_1h` is Int64, expected Boolean
            feature `charts_2h`: unknown column `charts_2h`; did you mean `charts_1h`?
            feature `charts_24h`: unknown column `charts_24h_p95`; did you mean `charts_24h`?
            feature `export_bytes_24h`: unknown column `export_byte_24h`; did you mean `export_bytes_24h`?"#]],
    );
}

#[test]
fn a_rule_may_not_use_the_value_of_a_feature() {
    let mut rules = rules();
    rules[0].sentence = "{value}".to_owned();
    rules.truncate(1);
    check(Policy::default(), rules, Vec::new(), origin(), expect!["rule `surname`: unknown column `value`"]);
}

#[test]
fn every_problem_is_reported_at_once() {
    let mut rules = rules();
    rules[0].id = String::new();
    rules[1].id = "a\"b".to_owned();
    rules[2].attack = vec!["TA0001".to_owned()];
    rules[3].title = "x\ny".to_owned();
    rules.push(rules[2].clone());
    let meanings = vec![meanings()[0].clone(), meanings()[0].clone()];
    let policy = Policy {
        open_score: 0.0,
        pair_score: f64::NAN,
        update_rise: -1.0,
        update_gap: Millis(-1),
        updates_max: 5_000,
        close_after: Millis(0),
        explain_top: 11,
        evidence_top: 13,
    };
    check(
        policy,
        rules,
        meanings,
        Origin { pipeline: String::new(), ..origin() },
        expect![[r#"
        policy: `open_score` is 0, expected more than 0 and at most 1
        policy: `pair_score` is NaN, expected more than 0 and at most 1
        policy: `update_rise` is -1, expected more than 0 and at most 1
        policy: `update_gap` is -1ms, expected 0 or more
        policy: `close_after` is 0ms, expected more than 0
        policy: `updates_max` is 5000, at most 1000 allowed
        policy: `explain_top` is 11, at most 10 allowed
        policy: `evidence_top` is 13, at most 12 allowed
        origin: `pipeline` has 0 bytes, expected 1 to 64
        rule ``: `id` has 0 bytes, expected 1 to 64
        rule `a"b`: `id` holds '"'
        rule `after-leaving`: `TA0001` is no technique id: write `T1078` or `T1110.003`
        rule `audit-off`: `title` holds '\n'
        rule `after-leaving`: `TA0001` is no technique id: write `T1078` or `T1110.003`
        rule `after-leaving` is defined twice
        feature `charts_1h` is given a meaning twice"#]],
    );
}
