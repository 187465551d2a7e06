//! Wrong usage, and an environment that is not ready: the exit code tells which, the text what to do.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use chartwarden_tests::binary::{Ended, chartwarden, run};
use events::PseudonymKeys;
use tempfile::TempDir;

fn pipeline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/insider-breach")
}

/// Runs and compares standard error to the letter; `DIR` stands for the folder.
#[track_caller]
fn check(folder: &Path, arguments: &[&str], code: i32, expected: &str) {
    let shown = folder.display().to_string();
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("DIR", &shown)).collect();
    let ended = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).with(code);
    assert_eq!(ended.err.replace(&shown, "DIR").trim_end(), expected, "{arguments:?}");
}

/// A copy of the shipped pipeline, with texts replaced in its files.
fn spoilt(changes: &[(&str, &str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(pipeline()).arg(folder.path().join("p")).status();
    assert!(copied.unwrap().success());
    for (name, from, to) in changes {
        let file = folder.path().join("p").join(name);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "`{name}` no longer says `{from}`");
        fs::write(file, text.replacen(from, to, 1)).unwrap();
    }
    folder
}

#[test]
fn a_path_that_leads_nowhere_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever mistyped a path must not read that nothing is lost and to try again later.
    let nowhere = |name: &str| format!("error: no such file or directory\n   at: DIR/{name}\n hint: check the path");
    check(folder.path(), &["explain", "c-unknown", "--data", "DIR"], 2, &nowhere("findings.ndjson"));
    check(folder.path(), &["ledger", "show", "DIR/log"], 2, &nowhere("log/checkpoint"));
    check(folder.path(), &["ledger", "verify", "DIR/log", "--vkey", "DIR/key"], 2, &nowhere("key"));
    check(folder.path(), &["ledger", "prove", "DIR/a.tlog-proof", "--vkey", "DIR/key"], 2, &nowhere("key"));
    let pipeline = pipeline().display().to_string();
    let run = ["run", &pipeline, "--bootstrap", "127.0.0.1:1", "--keys", "DIR/key"];
    check(folder.path(), &run, 2, &nowhere("key"));
    check(
        folder.path(),
        &["check", "DIR/none"],
        2,
        "error: cannot be read: No such file or directory (os error 2)\n   at: DIR/none\n hint: give the folder of a \
         pipeline, such as `pipelines/insider-breach`",
    );
}

#[test]
fn a_file_where_a_folder_is_meant_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let hint = "check the path: a folder stands where a file is meant, or a file where a folder is";
    let shown = format!("error: Not a directory (os error 20)\n   at: DIR/file/checkpoint\n hint: {hint}");
    check(folder.path(), &["ledger", "show", "DIR/file"], 2, &shown);
    let explained = "error: no finding `c-unknown`\n   at: DIR/file\n hint: ids stand in findings as `metadata.uid` and \
                     `finding_info.uid`";
    check(folder.path(), &["explain", "c-unknown", "--data", "DIR/file"], 2, explained);
    let made = format!("error: File exists (os error 17)\n   at: DIR/file\n hint: {hint}");
    check(folder.path(), &["simulate", "--staff", "60", "--days", "6", "--out", "DIR/file"], 2, &made);
}

/// What would only be passed over, or found after an hour, is refused at once.
#[test]
fn a_replay_that_cannot_do_what_is_asked_does_not_begin() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline().display().to_string();
    for (arguments, expected) in [
        (&["--events", "DIR", "--keys", "DIR/key", "--verify"][..], "cannot be used with '--verify'"),
        (&["--events", "DIR", "--keys", "DIR/key", "--resume", "DIR/r"], "cannot be used with '--resume <DIR>'"),
        (&["--archive", "DIR/none", "--from", "yesterday"], "write a time, as in `2026-01-20`"),
    ] {
        let arguments = [&["replay", &pipeline, "--out", "DIR/out"], arguments].concat();
        let shown = folder.path().display().to_string();
        let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("DIR", &shown)).collect();
        let ended = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).with(2);
        assert!(ended.err.contains(expected), "{arguments:?}: {}", ended.err);
    }
    let nowhere = "error: findings cannot be written there\n   at: DIR/none/f.ndjson\n hint: name a file, in a folder that \
                   exists";
    check(folder.path(), &["replay", &pipeline, "--archive", "DIR", "--out", "DIR/none/f.ndjson"], 2, nowhere);
}

