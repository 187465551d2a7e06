//! Go's reference code for transparency logs (`golang.org/x/mod/sumdb`) reads what the real binary wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chartwarden_tests::binary::run;
use chartwarden_tests::played::files;
use chartwarden_tests::tools;

use crate::metrics::watched;

fn is_proof(path: &&PathBuf) -> bool {
    path.extension().is_some_and(|end| end == "tlog-proof")
}

fn walk(folder: &Path) -> (bool, String) {
    let program = tools::go(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop/ledger_go"));
    let receipts = files(&folder.join("receipts"));
    let receipts = receipts.iter().filter(is_proof);
    tools::ask(Command::new(program).arg(folder.join("ledger")).arg(folder.join("log.vkey")).args(receipts))
}

#[test]
fn it_verifies_checkpoint_tiles_entries_and_every_receipt() {
    let data = watched().played.data();
    let receipts = files(&data.join("receipts")).iter().filter(is_proof).count();
    let (ledger, vkey) = (data.join("ledger"), data.join("log.vkey"));
    let ours = ["ledger", "verify", &ledger.display().to_string(), "--vkey", &vkey.display().to_string(), "--json"]
        .map(str::to_owned);
    let ours = run(&ours.each_ref().map(String::as_str)).with(0);
    let ours: serde_json::Value = serde_json::from_str(&ours.out).unwrap();
    // Both walks count the same entries, and each finding of the run has its receipt.
    let (yes, told) = walk(&data);
    assert!(yes, "{told}");
    assert_eq!(told.trim(), format!("ok {}, {receipts} receipts", ours["size"]));
    let findings = fs::read_to_string(data.join("findings.ndjson")).unwrap().lines().count();
    assert_eq!(receipts, findings);
}

#[test]
fn it_refuses_one_flipped_byte_in_any_file() {
    let folder = watched().played.ledger_copy();
    let (yes, told) = walk(folder.path());
    assert!(yes, "the copy must be good before it is spoilt: {told}");
    let receipt = files(&folder.path().join("receipts")).iter().find(is_proof).cloned();
    let log = files(&folder.path().join("ledger"));
    // The longest file of a kind is the one that the checkpoint covers now.
    let length = |path: &PathBuf| fs::metadata(path).map_or(0, |file| file.len());
    let wanted = |part: &str| {
        log.iter().filter(|path| path.to_string_lossy().contains(part)).max_by_key(|path| length(path)).cloned()
    };
    let checkpoint = Some(folder.path().join("ledger/checkpoint"));
    let spoilt = [checkpoint, wanted("/tile/0/"), wanted("/tile/entries/"), receipt];
    for file in spoilt.map(|file| file.expect("a ledger has a checkpoint, tiles, entries and receipts")) {
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&file, bad).unwrap();
        let (yes, told) = walk(folder.path());
        assert!(!yes, "byte {middle} of {} was flipped, and Go said: {told}", file.display());
        fs::write(&file, good).unwrap();
    }
}
