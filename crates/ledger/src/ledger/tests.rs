//! The writer: one entry per id whatever is delivered twice or dies when, and no second history.

use std::sync::atomic::Ordering;

use super::*;
use crate::testing::{Fault, Memory, at, block_on, dump, finding, findings, key, salts};
use crate::verify::verify_store;
use crate::{Verdict, verify_receipt};

fn submission(kind: EntryKind, id: &str, content: &[u8]) -> Submission {
    Submission { id: id.to_owned(), kind, content: content.to_vec() }
}

fn indexes(appended: &[Appended]) -> Vec<u64> {
    appended.iter().map(|appended| appended.index).collect()
}

/// The whole ledger in memory must verify, and every finding open.
pub(super) async fn check_whole(memory: &Memory, ledger: &Ledger, ids: impl IntoIterator<Item = u64>) {
    let report = verify_store(&ledger.place.log, key().verifier(), &[]).await.unwrap();
    assert_eq!((report.verdict, report.problems), (Verdict::Committed, vec![]));
    assert_eq!(report.size, Some(ledger.size()));
    for number in ids {
        let receipt = ledger.receipt(&format!("f-{number}")).await.unwrap();
        assert_eq!(receipt.opening.content, finding(number).content);
        let opening = serde_json::to_vec(&receipt.opening).unwrap();
        let report = verify_receipt(receipt.proof.as_bytes(), Some(&opening), None, key().verifier()).unwrap();
        assert_eq!(report.verdict, Verdict::Committed, "{}", report.reason);
    }
    let left: Vec<String> = dump(&memory.log).await.into_iter().map(|(name, _)| name).collect();
    assert!(!left.iter().any(|name| name.starts_with("staging/")), "{left:?}");
}

#[test]
fn a_directory_on_disk_is_created_filled_closed_and_opened_again() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let (log, openings) = (dir.path().join("log"), dir.path().join("openings"));
        assert!(matches!(Ledger::open(&log, key(), &openings).await, Err(Error::NoLedger { .. })));
        Ledger::create(&log, &key(), at(0)).await.unwrap();
        assert!(matches!(Ledger::create(&log, &key(), at(0)).await, Err(Error::NotEmpty { .. })));
        let mut ledger = Ledger::open(&log, key(), &openings).await.unwrap();
        assert_eq!((ledger.size(), ledger.source_position()), (1, None));
        let second = Ledger::open(&log, key(), &openings).await.unwrap_err();
        assert!(matches!(second, Error::InUse { .. }), "{second}");
        let position = Some("findings/0: 300".to_owned());
        let appended = ledger.append(&findings(0..300), position.clone(), at(5), &mut salts()).await.unwrap();
        assert_eq!(indexes(&appended), (1..301).collect::<Vec<_>>());
        assert!(appended.iter().all(|appended| appended.is_new));
        let checkpoint = ledger.checkpoint().to_vec();
        assert_eq!(fs::read(log.join("checkpoint")).unwrap(), checkpoint);
        drop(ledger);
        let ledger = Ledger::open(&log, key(), &openings).await.unwrap();
        assert_eq!((ledger.size(), ledger.source_position()), (301, position.as_deref()));
        assert_eq!(ledger.checkpoint(), checkpoint);
        assert_eq!(ledger.index_of("f-299"), Some(300));
        let report = crate::verify_directory(&log, key().verifier(), &[]).await.unwrap();
        assert_eq!((report.verdict, report.problems), (Verdict::Committed, vec![]));
        ledger.receipt("f-255").await.unwrap();
    });
}

#[test]
fn an_id_becomes_one_entry_however_often_it_comes() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        let batch = [finding(1), finding(2), finding(1)];
        let appended = ledger.append(&batch, None, at(1), &mut salts()).await.unwrap();
        assert_eq!(indexes(&appended), [1, 2, 1]);
        assert_eq!(appended.iter().map(|appended| appended.is_new).collect::<Vec<_>>(), [true, true, false]);
        let again = ledger.append(&findings(0..4), None, at(2), &mut salts()).await.unwrap();
        assert_eq!(indexes(&again), [3, 1, 2, 4]);
        let mut ledger = memory.open().await.unwrap();
        let third = ledger.append(&findings(0..4), None, at(3), &mut salts()).await.unwrap();
        assert_eq!(indexes(&third), [3, 1, 2, 4]);
        assert_eq!(ledger.size(), 5);
        check_whole(&memory, &ledger, 0..4).await;
    });
}

