use expect_test::expect;

use crate::testing::{decode, decoder, dump, records};
use crate::{Format, Stream};

mod examples;

#[test]
fn test_data_is_refused_by_default() {
    let text = include_str!("../../fixtures/balp/AuditEvent-ex-auditBasicReadServer.json");
    let decoded = decode(Stream::Access, Format::Fhir, &[text]);
    expect![[r#"
        reject 0/0: test_data: `meta.security` holds HTEST
    "#]]
    .assert_eq(&dump(&decoded));
}

#[test]
fn a_user_cannot_hide_behind_the_purpose_of_a_test() {
    let text = r#"{"resourceType":"AuditEvent","action":"R","recorded":"2025-12-01T08:00:00Z",
        "purposeOfEvent":[{"coding":[{"code":"HTEST"}]}],"agent":[{"requestor":true,"altId":"eve"}]}"#;
    assert_eq!(decode(Stream::Access, Format::Fhir, &[text]).events.num_rows(), 1);
}

fn event(extra: &str) -> String {
    format!(
        r#"{{"resourceType":"AuditEvent","action":"R","recorded":"2025-12-01T08:00:00Z",
            "agent":[{{"requestor":true,"who":{{"reference":"Practitioner/7"}}}}]{extra}}}"#
    )
}

fn value(text: &str, column: &str) -> String {
    let dump = dump(&decode(Stream::Access, Format::Fhir, &[text]));
    let line = dump.lines().find_map(|line| line.strip_prefix(&format!("{column}: ")));
    line.map_or_else(|| format!("none in: {dump}"), str::to_owned)
}

