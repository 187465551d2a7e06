//! One contract for every head store.

use object_store::memory::InMemory;

use super::*;
use crate::testing::block_on;

fn head(sequence: u64) -> Head {
    let position = Some("access/3: 17".to_owned());
    let note = "note\n".to_owned();
    let (staging, signed) = ("s".to_owned(), String::new());
    Head { sequence, note, staging, staging_digest: Digest([1; 32]), source_position: position, signed }
}

fn check_contract(one: &dyn HeadStore, two: &dyn HeadStore) {
    block_on(async {
        assert!(one.load().await.unwrap().is_none());
        let first = one.swap(None, &head(1)).await.unwrap().unwrap();
        assert!(two.swap(None, &head(9)).await.unwrap().is_none(), "the second creation loses");
        let (found, version) = two.load().await.unwrap().unwrap();
        assert_eq!((found, &version), (head(1), &first));
        let second = two.swap(Some(version), &head(2)).await.unwrap().unwrap();
        assert!(one.swap(Some(first), &head(3)).await.unwrap().is_none(), "the slower of two writers loses");
        assert_eq!(one.load().await.unwrap().unwrap(), (head(2), second.clone()));
        assert!(one.swap(Some(second), &head(3)).await.unwrap().is_some());
        assert_eq!(two.load().await.unwrap().unwrap().0, head(3));
    });
}

#[test]
fn a_directory_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    check_contract(&LocalHeads::new(dir.path()), &LocalHeads::new(dir.path()));
}

#[test]
fn a_head_that_somebody_else_wrote_does_not_hold() {
    let key = |seed| SigningKey::generate("ledger.example", [seed; 32]).unwrap();
    let signed = head(7).sign(&key(1)).unwrap();
    assert_eq!(signed.check(key(1).verifier()), Ok(()));
    assert!(signed.check(key(2).verifier()).is_err());
    let forged: [fn(&mut Head); 5] = [
        |head| head.sequence += 1,
        |head| head.note.push('x'),
        |head| head.staging.push('x'),
        |head| head.staging_digest = Digest([2; 32]),
        |head| head.source_position = Some("access/3: 1700".to_owned()),
    ];
    for forge in forged {
        let mut head = signed.clone();
        forge(&mut head);
        assert!(head.check(key(1).verifier()).unwrap_err().contains("somebody has changed it"), "{head:?}");
    }
    assert!(head(7).check(key(1).verifier()).is_err(), "without any signature");
}

#[cfg(unix)]
#[test]
fn a_swap_writes_through_no_link() {
    let (dir, victim) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let heads = LocalHeads::new(dir.path());
    std::fs::write(victim.path(), "a key").unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::os::unix::fs::symlink(victim.path(), dir.path().join("state/head.next")).unwrap();
    block_on(heads.swap(None, &head(1))).unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(victim.path()).unwrap(), "a key");
    assert!(std::fs::symlink_metadata(dir.path().join(HEAD_PATH)).unwrap().is_file());
}

#[cfg(unix)]
#[test]
fn a_head_that_never_ends_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    let (path, heads) = (dir.path().join(HEAD_PATH), LocalHeads::new(dir.path()));
    crate::testing::pipe(&path);
    let error = crate::testing::in_time(move || block_on(heads.load()).unwrap_err());
    assert!(error.to_string().contains(file::NO_FILE), "{error}");
    std::fs::remove_file(&path).unwrap();
    std::fs::File::create(&path).unwrap().set_len(1 << 33).unwrap();
    let error = block_on(LocalHeads::new(dir.path()).load()).unwrap_err();
    assert!(error.to_string().contains("state/head is damaged: more than 4194304 bytes"), "{error}");
}

#[test]
fn an_object_store_keeps_the_contract() {
    let objects = Arc::new(InMemory::new());
    check_contract(&ConditionalHeads::new(objects.clone()), &ConditionalHeads::new(objects));
}

#[test]
fn of_many_writers_at_once_one_wins_each_round() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let mut version = LocalHeads::new(dir.path()).swap(None, &head(0)).await.unwrap();
        for round in 1..20u64 {
            let writers = (0..4u64).map(|writer| {
                let old = version.clone();
                let heads = LocalHeads::new(dir.path());
                async move { heads.swap(old, &head(round * 10 + writer)).await.unwrap() }
            });
            let mut won: Vec<UpdateVersion> = futures::future::join_all(writers).await.into_iter().flatten().collect();
            assert_eq!(won.len(), 1, "round {round}");
            version = won.pop();
        }
    });
}

#[test]
fn a_head_with_any_byte_flipped_or_cut_is_not_a_head() {
    let bytes = head(1).encode().unwrap();
    assert_eq!(Head::decode(&bytes).unwrap(), head(1));
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(Head::decode(&flipped).is_err(), "byte {at}");
        assert!(Head::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
}
