use super::*;
use crate::testing::{at, block_on, finding, in_time, key, pipe, salts};
use crate::{Ledger, Verdict};

#[test]
fn what_killed_writes_left_is_gone_once_a_ledger_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let (log, openings) = (dir.path().join("log"), dir.path().join("openings"));
    block_on(async {
        Ledger::create(&log, &key(), at(0)).await.unwrap();
        let mut ledger = Ledger::open(&log, key(), &openings).await.unwrap();
        ledger.append(&[finding(1)], None, at(1), &mut salts()).await.unwrap();
    });
    let left = [openings.join("latest#1"), openings.join("batches/000000000000/1-x#12"), log.join("tile/0/000#7")];
    let kept = [openings.join("batches/note#a"), openings.join("batches/note#"), openings.join("12")];
    for file in left.iter().chain(&kept) {
        fs::write(file, "what somebody wanted erased").unwrap();
    }
    let ledger = block_on(Ledger::open(&log, key(), &openings)).unwrap();
    for file in left {
        assert!(!file.exists(), "{}", file.display());
    }
    for file in kept {
        assert!(file.exists(), "{}", file.display());
    }
    block_on(ledger.receipt("f-1")).unwrap();
}

#[test]
fn nothing_is_removed_beside_a_writer_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let (log, openings) = (dir.path().join("log"), dir.path().join("openings"));
    block_on(Ledger::create(&log, &key(), at(0))).unwrap();
    let writer = block_on(Ledger::open(&log, key(), &openings)).unwrap();
    let under_way = [openings.join("latest#1"), log.join("checkpoint#1")];
    under_way.iter().for_each(|file| fs::write(file, "being written").unwrap());
    assert!(matches!(block_on(Ledger::open(&log, key(), &openings)), Err(Error::InUse { .. })));
    assert!(under_way.iter().all(|file| file.exists()));
    drop(writer);
}

#[test]
fn a_pipe_in_the_place_of_a_file_gets_an_answer() {
    for name in ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"] {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().to_owned();
        block_on(Ledger::create(&log, &key(), at(0))).unwrap();
        let file = log.join(name);
        file::remove(&file).unwrap();
        pipe(&file);
        let report = in_time(move || block_on(crate::verify_directory(&log, key().verifier(), &[])).unwrap());
        assert_eq!((report.verdict, &report.problems[0]), (Verdict::Invalid, &format!("{name}: {NO_FILE}")));
    }
}