#[test]
fn a_case_is_explained_by_the_beginning_of_what_names_it() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/findings/golden/findings.ndjson");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(&golden, folder.path().join("findings.ndjson")).unwrap();
    // What a run has sealed: a receipt for each finding, in a folder of many other things.
    let sealed = tempfile::tempdir().unwrap();
    fs::create_dir(sealed.path().join("receipts")).unwrap();
    for (number, content) in fs::read_to_string(&golden).unwrap().lines().enumerate() {
        let salt = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let opening = serde_json::json!({"salt": salt, "content": content}).to_string();
        fs::write(sealed.path().join(format!("receipts/f-{}.opening.json", 99 - number)), opening).unwrap();
        fs::write(sealed.path().join(format!("receipts/f-{}.tlog-proof", 99 - number)), "").unwrap();
    }
    let data = folder.path().display().to_string();
    // All findings of a case, or one of them.
    for (id, findings) in [("c-vhg6gq", 2), ("f-ialgwh", 1), ("f-ialgwhoqrslpo2jdzauubqxmua", 1), ("c-qfe6es", 4)] {
        let told = run(&["explain", id, "--data", &data]).with(0).out;
        assert_eq!(told.matches("  case   ").count(), findings, "{id}:\n{told}");
        assert!(told.lines().filter(|line| line.starts_with("  case   ")).all(|line| line.contains(id)), "{told}");
        for other in [golden.display().to_string(), sealed.path().display().to_string()] {
            assert_eq!(run(&["explain", id, "--data", &other]).with(0).out, told, "{other}");
        }
    }
    // An opening that a full disk cut short hides no other finding; what it may have held is not said not to be there.
    let whole = fs::read(sealed.path().join("receipts/f-99.opening.json")).unwrap();
    fs::write(sealed.path().join("receipts/f-0.opening.json"), &whole[..whole.len() / 2]).unwrap();
    fs::write(sealed.path().join("receipts/f-1.opening.json"), "{\"erased\":\"receipt\"}").unwrap();
    let told = run(&["explain", "c-vhg6gq", "--data", &data]).with(0).out;
    let beside = run(&["explain", "c-vhg6gq", "--data", &sealed.path().display().to_string()]).with(0);
    assert_eq!(beside.out, told);
    let passed = "1 openings are damaged and are passed over; the first: ";
    assert!(beside.err.contains(passed) && beside.err.contains("f-0.opening.json is no opening: "), "{}", beside.err);
    let none = run(&["explain", "c-unknown", "--data", &sealed.path().display().to_string()]).with(1);
    assert!(none.err.contains("error: no finding `c-unknown` among those that can be read"), "{}", none.err);
    let user = run(&["explain", "u1:3kq7", "--data", &data]).with(0).out;
    assert!(user.contains("  who    u1:3kq7\n"), "{user}");
    let short = "error: `f-` is the beginning of too many ids\n hint: give 6 characters or more";
    check(folder.path(), &["explain", "f-", "--data", "DIR"], 2, short);
}

