use crate::ledger::tests::check_whole;
use crate::testing::{Fault, Memory, at, block_on, dump, finding, findings, key, salts};
use crate::{Error, Verdict, verify_receipt};

#[test]
fn an_erased_entry_opens_no_more_and_proves_that_it_was_erased() {
    block_on(async {
        let (memory, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..4), None, at(1), &mut salts()).await.unwrap();
        for basis in ["", "Because she asked", &"x".repeat(65)] {
            assert!(ledger.erase("f-2", basis, at(2)).await.is_err(), "{basis}");
        }
        let notice = ledger.erase("f-2", "gdpr-17", at(2)).await.unwrap();
        assert_eq!((notice.index, notice.is_new), (5, true));
        assert_eq!(ledger.erase("f-2", "gdpr-17", at(3)).await.unwrap().index, 5);
        assert!(matches!(ledger.receipt("f-2").await, Err(Error::Erased { notice: 5, .. })));
        let again = ledger.append(&[finding(2)], None, at(4), &mut salts()).await.unwrap();
        assert_eq!(again[0].index, 3, "an erased finding that is delivered again stays erased");
        let kept = dump(&memory.openings).await;
        let holds = |text: &str| kept.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(text));
        let content = |number| serde_json::to_string(&String::from_utf8(finding(number).content).unwrap()).unwrap();
        assert!(holds(&content(1)) && !holds(&content(2)));
        let erasure = ledger.erasure("f-2").await.unwrap();
        let report =
            verify_receipt(erasure.proof.as_bytes(), Some(erasure.opening_file.as_bytes()), None, key().verifier());
        assert_eq!(report.unwrap().verdict, Verdict::Erased);
        assert!(ledger.erasure("f-1").await.is_err());
        check_whole(&memory, &memory.open().await.unwrap(), [0, 1, 3]).await;
    });
}

#[test]
fn an_erasure_that_dies_anywhere_is_finished_by_the_next_start() {
    block_on(async {
        let (start, mut ledger) = Memory::ledger().await;
        ledger.append(&findings(0..4), None, at(1), &mut salts()).await.unwrap();
        for fault in [Fault::Lost, Fault::Persisted] {
            for write in 0.. {
                let memory = start.fork();
                let mut ledger = memory.open().await.unwrap();
                memory.break_write(write, fault);
                let hit = ledger.erase("f-2", "gdpr-17", at(2)).await.is_err();
                *memory.faults.plan.lock().unwrap() = None;
                let mut ledger = memory.open().await.unwrap();
                let signed = ledger.size() == 6;
                assert_eq!(ledger.receipt("f-2").await.is_err(), signed, "write {write}: a notice means it is gone");
                assert_eq!(ledger.erase("f-2", "gdpr-17", at(3)).await.unwrap().index, 5);
                assert!(matches!(ledger.receipt("f-2").await, Err(Error::Erased { .. })));
                check_whole(&memory, &ledger, [0, 1, 3]).await;
                if !hit {
                    break;
                }
            }
        }
    });
}
