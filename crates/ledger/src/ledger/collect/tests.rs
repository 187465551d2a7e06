use object_store::ObjectStoreExt as _;

use super::kept_size;
use crate::ledger::tests::check_whole;
use crate::testing::{Memory, at, block_on, dump, finding, findings, key, salts};
use crate::verify::verify_store;
use crate::{Held, Verdict};

#[test]
fn partials_go_once_full_files_hold_the_same_and_no_young_checkpoint_needs_them() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        for (start, end, now) in [(0, 99, 10), (99, 200, 20), (200, 300, 30), (300, 400, 40)] {
            ledger.append(&findings(start..end), None, at(now), &mut salts()).await.unwrap();
        }
        // Entry 255, which filled the first tile and bundle, came at 30; sizes 1, 100 and 201 left partials of both.
        assert_eq!(ledger.remove_partials(at(30)).await.unwrap(), 0);
        assert_eq!(ledger.remove_partials(at(31)).await.unwrap(), 6);
        assert_eq!(ledger.remove_partials(at(99)).await.unwrap(), 0);
        let left: Vec<String> = dump(&memory.log).await.into_iter().map(|(name, _)| name).collect();
        let partials: Vec<&str> = left.iter().filter(|name| name.contains(".p/")).map(String::as_str).collect();
        let kept = ["tile/0/001.p/145", "tile/0/001.p/45", "tile/1/000.p/1"];
        assert_eq!(partials[..3], kept);
        let ledger = memory.open().await.unwrap();
        check_whole(&memory, &ledger, [0, 99, 254, 255, 399]).await;
    });
}

#[test]
fn of_many_small_commits_few_files_are_left_and_everything_holds() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        for number in 0..50 {
            ledger.append(&[finding(number)], None, at(number as i64), &mut salts()).await.unwrap();
        }
        let early = ledger.receipt("f-5").await.unwrap();
        for number in 50..600 {
            ledger.append(&[finding(number)], None, at(number as i64), &mut salts()).await.unwrap();
        }
        let before = dump(&memory.log).await.len();
        assert!(before > 1_700, "a kept checkpoint, a tile and a bundle for each commit: {before}");
        assert_eq!(ledger.remove_checkpoints(at(0)).await.unwrap(), 0);
        let removed = [ledger.remove_partials(at(590)).await, ledger.remove_checkpoints(at(590)).await];
        let removed: u64 = removed.into_iter().map(|removed| removed.unwrap()).sum();
        let left: Vec<String> = dump(&memory.log).await.into_iter().map(|(name, _)| name).collect();
        assert_eq!(left.len() as u64, before as u64 - removed);
        assert!(left.len() < 250, "the last bundle is not full yet, and its partials stay: {}", left.len());
        // The last one over each full bundle, and those that are younger: 592 was signed for the finding of 590.
        let mut kept: Vec<u64> = left.iter().filter_map(|name| kept_size(name)).collect();
        kept.sort_unstable();
        assert_eq!(kept, [vec![256, 512], (592..=601).collect()].concat());
        let again = [ledger.remove_partials(at(590)).await, ledger.remove_checkpoints(at(590)).await];
        assert!(again.into_iter().all(|removed| removed.unwrap() == 0));
        let ledger = memory.open().await.unwrap();
        check_whole(&memory, &ledger, [0, 100, 254, 255, 511, 599]).await;
        assert_eq!(ledger.receipt("f-5").await.unwrap().opening, early.opening);
        // What was handed out under a checkpoint that is no longer kept holds, and is held against the log.
        let held = vec![Held { name: "mine".to_owned(), bytes: early.proof.into_bytes() }];
        let report = verify_store(&ledger.place.log, key().verifier(), &held).await.unwrap();
        assert_eq!((report.verdict, report.problems), (Verdict::Committed, vec![]));
    });
}

#[test]
fn a_kept_checkpoint_that_shows_another_history_stays() {
    block_on(async {
        let (memory, _) = Memory::ledger().await;
        let fork = memory.fork();
        for (memory, start) in [(&memory, 0), (&fork, 100)] {
            let mut ledger = memory.open().await.unwrap();
            for number in start..start + 4 {
                ledger.append(&[finding(number)], None, at(1), &mut salts()).await.unwrap();
            }
        }
        let path: object_store::path::Path = "checkpoints/3".into();
        let other = fork.log.get(&path).await.unwrap().bytes().await.unwrap();
        memory.log.put(&path, other.into()).await.unwrap();
        memory.log.put(&"checkpoints/2".into(), "not signed".into()).await.unwrap();
        memory.log.put(&"checkpoints/007".into(), "not a size".into()).await.unwrap();
        let ledger = memory.open().await.unwrap();
        assert_eq!(ledger.remove_checkpoints(at(99)).await.unwrap(), 2, "those of 1 and 4");
        let report = verify_store(&ledger.place.log, key().verifier(), &[]).await.unwrap();
        assert_eq!(report.verdict, Verdict::Diverged, "{:?}", report.problems);
    });
}