#[test]
fn break_the_glass_shows_in_several_ways() {
    for extra in [
        r#","purposeOfEvent":[{"coding":[{"code":"BTG"}]}]"#,
        r#","purposeOfEvent":[{"coding":[{"code":"TREAT"}]},{"coding":[{"code":"BTG"}]}]"#,
        r#","authorization":[{"coding":[{"code":"ETREAT"}]}]"#,
        r#","type":{"code":"110113"},"subtype":[{"code":"110127"}]"#,
        r#","category":[{"coding":[{"code":"110127"}]}],"code":{"coding":[{"code":"110113"}]}"#,
    ] {
        assert_eq!(value(&event(extra), "break_glass"), "true", "{extra}");
    }
    assert_eq!(value(&event(r#","subtype":[{"code":"110138"}]"#), "break_glass"), "false");
    assert_eq!(value(&event(""), "break_glass"), "false");
}

#[test]
fn actions_come_from_the_most_telling_code() {
    for (extra, action) in [
        (r#","subtype":[{"code":"vread"}]"#, "read"),
        (r#","code":{"coding":[{"code":"rest"}]},"category":[{"coding":[{"code":"update"}]}]"#, "update"),
        (r#","subtype":[{"code":"search-type"}]"#, "search"),
        (r#","subtype":{"code":"patch"}"#, "update"),
        (r#","type":{"code":"110106"}"#, "export"),
        (r#","type":{"code":"110106"},"subtype":[{"code":"read"},{"code":"disclose"}]"#, "disclose"),
        (r#","type":{"code":"110112"}"#, "search"),
        (r#","type":{"code":"110110"}"#, "read"),
        (r#","type":{"code":"110114"},"subtype":[{"code":"110122"}]"#, "other"),
        (r#","subtype":[{"code":"print"}]"#, "print"),
        (r#","subtype":["delete"]"#, "delete"),
    ] {
        assert_eq!(value(&event(extra), "action"), action, "{extra}");
    }
}

#[test]
fn outcomes_of_all_versions() {
    for (outcome, word) in [
        (r#""0""#, "success"),
        ("0", "success"),
        (r#""8""#, "failure"),
        (r#"{"code":{"system":"http://hl7.org/fhir/issue-severity","code":"error"}}"#, "failure"),
        (r#"{"code":{"code":"success"},"detail":[{"text":"fine"}]}"#, "success"),
        (r#""4""#, "failure"),
        (r#"{"code":{"code":"fatal"}}"#, "failure"),
        (r#"{"code":{"code":"information"}}"#, "success"),
        (r#""?""#, "unknown"),
        ("null", "unknown"),
    ] {
        assert_eq!(value(&event(&format!(r#","outcome":{outcome}"#)), "outcome"), word, "{outcome}");
    }
}

#[test]
fn an_access_with_a_warning_is_one_that_was_made() {
    let event = event(r#","outcome":{"code":{"system":"http://hl7.org/fhir/issue-severity","code":"warning"}}"#);
    let told = ["outcome", "outcome_raw"].map(|column| value(&event, column));
    assert_eq!(told, ["success", "warning"]);
}

#[test]
fn references_of_every_form_name_the_same_patient() {
    let keyed = |reference: &str| {
        value(&event(&format!(r#","entity":[{{"what":{{"reference":"{reference}"}}}}]"#)), "patient_key")
    };
    let plain = keyed("Patient/7");
    assert!(plain.starts_with("p1:"), "{plain}");
    for reference in ["Patient/007", "https://server/fhir/Patient/7", "Patient/7/_history/3", " Patient/7 "] {
        assert_eq!(keyed(reference), plain, "{reference}");
    }
    assert_ne!(keyed("Patient/8"), plain);
    assert!(keyed("Observation/7").starts_with("none"), "an observation is no patient");
    let r5 =
        value(&event(r#","patient":{"reference":"Patient/7"},"encounter":{"reference":"Encounter/1"}"#), "patient_key");
    assert_eq!(r5, plain);
    let stu3 =
        value(&event(r#","entity":[{"reference":{"reference":"Patient/7"},"role":{"code":"1"}}]"#), "patient_key");
    assert_eq!(stu3, plain);
}

#[test]
fn a_searched_name_becomes_one_token_however_it_was_asked() {
    let token = |query: &str| {
        use base64::Engine;
        let encoded = base64::engine::general_purpose::STANDARD.encode(query);
        value(&event(&format!(r#","entity":[{{"role":{{"code":"24"}},"query":"{encoded}"}}]"#)), "search_token")
    };
    let plain = token("GET https://server/fhir/Patient?family=Smith&given=Ann");
    assert!(plain.starts_with("t1:"), "{plain}");
    for query in [
        "https://server/fhir/Patient?given=ann&family=SMITH&_count=10",
        "GET /Observation?patient.given:contains=Ann&patient.family=Smith\nAccept: application/fhir+json",
        "POST /Patient/_search\nContent-Type: x\n\nfamily=Smith&given=Ann",
        "Patient?name=smith+ann",
        "Patient?name=smith%20ann",
    ] {
        assert_eq!(token(query), plain, "{query}");
    }
    for query in ["Patient?_id=7", "Patient?name=", "Patient", ""] {
        assert!(token(query).starts_with("none"), "{query}");
    }
}

#[test]
fn who_is_no_person_is_said_to_be_a_system_and_nobody_at_all_is_refused() {
    let with_agents = |agents: &str| {
        format!(r#"{{"resourceType":"AuditEvent","action":"R","recorded":"2025-12-01T08:00:00Z","agent":{agents}}}"#)
    };
    for (agents, kind) in [
        (r#"[{"requestor":false,"who":{"reference":"Device/d"}}]"#, "system"),
        (r#"[{"requestor":true,"who":{"reference":"Device/d"}}]"#, "system"),
        (r#"[{"requestor":true,"who":{"reference":"Device/d"}},{"requestor":true,"altId":"jdoe"}]"#, "human"),
        (r#"[{"who":{"reference":"Practitioner/7"}}]"#, "human"),
        (r#"[{"requestor":true,"who":{"reference":"Patient/7"}}]"#, "patient"),
        (r#"[{"requestor":true,"who":{"reference":"RelatedPerson/7"}}]"#, "patient"),
        (r#"[{"requestor":true,"userId":{"value":"u7"}}]"#, "human"),
    ] {
        assert_eq!(value(&with_agents(agents), "actor_kind"), kind, "{agents}");
    }
    for agents in ["[]", "null", r##"[{"requestor":true,"who":{"reference":"#p1"}}]"##, r#"[{"requestor":true}]"#] {
        let decoded = decode(Stream::Access, Format::Fhir, &[&with_agents(agents)]);
        assert_eq!(dump(&decoded), "reject 0/0: no_user: nobody is named as the one who acted\n", "{agents}");
    }
    let staff = value(&with_agents(r#"[{"requestor":true,"who":{"reference":"Practitioner/7"}}]"#), "user_key");
    let patient = value(&with_agents(r#"[{"requestor":true,"who":{"reference":"Patient/7"}}]"#), "user_key");
    assert_ne!(staff, patient, "a patient and a member of staff with the same number are two people");
}

#[test]
fn a_bundle_keeps_its_good_entries() {
    let good = event("");
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[
            {{"fullUrl":"urn:uuid:1","resource":{good}}},
            {{"resource":{{"resourceType":"Patient","name":[{{"family":"SECRET"}}]}}}},
            {{"resource":{}}},
            {{"request":{{"method":"DELETE"}}}},
            7,
            {{"resource":{{"resourceType":"Bundle","entry":[{{"resource":{good}}}]}}}},
            {{"fullUrl":"urn:uuid:7","resource":{good}}}]}}"#,
        event(r#","agent":"SECRET""#)
    );
    let decoded = decode(Stream::Access, Format::Fhir, &[&bundle, r#"{"resourceType":"Bundle"}"#]);
    assert_eq!((decoded.part_count, decoded.record_count), (8, 2));
    expect![[r#"
        offset: 0
        part: 0
        event_time: 2025-12-01T08:00:00Z
        event_id: urn:uuid:1
        user_key: u1:qy7rbr
        action: read
        action_raw: R
        outcome: unknown
        break_glass: false
        sensitive: false
        actor_kind: human
        offset: 0
        part: 6
        event_time: 2025-12-01T08:00:00Z
        event_id: urn:uuid:7
        user_key: u1:qy7rbr
        action: read
        action_raw: R
        outcome: unknown
        break_glass: false
        sensitive: false
        actor_kind: human
        reject 0/1: unknown_shape: `resourceType` is neither AuditEvent nor Bundle
        reject 0/2: duplicate_field: a field stands twice, at byte 161
        reject 0/3: unknown_shape: a Bundle entry without resource
        reject 0/4: wrong_type: the document, byte 0: expected an object
        reject 0/5: unknown_shape: a Bundle within a Bundle
        reject 1/0: empty: a Bundle without entries
    "#]]
    .assert_eq(&dump(&decoded));
}

#[test]
fn bulk_data_lines_are_parts_and_a_bad_line_harms_itself_alone() {
    let line = event("").replace('\n', " ");
    let text = format!("{line}\n{{\"resourceType\":\n\n{line}\n");
    let decoded = decoder(Stream::Access, Format::Fhir).decode(&records([Some(text.as_bytes())]));
    assert_eq!(decoded.events.num_rows(), 2);
    assert_eq!(decoded.rejects.iter().map(|reject| reject.part).collect::<Vec<_>>(), [1]);
}
