use std::fs;

use events::Offset;
use ledger::Opening;
use tempfile::TempDir;

use super::*;
use crate::report::{kind, what};

const GOLDEN: &str = include_str!("../../../findings/golden/findings.ndjson");
const ORIGIN: &str = "hospital.example/log";

/// A data folder with a ledger.
fn begun() -> (TempDir, Places) {
    let dir = tempfile::tempdir().unwrap();
    let places = Places::under(dir.path());
    fs::create_dir(dir.path().join("keys")).unwrap();
    init(&places, ORIGIN).unwrap();
    (dir, places)
}

fn open(places: &Places) -> Result<Anchor> {
    Anchor::open(places, &Config::new("nowhere:9092", "group", "prefix"))
}

fn verdict(places: &Places) -> Verdict {
    let vkey = VerifierKey::load(&places.vkey, &places.log).unwrap();
    runtime().unwrap().block_on(ledger::verify_directory(&places.log, &vkey, &[])).unwrap().verdict
}

fn record(offset: i64, key: &str, value: &str) -> CommittedRecord {
    CommittedRecord {
        partition: 0,
        offset: Offset(offset),
        time: Timestamp::from_millis(0),
        key: Some(key.into()),
        value: Some(value.into()),
        headers: Vec::new(),
    }
}

/// A finding and its id.
fn golden(number: usize) -> (&'static str, String) {
    let finding = GOLDEN.lines().nth(number).unwrap();
    (finding, findings::read(finding.as_bytes()).unwrap().id)
}

#[test]
fn what_bears_a_real_id_or_an_endless_one_neither_takes_a_findings_place_nor_ends_the_process() {
    let (_dir, places) = begun();
    let ((first, id), (second, other)) = (golden(0), golden(1));
    let (forged, long) = (first.replacen("Opened 14 charts", "Opened 1 chart", 1), "x".repeat(300));
    assert_ne!(forged, first);
    let endless = first.replacen(&id, &long, 1);
    let mut anchor = open(&places).unwrap();
    let records = [
        (id.as_str(), forged.as_str()),
        (&long, &endless),
        (&other, &second.replacen(&other, &id, 1)),
        (&id, first),
        (&other, second),
    ];
    let records = (0..).zip(records).map(|(offset, (key, value))| record(offset, key, value)).collect();
    anchor.seal(records).unwrap();
    assert_eq!((anchor.sealed, anchor.failures, anchor.ledger.size()), (2, 3, 3));
    assert_eq!(anchor.ledger.source_position(), Some("{\"0\":5}"));
    for (finding, id) in [(first, &id), (second, &other)] {
        let opening = fs::read(places.receipts.join(format!("{id}.opening.json"))).unwrap();
        let opening: Opening = serde_json::from_slice(&opening).unwrap();
        assert_eq!(opening.content, finding.as_bytes());
        assert!(places.receipts.join(format!("{id}.tlog-proof")).exists());
    }
    // Read again, as after a crash before the position moved, they are the same entries.
    anchor.seal(vec![record(3, &id, first)]).unwrap();
    assert_eq!(anchor.ledger.size(), 3);
}

