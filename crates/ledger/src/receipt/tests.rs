//! Receipts under attack: whatever byte changes, the verdict never vouches for content that was not committed.

use proptest::prelude::*;

use super::*;
use crate::testing::{Memory, at, block_on, finding, findings, key, salts};
use crate::{SigningKey, Submission};

fn receipt() -> (Receipt, Vec<u8>) {
    block_on(async {
        let (_, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..300), None, at(1), &mut salts()).await.unwrap();
        let receipt = ledger.receipt("f-137").await.unwrap();
        let opening = serde_json::to_vec(&receipt.opening).unwrap();
        (receipt, opening)
    })
}

fn judge_all(proof: &[u8], opening: Option<&[u8]>) -> ReceiptReport {
    verify_receipt(proof, opening, None, key().verifier()).unwrap()
}

#[test]
fn a_receipt_says_what_it_proves() {
    let (receipt, opening) = receipt();
    let report = judge_all(receipt.proof.as_bytes(), Some(&opening));
    assert_eq!(report.verdict, Verdict::Committed);
    assert_eq!((report.index, report.size, report.kind), (Some(138), Some(301), Some(EntryKind::Finding)));
    assert_eq!(report.time, Some(at(1)));
    assert_eq!(report.reason, "entry 138 of 301 in `ledger.example/site-a/2027` is committed to this content");
    let unopened = judge_all(receipt.proof.as_bytes(), None);
    assert_eq!(unopened.verdict, Verdict::Committed);
    assert!(unopened.reason.ends_with("its content was not given and not checked"));
}

#[test]
fn the_entry_may_come_from_elsewhere_and_must_be_the_same() {
    let (receipt, opening) = receipt();
    let parsed = TlogProof::parse(receipt.proof.as_bytes()).unwrap();
    let entry = parsed.extra.clone().unwrap();
    let bare = TlogProof { extra: None, ..parsed }.to_string();
    let judge = |proof: &str, entry: Option<&[u8]>| {
        verify_receipt(proof.as_bytes(), Some(&opening), entry, key().verifier()).map(|report| report.verdict)
    };
    assert_eq!(judge(&bare, Some(&entry)).unwrap(), Verdict::Committed);
    assert_eq!(judge(&receipt.proof, Some(&entry)).unwrap(), Verdict::Committed);
    assert_eq!(judge(&receipt.proof, Some(&entry[1..])).unwrap(), Verdict::Invalid);
    assert_eq!(judge(&bare, Some(&entry[1..])).unwrap(), Verdict::Invalid);
    assert!(matches!(judge(&bare, None), Err(Error::NoEntry)));
}

#[test]
fn flipping_any_byte_of_a_proof_makes_it_invalid() {
    let (receipt, opening) = receipt();
    let proof = receipt.proof.as_bytes();
    for position in 0..proof.len() {
        for bit in 0..8 {
            let mut flipped = proof.to_vec();
            flipped[position] ^= 1 << bit;
            let report = verify_receipt(&flipped, Some(&opening), None, key().verifier());
            assert!(
                report.is_ok_and(|report| report.verdict == Verdict::Invalid),
                "byte {position}, bit {bit}: {:?}",
                String::from_utf8_lossy(&flipped)
            );
        }
    }
}

