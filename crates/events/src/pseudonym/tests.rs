use super::*;

fn keys() -> PseudonymKeys {
    PseudonymKeys::generate("1", std::array::from_fn(|index| index as u8)).unwrap()
}

#[test]
fn one_person_has_one_pseudonym_however_written() {
    let keys = keys();
    for (one, other) in [("42", " 0042"), ("JDoe", "jdoe "), ("0", "000"), ("ÅSE", "åse")] {
        assert_eq!(keys.user(one), keys.user(other), "{one} {other}");
    }
    assert_eq!(keys.patient("0815^^^&1.2.3&ISO"), keys.patient("815"));
    assert_eq!(keys.address("::ffff:10.0.0.1"), keys.address("10.0.0.1"));
    assert_eq!(keys.address("2001:DB8:0:0::1"), keys.address("2001:db8::1"));
    assert_eq!(keys.token("  covering\tfor Dr  Lee"), keys.token("Covering for dr lee"));
    assert_ne!(keys.session("aB"), keys.session("ab"), "session ids are case-sensitive");
    assert_ne!(keys.user("MRN007"), keys.user("MRN7"), "zeros inside an id count");
}

#[test]
fn a_pseudonym_has_its_kind_key_and_130_bits() {
    let keys = keys();
    let all = [
        keys.user("7"),
        keys.patient("7"),
        keys.address("7"),
        keys.token("7"),
        keys.session("7"),
        keys.device("7"),
        keys.encounter("7"),
    ];
    for (name, prefix) in all.iter().zip(["u1:", "p1:", "a1:", "t1:", "s1:", "d1:", "e1:"]) {
        let tail = name.strip_prefix(prefix).unwrap();
        assert_eq!(tail.len(), 26);
        assert!(tail.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')), "{tail}");
    }
    let tails: std::collections::BTreeSet<_> = all.iter().map(|name| &name[3..]).collect();
    assert_eq!(tails.len(), 7, "every kind has its own key");
}

#[test]
fn base32_is_that_of_rfc_4648() {
    let encode = |bytes: &[u8], count| {
        let mut text = String::new();
        push_base32(&mut text, bytes, count);
        text
    };
    assert_eq!(encode(b"fooba", 8), "mzxw6ytb");
    assert_eq!(encode(b"foobar", 10), "mzxw6ytboi");
}

#[test]
fn a_key_file_comes_back_as_it_was_written_and_never_shows_in_debug() {
    let keys = keys();
    let text = keys.to_file_text();
    let again = PseudonymKeys::parse(&format!("# kept in the safe\n\n{text}")).unwrap();
    assert_eq!(again.user("x"), keys.user("x"));
    assert_eq!(format!("{again:?}"), "PseudonymKeys { id: \"1\", .. }");
}

#[test]
fn a_bad_key_file_names_the_line_and_not_its_content() {
    let head = FILE_HEAD;
    let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    for (text, expected) in [
        (String::new(), "pseudonym key file, line 0: the file is empty"),
        (hex.to_owned(), "pseudonym key file, line 1: expected `chartwarden-pseudonym-key v1`"),
        (format!("{head}\nid 1"), "pseudonym key file, line 0: no line `key <64 hex digits>`"),
        (format!("{head}\nid 1\nkey {}", &hex[1..]), "pseudonym key file, line 3: the key is not 64 hex digits"),
        (
            format!("{head}\nid 1\nkey {hex}\nkey {hex}"),
            "pseudonym key file, line 4: stands twice: a file holds one id and one key",
        ),
        (
            format!("{head}\nid A b\nkey {hex}"),
            "pseudonym key file, line 2: the key id must be 1 to 8 lower-case letters and digits",
        ),
        (
            format!("{head}\nid 1\nkey {}", "0".repeat(64)),
            "pseudonym key file, line 2: the key is one byte repeated: generate a random one",
        ),
        (format!("{head}\n{hex}"), "pseudonym key file, line 2: expected `id <id>` or `key <64 hex digits>`"),
    ] {
        assert_eq!(PseudonymKeys::parse(&text).unwrap_err().to_string(), expected);
    }
}
