//! Every format names its user, and a time only where a decoder would take it.

use base::Timestamp;

use super::{Act, acts};
use crate::{DecodeOptions, Format, Offset, Record, Stream};

const APPENDED: i64 = 1_772_352_000_000; // 2026-03-01T08:00:00Z

fn check(stream: Stream, format: Format, value: &str, expected: &[&str]) {
    let record = Record {
        offset: Offset(0),
        append_time: Timestamp::from_millis(APPENDED),
        key: None,
        value: Some(value.as_bytes()),
        headers: &[],
    };
    let told = acts(stream, format, &record, &DecodeOptions::default()).into_iter().map(|part| match part {
        Ok(Act { user, is_patient, time }) => {
            let time = time.map_or("-".to_owned(), |time| (time.millis() - APPENDED).to_string());
            format!("{user} {time}{}", if is_patient { " patient" } else { "" })
        }
        Err(fault) => fault.reason.name().to_owned(),
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn native_parts_name_their_users() {
    let one = r#"{"time":"2026-03-01T07:59:59Z","user":" 0042 "}"#;
    check(Stream::Access, Format::Native, one, &["0042 -1000"]);
    let lines = "{\"time\":\"2026-03-01T08:00:00Z\",\"user\":\"a\"}\n{\"user\":\"b\"}\n{\"time\":1}";
    check(Stream::Auth, Format::Native, lines, &["a 0", "b -", "no_user"]);
    check(Stream::Access, Format::Native, "nonsense", &["not_json"]);
}

#[test]
fn a_time_that_a_decoder_rejects_is_none() {
    let future = r#"{"time":"2026-03-01T09:00:00Z","user":"a"}"#;
    let old = r#"{"time":"2025-03-01T09:00:00Z","user":"a"}"#;
    check(Stream::Access, Format::Native, &format!("[{future},{old}]"), &["a -", "a -"]);
}

#[test]
fn ocsf_and_fhir_name_their_users() {
    let logon = r#"{"class_uid":3002,"time":1772352000,"user":{"name":"jdoe","email_addr":"j@x.org"}}"#;
    check(Stream::Auth, Format::Ocsf, logon, &["jdoe 0"]);
    let agent = r#""agent":[{"requestor":true,"who":{"reference":"Practitioner/7"}}]"#;
    let staff = format!(r#"{{"resourceType":"AuditEvent","recorded":"2026-03-01T08:00:00Z",{agent}}}"#);
    let patient = staff.replace("Practitioner", "Patient");
    let bundle =
        format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{staff}}},{{"resource":{patient}}},{{}}]}}"#);
    check(Stream::Access, Format::Fhir, &bundle, &["7 0", "patient/7 0 patient", "unknown_shape"]);
}
