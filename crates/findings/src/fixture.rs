//! A small pipeline for the tests: eleven columns, four rules, five features, and rows written by hand.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use base::{Digest, Millis, Timestamp};
use jiff::tz::TimeZone;

use crate::{
    Activity, Cases, Confidence, Contribution, FeatureMeaning, Origin, Other, PairEvidence, Policy, Result, Rule,
    Severity, Step, Tick,
};

/// 2026-01-05 00:00 UTC, a Monday.
pub(crate) const MONDAY: Timestamp = Timestamp::from_millis(1_767_571_200_000);

/// So many hours after Monday's midnight.
pub(crate) fn at(hours: i64) -> Timestamp {
    MONDAY + Millis::hours(hours)
}

pub(crate) fn schema() -> SchemaRef {
    let flag = |name| Field::new(name, DataType::Boolean, true);
    Arc::new(Schema::new(vec![
        Field::new("user_key", DataType::Utf8, false),
        Field::new("charts_1h", DataType::Int64, true),
        Field::new("charts_1h_own_p95", DataType::Float64, true),
        Field::new("charts_24h", DataType::Int64, true),
        Field::new("household_24h", DataType::Int64, true),
        Field::new("export_bytes_24h", DataType::Int64, true),
        Field::new("left_on", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
        flag("after_leaving"),
        flag("own_household"),
        flag("audit_off"),
        flag("same_surname"),
    ]))
}

pub(crate) fn rules() -> Vec<Rule> {
    let rule = |id: &str, column: &str, severity, title: &str, sentence: &str, attack: &[&str]| Rule {
        id: id.to_owned(),
        column: column.to_owned(),
        title: title.to_owned(),
        severity,
        sentence: sentence.to_owned(),
        attack: attack.iter().map(|&id| id.to_owned()).collect(),
        confidence: Confidence::Medium,
    };
    let household = "{household_24h|of the patients} live at the user's own address";
    let leaving = "opened {charts_24h|charts} after leaving on {left_on:date}";
    vec![
        rule(
            "surname",
            "same_surname",
            Severity::Informational,
            "Same surname",
            "a patient bears the user's surname",
            &[],
        ),
        rule("household", "own_household", Severity::Medium, "Chart of the own household", household, &["T1213"]),
        rule(
            "after-leaving",
            "after_leaving",
            Severity::Critical,
            "Access after leaving",
            leaving,
            &["T1078.002", "T1213"],
        ),
        rule(
            "audit-off",
            "audit_off",
            Severity::High,
            "Audit log switched off",
            "switched the audit log off",
            &["T1562"],
        ),
    ]
}

pub(crate) fn meanings() -> Vec<FeatureMeaning> {
    let meaning = |name: &str, group: &str, sentence: &str| FeatureMeaning {
        name: name.to_owned(),
        sentence: sentence.to_owned(),
        group: group.to_owned(),
        ..FeatureMeaning::default()
    };
    vec![
        FeatureMeaning {
            baseline: Some("charts_1h_own_p95".to_owned()),
            ..meaning(
                "charts_1h",
                "charts without a reason",
                "opened {value|charts} with no documented reason in the last hour; usual for this user: up to {charts_1h_own_p95}",
            )
        },
        meaning("charts_24h", "charts without a reason", "opened {value|charts} with no documented reason in a day"),
        FeatureMeaning {
            zero: Some("exported nothing, only looked".to_owned()),
            ..meaning("export_bytes_24h", "export", "exported {value:bytes} in a day")
        },
        meaning("household_24h", "", "looked at {value|patients} who share the user's address"),
    ]
}

pub(crate) fn origin() -> Origin {
    Origin {
        time_zone: TimeZone::get("Europe/Vienna").unwrap(),
        pipeline: "insider-breach".to_owned(),
        version: "3".to_owned(),
        spec: Digest([1; 32]),
        sql: Digest([2; 32]),
        model: Digest([3; 32]),
        model_name: "chart-access".to_owned(),
        engine_version: "0.1.0".to_owned(),
    }
}

pub(crate) fn cases() -> Cases {
    Cases::new(Policy::default(), rules(), meanings(), origin(), &schema()).unwrap()
}

/// A feature row; columns that are not named are zero or false.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) user: &'static str,
    pub(crate) score: f64,
    pub(crate) charts: i64,
    pub(crate) rules: &'static [&'static str],
    pub(crate) evidence: Vec<PairEvidence>,
}

