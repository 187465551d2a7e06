use super::*;

#[test]
fn a_commitment_is_the_hmac_that_other_tools_compute() {
    let mut salt = [0; 32];
    salt.iter_mut().zip(0..).for_each(|(byte, value)| *byte = value);
    // Python: hmac.new(bytes(range(32)), b'chartwarden/finding/v1\n{"finding":"f-1"}', 'sha256').hexdigest()
    let expected = "4abc006ca0dc02d8b30690b7c700ab104b0447cdea6d53ff046fc34e0dadddbe";
    assert_eq!(base::Digest(commitment(&salt, br#"{"finding":"f-1"}"#)).to_string(), expected);
}

#[test]
fn equal_contents_under_two_salts_cannot_be_linked() {
    assert_ne!(commitment(&[1; 32], b"same"), commitment(&[2; 32], b"same"));
}

#[test]
fn text_stays_readable_and_any_bytes_survive() {
    let salt = [0; 32];
    let zeros = format!("{}=", "A".repeat(43));
    for (content, file) in [
        (&b"{\"a\":\"\xc3\xa9\"}"[..], format!(r#"{{"salt":"{zeros}","content":"{{\"a\":\"é\"}}"}}"#)),
        (b"\xff\0", format!(r#"{{"salt":"{zeros}","content_base64":"/wA="}}"#)),
    ] {
        let opening = Opening { salt, content: content.to_vec() };
        assert_eq!(serde_json::to_string(&opening).unwrap(), file);
        assert!(serde_json::from_str::<Opening>(&file).unwrap() == opening);
    }
}

#[test]
fn files_with_more_or_less_in_them_are_refused() {
    let zeros = format!("{}=", "A".repeat(43));
    for file in [
        r#"{"salt":"AAAA","content":"x"}"#.to_owned(),
        format!(r#"{{"salt":"{zeros}"}}"#),
        format!(r#"{{"salt":"{zeros}","content":"x","content_base64":"eA=="}}"#),
        format!(r#"{{"salt":"{zeros}","content_base64":"e"}}"#),
        format!(r#"{{"salt":"{zeros}","content":"x","more":1}}"#),
    ] {
        assert!(serde_json::from_str::<Opening>(&file).is_err(), "{file}");
    }
}

#[test]
fn an_opening_does_not_print_what_it_opens() {
    let opening = Opening { salt: [9; 32], content: b"patient 4711".to_vec() };
    assert_eq!(format!("{opening:?}"), "Opening(12 bytes)");
}

#[test]
fn a_notice_names_one_entry() {
    for (body, index) in [
        (r#"{"basis":"gdpr-17","index":"18446744073709551615"}"#, Some(u64::MAX)),
        (r#"{"basis":"gdpr-17","index":"18446744073709551616"}"#, None),
        (r#"{"basis":"gdpr-17","index":7}"#, None),
        (r#"{"basis":"gdpr-17","index":"7","name":"x"}"#, None),
        ("", None),
    ] {
        assert_eq!(ErasureNotice::erased_index(body.as_bytes()), index, "{body}");
    }
}