#[test]
fn a_batch_of_nothing_new_moves_the_source_position_and_nothing_else() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..2), Some("a".to_owned()), at(1), &mut salts()).await.unwrap();
        let before = ledger.checkpoint().to_vec();
        ledger.append(&findings(0..2), Some("b".to_owned()), at(2), &mut salts()).await.unwrap();
        ledger.append(&[], None, at(2), &mut salts()).await.unwrap();
        let ledger = memory.open().await.unwrap();
        assert_eq!((ledger.source_position(), ledger.checkpoint()), (Some("b"), before.as_slice()));
    });
}

#[test]
fn a_long_batch_is_cut_and_its_position_comes_with_the_last_part() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        ledger.append(&[], Some("before".to_owned()), at(0), &mut salts()).await.unwrap();
        let count = COMMIT_ENTRIES_MAX as u64 + 10;
        ledger.append(&findings(0..count), Some("after".to_owned()), at(1), &mut salts()).await.unwrap();
        let kept: Vec<String> = dump(&memory.log).await.into_iter().map(|(name, _)| name).collect();
        for size in [1, 1_025, 1_035] {
            assert!(kept.contains(&format!("checkpoints/{size}")), "{size}");
        }
        // A crash between the parts: the first is there, the position is not.
        let (start, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..1), Some("before".to_owned()), at(1), &mut salts()).await.unwrap();
        let run = async |memory: &Memory, write| {
            let mut ledger = memory.open().await.unwrap();
            memory.break_write(write, Fault::Lost);
            ledger.append(&findings(1..count), Some("after".to_owned()), at(1), &mut salts()).await
        };
        let whole = start.fork();
        run(&whole, u64::MAX).await.unwrap();
        let writes = whole.faults.log.lock().unwrap().clone();
        let heads: Vec<usize> = (0..writes.len()).filter(|at| writes[*at] == "log:state/head").collect();
        assert_eq!(heads.len(), 2);
        let cut = start.fork();
        run(&cut, heads[1] as u64).await.unwrap_err();
        let mut ledger = cut.open().await.unwrap();
        assert_eq!((ledger.size(), ledger.source_position()), (1_026, Some("before")));
        ledger.append(&findings(1..count), Some("after".to_owned()), at(1), &mut salts()).await.unwrap();
        assert_eq!((ledger.size(), ledger.source_position()), (count + 1, Some("after")));
        check_whole(&cut, &ledger, [0, 1, 1_000, count - 1]).await;
    });
}

#[test]
fn time_never_runs_backwards() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        for (number, now) in [(0, 100), (1, 40), (2, 100), (3, 200)] {
            ledger.append(&[finding(number)], None, at(now), &mut salts()).await.unwrap();
            ledger = memory.open().await.unwrap();
        }
        let mut times = Vec::new();
        for number in 0..4 {
            let (entry, _) = ledger.record_at(number + 1).await.unwrap();
            times.push((entry.time, entry.clock_held));
        }
        assert_eq!(times, [(at(100), false), (at(100), true), (at(100), false), (at(200), false)]);
        let error = ledger.append(&[finding(9)], None, Timestamp::from_millis(-1), &mut salts()).await.unwrap_err();
        assert!(error.to_string().contains("before 1970"), "{error}");
    });
}

#[test]
fn what_cannot_become_an_entry_is_refused_before_anything_is_written() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        memory.break_write(u64::MAX, Fault::Lost);
        let long = vec![b'x'; CONTENT_BYTES_MAX + 1];
        for (bad, reason) in [
            (submission(EntryKind::Finding, "", b"x"), "its id has 0 bytes, expected 1 to 256"),
            (submission(EntryKind::Finding, &"i".repeat(257), b"x"), "its id has 257 bytes"),
            (submission(EntryKind::Finding, "f", &long), "its content has 262145 bytes, at most 262144"),
            (submission(EntryKind::Genesis, "g", b"{}"), "the ledger writes genesis entries itself"),
            (submission(EntryKind::Erasure, "e", b"{}"), "the ledger writes erasure entries itself"),
            (submission(EntryKind::Manifest, "m", b"{ }"), "body is not a compact JSON object"),
        ] {
            let checked = bad.check().unwrap_err();
            let error = ledger.append(&[finding(1), bad], None, at(1), &mut salts()).await.unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(checked.to_string(), error.to_string());
        }
        let position = Some("p".repeat(SOURCE_POSITION_BYTES_MAX + 1));
        assert!(ledger.append(&[], position, at(1), &mut salts()).await.is_err());
        let same = ledger.append(&findings(0..2), None, at(1), &mut || [4; 32]).await.unwrap_err();
        assert_eq!(same.kind(), base::Kind::Bug, "a source that repeats a salt would link entries: {same}");
        assert_eq!(memory.faults.writes.load(Ordering::SeqCst), 0);
        ledger.append(&findings(0..2), None, at(1), &mut salts()).await.unwrap();
    });
    assert!(check_room(LEDGER_ENTRIES_MAX - 1, 1).is_ok());
    assert!(check_room(LEDGER_ENTRIES_MAX, 1).is_err());
    assert!(check_room(u64::MAX, 1).is_err());
}