/// A row of one user with a score and nothing else.
pub(crate) fn line(user: &'static str, score: f64) -> Line {
    Line { user, score, charts: 14, ..Line::default() }
}

pub(crate) fn pair(patient: &str, hours: i64, accesses: i64, score: f64) -> PairEvidence {
    PairEvidence {
        other: Other::Patient(patient.to_owned()),
        first_time: at(hours) - Millis::minutes(30),
        last_time: at(hours),
        accesses,
        actions: vec![("read".to_owned(), accesses - 1), ("print".to_owned(), 1)],
        reason: String::new(),
        score,
        flags: vec!["same household".to_owned(), "VIP".to_owned()],
    }
}

/// Orders that must not matter: of contributions, evidence rows and what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Forwards,
    Backwards,
}

pub(crate) fn tick(cases: &mut Cases, end: Timestamp, lines: &[Line]) -> Result<Step> {
    tick_given(cases, end, lines, Given::Forwards)
}

pub(crate) fn tick_given(cases: &mut Cases, end: Timestamp, lines: &[Line], given: Given) -> Result<Step> {
    let scores: Vec<f64> = lines.iter().map(|line| line.score).collect();
    let batch = batch(lines);
    let explain = |row: usize| {
        let weights = [("charts_1h", 1.25), ("charts_24h", 0.5), ("export_bytes_24h", 0.25), ("household_24h", -0.75)];
        let charts = lines[row].charts as f64;
        let contribution = |(feature, weight): (&str, f64)| Contribution {
            feature: feature.to_owned(),
            value: if feature.starts_with("charts") { charts } else { 0.0 },
            weight,
        };
        turned(weights.map(contribution).to_vec(), given)
    };
    let evidence = |user: &str| {
        let found = lines.iter().find(|line| line.user == user).map(|line| line.evidence.clone());
        let turn = |mut pair: PairEvidence| {
            pair.actions = turned(pair.actions, given);
            pair.flags = turned(pair.flags, given);
            pair
        };
        turned(found.unwrap_or_default().into_iter().map(turn).collect(), given)
    };
    cases.step(&Tick { end, features: &batch, scores: &scores, explain: &explain, evidence: &evidence })
}

fn turned<T>(mut items: Vec<T>, given: Given) -> Vec<T> {
    if given == Given::Backwards {
        items.reverse();
    }
    items
}

pub(crate) fn batch(lines: &[Line]) -> RecordBatch {
    let numbers =
        |value: &dyn Fn(&Line) -> i64| Arc::new(Int64Array::from_iter_values(lines.iter().map(value))) as ArrayRef;
    let flag = |rule: &str| {
        let fires = lines.iter().map(|line| Some(line.rules.contains(&rule)));
        Arc::new(fires.collect::<BooleanArray>()) as ArrayRef
    };
    let left = TimestampMillisecondArray::from(vec![Some((MONDAY - Millis::days(3)).millis()); lines.len()]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(lines.iter().map(|line| line.user))),
        numbers(&|line| line.charts),
        Arc::new(Float64Array::from(vec![2.5; lines.len()])),
        numbers(&|line| line.charts),
        numbers(&|line| if line.rules.contains(&"household") { 2 } else { 0 }),
        numbers(&|_| 0),
        Arc::new(left.with_timezone("UTC")),
        flag("after-leaving"),
        flag("household"),
        flag("audit-off"),
        flag("surname"),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// One word per finding: `u1 opened`, joined.
pub(crate) fn told(step: &Step) -> String {
    let words = step.findings.iter().map(|finding| {
        let activity: Activity = finding.activity;
        format!("{} {}", finding.subject, activity.name())
    });
    words.collect::<Vec<_>>().join(", ")
}
