//! Whose event it is and whose chart it touched, where sources say it oddly.

use crate::testing::{decode, dump};
use crate::{Format, Stream};

fn column(name: &str, texts: &[&str]) -> Vec<String> {
    let dump = dump(&decode(Stream::Access, Format::Native, texts));
    let head = format!("{name}: ");
    dump.lines().filter_map(|line| line.strip_prefix(&head)).map(str::to_owned).collect()
}

#[test]
fn a_patient_is_never_the_member_of_staff_of_the_same_number() {
    let by = |actor: &str| format!(r#"{{"user":" 4711","time":1767222000000,"actor":"{actor}"}}"#);
    let users = column("user_key", &[&by("human"), &by("patient"), &by("unknown")]);
    assert_eq!((&users[0], users.len()), (&users[2], 3));
    assert_ne!(users[0], users[1]);
    let agent = r#"{"who":{"reference":"Patient/4711"},"requestor":true}"#;
    let in_fhir =
        format!(r#"{{"resourceType":"AuditEvent","recorded":"2025-12-31T23:00:00Z","action":"R","agent":[{agent}]}}"#);
    let in_fhir = dump(&decode(Stream::Access, Format::Fhir, &[&in_fhir]));
    assert!(in_fhir.contains(&format!("user_key: {}\n", users[1])), "{in_fhir}");
}

#[test]
fn a_patient_without_an_id_is_no_patient() {
    let of = |patient: &str| format!(r#"{{"user":"x","time":1767222000000,"patient":"{patient}"}}"#);
    let patients = column("patient_key", &[&of("^^^&1.2.3&ISO"), &of("  ^^^a"), &of("42^^^a"), &of("42")]);
    assert_eq!((&patients[0], patients.len()), (&patients[1], 2));
}

#[test]
fn a_number_of_bytes_that_cannot_be_is_left_out() {
    let with = |bytes: i64| format!(r#"{{"user":"x","time":1767222000000,"bytes":{bytes}}}"#);
    assert_eq!(
        column("byte_count", &[&with(-1), &with(i64::MAX), &with(1 << 50), &with(0)]),
        [(1_i64 << 50).to_string(), "0".to_owned()]
    );
}
