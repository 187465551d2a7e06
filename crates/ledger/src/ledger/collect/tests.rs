use crate::ledger::tests::check_whole;
use crate::testing::{Memory, at, block_on, dump, findings, salts};

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