#[test]
fn who_a_pseudonym_is_the_key_and_the_ids_tell() {
    let folder = tempfile::tempdir().unwrap();
    let keys = PseudonymKeys::generate("9", std::array::from_fn(|byte| byte as u8)).unwrap();
    fs::write(folder.path().join("key"), keys.to_file_text()).unwrap();
    let rows = "{\"user\":\"E0042\",\"names\":[\"jdoe\",7],\"role\":\"nurse\"}\n\nP-77\n{\"patient\":1201,\"vip\":true}\nnot {json\n{broken\n\
                Kiosk-7\n10.1.2.3\n";
    fs::write(folder.path().join("ids"), rows).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let ask = |pseudonyms: &[&str], code| {
        run(&[&["who"], pseudonyms, &["--keys", &path("key"), "--ids", &path("ids")]].concat()).with(code).out
    };
    // Whichever name an event used, and however it spelled it.
    for raw in ["E0042", " JDOE ", "0007"] {
        let pseudonym = keys.user(raw);
        assert_eq!(ask(&[&pseudonym[..12]], 0), format!("{pseudonym}  7, E0042, jdoe\n"));
    }
    let (patient, other, stranger) = (keys.patient("1201"), keys.patient("p-77"), keys.user("somebody else"));
    let told = format!("{patient}  1201\n{other}  P-77\n{stranger}  nobody among 8 ids\n");
    assert_eq!(ask(&[&patient, &other, &stranger], 1), told);
    assert_eq!(ask(&[&patient[.."p9:".len() + 5]], 0), format!("{patient}  1201\n"));
    // Patients who open charts are users under a name of their own, and what watches name is no person.
    for (pseudonym, id) in [
        (keys.user("patient/1201"), "patient/1201"),
        (keys.user("patient/P-77"), "patient/P-77"),
        (keys.device(" KIOSK-7"), "Kiosk-7"),
        (keys.address("::ffff:10.1.2.3"), "10.1.2.3"),
    ] {
        assert_eq!(ask(&[&pseudonym], 0), format!("{pseudonym}  {id}\n"));
    }
    // The kind and the key are everybody's, however long the key's name is.
    for short in ["u9:", "uward2026:", "uward2026:abcd", "uward2026", "jdoe-of-the-ward"] {
        let told = format!(
            "error: `{short}` is the beginning of too many pseudonyms\n hint: give 5 characters or more behind the `:`"
        );
        check(folder.path(), &["who", short, "--keys", "DIR/key", "--ids", "DIR/ids"], 2, &told);
    }
}