#[test]
fn every_kind_gives_a_receipt() {
    block_on(async {
        let (_, mut ledger) = Memory::ledger().await;
        let batch = [
            submission(EntryKind::Padding, "p", b""),
            submission(EntryKind::Decision, "d", b"\xff\x00"),
            submission(EntryKind::EvidenceDigest, "e", b"{}"),
            submission(EntryKind::KeyChange, "k", br#"{"vkey":"x"}"#),
            submission(EntryKind::AnchorSeen, "a", br#"{"block":"1"}"#),
            submission(EntryKind::Manifest, "m", br#"{"rules":"abc"}"#),
        ];
        ledger.append(&batch, None, at(1), &mut salts()).await.unwrap();
        for submission in &batch {
            let receipt = ledger.receipt(&submission.id).await.unwrap();
            assert_eq!(receipt.opening.content, submission.content);
            let opening = serde_json::to_vec(&receipt.opening).unwrap();
            let report = verify_receipt(receipt.proof.as_bytes(), Some(&opening), None, key().verifier()).unwrap();
            assert_eq!((report.verdict, report.kind), (Verdict::Committed, Some(submission.kind)));
        }
        let unknown = ledger.receipt("nobody").await.unwrap_err();
        assert_eq!(unknown.to_string(), "no entry `nobody` in this ledger of 7 entries");
    });
}

/// One row of the crash table: a ledger with something in it, the write that is due, and the fault.
async fn crash(start: &Memory, batch: &[Submission], write: u64, fault: Fault) -> bool {
    let memory = start.fork();
    let mut ledger = memory.open().await.unwrap();
    memory.break_write(write, fault);
    let position = Some("after".to_owned());
    let outcome = ledger.append(batch, position.clone(), at(9), &mut salts()).await;
    let name = memory.faults.log.lock().unwrap().last().cloned().unwrap_or_default();
    let hit = memory.faults.plan.lock().unwrap().is_none();
    assert_eq!(outcome.is_err(), hit, "write {write} ({name})");
    if hit {
        let error = ledger.append(batch, None, at(9), &mut salts()).await.unwrap_err();
        assert!(matches!(error, Error::Stopped { .. }), "a writer that failed does not go on: {error}");
    }
    drop(ledger);
    // The start path may die as well, at each of its own writes, and is repeated.
    for restart in 0.. {
        memory.break_write(restart, fault);
        if memory.open().await.is_ok() && memory.faults.plan.lock().unwrap().is_some() {
            break;
        }
    }
    *memory.faults.plan.lock().unwrap() = None;
    let mut ledger = memory.open().await.unwrap();
    let counted = ledger.size() > 3;
    assert_eq!(ledger.source_position(), Some(if counted { "after" } else { "before" }), "write {write} ({name})");
    let appended = ledger.append(batch, position, at(10), &mut salts()).await.unwrap();
    assert_eq!(indexes(&appended), (3..3 + batch.len() as u64).collect::<Vec<_>>(), "write {write} ({name})");
    assert!(
        appended.iter().all(|appended| appended.is_new != counted),
        "all or nothing counted, write {write} ({name})"
    );
    assert_eq!(ledger.size(), 3 + batch.len() as u64);
    let last = 2 + batch.len() as u64;
    check_whole(&memory, &ledger, [0, 1, 2, last - 1]).await;
    // Nothing confidential of attempts that did not count is left behind.
    let batches = dump(&memory.openings).await.into_iter().filter(|(name, _)| name.starts_with("batches/")).count();
    assert_eq!(batches, 2, "write {write} ({name})");
    hit
}

#[test]
fn whatever_write_fails_the_same_batch_again_gives_one_entry_per_id() {
    block_on(async {
        let (start, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..2), Some("before".to_owned()), at(1), &mut salts()).await.unwrap();
        // A batch that fills a bundle, so that full and partial tiles are among the writes.
        let batch = findings(2..302);
        for fault in [Fault::Lost, Fault::Persisted] {
            let mut rows = 0;
            while crash(&start, &batch, rows, fault).await {
                rows += 1;
            }
            assert!(rows >= 11, "openings, staging, head, six files, two checkpoints, latest, removal: {rows} rows");
        }
    });
}

#[test]
fn a_creation_that_dies_anywhere_can_be_repeated_or_opened() {
    block_on(async {
        for fault in [Fault::Lost, Fault::Persisted] {
            for write in 0.. {
                let memory = Memory::default();
                memory.break_write(write, fault);
                let hit = memory.create().await.is_err();
                *memory.faults.plan.lock().unwrap() = None;
                let again = memory.create().await;
                assert!(matches!(again, Ok(()) | Err(Error::NotEmpty { .. })), "write {write}: {again:?}");
                let mut ledger = memory.open().await.unwrap();
                ledger.append(&findings(0..1), None, at(1), &mut salts()).await.unwrap();
                check_whole(&memory, &ledger, 0..1).await;
                if !hit {
                    break;
                }
            }
        }
    });
}

#[test]
fn an_append_that_is_dropped_half_way_stops_the_writer() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        {
            let (batch, mut salts) = (findings(0..3), salts());
            let append = ledger.append(&batch, None, at(1), &mut salts);
            let mut append = std::pin::pin!(append);
            // Memory answers at once except where writes run side by side: one poll may or may not end it.
            let _ = futures::poll!(append.as_mut());
        }
        let mut ledger = if ledger.check_running().is_err() { memory.open().await.unwrap() } else { ledger };
        ledger.append(&findings(0..3), None, at(1), &mut salts()).await.unwrap();
        assert_eq!(ledger.size(), 4);
        check_whole(&memory, &ledger, 0..3).await;
    });
}

