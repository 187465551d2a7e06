use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(dead_code)]
struct Sample<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    count: Option<i32>,
    inner: Option<Inner>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(dead_code)]
struct Inner {
    flag: Option<bool>,
}

fn fault(text: &str) -> String {
    let fault = checked_text(Some(text.as_bytes())).and_then(parse::<Sample<'_>>).unwrap_err();
    format!("{}: {}", fault.reason, fault.detail)
}

#[test]
fn faults_name_the_field_and_the_place_and_quote_nothing() {
    for (text, expected) in [
        (r#"{"count":"SECRET, expected SECRET"}"#, "wrong_type: field `count`, byte 33: expected i32"),
        (r#"{"SECRET":1,"inner":{"flag":"SECRET"}}"#, "wrong_type: field `inner.flag`, byte 35: expected a boolean"),
        (r#"{"name":["SECRET"]}"#, "wrong_type: field `name`, byte 8: expected a text"),
        (r#""SECRET""#, "wrong_type: the document, byte 7: expected struct Sample"),
        (r#"{"name":"SECRET","name":"x"}"#, "duplicate_field: a field stands twice, at byte 22"),
        (r#"{"name":"SECRET"#, "not_json: ends at byte 14 in the middle of a value"),
        ("{\n \"name\": SECRET}", "not_json: not json at byte 11"),
        ("{\"name\":\"a\u{0}b\"}", "not_json: not json at byte 10"),
        (r#"{"name":"a"} SECRET"#, "not_json: not json at byte 13"),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn depth_is_limited_and_brackets_inside_texts_do_not_count() {
    let nested = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(checked_text(Some(nested(DEPTH_MAX).as_bytes())).is_ok());
    assert_eq!(fault(&nested(DEPTH_MAX + 1)), "too_deep: nested deeper than 64 at byte 68");
    let quoted = format!(r#"{{"x":"\"{}"}}"#, "[".repeat(500));
    assert!(checked_text(Some(quoted.as_bytes())).is_ok());
}

#[test]
fn numbers_and_flags_may_stand_for_texts() {
    let name = |text| parse::<Sample<'_>>(text).unwrap().name.map(|name| name.0.into_owned());
    assert_eq!(name(r#"{"name":4711}"#).as_deref(), Some("4711"));
    assert_eq!(name(r#"{"name":-1}"#).as_deref(), Some("-1"));
    assert_eq!(name(r#"{"name":true}"#).as_deref(), Some("true"));
    assert_eq!(name(r#"{"name":null}"#), None);
}

#[test]
fn documents_arrays_and_lines_are_told_apart() {
    let count = |text: &str| match split(text) {
        Ok(Parts::One(_)) => "one".to_owned(),
        Ok(Parts::Lines(lines)) => format!("{} lines", lines.len()),
        Ok(Parts::Elements(elements)) => format!("{} elements", elements.len()),
        Err(fault) => fault.reason.to_string(),
    };
    for (text, expected) in [
        ("{}", "one"),
        ("{\n\"a\":1\n}", "one"),
        ("{}\n\n{}\r\n{}", "3 lines"),
        ("[\n{},\n{}\n]", "2 elements"),
        ("[]", "empty"),
        ("[{}", "not_json"),
        ("{}\n]", "one"),
    ] {
        assert_eq!(count(text), expected, "{text}");
    }
}
