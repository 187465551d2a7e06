//! A new log, as `ledger init`, `show` and `verify` tell of it.

use std::fs;

use chartwarden_tests::binary::run;

#[test]
fn a_new_log_shows_and_verifies_its_first_entry() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    run(&["ledger", "init", "--data", &data, "--origin", "hospital.example/log"]).with(0);
    let (log, vkey) = (format!("{data}/ledger"), format!("{data}/log.vkey"));
    // A log begins with the entry that says what it is: one entry before any finding.
    let shown = run(&["ledger", "show", &log, "--vkey", &vkey]).with(0).out;
    assert!(shown.starts_with("hospital.example/log\n1\n"), "{shown}");
    assert!(shown.ends_with("1 entries of `hospital.example/log`, the signature is good\n"), "{shown}");
    let unchecked = run(&["ledger", "show", &log]).with(0).out;
    assert!(unchecked.ends_with("the signature was not checked: give the verifier key with --vkey\n"), "{unchecked}");
    let json = run(&["ledger", "show", &log, "--vkey", &vkey, "--json"]).with(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["checked"], serde_json::json!({"origin": "hospital.example/log", "size": 1}));
    let verified = run(&["ledger", "verify", &log, "--vkey", &vkey]).with(0).out;
    assert!(verified.starts_with("committed: 1 entries, "), "{verified}");
    // Beginning again changes nothing: the key of a log is its identity.
    let before = fs::read(&vkey).unwrap();
    run(&["ledger", "init", "--data", &data, "--origin", "hospital.example/log"]).with(0);
    assert_eq!(before, fs::read(&vkey).unwrap());
    // And not under another name.
    let other = run(&["ledger", "init", "--data", &data, "--origin", "other.example/log"]).with(2);
    assert!(other.err.contains("the log is called `hospital.example/log`, not `other.example/log`"), "{}", other.err);
    assert_eq!(before, fs::read(&vkey).unwrap());
}