#[test]
fn who_asked_is_on_record_before_anything_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let keys = PseudonymKeys::generate("9", std::array::from_fn(|byte| byte as u8)).unwrap();
    fs::write(folder.path().join("key"), keys.to_file_text()).unwrap();
    fs::write(folder.path().join("ids"), "{\"user\":\"E0042\",\"names\":[\"jdoe\"]}\n{\"patient\":\"P-77\"}\n")
        .unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (user, patient, stranger) = (keys.user("E0042"), keys.patient("P-77"), keys.user("somebody else"));
    let ask = |pseudonyms: &[&str], further: &[&str]| {
        run(&[&["who"], pseudonyms, &["--keys", &path("key"), "--ids", &path("ids")], further].concat())
    };
    let told = ask(&[&user[..12], &stranger], &[]).with(1);
    let record = folder.path().join("key.asked.ndjson");
    assert!(told.err.contains(&format!("who asked is recorded in {}", record.display())), "{}", told.err);
    ask(&[&patient], &[]).with(0);
    ask(&[&patient], &["--record", &path("elsewhere")]).with(0);
    let (kept, found) = (fs::read_to_string(&record).unwrap(), fs::metadata(&record).unwrap());
    let lines: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answers: Vec<_> =
        lines.iter().map(|line| (line["asked"].as_str().unwrap(), line["told"].as_u64().unwrap())).collect();
    assert_eq!(answers, [(&user[..12], 2), (stranger.as_str(), 0), (patient.as_str(), 1)]);
    for line in &lines {
        // Whoever owns what the process has made is who it runs as.
        assert_eq!(line["uid"], found.uid(), "{line}");
        let time = line["time"].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
    }
    assert_eq!(found.mode() & 0o777, 0o600);
    for name in ["E0042", "jdoe", "P-77"] {
        assert!(!kept.contains(name), "{kept}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("elsewhere")).unwrap().lines().count(), 1);

    // Nothing is told that is not on record.
    fs::create_dir(folder.path().join("folder")).unwrap();
    for place in [path("folder").as_str(), "/dev/null"] {
        let refused = ask(&[&user], &["--record", place]).with(2);
        assert!(refused.out.is_empty() && refused.err.contains(place), "{}{}", refused.out, refused.err);
    }
}

#[test]
fn check_names_file_line_and_the_likely_word() {
    let folder = spoilt(&[("windows/auth.sql", "user_key", "usr_key")]);
    let ended = run(&["check", &folder.path().join("p").display().to_string()]).with(2);
    // The line is the one that says `usr_key`, and the hint is the word that was meant.
    for part in ["error: unknown column `usr_key`", "windows/auth.sql:", "did you mean `user_key`?"] {
        assert!(ended.err.contains(part), "no `{part}` in\n{}", ended.err);
    }
    assert!(ended.out.is_empty(), "errors belong on standard error: {}", ended.out);
}

#[test]
fn check_tells_all_problems_at_once_in_json_too() {
    let broken = [("windows/auth.sql", "user_key", "usr_key"), ("windows/pair.sql", "user_key", "usr_key")];
    let folder = spoilt(&broken);
    let ended = run(&["check", &folder.path().join("p").display().to_string(), "--json"]).with(2);
    let told: serde_json::Value = serde_json::from_str(ended.out.trim()).unwrap();
    let places: Vec<_> = told["problems"].as_array().unwrap().iter().map(|problem| problem["at"].to_string()).collect();
    for (name, _, _) in broken {
        assert!(places.iter().any(|at| at.contains(name)), "`{name}` is not among {places:?}");
    }
}

#[test]
fn check_says_that_rules_without_models_open_no_case() {
    let (file, models) =
        ("pipeline.toml", "pair_model = \"model/pair.cwmodel\"\nuser_model = \"model/user.cwmodel\"\n");
    let folder = spoilt(&[(file, models, "")]);
    let spoilt = folder.path().join("p").display().to_string();
    for (pipeline, silent) in [(spoilt, true), (pipeline().display().to_string(), false)] {
        let told = run(&["check", &pipeline]).with(0).out;
        assert_eq!(told.contains("no case about users will open"), silent, "{told}");
        let told: serde_json::Value = serde_json::from_str(&run(&["check", &pipeline, "--json"]).with(0).out).unwrap();
        assert_eq!(told["judges_users"], !silent);
    }
}

#[test]
fn what_no_toml_is_names_its_line() {
    let folder = spoilt(&[("pipeline.toml", "[kafka]", "[kafka")]);
    let ended = run(&["check", &folder.path().join("p").display().to_string()]).with(2);
    assert!(ended.err.contains("pipeline.toml:11"), "`[kafka` stands in line 11: {}", ended.err);
}

#[test]
fn a_hospital_that_cannot_be_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    for arguments in [["demo", "--staff", "1", "--data"], ["simulate", "--days", "0", "--out"]] {
        let ended = run(&[&arguments[..], &[&out]].concat()).with(2);
        assert!(ended.err.starts_with("error: "), "{arguments:?}: {}", ended.err);
        assert!(!Path::new(&out).exists(), "{arguments:?} left a folder");
    }
}

#[test]
fn http_for_everybody_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let key: String = (1..=32).map(|byte| format!("{byte:02x}")).collect();
    fs::write(folder.path().join("key"), format!("chartwarden-pseudonym-key v1\nid 1\nkey {key}\n")).unwrap();
    let pipeline = pipeline().display().to_string();
    let run = ["run", &pipeline, "--bootstrap", "127.0.0.1:1", "--keys", "DIR/key", "--http"];
    check(
        folder.path(),
        &[&run[..], &["0.0.0.0:9464"]].concat(),
        2,
        "error: HTTP on 0.0.0.0:9464 would be open to everybody\n hint: give --http-token-file, or listen on 127.0.0.1",
    );
    fs::write(folder.path().join("token"), "short").unwrap();
    check(
        folder.path(),
        &[&run[..], &["0.0.0.0:9464", "--http-token-file", "DIR/token"]].concat(),
        2,
        "error: the HTTP token has fewer than 16 characters\n   at: DIR/token",
    );
    fs::write(folder.path().join("key"), "not a key").unwrap();
    check(
        folder.path(),
        &[&run[..], &["127.0.0.1:0"]].concat(),
        2,
        "error: pseudonym key `DIR/key`: pseudonym key file, line 1: expected `chartwarden-pseudonym-key v1`",
    );
}

