use base::{Millis, Timestamp};
use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::limits::{MEMO_ENTRIES_MAX, PARTS_MAX, RECORD_BYTES_MAX, TEXT_BYTES_MAX};
use crate::testing::{APPENDED, decode, decoder, dump, keys, options, records};

const ACCESS: &str = r#"{"id":"e1","time":"2025-12-31T23:59:00.5+01:00","user":"JDoe","patient":"0042","action":"Read",
    "outcome":"success","resource":"Observation","purpose":"treat","break_glass":false,"reason":"cover for Dr Lee",
    "search":"smith","results":3,"bytes":12345678901,"unit":"W4","workstation":"ws-1","address":"10.1.2.3",
    "session":"S1","encounter":"E9","sensitive":true,"actor":"human","application":"ehr","unknown":{"x":[1]}}"#;
const AUTH: &str = r#"{"id":"a1","time":1767222000000,"user":"jdoe","activity":"logon","outcome":"failure",
    "outcome_raw":"bad_password","factor":"push","mfa":true,"address":"10.9.2.3","country":"no","lat":59.9,"lon":10.7,
    "device":"Phone-1","workstation":"ws-2","session":"S2","proxy":false,"remote":true,"sign_count":7,
    "match_score":0.93,"liveness_score":0.5,"actor":"human","application":"idp"}"#;

