use proptest::prelude::*;

use super::*;

fn entry(kind: EntryKind) -> Entry {
    let content = if kind.is_public() {
        EntryContent::Body(br#"{"basis":"gdpr-17","index":"5"}"#.to_vec())
    } else {
        EntryContent::Commitment([0xab; 32])
    };
    Entry { kind, clock_held: false, time: Timestamp::from_millis(0x0102_0304_0506), content }
}

#[test]
fn codes_are_positions_and_never_change() {
    for (code, kind) in (0u8..).zip(EntryKind::ALL) {
        assert_eq!(kind.code(), code);
        assert_eq!(EntryKind::from_code(code), Some(kind));
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
    assert_eq!(EntryKind::Finding.code(), 1);
    assert_eq!(EntryKind::EvidenceDigest.code(), 8);
    assert_eq!(EntryKind::from_code(9), None);
}

#[test]
fn a_commitment_is_43_bytes_in_the_documented_order() {
    let mut expected = vec![1, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6];
    expected.extend_from_slice(&[0xab; 32]);
    assert_eq!(entry(EntryKind::Finding).encode(), expected);
    assert_eq!(expected.len(), 43);
}

#[test]
fn every_kind_is_read_as_it_was_written() {
    for kind in EntryKind::ALL {
        for clock_held in [false, true] {
            let entry = Entry { clock_held, ..entry(kind) };
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }
}

#[test]
fn bytes_out_of_place_are_refused_in_words() {
    let finding = entry(EntryKind::Finding).encode();
    let notice = entry(EntryKind::Erasure).encode();
    let with = |bytes: &[u8], at: usize, byte: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = byte;
        bytes
    };
    for (bytes, reason) in [
        (vec![], "0 bytes are too few for an entry of at least 11"),
        (with(&finding, 0, 2), "entry version 2, known is 1"),
        (with(&finding, 1, 9), "entry kind 9, known are 0 to 8"),
        (with(&finding, 2, 2), "entry flags 0x02, known is 0x01"),
        (with(&finding, 3, 0xff), "entry time 18374687587823781126 ms is out of range"),
        (finding[..42].to_vec(), "finding entry of 42 bytes, expected 43"),
        ([finding.clone(), vec![0]].concat(), "finding entry of 44 bytes, expected 43"),
        (notice[..12].to_vec(), "erasure entry without a body"),
        ([notice.clone(), vec![0]].concat(), "erasure entry says 31 bytes of body and has 32"),
        (with(&notice, 13, b'['), "body is not a compact JSON object with sorted keys"),
    ] {
        assert_eq!(Entry::decode(&bytes).unwrap_err().to_string(), reason);
    }
}

#[test]
fn a_body_has_one_spelling() {
    for body in [r#"{}"#, r#"{"a":1,"b":"é"}"#, r#"{"a":[1,2,{"x":null}]}"#] {
        assert_eq!(check_body(body.as_bytes()), Ok(()), "{body}");
    }
    for body in
        ["", "[]", "1", r#"{"a": 1}"#, r#"{"b":1,"a":1}"#, r#"{"a":1,"a":1}"#, r#"{"a":1}\n"#, "{\"a\":\"\\u0041\"}"]
    {
        assert!(check_body(body.as_bytes()).is_err(), "{body}");
    }
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX));
    assert_eq!(check_body(long.as_bytes()).unwrap_err().to_string(), "body of 4104 bytes, at most 4096");
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer_and_what_is_read_is_written_the_same(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..60), kind in 0u8..10, flags in 0u8..3,
    ) {
        for (at, byte) in [1, kind, flags, 0].into_iter().enumerate().take(bytes.len()) {
            bytes[at] = byte;
        }
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.encode(), bytes);
        }
    }
}