/// Ids become names of files, and no record chooses where.
#[test]
fn an_id_that_is_no_name_of_a_file_is_none_of_ours() {
    let (dir, places) = begun();
    let (finding, id) = golden(0);
    let mut anchor = open(&places).unwrap();
    let strange = ["", "..", "../out", "a/b", "a.b", "a b", "\u{e4}", "f-", &"x".repeat(28), &id.to_uppercase()];
    for strange_id in strange {
        let told = genuine(strange_id.into(), finding.replacen(&id, strange_id, 1).as_bytes()).unwrap_err();
        assert!(told.contains("metadata/uid is"), "{strange_id}: {told}");
        anchor.seal(vec![record(0, strange_id, &finding.replacen(&id, strange_id, 1))]).unwrap();
    }
    assert_eq!((anchor.sealed, anchor.failures, anchor.ledger.size()), (0, strange.len() as u64, 1));
    assert_eq!(fs::read_dir(&places.receipts).unwrap().count(), 0);
    assert!(!dir.path().join("out.tlog-proof").exists());
    assert!(id.len() == 28 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{id}");
    assert_eq!(genuine(id.clone().into(), finding.as_bytes()), Ok(id));
}

/// Behind the position nobody reads a finding again: what is missing by then stays so.
#[test]
fn a_finding_whose_receipt_could_not_be_written_is_read_again() {
    let (_dir, places) = begun();
    let (finding, id) = golden(0);
    let opening = places.receipts.join(format!("{id}.opening.json"));
    let mut anchor = open(&places).unwrap();
    fs::create_dir(&opening).unwrap();
    anchor.seal(vec![record(0, &id, finding)]).unwrap_err();
    drop(anchor);
    fs::remove_dir(&opening).unwrap();
    let mut anchor = open(&places).unwrap();
    assert_eq!((anchor.ledger.size(), anchor.ledger.source_position()), (2, None));
    anchor.seal(vec![record(0, &id, finding)]).unwrap();
    assert_eq!((anchor.ledger.size(), anchor.ledger.source_position()), (2, Some("{\"0\":1}")));
    assert!(opening.is_file(), "the entry is the same, and its receipt is there now");
}

#[test]
fn a_beginning_that_was_killed_is_finished_by_the_next() {
    let (_dir, places) = begun();
    let vkey = fs::read(&places.vkey).unwrap();
    // After the head, before the checkpoint and whatever comes behind.
    fs::remove_file(places.log.join("checkpoint")).unwrap();
    fs::remove_file(&places.vkey).unwrap();
    init(&places, ORIGIN).unwrap();
    assert_eq!((verdict(&places), fs::read(&places.vkey).unwrap()), (Verdict::Committed, vkey.clone()));
    // Within the write of the verifier key.
    for cut in [&b""[..], b"\n", &vkey[..vkey.len() / 2]] {
        fs::write(&places.vkey, cut).unwrap();
        init(&places, ORIGIN).unwrap();
        assert_eq!(fs::read(&places.vkey).unwrap(), vkey);
    }
}

#[test]
fn a_run_finishes_a_beginning_as_well() {
    let (_dir, places) = begun();
    fs::remove_file(places.log.join("checkpoint")).unwrap();
    fs::write(&places.vkey, "").unwrap();
    assert!(places.is_begun());
    open(&places).unwrap();
    assert_eq!(verdict(&places), Verdict::Committed);
}

#[test]
fn keys_that_do_not_belong_together_are_told_and_left() {
    let (_dir, places) = begun();
    let other = SigningKey::generate(ORIGIN, [1; 32]).unwrap().vkey() + "\n";
    fs::write(&places.vkey, &other).unwrap();
    for error in [init(&places, ORIGIN).unwrap_err(), open(&places).err().unwrap()] {
        assert_eq!(kind(&error), base::Kind::Corrupt);
        assert!(what(&error).contains("this is not the verifier key that belongs to"), "{}", what(&error));
    }
    assert_eq!(fs::read_to_string(&places.vkey).unwrap(), other);
    fs::write(&places.key, "").unwrap();
    for error in [init(&places, ORIGIN).unwrap_err(), open(&places).err().unwrap()] {
        assert_eq!(kind(&error), base::Kind::Invalid);
        assert!(what(&error).contains("the file is empty: put the key back from a copy"), "{}", what(&error));
    }
    // A new key would not be believed, and none is made.
    fs::remove_file(&places.key).unwrap();
    let error = init(&places, ORIGIN).unwrap_err();
    assert!(what(&error).contains("the key that signs for it is not"), "{}", what(&error));
    assert!(!places.key.exists());
}

#[test]
fn no_second_log_begins_where_one_is_gone() {
    let (_dir, places) = begun();
    drop(open(&places).unwrap());
    fs::remove_dir_all(&places.log).unwrap();
    let refused = || {
        let error = init(&places, ORIGIN).unwrap_err();
        assert_eq!(kind(&error), base::Kind::Corrupt);
        what(&error)
    };
    assert!(refused().contains("the log is gone that this key verifies"));
    fs::remove_file(&places.vkey).unwrap();
    assert!(refused().contains("the log is gone whose openings are here"));
    assert!(!places.is_begun() && !places.vkey.exists());
}

#[test]
fn once_a_day_what_only_older_checkpoints_need_is_removed() {
    let (dir, places) = begun();
    let mut anchor = open(&places).unwrap();
    let batch = |numbers: std::ops::Range<u32>| -> Vec<Submission> {
        let submission = |number: u32| {
            let (id, content) = (format!("f-{number}"), number.to_string().into_bytes());
            Submission { id, kind: EntryKind::Finding, content }
        };
        numbers.map(submission).collect()
    };
    anchor.append(&batch(0..9), None).unwrap();
    anchor.append(&batch(9..300), None).unwrap();
    let (partial, kept) = (places.log.join("tile/0/000.p/10"), places.log.join("checkpoints/1"));
    let now = SystemClock.now();
    assert!(anchor.is_tidying_due(now));
    anchor.tidy(now);
    assert!(partial.exists() && kept.exists(), "who has a young checkpoint finds what it covers");
    assert!(!anchor.is_tidying_due(now + Millis::hours(23)) && anchor.is_tidying_due(now + Millis::days(1)));
    // What goes wrong there is in nobody's way.
    let (bundle, away) = (places.log.join("tile/entries/000"), dir.path().join("away"));
    fs::rename(&bundle, &away).unwrap();
    anchor.tidy(now + Millis::days(2));
    assert!(partial.exists());
    anchor.append(&batch(300..301), None).unwrap();
    fs::rename(&away, &bundle).unwrap();
    anchor.tidy(now + Millis::days(3));
    assert!(!partial.exists() && !kept.exists());
    assert_eq!(verdict(&places), Verdict::Committed);
}
