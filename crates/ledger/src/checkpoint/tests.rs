use super::*;
use crate::testing::{ORIGIN, key};

fn note(size: u64) -> Vec<u8> {
    Checkpoint::sign(&key(), size, Hash([5; 32])).unwrap()
}

/// A checkpoint text signed by our key, whatever it says.
fn signed(text: &str) -> Vec<u8> {
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[key().signer()]).unwrap();
    note.to_bytes()
}

#[test]
fn what_is_signed_is_read_and_signing_repeats() {
    let found = Checkpoint::open(&note(42), key().verifier()).unwrap();
    assert_eq!(found, Checkpoint { origin: ORIGIN.to_owned(), size: 42, root: Digest([5; 32]) });
    assert_eq!(note(42), note(42));
}

#[test]
fn signatures_of_strangers_are_passed_over_and_bad_ones_of_ours_are_fatal() {
    let stranger = SigningKey::generate("witness.example", [1; 32]).unwrap();
    let mut cosigned = Note::from_bytes(&note(42)).unwrap();
    cosigned.add_sigs(&[stranger.signer()]).unwrap();
    assert!(Checkpoint::open(&cosigned.to_bytes(), key().verifier()).is_ok());
    assert!(Checkpoint::open(&note(42), stranger.verifier()).unwrap_err().contains("not signed by witness.example"));
    let forged = String::from_utf8(note(42)).unwrap().replace("\n42\n", "\n43\n");
    assert!(Checkpoint::open(forged.as_bytes(), key().verifier()).unwrap_err().contains("invalid signature"));
}

#[test]
fn a_signed_text_must_be_a_checkpoint_of_this_log_within_bounds() {
    let root = "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=";
    for (text, reason) in [
        (format!("{ORIGIN}\n1\n{root}\n"), None),
        (format!("{ORIGIN}\n{LEDGER_ENTRIES_MAX}\n{root}\n"), None),
        (format!("{ORIGIN}\n{}\n{root}\n", LEDGER_ENTRIES_MAX + 1), Some("at most 281474976710656")),
        (format!("{ORIGIN}\n{}\n{root}\n", u64::MAX), Some("at most 281474976710656")),
        (format!("{ORIGIN}\n18446744073709551616\n{root}\n"), Some("not a checkpoint")),
        (format!("{ORIGIN}\n01\n{root}\n"), Some("not a checkpoint")),
        (format!("{ORIGIN}\n-1\n{root}\n"), Some("not a checkpoint")),
        (format!("{ORIGIN}\n1\nAAAA\n"), Some("not a checkpoint")),
        (format!("other\n1\n{root}\n"), Some("speaks for `other`")),
        ("hello\n".to_owned(), Some("not a checkpoint")),
    ] {
        let found = Checkpoint::open(&signed(&text), key().verifier());
        match reason {
            None => assert!(found.is_ok(), "{text}"),
            Some(reason) => assert!(found.as_ref().is_err_and(|error| error.contains(reason)), "{text}: {found:?}"),
        }
    }
}
