use proptest::prelude::*;

use super::*;

#[test]
fn bytes_left_over_are_damage_and_say_where() {
    for (bundle, expected) in [
        (&b""[..], Ok(vec![])),
        (b"\0\0", Ok(vec![&b""[..]])),
        (b"\0\x02ab\0\x01c", Ok(vec![&b"ab"[..], b"c"])),
        (b"\0\x02ab\0", Err(4)),
        (b"\0\x02ab\0\x02c", Err(4)),
        (b"\xff\xffab", Err(0)),
    ] {
        assert_eq!(entries(bundle), expected, "{bundle:?}");
    }
    assert_eq!(prefix_bytes(b"\0\x02ab\0\x01c", 1), Some(4));
    assert_eq!(prefix_bytes(b"\0\x02ab\0\x01c", 3), None);
}

#[test]
fn an_entry_longer_than_its_length_field_is_refused() {
    let mut bundle = Vec::new();
    assert!(!push(&mut bundle, &[0; ENTRY_BYTES_MAX + 1]));
    assert!(bundle.is_empty());
    assert!(push(&mut bundle, &[0; ENTRY_BYTES_MAX]));
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(list in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20)) {
        let mut bundle = Vec::new();
        prop_assert!(list.iter().all(|entry| push(&mut bundle, entry)));
        let found: Vec<Vec<u8>> = entries(&bundle).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        prop_assert_eq!(found, list);
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = entries(&bytes);
    }
}