#[test]
fn of_two_writers_on_one_log_one_loses_the_head_and_signs_nothing() {
    block_on(async {
        let (one, mut first) = Memory::ledger().await;
        let two = Memory { openings: std::sync::Arc::default(), ..one.clone() };
        let mut second = two.open().await.unwrap();
        first.append(&findings(0..5), None, at(1), &mut salts()).await.unwrap();
        let before = dump(&one.log).await;
        let lost = second.append(&findings(5..9), None, at(2), &mut salts()).await.unwrap_err();
        assert!(matches!(lost, Error::HeadMoved { size: 1 }), "{lost}");
        let after = dump(&one.log).await;
        let new: Vec<&String> = after.iter().filter(|file| !before.contains(file)).map(|(name, _)| name).collect();
        assert!(new.iter().all(|name| name.starts_with("staging/")), "the loser left {new:?}");
        first.append(&findings(5..9), None, at(3), &mut salts()).await.unwrap();
        let first = one.open().await.unwrap();
        assert_eq!(first.size(), 10);
        check_whole(&one, &first, 0..9).await;
    });
}

#[test]
fn a_start_never_removes_what_another_writer_has_staged() {
    block_on(async {
        let (one, mut first) = Memory::ledger().await;
        first.append(&findings(0..2), None, at(1), &mut salts()).await.unwrap();
        let ahead = staging::path(&crate::openings::commit_name(9, tlog_tiles::EMPTY_HASH));
        let behind = staging::path(&crate::openings::commit_name(2, tlog_tiles::EMPTY_HASH));
        for path in [&ahead, &behind] {
            first.place.log.create(path, &b"staged"[..]).await.unwrap();
        }
        one.open().await.unwrap();
        assert!(first.place.log.read(&ahead, 99).await.unwrap().is_some());
        assert!(first.place.log.read(&behind, 99).await.unwrap().is_none());
    });
}

async fn restore(memory: &Memory, files: &[(String, Vec<u8>)], only: impl Fn(&str) -> bool) {
    use object_store::ObjectStoreExt as _;
    for (name, bytes) in files.iter().filter(|(name, _)| only(name)) {
        memory.log.put(&name.as_str().into(), bytes.clone().into()).await.unwrap();
    }
}

#[test]
fn a_log_that_was_set_back_is_refused() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..3), None, at(1), &mut salts()).await.unwrap();
        let old = dump(&memory.log).await;
        ledger.append(&findings(3..300), None, at(2), &mut salts()).await.unwrap();
        type Which = fn(&str) -> bool;
        let cases: [(Which, &str); 2] = [
            (|name| name == HEAD, "checkpoint covers 301 entries, the head 4: the head was set back"),
            (|_| true, "`latest` covers 301 entries, the head 4: the head was set back"),
        ];
        for (only, reason) in cases {
            let back = memory.fork();
            restore(&back, &old, only).await;
            let error = back.open().await.unwrap_err();
            assert_eq!(error.kind(), base::Kind::Corrupt);
            assert!(error.to_string().contains(reason), "{error}");
        }
        // An old checkpoint alone is only a publication that did not happen.
        let late = memory.fork();
        restore(&late, &old, |name| name == "checkpoint").await;
        assert_eq!(late.open().await.unwrap().size(), 301);
    });
}