#[test]
fn cutting_or_growing_a_proof_anywhere_makes_it_invalid() {
    let (receipt, opening) = receipt();
    let proof = receipt.proof.as_bytes();
    for position in 0..proof.len() {
        let mut grown = proof.to_vec();
        grown.insert(position, b'\n');
        let mut shrunk = proof.to_vec();
        shrunk.remove(position);
        for bytes in [&proof[..position], &grown, &shrunk] {
            let report = judge_all(bytes, Some(&opening));
            assert_eq!(report.verdict, Verdict::Invalid, "at {position}: {}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn no_change_to_an_opening_vouches_for_other_content() {
    let (receipt, opening) = receipt();
    let proof = receipt.proof.as_bytes();
    for position in 0..opening.len() {
        for bit in 0..8 {
            let mut flipped = opening.clone();
            flipped[position] ^= 1 << bit;
            if judge_all(proof, Some(&flipped)).verdict != Verdict::Invalid {
                let read: Opening = serde_json::from_slice(&flipped).unwrap();
                assert!(read == receipt.opening, "byte {position}, bit {bit}");
            }
        }
        assert_eq!(judge_all(proof, Some(&opening[..position])).verdict, Verdict::Invalid, "cut at {position}");
    }
}

#[test]
fn another_findings_opening_key_or_log_does_not_do() {
    let (receipt, opening) = receipt();
    let other = Opening { content: finding(138).content, ..receipt.opening };
    let other = serde_json::to_vec(&other).unwrap();
    let report = judge_all(receipt.proof.as_bytes(), Some(&other));
    assert_eq!(report.verdict, Verdict::Invalid);
    assert!(report.reason.ends_with("is committed to something else than this content"), "{}", report.reason);
    for (origin, seed) in [("ledger.example/site-a/2027", [8; 32]), ("ledger.example/site-b/2027", [7; 32])] {
        let stranger = SigningKey::generate(origin, seed).unwrap();
        let report = verify_receipt(receipt.proof.as_bytes(), Some(&opening), None, stranger.verifier()).unwrap();
        assert_eq!((report.verdict, report.origin), (Verdict::Invalid, None), "{origin}");
    }
}

#[test]
fn indexes_and_sizes_at_the_edges_get_an_answer() {
    let (receipt, opening) = receipt();
    for index in ["0", "137", "139", "300", "301", "281474976710656", "18446744073709551615"] {
        let moved = receipt.proof.replace("index 138\n", &format!("index {index}\n"));
        assert_eq!(judge_all(moved.as_bytes(), Some(&opening)).verdict, Verdict::Invalid, "{index}");
    }
    let parsed = TlogProof::parse(receipt.proof.as_bytes()).unwrap();
    for size in [0, 1, 138, 139, crate::limits::LEDGER_ENTRIES_MAX, u64::MAX] {
        let checkpoint = Checkpoint::sign(&key(), size, Hash([3; 32])).unwrap();
        for index in [0, 138, u64::MAX] {
            for count in [0, 1, 48] {
                let hashes = vec![[1; 32]; count];
                let proof = TlogProof { index, hashes, checkpoint: checkpoint.clone(), ..parsed.clone() };
                let report = judge_all(proof.to_string().as_bytes(), Some(&opening));
                assert_eq!(report.verdict, Verdict::Invalid, "size {size}, index {index}, {count} hashes");
            }
        }
    }
}

#[test]
fn an_erasure_notice_speaks_for_its_entry_only() {
    block_on(async {
        let (_, mut ledger) = Memory::ledger().await;
        let batch = [
            finding(0),
            finding(1),
            Submission { id: "m".to_owned(), kind: EntryKind::Manifest, content: b"{}".to_vec() },
        ];
        ledger.append(&batch, None, at(1), &mut salts()).await.unwrap();
        ledger.erase("f-0", "gdpr-17", at(2)).await.unwrap();
        let erasure = ledger.erasure("f-0").await.unwrap();
        let tombstone = erasure.opening_file.as_bytes();
        let judged = |proof: &str, file: &[u8]| judge_all(proof.as_bytes(), Some(file)).verdict;
        assert_eq!(judged(&erasure.proof, tombstone), Verdict::Erased);
        for id in ["f-1", "m"] {
            let other = ledger.receipt(id).await.unwrap();
            assert_eq!(judged(&other.proof, tombstone), Verdict::Invalid, "{id}");
            let own = serde_json::to_vec(&Tombstone { erased: other.proof.clone() }).unwrap();
            assert_eq!(judged(&erasure.proof, &own), Verdict::Invalid, "{id} is no notice");
        }
        for position in 0..tombstone.len() {
            let mut flipped = tombstone.to_vec();
            flipped[position] ^= 1;
            assert_eq!(judged(&erasure.proof, &flipped), Verdict::Invalid, "byte {position}");
        }
    });
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(
        proof in proptest::collection::vec(any::<u8>(), 0..300),
        opening in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..100)),
        entry in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let report = verify_receipt(&proof, opening.as_deref(), Some(&entry), key().verifier()).unwrap();
        prop_assert_eq!(report.verdict, Verdict::Invalid);
    }
}