#[test]
fn a_full_native_access() {
    expect![[r#"
        offset: 0
        part: 0
        event_time: 2025-12-31T22:59:00.5Z
        event_id: e1
        user_key: u1:orduuv
        patient_key: p1:t4ay4c
        action: read
        outcome: success
        resource: Observation
        purpose: TREAT
        break_glass: false
        reason_token: t1:zeuyzi
        search_token: t1:ciohic
        result_count: 3
        byte_count: 12345678901
        unit: W4
        workstation: ws-1
        workstation_key: d1:cls2hn
        network: internal
        address_key: a1:7rwcww
        session_key: s1:tzssfj
        encounter_key: e1:j65rov
        sensitive: true
        actor_kind: human
        application: ehr
    "#]]
    .assert_eq(&dump(&decode(Stream::Access, Format::Native, &[ACCESS])));
}

#[test]
fn a_full_native_auth_event() {
    expect![[r#"
        offset: 0
        part: 0
        event_time: 2025-12-31T23:00:00Z
        event_id: a1
        user_key: u1:orduuv
        activity: logon
        outcome: failure
        outcome_raw: bad_password
        factor: push
        mfa: true
        address_key: a1:kuhdkr
        network: vpn
        country: NO
        latitude: 59.9
        longitude: 10.7
        device_key: d1:sjjncf
        workstation: ws-2
        workstation_key: d1:gp672u
        session_key: s1:cn7kap
        proxy: false
        remote: true
        sign_count: 7
        match_score: 0.93
        liveness_score: 0.5
        actor_kind: human
        application: idp
    "#]]
    .assert_eq(&dump(&decode(Stream::Auth, Format::Native, &[AUTH])));
}

#[test]
fn least_events_have_nulls_and_unknown_words_stay_raw() {
    let texts = [
        r#"{"time":1767222000000,"user":7}"#,
        r#"{"time":1767222000000,"user":"7","action":"Peek","outcome":"meh","actor":"robot","purpose":"btg","unit":null}"#,
        r#"{"time":1767222000000,"user":"7","address":"ws7.house.example","network":"clinic"}"#,
    ];
    expect![[r#"
        offset: 0
        part: 0
        event_time: 2025-12-31T23:00:00Z
        event_id: sha256:f21ebdbf03cd308c8ad6cb662a13671f
        user_key: u1:qy7rbr
        action: other
        outcome: unknown
        break_glass: false
        sensitive: false
        actor_kind: unknown
        offset: 1
        part: 0
        event_time: 2025-12-31T23:00:00Z
        event_id: sha256:1d4ed3f782c2fbaee5da1972a981e04d
        user_key: u1:qy7rbr
        action: other
        action_raw: Peek
        outcome: unknown
        outcome_raw: meh
        purpose: BTG
        break_glass: true
        sensitive: false
        actor_kind: unknown
        offset: 2
        part: 0
        event_time: 2025-12-31T23:00:00Z
        event_id: sha256:1cb38000bbd2e815fb368cdb7ba68dfb
        user_key: u1:qy7rbr
        action: other
        outcome: unknown
        break_glass: false
        network: clinic
        address_key: a1:axvd7o
        sensitive: false
        actor_kind: unknown
    "#]]
    .assert_eq(&dump(&decode(Stream::Access, Format::Native, &texts)));
}

/// The seven kinds of poison, an array with one bad element, and what a hostile text can try.
#[test]
fn poison_is_rejected_by_kind_and_place_without_a_word_of_it() {
    let big = format!(r#"{{"user":"SECRET","x":"{}"}}"#, "A".repeat(10 << 20));
    let bomb = format!(r#"{{"user":"x","time":1,"x":{}{}}}"#, "[".repeat(400_000), "]".repeat(400_000));
    let many = format!("[{}{{}}]", "{},".repeat(PARTS_MAX));
    let array = format!(
        r#"[{ACCESS},{{"user":["SECRET"]}},{AUTH},"SECRET",null,{{"user":"x"}},{{"time":5}},["x",1767222000000,"x"]]"#
    );
    let mut values: Vec<Option<&[u8]>> = vec![None, Some(b""), Some(b" \n"), Some(b"\xef\xbb\xbf"), Some(b"[]")];
    values.extend(
        [
            &ACCESS.as_bytes()[..ACCESS.len() - 9],
            br#"{"time":1767222000000,"user":"x","results":"SECRET"}"#,
            br#"{"time":1767222000000,"user":"x","results":99999999999}"#,
            br#"{"time":1767222000000,"user":"x","user":"SECRET"}"#,
            big.as_bytes(),
            b"{\"user\":\"SECRET\xff\"}",
            b"{\"user\":\"SEC\0RET\"}",
            bomb.as_bytes(),
            many.as_bytes(),
            b"SECRET",
            b"7",
            br#"{"time":"SECRET","user":"x"}"#,
            br#"{"time":"2025-12-31","user":"x"}"#,
            br#"{"time":1.5,"user":"x"}"#,
            br#"{"time":1767222000000,"user":"  "}"#,
            array.as_bytes(),
        ]
        .map(Some),
    );
    let decoded = decoder(Stream::Access, Format::Native).decode(&records(values.iter().copied()));
    assert_eq!(decoded.record_count, values.len());
    assert_eq!(decoded.part_count, decoded.events.num_rows() + decoded.rejects.len());
    let rejects: Vec<_> = dump(&decoded).lines().filter(|line| line.starts_with("reject")).map(str::to_owned).collect();
    let text = rejects.join("\n");
    assert!(!text.contains("SECRET") && !text.contains("SEC"), "{text}");
    expect![[r#"
        reject 0/0: empty: no value: a tombstone
        reject 1/0: empty: the value is empty
        reject 2/0: empty: the value is empty
        reject 3/0: empty: the value is empty
        reject 4/0: empty: an array without elements
        reject 5/0: not_json: ends at byte 419 in the middle of a value
        reject 6/0: wrong_type: field `results`, byte 50: expected i32
        reject 7/0: wrong_type: field `results`, byte 53: expected i32
        reject 8/0: duplicate_field: a field stands twice, at byte 38
        reject 9/0: too_large: the value has 10485784 bytes, the limit is 1048576
        reject 10/0: not_utf8: not utf-8 at byte 15
        reject 11/0: not_json: not json at byte 12
        reject 12/0: too_deep: nested deeper than 64 at byte 88
        reject 13/0: too_large: 10001 events in one record, the limit is 10000
        reject 14/0: not_json: not json at byte 0
        reject 15/0: wrong_type: the document, byte 0: expected an object
        reject 16/0: bad_time: the time cannot be read
        reject 17/0: bad_time: the time is a date alone
        reject 18/0: bad_time: the time cannot be read
        reject 19/0: no_user: nobody is named as the one who acted
        reject 20/1: wrong_type: field `user`, byte 8: expected a text
        reject 20/3: wrong_type: the document, byte 7: expected an object
        reject 20/4: wrong_type: the document, byte 3: expected an object
        reject 20/5: missing_field: field `time` is absent
        reject 20/6: no_user: nobody is named as the one who acted
        reject 20/7: wrong_type: the document, byte 0: expected an object"#]]
    .assert_eq(&text);
}

#[test]
fn future_and_too_old_are_judged_against_the_append_time_to_the_millisecond() {
    let options = DecodeOptions { max_clock_skew: Millis(10), max_event_age: Millis(20), ..options() };
    let mut decoder = Decoder::new(Stream::Access, Format::Native, keys(), options).unwrap();
    let texts: Vec<_> = [10, 11, -20, -21]
        .iter()
        .map(|shift| format!(r#"{{"user":"x","time":{}}}"#, APPENDED.millis() + shift))
        .collect();
    let decoded = decoder.decode(&records(texts.iter().map(|text| Some(text.as_bytes()))));
    assert_eq!(decoded.events.num_rows(), 2);
    let rejects: Vec<_> = decoded.rejects.iter().map(|reject| format!("{} {}", reject.reason, reject.detail)).collect();
    assert_eq!(
        rejects,
        [
            "future 11ms after its append time, the limit is 10ms",
            "too_old 21ms before its append time, the limit is 20ms"
        ]
    );
}

#[test]
fn a_time_without_zone_is_counted_or_refused() {
    let text = r#"{"user":"x","time":"2025-12-31T10:00:00"}"#;
    let decoded = decode(Stream::Access, Format::Native, &[text, ACCESS]);
    assert_eq!((decoded.events.num_rows(), decoded.zone_missing), (2, 1));
    let options = DecodeOptions { assume_zone_utc: false, ..options() };
    let mut strict = Decoder::new(Stream::Access, Format::Native, keys(), options).unwrap();
    let decoded = strict.decode(&records([Some(text.as_bytes())]));
    assert_eq!(dump(&decoded), "reject 0/0: bad_time: the time has no zone\n");
    assert_eq!(decoded.zone_missing, 0);
}

#[test]
fn a_hostile_text_never_costs_the_event() {
    let long = "é".repeat(TEXT_BYTES_MAX);
    let id = "x".repeat(129);
    let text = format!(
        r#"{{"id":"{id}","time":1767222000000,"user":"x","unit":"{long}","workstation":"a\u0000b\u001b[2J","purpose":""}}"#
    );
    let dump = dump(&decode(Stream::Access, Format::Native, &[&text]));
    assert!(dump.contains(&format!("unit: {}\n", "é".repeat(TEXT_BYTES_MAX / 2))), "{dump}");
    assert!(dump.contains("workstation: a\u{fffd}b\u{fffd}[2J\n"), "{dump}");
    assert!(dump.contains("event_id: sha256:"), "{dump}");
    assert!(!dump.contains("purpose"), "{dump}");
}

#[test]
fn the_id_of_an_event_without_one_is_that_of_its_bytes() {
    let one = r#"{"user":"x","time":1767222000000}"#;
    let other = r#"{"user":"x","time":1767222000001}"#;
    let ids = |texts: &[&str]| -> Vec<String> {
        let dump = dump(&decode(Stream::Access, Format::Native, texts));
        dump.lines().filter_map(|line| line.strip_prefix("event_id: ")).map(str::to_owned).collect()
    };
    let apart = ids(&[one, other]);
    assert_ne!(apart[0], apart[1]);
    assert_eq!(ids(&[&format!("[{one}, {other}]")]), apart, "also inside an array");
}

#[test]
fn a_format_that_cannot_feed_the_stream_is_refused() {
    let error = Decoder::new(Stream::Access, Format::Ocsf, keys(), options()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "format `ocsf` cannot feed stream `access`: it holds authentication events (class 3002) only"
    );
    let options = DecodeOptions { max_event_age: Millis(-1), ..options() };
    let error = Decoder::new(Stream::Auth, Format::Ocsf, keys(), options).err().unwrap();
    assert_eq!(error.to_string(), "max_event_age is -1ms: it must not be negative");
}

#[test]
fn what_is_remembered_changes_no_result() {
    let text = |user: usize| format!(r#"{{"user":"u{user}","time":1767222000000,"patient":"u{user}"}}"#);
    let texts: Vec<_> = (0..MEMO_ENTRIES_MAX + 10).chain(0..10).map(text).collect();
    let decoded =
        decoder(Stream::Access, Format::Native).decode(&records(texts.iter().map(|text| Some(text.as_bytes()))));
    let again = decode(Stream::Access, Format::Native, &[&text(3)]);
    let row = decoded.events.num_rows() - 7;
    for column in ["user_key", "patient_key"] {
        let (long, fresh) =
            (decoded.events.column_by_name(column).unwrap(), again.events.column_by_name(column).unwrap());
        assert_eq!(&long.slice(row, 1), fresh);
    }
}

#[test]
fn next_is_after_the_last_record_whatever_became_of_it() {
    let mut records = Records::default();
    for (offset, value) in [(5, Some(ACCESS.as_bytes())), (9, None)] {
        let append_time = Timestamp::from_millis(1_767_222_000_000);
        records.push(Record { offset: Offset(offset), append_time, key: None, value, headers: &[] });
    }
    let decoded = decoder(Stream::Access, Format::Native).decode(&records);
    assert_eq!(decoded.next, Some(Offset(10)));
    assert_eq!(decoder(Stream::Access, Format::Native).decode(&Records::default()).next, None);
}

const ALL_WAYS: [(Stream, Format); 5] = [
    (Stream::Access, Format::Native),
    (Stream::Auth, Format::Native),
    (Stream::Access, Format::Fhir),
    (Stream::Auth, Format::Fhir),
    (Stream::Auth, Format::Ocsf),
];

const VALID: [&str; 5] = [
    ACCESS,
    AUTH,
    include_str!("../../fixtures/fhir-r4/AuditEvent-example-disclosure.json"),
    include_str!("../../fixtures/fhir-r5/auditevent-example-breakglass-start.json"),
    include_str!("../../fixtures/balp/AuditEvent-ex-auditBasicQueryGetServer.json"),
];

/// Whatever the bytes, each record has at least one part, and each part is a row or a reject in its place.
fn check_any_bytes(value: &[u8]) {
    for (stream, format) in ALL_WAYS {
        let decoded = decoder(stream, format).decode(&records([Some(value), None, Some(value)]));
        assert_eq!(decoded.part_count, decoded.events.num_rows() + decoded.rejects.len());
        let mut seen = std::collections::BTreeSet::new();
        let column = |name| decoded.events.column_by_name(name).unwrap();
        let offsets = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(column("offset"));
        let parts = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(column("part"));
        let rows: Vec<_> = offsets.values().iter().copied().zip(parts.values().iter().copied()).collect();
        assert!(rows.is_sorted());
        let rejects = decoded.rejects.iter().map(|reject| (reject.offset.0, reject.part));
        for place in rows.iter().copied().chain(rejects) {
            assert!(seen.insert(place), "{place:?} twice");
        }
        for (offset, parts) in (0..3).map(|offset| (offset, seen.range((offset, 0)..(offset + 1, 0)).count())) {
            let last = seen.range((offset, 0)..(offset + 1, 0)).next_back().map(|(_, part)| *part as usize + 1);
            assert_eq!(last, Some(parts), "the parts of record {offset} are numbered without a gap");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(value in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_any_bytes(&value);
    }

    #[test]
    fn random_json_like_text_never_panics(value in r#"[\[\]{}",:0-9a-z\\ \n]{0,200}"#) {
        check_any_bytes(value.as_bytes());
    }

    #[test]
    fn mutated_events_never_panic(
        index in 0..VALID.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8),
    ) {
        let mut value = VALID[index].as_bytes().to_vec();
        for (place, byte, kind) in edits {
            let place = place.index(value.len());
            match kind {
                0 => value[place] = byte,
                1 => value.insert(place, byte),
                _ => value.truncate(place.max(1)),
            }
        }
        check_any_bytes(&value);
    }

    /// Known fields with values of any type and size.
    #[test]
    fn fields_of_any_type_never_panic(
        fields in proptest::collection::vec((0..12_usize, 0..10_usize), 1..10),
    ) {
        const NAMES: [&str; 12] = ["time", "user", "id", "lat", "results", "agent", "entity", "type", "outcome",
            "recorded", "class_uid", "resourceType"];
        const VALUES: [&str; 10] = ["null", "true", "-1", "1e300", "18446744073709551615", "\"\"", "\"AuditEvent\"",
            "\"2025-12-31T10:00:00\"", "[{}]", "{\"coding\":[null]}"];
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{}\":{}", NAMES[*name], VALUES[*value])).collect();
        check_any_bytes(format!("{{{}}}", fields.join(",")).as_bytes());
        check_any_bytes(format!("{{\"resourceType\":\"Bundle\",\"entry\":[{{\"resource\":{{{}}}}}]}}", fields.join(",")).as_bytes());
    }
}

#[test]
fn a_value_of_the_largest_size_is_read() {
    let text = format!(r#"{{"user":"x","time":1767222000000,"x":"{}"}}"#, "a".repeat(RECORD_BYTES_MAX - 40));
    assert_eq!(text.len(), RECORD_BYTES_MAX);
    assert_eq!(decode(Stream::Access, Format::Native, &[&text]).events.num_rows(), 1);
}
