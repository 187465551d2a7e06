use proptest::prelude::*;

use super::*;

#[test]
fn the_text_is_the_specifications() {
    let proof = TlogProof {
        extra: Some(b"entry".to_vec()),
        index: 73_894,
        hashes: vec![[0; 32], [1; 32]],
        checkpoint: b"o\n1\nx\n\n\xe2\x80\x94 o AAAA\n".to_vec(),
    };
    let zeros = format!("{}=", "A".repeat(43));
    let ones = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let text = format!("c2sp.org/tlog-proof@v1\nextra ZW50cnk=\nindex 73894\n{zeros}\n{ones}\n\no\n1\nx\n\n— o AAAA\n");
    assert_eq!(proof.to_string(), text);
    assert_eq!(TlogProof::parse(text.as_bytes()), Ok(proof.clone()));
    let bare = TlogProof { extra: None, index: 0, hashes: vec![], ..proof };
    assert_eq!(TlogProof::parse(bare.to_string().as_bytes()), Ok(bare));
}

#[test]
fn anything_else_is_refused_in_words() {
    for (text, reason) in [
        ("", "has no checkpoint"),
        ("c2sp.org/tlog-proof@v2\nindex 0\n\nx", "does not begin with"),
        ("c2sp.org/tlog-proof@v1\n\nx", "has no `index` line"),
        ("c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\nx", "not base64"),
        ("c2sp.org/tlog-proof@v1\nextra AAAA\n\nx", "has no `index` line"),
        ("c2sp.org/tlog-proof@v1\nindex 00\n\nx", "not a plain number"),
        ("c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\nx", "not a plain number"),
        ("c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx", "not a hash"),
    ] {
        let error = TlogProof::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    let hash = format!("{}=\n", "A".repeat(43));
    let long = format!("c2sp.org/tlog-proof@v1\nindex 0\n{}\nx", hash.repeat(PROOF_HASHES_MAX + 1));
    assert_eq!(TlogProof::parse(long.as_bytes()).unwrap_err().to_string(), "the proof has 49 hashes, at most 48");
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = TlogProof::parse(&[b"c2sp.org/tlog-proof@v1\n", bytes.as_slice()].concat());
    }

    #[test]
    fn what_is_written_is_read(
        extra in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50)),
        index: u64,
        hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..49),
    ) {
        let proof = TlogProof { extra, index, hashes, checkpoint: b"note\n".to_vec() };
        prop_assert_eq!(TlogProof::parse(proof.to_string().as_bytes()), Ok(proof));
    }
}
