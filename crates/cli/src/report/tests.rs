use super::*;

#[test]
fn a_person_sees_what_failed_where_and_what_to_try() {
    let failure =
        Failure::invalid("unknown column `patient`").at("windows/access.sql:4").hint("did you mean `patient_id`?");
    let text = told(&anyhow::Error::from(failure));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        ["error: unknown column `patient`", "   at: windows/access.sql:4", " hint: did you mean `patient_id`?"]
    );
}

#[test]
fn exit_codes_follow_the_kind_of_error() {
    assert_eq!(exit(Ok(Answer::Yes)), 0);
    assert_eq!(exit(Ok(Answer::No)), 1);
    assert_eq!(kind(&Failure::invalid("usage").into()).exit_code(), 2);
    assert_eq!(kind(&Failure::unavailable("no broker").into()).exit_code(), 3);
    let port = engine::ports::PortError::Unavailable("no broker".to_owned());
    assert_eq!(kind(&anyhow::Error::from(port).context("archiving")).exit_code(), 3);
    assert_eq!(kind(&anyhow::anyhow!("nobody thought of this")).exit_code(), 70);
}

#[test]
fn only_a_reader_that_went_away_is_no_reason_to_fail() {
    let failed = |kind: io::ErrorKind| unless_unread(Err(kind.into())).err().map(|error| error.kind());
    assert_eq!(failed(io::ErrorKind::BrokenPipe), None);
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::WriteZero, io::ErrorKind::Other] {
        assert_eq!(failed(kind), Some(kind));
    }
}

#[test]
fn what_a_terminal_obeys_is_shown_and_json_stays_what_it_was() {
    let text = "chart\u{200f} of\u{7f} \u{1b}[2J p1\n";
    assert_eq!(printable(text), "chart\\u{200f} of\\u{7f} \\u{1b}[2J p1\n");
    let json = serde_json::to_string(text).unwrap();
    let escaped = escaped(&json);
    assert!(escaped.is_ascii(), "{escaped}");
    assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
}

#[test]
fn what_stands_at_a_path_has_a_hint_that_fits() {
    for (found, code, hint) in [
        (io::ErrorKind::NotFound, 2, "check the path"),
        (
            io::ErrorKind::IsADirectory,
            2,
            "check the path: a folder stands where a file is meant, or a file where a folder is",
        ),
        (
            io::ErrorKind::InvalidInput,
            2,
            "check the path: a plain file is meant; what a pipe gives can be written to one first",
        ),
        (
            io::ErrorKind::InvalidData,
            2,
            "check the path: a text file is meant; what stands in another encoding can be saved as UTF-8",
        ),
        (io::ErrorKind::PermissionDenied, 3, "check who owns it and its mode"),
        (io::ErrorKind::StorageFull, 3, "check that the disk is there and has room"),
    ] {
        let error = disk(std::path::Path::new("the/file"), &found.into());
        let text = told(&error);
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), ["   at: the/file", &format!(" hint: {hint}")], "{found}");
        assert_eq!(kind(&error).exit_code(), code, "{found}");
    }
}

#[test]
fn a_file_that_is_not_text_is_no_matter_of_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pseudonym.key");
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    let error = crate::keys::pseudonyms(&path).err().unwrap();
    assert_eq!((what(&error), kind(&error)), ("the file is not text (UTF-8)".to_owned(), Kind::Invalid));
}

#[test]
fn a_cause_is_told_once() {
    let cause = engine::ports::PortError::Unavailable("no broker".to_owned());
    let text = told(&anyhow::Error::from(engine::Error::from(cause)).context("archiving"));
    assert_eq!(text.lines().next(), Some("error: archiving: no broker"));
}

/// Set in the process that is to panic.
const PANICS: &str = "CHARTWARDEN_TEST_PANICS";

#[test]
fn a_panic_in_any_thread_ends_the_process_with_70() {
    if std::env::var_os(PANICS).is_some() {
        end_on_panic();
        std::thread::scope(|scope| {
            scope.spawn(|| panic!("a law is broken"));
            // As somebody does who waits for that thread.
            scope.spawn(|| std::thread::sleep(std::time::Duration::from_secs(600)));
        });
        unreachable!("the process has gone on");
    }
    let this = std::env::current_exe().unwrap();
    let mut again = std::process::Command::new(this);
    again.args(["--exact", "report::tests::a_panic_in_any_thread_ends_the_process_with_70", "--nocapture"]);
    let ended = again.env(PANICS, "1").output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(70), "{told}");
    assert!(told.contains("a law is broken") && told.contains("please report it"), "{told}");
}

#[test]
fn a_table_is_never_narrower_than_can_be_read() {
    for (told, used) in [(0, 100), (59, 100), (80, 80), (200, 200)] {
        let mut table = Table::new();
        table.set_width(told);
        fit(&mut table);
        assert_eq!(table.width(), Some(used));
    }
}
