//! A fresh process that is given files and the verifier key, nothing else: it accepts what was sealed and refuses
//! whatever was touched afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chartwarden_tests::binary::{Ended, run};
use chartwarden_tests::played::files;

use crate::metrics::watched;

fn verify(folder: &Path) -> Ended {
    let (log, vkey) = (folder.join("ledger"), folder.join("log.vkey"));
    run(&["ledger", "verify", &log.display().to_string(), "--vkey", &vkey.display().to_string()])
}

fn prove(folder: &Path, receipt: &Path, opening: &Path) -> Ended {
    let [receipt, opening, vkey] = [receipt, opening, &folder.join("log.vkey")].map(|path| path.display().to_string());
    run(&["ledger", "prove", &receipt, "--opening", &opening, "--vkey", &vkey])
}

/// Flips one bit at a position, asks, and puts the byte back.
fn with_flipped_byte(file: &Path, at: usize, ask: impl Fn() -> Ended) -> Ended {
    let good = fs::read(file).unwrap();
    let mut bad = good.clone();
    bad[at] ^= 1;
    fs::write(file, bad).unwrap();
    let ended = ask();
    fs::write(file, good).unwrap();
    ended
}

/// The kind of a ledger file: what it is, not which.
fn kind(file: &Path, log: &Path) -> String {
    let inner = file.strip_prefix(log).unwrap().display().to_string();
    match inner.as_str() {
        name if name.starts_with("tile/entries/") => "entries",
        name if name.starts_with("tile/") => "tile",
        name if name.starts_with("checkpoints/") => "kept checkpoint",
        name => name,
    }
    .to_owned()
}

#[test]
fn one_flipped_byte_in_any_kind_of_file_is_refused() {
    let folder = watched().played.ledger_copy();
    verify(folder.path()).with(0);
    let log = folder.path().join("ledger");
    // The longest file of a kind is the one that the checkpoint covers now; earlier partial ones stand beside it.
    let length = |file: &Path| fs::metadata(file).unwrap().len();
    let mut kinds: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files(&log).into_iter().filter(|file| length(file) > 0) {
        let longest = kinds.entry(kind(&file, &log)).or_insert_with(|| file.clone());
        if length(&file) > length(longest) {
            *longest = file;
        }
    }
    let names: Vec<&str> = kinds.keys().map(String::as_str).collect();
    for needed in ["checkpoint", "tile", "entries"] {
        assert!(names.contains(&needed), "no `{needed}` in {names:?}");
    }
    for (kind, file) in &kinds {
        let length = length(file) as usize;
        for at in [0, length / 3, length / 2, length - 1] {
            let ended = with_flipped_byte(file, at, || verify(folder.path()));
            let file = file.display();
            assert_eq!(ended.code, Some(1), "{kind}: byte {at} of {length} of {file}: {}{}", ended.out, ended.err);
        }
    }
    verify(folder.path()).with(0);
}

#[test]
fn every_receipt_proves_its_finding_and_a_touched_one_does_not() {
    let folder = watched().played.ledger_copy();
    let receipts = folder.path().join("receipts");
    // Offline: the log itself is gone.
    fs::remove_dir_all(folder.path().join("ledger")).unwrap();
    let proofs: Vec<_> =
        files(&receipts).into_iter().filter(|p| p.extension().is_some_and(|e| e == "tlog-proof")).collect();
    assert!(!proofs.is_empty());
    for proof in &proofs {
        prove(folder.path(), proof, &proof.with_extension("opening.json")).with(0);
    }
    let proof = &proofs[0];
    let opening = proof.with_extension("opening.json");
    for file in [proof, &opening] {
        let length = fs::metadata(file).unwrap().len() as usize;
        for at in [0, length / 4, length / 2, length - 2] {
            let ended = with_flipped_byte(file, at, || prove(folder.path(), proof, &opening));
            assert_eq!(ended.code, Some(1), "byte {at} of {}: {}{}", file.display(), ended.out, ended.err);
        }
    }
    // Another finding's opening is no proof of this one.
    if let Some(other) = proofs.get(1) {
        prove(folder.path(), proof, &other.with_extension("opening.json")).with(1);
    }
}

#[test]
fn another_logs_key_is_refused() {
    let folder = watched().played.ledger_copy();
    let other = tempfile::tempdir().unwrap();
    let data = other.path().join("other").display().to_string();
    run(&["ledger", "init", "--data", &data, "--origin", "chartwarden.demo/hospital"]).with(0);
    fs::copy(other.path().join("other/log.vkey"), folder.path().join("log.vkey")).unwrap();
    verify(folder.path()).with(1);
}
