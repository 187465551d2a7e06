use super::*;
use crate::fixture::{at, cases, line, tick};

fn refused(text: &str) -> String {
    strict(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn strict_json_takes_what_every_reader_keeps() {
    for text in [
        "9007199254740991",
        "-9007199254740991",
        "0.1",
        "{\"a\":{\"a\":[null,true,\"\\u00e4\"]}}",
        "9007199254740991.0",
    ] {
        strict(text.as_bytes()).unwrap();
    }
}

#[test]
fn strict_json_refuses_what_readers_disagree_on() {
    for text in ["9007199254740992", "-9007199254740992", "18446744073709551615", "1e16", "1e400"] {
        assert!(
            refused(text).contains("beyond 2^53 - 1") || refused(text).contains("out of range"),
            "{}",
            refused(text)
        );
    }
    assert!(refused("{\"a\":1,\"b\":{\"c\":1,\"c\":2}}").contains("key `c` stands twice"));
    assert!(refused("{\"a\":1,\"\\u0061\":2}").contains("key `a` stands twice"));
    for text in ["", "{", "[1,]", "\"\\ud800\"", "nul", "1 2", "\"\u{1}\"", "NaN"] {
        assert!(strict(text.as_bytes()).is_err(), "{text}");
    }
    assert!(strict(b"\"\xff\"").is_err());
    let deep = "[".repeat(100_000);
    assert!(refused(&deep).contains("recursion limit"));
    let large = format!("\"{}\"", "x".repeat(FINDING_BYTES_MAX));
    assert!(refused(&large).contains("at most 262144 allowed"));
}

#[test]
fn canonical_bytes_follow_rfc_8785() {
    // Keys by UTF-16 code units (a surrogate pair sorts before U+FB33), shortest numbers, minimal escapes: the RFC's
    // own examples in 3.2.2 and 3.2.3.
    let cases = [
        (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
        (r#"{"\ufb33":1,"\ud83d\ude00":2,"1":3}"#, "{\"1\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}"),
        (
            "[333333333.33333329,1E10,4.50,2e-3,0.000000000000000000000000001,-0.0]",
            "[333333333.3333333,10000000000,4.5,0.002,1e-27,0]",
        ),
        (r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#, "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\""),
    ];
    for (text, expected) in cases {
        let value = strict(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(bytes(&value).unwrap()).unwrap(), expected);
    }
}

#[test]
fn a_finding_is_valid_and_any_other_form_of_it_is_not() {
    let step = tick(&mut cases(), at(0), &[line("u1", 0.6)]).unwrap();
    let bytes = step.findings[0].bytes.clone();
    validate(&bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let changed = [
        (text.replacen('{', "{ ", 1), "not the canonical form"),
        (text.replace("\"class_uid\":2004", "\"class_uid\":2003"), "class_uid is Some(2003), expected 2004"),
        (text.replace("\"type_uid\":200401", "\"type_uid\":200402"), "type_uid is Some(200402), expected 200401"),
        (
            text.replace("\"severity\":\"Medium\"", "\"severity\":\"High\""),
            "severity is Some(\"High\"), expected `Medium`",
        ),
        (text.replace("\"activity_id\":1", "\"activity_id\":7"), "activity_id is not 1, 2 or 3"),
        (text.replace("\"time\":1767571200000", "\"time\":1767571200"), "time Some(1767571200) is not in milliseconds"),
        (text.replace("\"version\":\"1.8.0\"", "\"version\":\"1.9.0\""), "metadata/version is Some(\"1.9.0\")"),
        (text.replace("\"ordinal\":0", "\"ordinal\":9007199254740992"), "beyond 2^53 - 1"),
        (text.replace("\"ordinal\":0", "\"ordinal\":0,\"ordinal\":0"), "key `ordinal` stands twice"),
        ("{}".to_owned(), "activity_id is not 1, 2 or 3"),
        ("[]".to_owned(), "activity_id is not 1, 2 or 3"),
    ];
    for (changed, expected) in changed {
        let error = validate(changed.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), base::Kind::Corrupt);
        assert!(error.to_string().contains(expected), "{error} instead of {expected}");
    }
}

/// Whoever may write to the topic can take a finding's identifier for something else; then it is none of ours.
#[test]
fn no_other_content_bears_the_identifier_of_a_finding() {
    let golden: Vec<&str> = include_str!("../../golden/findings.ndjson").lines().collect();
    assert_eq!(golden.len(), 11);
    for (finding, other) in golden.iter().zip(golden.iter().cycle().skip(1)) {
        validate(finding.as_bytes()).unwrap();
        let value = strict(finding.as_bytes()).unwrap();
        let told = value["finding_info"]["desc"].as_str().unwrap();
        let other = strict(other.as_bytes()).unwrap();
        let with = |path: &str, text: &str| {
            let mut forged = value.clone();
            *forged.pointer_mut(path).unwrap() = text.into();
            forged
        };
        let mut forged: Vec<Value> = told
            .lines()
            .map(|sentence| with("/finding_info/desc", &told.replacen(sentence, "Nothing happened.", 1)))
            .collect();
        forged.push(with("/finding_info/desc", ""));
        forged.push(with("/finding_info/uid", "c-other"));
        forged.push(with("/unmapped/chartwarden/origin/pipeline", "other"));
        forged.push(with("/metadata/uid", other["metadata"]["uid"].as_str().unwrap()));
        forged.push(with("/metadata/uid", &"x".repeat(300)));
        for (path, number) in [("/time", 1_767_571_200_001_i64), ("/unmapped/chartwarden/ordinal", 77)] {
            let mut moved = value.clone();
            *moved.pointer_mut(path).unwrap() = number.into();
            forged.push(moved);
        }
        for forged in forged {
            let error = validate(&bytes(&forged).unwrap()).unwrap_err().to_string();
            assert!(error.contains("metadata/uid is \"") && error.len() < 200, "{error}");
        }
    }
}

#[test]
fn a_finding_that_lacks_what_identifies_it_is_none() {
    let step = tick(&mut cases(), at(0), &[line("u1", 0.6)]).unwrap();
    let text = String::from_utf8(step.findings[0].bytes.clone()).unwrap();
    for (part, without, missing) in [
        ("\"ordinal\":0,", "", "unmapped/chartwarden/ordinal"),
        ("\"ordinal\":0,", "\"ordinal\":4294967296,", "unmapped/chartwarden/ordinal"),
        ("\"ordinal\":0,", "\"ordinal\":\"0\",", "unmapped/chartwarden/ordinal"),
        ("\"pipeline\":\"insider-breach\",", "", "unmapped/chartwarden/origin/pipeline"),
    ] {
        let changed = text.replace(part, without);
        assert_ne!(changed, text);
        let error = validate(changed.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(&format!("{missing} is missing")), "{error}");
    }
}

#[test]
fn identifiers_are_short_and_depend_on_every_part() {
    let id = identifier("f-", &[b"a", b"bc"]);
    assert_eq!(id.len(), 28);
    assert!(id[2..].bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte)));
    let others =
        [identifier("f-", &[b"ab", b"c"]), identifier("c-", &[b"a", b"bc"]), identifier("f-", &[b"a", b"bc", b""])];
    for other in others {
        assert_ne!(id[2..], other[2..]);
    }
}

#[test]
fn the_digest_is_sha_256() {
    // FIPS 180-4, the message "abc".
    assert_eq!(digest(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
