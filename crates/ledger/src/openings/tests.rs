use super::*;
use crate::testing::{Memory, at, block_on, findings, key, salts};
use crate::{Ledger, Place};

#[test]
fn the_confidential_directory_is_apart_private_and_held_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::create_dir_all(&log).unwrap();
    for inside in [log.clone(), log.join("openings"), dir.path().to_owned()] {
        let error = OpeningStore::local(&inside, &log).unwrap_err();
        assert!(matches!(error, Error::Overlap { .. }), "{}: {error}", inside.display());
    }
    let openings = dir.path().join("openings");
    let held = OpeningStore::local(&openings, &log).unwrap();
    assert!(matches!(OpeningStore::local(&openings, &log), Err(Error::InUse { .. })));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&openings).unwrap().permissions().mode() & 0o777, 0o700);
    }
    drop(held);
    OpeningStore::local(&openings, &log).unwrap();
}

#[test]
fn a_batch_is_read_as_it_was_written_or_not_at_all() {
    let record = |id: &str, kind| Record { id: id.to_owned(), kind, opening: None, body: None, erased: None };
    let opening = Some(Opening { salt: [3; 32], content: b"{\"line\":\"\\n\"}".to_vec() });
    let records = vec![
        Record { opening, ..record("f-1", EntryKind::Finding) },
        Record { body: Some("{}".to_owned()), ..record("m", EntryKind::Manifest) },
        Record { erased: Some(9), ..record("f-2", EntryKind::Finding) },
    ];
    let batch = Batch { first: 1, previous: Some("x".to_owned()), records };
    let bytes = encode(&batch).unwrap();
    assert_eq!(format!("{:?}", decode(&bytes).unwrap()), format!("{batch:?}"));
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(decode(&flipped).is_none(), "byte {at}");
    }
}

/// More entries than one block of the index, in batches that straddle its end.
async fn long() -> (Memory, u64) {
    let (memory, mut ledger) = Memory::ledger().await;
    for start in (0..5_000).step_by(1_000) {
        ledger.append(&findings(start..start + 1_000), None, at(1), &mut salts()).await.unwrap();
    }
    (memory, ledger.size())
}

#[test]
fn the_id_index_is_the_same_from_blocks_and_from_batches() {
    block_on(async {
        let (memory, size) = long().await;
        assert_eq!(size, 5_001);
        let block = object_store::path::Path::from("ids/000000000000");
        use object_store::ObjectStoreExt as _;
        let written = memory.openings.get(&block).await.unwrap().bytes().await.unwrap();
        for damage in [None, Some(&b"nonsense"[..])] {
            match damage {
                None => memory.openings.delete(&block).await.unwrap(),
                Some(bytes) => drop(memory.openings.put(&block, bytes.into()).await.unwrap()),
            }
            let ledger = memory.open().await.unwrap();
            for number in [0, 1, 4_094, 4_095, 4_096, 4_999] {
                assert_eq!(ledger.index_of(&format!("f-{number}")), Some(number + 1));
            }
            assert_eq!(ledger.index_of("f-5000"), None);
            let rebuilt = memory.openings.get(&block).await.unwrap().bytes().await.unwrap();
            assert_eq!(rebuilt, written);
        }
        let ledger = memory.open().await.unwrap();
        for id in ["f-0", "f-4095", "f-4999"] {
            ledger.receipt(id).await.unwrap();
        }
    });
}

#[test]
fn openings_that_are_missing_stop_the_start() {
    block_on(async {
        let (memory, _) = long().await;
        let place = || Place::objects(memory.log.clone());
        let empty = Arc::new(object_store::memory::InMemory::new());
        let error = Ledger::open_at(place(), key(), empty).await.unwrap_err();
        assert!(error.to_string().contains("the openings of this commit are missing"), "{error}");
    });
}