#[test]
fn no_broker_is_the_environment() {
    let pipeline = pipeline().display().to_string();
    let ended = run(&["topics", &pipeline, "--bootstrap", "127.0.0.1:1"]).with(3);
    assert!(ended.err.contains("127.0.0.1:1") && ended.err.contains("check that the broker is up"), "{}", ended.err);
}

#[test]
fn bad_flags_are_wrong_usage() {
    for budget in ["nan", "0", "inf", "two"] {
        let ended = run(&["evaluate", &pipeline().display().to_string(), "--data", "x", "--budget", budget]).with(2);
        assert!(ended.err.contains(&format!("`{budget}` is no number of cases a day")), "{}", ended.err);
    }
    for arguments in [
        &["nonsense"][..],
        &["demo", "--days", "x"],
        &["columns", "nothing"],
        &["simulate", "--out"],
        &["simulate", "--out", "x", "--format", "csv"],
        &["ledger", "verify", "x"],
        &["replay", "x", "--out", "y"],
    ] {
        let ended = run(arguments).with(2);
        assert!(ended.err.starts_with("error: ") && ended.out.is_empty(), "{arguments:?}: {}", ended.err);
    }
}

/// No escape character: what is piped or asked to be plain has no control codes.
#[track_caller]
fn check_plain(ended: &Ended) {
    assert!(!ended.out.contains('\u{1b}') && !ended.err.contains('\u{1b}'), "{}{}", ended.out, ended.err);
}

#[test]
fn piped_output_has_no_control_codes() {
    let pipeline = pipeline().display().to_string();
    for arguments in
        [&["columns"][..], &["--help"], &["explain", "x", "--data", "nowhere"], &["check", &pipeline], &["nonsense"]]
    {
        check_plain(&run(arguments));
    }
}

/// A script that goes on after 0 would go on with half of a table, or with an empty file.
#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_on_a_full_disk_is_no_success() {
    let pipeline = pipeline().display().to_string();
    for arguments in [&["columns", "access"][..], &["columns", "access", "--json"], &["check", &pipeline]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = Command::new(chartwarden()).args(arguments).stdout(full).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(3), "{arguments:?}: {told}");
        assert!(told.contains("standard output cannot be written: No space left") && told.contains("hint: "), "{told}");
        // Whoever has read enough and went away is another matter.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Command::new(chartwarden()).args(arguments).stdout(writer).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

/// A lane that was opened again would begin anew in the middle of the house, and nobody would see it in the features.
#[test]
fn a_recording_that_cannot_be_kept_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (pipeline, out) = (pipeline().display().to_string(), path("house"));
    let ended = Command::new(chartwarden())
        .args(["record", &pipeline, "--simulate-seed", "5", "--out", &out])
        .args(["--staff", "60", "--days", "3", "--first-incident-day", "0"])
        .env("TMPDIR", path("gone"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("error: making a file for results") && told.contains("name another in TMPDIR"), "{told}");
    assert!(!folder.path().join("house/recorded.json").exists(), "it looks like a whole one");
}

#[test]
fn tables_come_as_json_too() {
    let pipeline = pipeline().display().to_string();
    for arguments in [&["columns", "access", "--json"][..], &["check", &pipeline, "--json"]] {
        let ended = run(arguments).with(0);
        serde_json::from_str::<serde_json::Value>(&ended.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    }
}