const HEAD: &str = HEAD_PATH;

#[test]
fn a_source_position_that_somebody_moved_is_refused() {
    use object_store::ObjectStoreExt as _;
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..3), Some("17".to_owned()), at(1), &mut salts()).await.unwrap();
        let bytes = memory.log.get(&HEAD.into()).await.unwrap().bytes().await.unwrap();
        let head = crate::head::Head::decode(&bytes).unwrap();
        let moved = crate::head::Head { source_position: Some("1700".to_owned()), ..head };
        memory.log.put(&HEAD.into(), moved.encode().unwrap().into()).await.unwrap();
        let error = memory.open().await.unwrap_err();
        assert_eq!(error.kind(), base::Kind::Corrupt);
        assert!(error.to_string().contains("state/head: it is not what was signed for"), "{error}");
    });
}

#[test]
fn a_fork_is_refused() {
    block_on(async {
        let (memory, _) = Memory::ledger().await;
        let fork = memory.fork();
        for (memory, numbers) in [(&memory, 0..3), (&fork, 3..6)] {
            let mut ledger = memory.open().await.unwrap();
            ledger.append(&findings(numbers), None, at(1), &mut salts()).await.unwrap();
        }
        let other = dump(&fork.log).await;
        let same_size = memory.fork();
        restore(&same_size, &other, |name| name == "checkpoint").await;
        let error = same_size.open().await.unwrap_err();
        assert!(error.to_string().contains("sign different roots of size 4"), "{error}");
        let mut ledger = memory.open().await.unwrap();
        ledger.append(&findings(6..9), None, at(2), &mut salts()).await.unwrap();
        restore(&memory, &other, |name| name == "checkpoint").await;
        let error = memory.open().await.unwrap_err();
        assert!(error.to_string().contains("another root of size 4"), "{error}");
    });
}

/// Whoever has the key can write another history into the log's own place, longer than the one that was.
#[test]
fn a_longer_history_than_the_one_noted_in_confidence_is_refused_unless_it_begins_so() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        let fork = memory.fork();
        ledger.append(&findings(0..3), None, at(1), &mut salts()).await.unwrap();
        let mut other = fork.open().await.unwrap();
        for numbers in [3..6, 6..9] {
            other.append(&findings(numbers), None, at(1), &mut salts()).await.unwrap();
        }
        restore(&memory, &dump(&fork.log).await, |_| true).await;
        let error = memory.open().await.unwrap_err();
        assert_eq!(error.kind(), base::Kind::Corrupt);
        assert!(error.to_string().contains("`latest` signs another root of size 4"), "{error}");
    });
}

#[test]
fn a_start_over_damaged_files_is_refused_and_names_one() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..300), None, at(1), &mut salts()).await.unwrap();
        for name in ["tile/0/001.p/45", "tile/1/000.p/1", "tile/entries/001.p/45", "checkpoint", "state/head"] {
            for at in [0, 31] {
                let damaged = memory.fork();
                let (_, mut bytes) = dump(&damaged.log).await.into_iter().find(|(found, _)| found == name).unwrap();
                bytes[at] ^= 1;
                restore(&damaged, &[(name.to_owned(), bytes)], |_| true).await;
                let error = damaged.open().await.unwrap_err();
                assert_eq!(error.kind(), base::Kind::Corrupt, "{name}: {error}");
                let text = error.to_string();
                assert!(text.contains(name) || text.contains("one of 2 tiles"), "{name}: {text}");
            }
        }
        let stranger = SigningKey::generate("other.example", [9; 32]).unwrap();
        let error = Ledger::open_at(memory.place(), stranger, memory.openings.clone()).await.unwrap_err();
        assert!(error.to_string().contains("not signed by other.example"), "{error}");
    });
}

#[test]
fn nothing_that_is_served_shows_what_an_entry_says() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        let secret = submission(EntryKind::Finding, "case-4711-secret-id", b"{\"patient\":\"Eve Example\"}");
        ledger.append(&[secret], None, at(1), &mut salts()).await.unwrap();
        for (name, bytes) in dump(&memory.log).await {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("Eve") && !text.contains("4711"), "{name}");
        }
    });
}
