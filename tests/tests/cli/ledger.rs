//! A new log, as `ledger init`, `show` and `verify` tell of it.

use std::fs::{self, File};
use std::process::Command;

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

/// Who keeps a log may give whoever verifies it anything for a file.
#[test]
fn files_that_never_end_get_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (data, log, vkey) = (at("data"), at("data/ledger"), at("data/log.vkey"));
    run(&["ledger", "init", "--data", &data, "--origin", "hospital.example/log"]).with(0);
    let (pipe, giant, note) = (at("log/checkpoint"), at("other/checkpoint"), at("data/ledger/checkpoint"));
    fs::create_dir(at("log")).unwrap();
    fs::create_dir(at("other")).unwrap();
    let make_pipe = |path: &str| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    make_pipe(&pipe);
    File::create(&giant).unwrap().set_len(1 << 33).unwrap();
    for arguments in [
        &["verify", &log, "--vkey", &vkey, "--held", &pipe][..],
        &["verify", &log, "--vkey", &pipe],
        &["prove", &pipe, "--vkey", &vkey],
        &["prove", &note, "--vkey", &vkey, "--opening", &pipe],
        &["show", &at("log")],
    ] {
        let ended = run(&[&["ledger"], arguments].concat()).with(2);
        assert!(
            ended.err.starts_with(&format!("error: it is a pipe or a device, not a file\n   at: {pipe}")),
            "{}",
            ended.err
        );
    }
    let ended = run(&["ledger", "prove", &pipe, "--vkey", &vkey]).with(2);
    assert!(ended.err.contains(" hint: check the path: a plain file is meant; what a pipe gives"), "{}", ended.err);
    for (arguments, told) in [
        (&["verify", &log, "--vkey", &vkey, "--held", &giant][..], "bytes, at most 524288"),
        (&["prove", &giant, "--vkey", &vkey], "the proof has 1048577 bytes, at most 1048576"),
        (&["verify", &at("other"), "--vkey", &vkey], "checkpoint: 8589934592 bytes, at most 524288"),
        (&["show", &at("other")], "this is no checkpoint"),
    ] {
        let ended = run(&[&["ledger"], arguments].concat()).with(1);
        assert!(ended.out.contains(told) || ended.err.contains(told), "{}{}", ended.out, ended.err);
    }
    fs::remove_file(&note).unwrap();
    make_pipe(&note);
    let verified = run(&["ledger", "verify", &log, "--vkey", &vkey]).with(1).out;
    assert!(verified.contains("checkpoint: it is a pipe or a device, not a file"), "{verified}");
}
