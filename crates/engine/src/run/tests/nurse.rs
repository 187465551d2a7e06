//! One day of one nurse, feature by feature.

use super::*;

/// A nurse's day: a patient of her ward, a colleague's chart at night from outside, a search, a print.
fn a_nurses_day() -> World {
    let at =
        |text: &str| text.parse::<jiff::Timestamp>().map(|time| Timestamp::from_millis(time.as_millisecond())).unwrap();
    let access = |time: &str, rest: &str| {
        let json = format!(r#"{{"id":"a-{time}","time":"{time}","user":"n1","outcome":"success",{rest}}}"#);
        (at(time), json.into_bytes())
    };
    let accesses = vec![
        access("2026-01-05T08:00:10Z", r#""patient":"p1","action":"read","workstation":"ws1""#),
        access("2026-01-05T08:00:40Z", r#""patient":"p1","action":"update","workstation":"ws1""#),
        access("2026-01-05T08:07:00Z", r#""action":"search","search":"Berg","results":0,"workstation":"ws1""#),
        access("2026-01-05T08:07:20Z", r#""patient":"p2","action":"read","workstation":"ws1""#),
        access("2026-01-05T08:07:20Z", r#""patient":"p2","action":"read","workstation":"ws1""#),
        access("2026-01-05T22:30:00Z", r#""patient":"p2","action":"print","bytes":5000,"address":"203.0.113.7""#),
        access("2026-01-05T23:30:00Z", r#""patient":"p1","action":"read","workstation":"ws1""#),
    ];
    let sign_in = |time: &str, outcome: &str| {
        let json = format!(
            r#"{{"id":"s-{time}","time":"{time}","user":"n1","activity":"logon","outcome":"{outcome}","address":"203.0.113.7","country":"AT","device":"d1"}}"#
        );
        (at(time), json.into_bytes())
    };
    let sign_ins = vec![
        sign_in("2026-01-05T08:00:00Z", "success"),
        sign_in("2026-01-05T22:28:00Z", "failure"),
        sign_in("2026-01-05T22:29:00Z", "success"),
        sign_in("2026-01-05T23:40:00Z", "success"),
    ];
    let row = |kind, offset, json: &str| ReferenceRecord {
        kind,
        partition: 0,
        offset: Offset(offset),
        append_time: at("2026-01-01T00:00:00Z"),
        value: Some(json.as_bytes().to_vec()),
    };
    let reference = vec![
        row(
            "staff",
            0,
            r#"{"user":"n1","role":"nurse","unit":"w1","shift":"day","hired":"2020-02-01","valid_from":"2020-02-01"}"#,
        ),
        row(
            "staff",
            1,
            r#"{"user":"n2","role":"nurse","unit":"w2","patient":"p2","hired":"2021-02-01","valid_from":"2021-02-01"}"#,
        ),
        row("patients", 0, r#"{"patient":"p1","unit":"w1","insurer":"i1","valid_from":"2026-01-01"}"#),
        row("patients", 1, r#"{"patient":"p2","staff_user":"n2","insurer":"i2","valid_from":"2026-01-01"}"#),
        row(
            "relations",
            0,
            r#"{"id":"r1","kind":"encounter","patient":"p1","unit":"w1","from":"2026-01-04","valid_from":"2026-01-04"}"#,
        ),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach");
    World {
        topics: [accesses, sign_ins],
        reference,
        spec: PipelineSpec::load(&folder, ModelUse::Record).unwrap_or_else(|problems| panic!("{problems}")),
        keys: Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap()),
    }
}

#[test]
fn features_of_a_nurses_day_are_the_golden_ones() {
    let stored = run(&a_nurses_day(), &[3], &[]);
    let mut told = String::new();
    for message in &stored.results {
        for rows in StreamReader::try_new(message.value.as_slice(), None).unwrap() {
            let rows = rows.unwrap();
            for row in 0..rows.num_rows() {
                told += &format!("{}\n", String::from_utf8_lossy(&message.key));
                for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
                    let value = array_value_to_string(column, row).unwrap();
                    // What is nothing is left out.
                    if !["", "0", "0.0", "false"].contains(&value.as_str()) {
                        told += &format!("  {} {value}\n", field.name());
                    }
                }
            }
        }
    }
    expect_test::expect_file!["../../../golden/nurses_day.txt"].assert_eq(&told);
}
