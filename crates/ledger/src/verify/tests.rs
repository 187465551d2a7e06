//! The walk under attack: every byte of every file is under some check, and the report says where.

use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use tlog_tiles::record_hash;

use super::*;
use crate::testing::{Fault, Memory, at, block_on, dump, findings, key, salts};
use crate::tree::Edge;
use crate::{Entry, EntryContent, Ledger, Resource, bundle};

/// A log of 301 entries in two commits: full and partial tiles and bundles, and partials that were outgrown.
async fn log() -> (Memory, Ledger) {
    let (memory, mut ledger) = Memory::ledger().await;
    ledger.append(&findings(0..99), None, at(1), &mut salts()).await.unwrap();
    ledger.append(&findings(99..300), None, at(2), &mut salts()).await.unwrap();
    (memory, ledger)
}

async fn verify(store: &std::sync::Arc<InMemory>) -> DirectoryReport {
    verify_store(&Store::new(store.clone()), key().verifier(), &[]).await.unwrap()
}

async fn put(store: &InMemory, name: &str, bytes: impl Into<Vec<u8>>) {
    store.put(&name.into(), bytes.into().into()).await.unwrap();
}

async fn get(store: &InMemory, name: &str) -> Vec<u8> {
    store.get(&name.into()).await.unwrap().bytes().await.unwrap().to_vec()
}

/// Spoils the log and expects a problem that contains each of `texts`.
async fn check_found(verdict: Verdict, texts: &[&str], spoil: impl AsyncFnOnce(&InMemory)) {
    let (memory, _) = log().await;
    spoil(&memory.log).await;
    let report = verify(&memory.log).await;
    assert_eq!(report.verdict, verdict, "{:?}", report.problems);
    for text in texts {
        assert!(report.problems.iter().any(|problem| problem.contains(text)), "{text}: {:?}", report.problems);
    }
}

#[test]
fn a_sound_log_is_counted_and_found_sound() {
    block_on(async {
        let (memory, ledger) = log().await;
        let report = verify(&memory.log).await;
        assert_eq!((report.verdict, report.size, report.problem_count), (Verdict::Committed, Some(301), 0));
        assert_eq!(report.notes, Vec::<String>::new());
        let entries = [(EntryKind::Finding, 300), (EntryKind::Genesis, 1)];
        assert_eq!(report.entries, BTreeMap::from(entries));
        assert_eq!(report.root.unwrap(), ledger_root(&ledger));
        let files = dump(&memory.log).await;
        assert_eq!(
            files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            [
                "checkpoint",
                "checkpoints/1",
                "checkpoints/100",
                "checkpoints/301",
                "state/head",
                "tile/0/000",
                "tile/0/000.p/1",
                "tile/0/000.p/100",
                "tile/0/001.p/45",
                "tile/1/000.p/1",
                "tile/entries/000",
                "tile/entries/000.p/1",
                "tile/entries/000.p/100",
                "tile/entries/001.p/45",
            ]
        );
    });
}

fn ledger_root(ledger: &Ledger) -> Digest {
    Checkpoint::open(ledger.checkpoint(), key().verifier()).unwrap().root
}

#[test]
fn flipping_any_byte_of_any_file_is_found_and_the_file_is_named() {
    block_on(async {
        let (memory, _) = log().await;
        for (name, bytes) in dump(&memory.log).await {
            for position in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[position] ^= 1 << (position % 8);
                put(&memory.log, &name, flipped).await;
                let report = verify(&memory.log).await;
                assert_ne!(report.verdict, Verdict::Committed, "{name}, byte {position}");
                let named = report.problems.iter().any(|problem| problem.contains(&name));
                assert!(named, "{name}, byte {position}: {:?}", report.problems);
                if name.starts_with("tile/") {
                    let others = report.problems.iter().filter(|problem| !problem.contains(&name)).count();
                    assert_eq!(others, 0, "{name}, byte {position} blames others: {:?}", report.problems);
                }
            }
            put(&memory.log, &name, bytes).await;
        }
        assert_eq!(verify(&memory.log).await.verdict, Verdict::Committed);
    });
}

#[test]
fn cutting_growing_or_removing_any_file_is_found() {
    block_on(async {
        let (memory, _) = log().await;
        for (name, bytes) in dump(&memory.log).await {
            let cuts = (0..bytes.len()).filter(|length| *length < 80 || length % 61 == 0 || length + 3 > bytes.len());
            let mut versions: Vec<Vec<u8>> = cuts.map(|length| bytes[..length].to_vec()).collect();
            versions.push([&bytes[..], b"\n"].concat());
            versions.push([b"\n", &bytes[..]].concat());
            for version in versions {
                let length = version.len();
                put(&memory.log, &name, version).await;
                let report = verify(&memory.log).await;
                assert_ne!(report.verdict, Verdict::Committed, "{name} with {length} of {} bytes", bytes.len());
            }
            memory.log.delete(&name.as_str().into()).await.unwrap();
            let report = verify(&memory.log).await;
            // Outgrown partials, older checkpoints and the writer's own head may be gone; a reader needs none of them.
            let spare = name.contains(".p/1") || name.starts_with("checkpoints/") || name == "state/head";
            let spare = spare && name != "tile/1/000.p/1";
            assert_eq!(report.verdict == Verdict::Committed, spare, "without {name}: {:?}", report.problems);
            put(&memory.log, &name, bytes).await;
        }
    });
}

#[test]
fn the_side_that_is_wrong_is_blamed_with_its_place() {
    block_on(async {
        check_found(Verdict::Invalid, &["tile/entries/000: entry 7 is not the one that was signed for"], async |log| {
            let mut bytes = get(log, "tile/entries/000").await;
            let at = bundle::prefix_bytes(&bytes, 8).unwrap() - 1;
            bytes[at] ^= 1;
            put(log, "tile/entries/000", bytes).await;
        })
        .await;
        check_found(Verdict::Invalid, &["tile/entries/001.p/45: entry 256 is not the one"], async |log| {
            let mut bytes = get(log, "tile/entries/001.p/45").await;
            bytes[44] ^= 1;
            put(log, "tile/entries/001.p/45", bytes).await;
        })
        .await;
        check_found(Verdict::Invalid, &["tile/0/000: bytes 64..96 are not the hash of entry 2"], async |log| {
            let mut bytes = get(log, "tile/0/000").await;
            bytes[70] ^= 1;
            put(log, "tile/0/000", bytes).await;
        })
        .await;
        check_found(Verdict::Invalid, &["tile/1/000.p/1: byte 5 is not what the tiles below hash to"], async |log| {
            let mut bytes = get(log, "tile/1/000.p/1").await;
            bytes[5] ^= 1;
            put(log, "tile/1/000.p/1", bytes).await;
        })
        .await;
    });
}

#[test]
fn files_that_changed_places_or_do_not_belong_are_found() {
    block_on(async {
        check_found(Verdict::Invalid, &["tile/0/001.p/45"], async |log| {
            let (one, two) = (get(log, "tile/0/000").await, get(log, "tile/0/001.p/45").await);
            put(log, "tile/0/000", [&two[..], &one[two.len()..]].concat()).await;
            put(log, "tile/0/001.p/45", &one[..two.len()]).await;
        })
        .await;
        check_found(Verdict::Invalid, &["expected 256"], async |log| {
            let mut bytes = get(log, "tile/entries/000").await;
            let first = bytes[..bundle::prefix_bytes(&bytes, 1).unwrap()].to_vec();
            bytes.extend(first);
            put(log, "tile/entries/000", bytes).await;
        })
        .await;
        check_found(Verdict::Invalid, &["index.html: no part of a ledger"], async |log| {
            put(log, "index.html", "x").await
        })
        .await;
        check_found(Verdict::Invalid, &["tile/8/0/000: no part"], async |log| put(log, "tile/8/0/000", "x").await)
            .await;
        check_found(Verdict::Invalid, &["checkpoint: it is missing"], async |log| {
            log.delete(&"checkpoint".into()).await.unwrap();
        })
        .await;
        check_found(Verdict::Invalid, &["the walk stops at entry 256"], async |log| {
            log.delete(&"tile/entries/001.p/45".into()).await.unwrap();
            log.delete(&"tile/0/001.p/45".into()).await.unwrap();
        })
        .await;
    });
}

/// A log of 301 entries whose commit of ten more dies before its checkpoint is shown.
async fn under_way() -> Memory {
    let (start, _) = log().await;
    for write in 0.. {
        let memory = start.fork();
        let mut ledger = memory.open().await.unwrap();
        memory.break_write(write, Fault::Lost);
        ledger.append(&findings(300..310), None, at(3), &mut salts()).await.unwrap_err();
        let name = memory.faults.log.lock().unwrap().last().cloned();
        if name.as_deref() == Some("log:checkpoint") {
            return memory;
        }
    }
    unreachable!("a commit writes a checkpoint")
}

#[test]
fn what_a_commit_under_way_leaves_is_a_note() {
    block_on(async {
        let memory = under_way().await;
        let report = verify(&memory.log).await;
        assert_eq!((report.verdict, report.size), (Verdict::Committed, Some(301)), "{:?}", report.problems);
        let notes = ["state/head: 311 entries are committed, 301 published", "tile/0/001.p/55: it reaches beyond"];
        for text in notes {
            assert!(report.notes.iter().any(|note| note.contains(text)), "{text}: {:?}", report.notes);
        }
        // Whoever sets a log back can make it look so, but for what was staged.
        let head = crate::head::Head::decode(&get(&memory.log, "state/head").await).unwrap();
        put(&memory.log, &format!("staging/{}", head.staging), "x").await;
        let report = verify(&memory.log).await;
        assert_eq!(report.verdict, Verdict::Diverged, "{:?}", report.problems);
    });
}

#[test]
fn a_log_that_was_set_back_is_found_by_its_head_and_by_what_others_hold() {
    block_on(async {
        let (memory, ledger) = log().await;
        let (newest, oldest) = (get(&memory.log, "checkpoint").await, get(&memory.log, "checkpoints/100").await);
        let receipt = ledger.receipt("f-250").await.unwrap().proof.into_bytes();
        let held = |name: &str, bytes: &[u8]| vec![Held { name: name.to_owned(), bytes: bytes.to_vec() }];
        let verdict = async |held: Vec<Held>| {
            let report = verify_store(&Store::new(memory.log.clone()), key().verifier(), &held).await.unwrap();
            (report.verdict, report.problems.join("; "))
        };
        for sound in [&newest, &oldest, &receipt] {
            assert_eq!(verdict(held("mine", sound)).await.0, Verdict::Committed);
        }
        assert!(verdict(held("mine", b"no checkpoint")).await.1.contains("mine: the checkpoint is not a signed note"));

        put(&memory.log, "checkpoint", oldest.clone()).await;
        memory.log.delete(&"checkpoints/301".into()).await.unwrap();
        let (found, problems) = verdict(Vec::new()).await;
        assert_eq!(found, Verdict::Diverged, "{problems}");
        assert!(problems.contains("state/head: 301 entries are committed, 100 shown"), "{problems}");
        // Without the head, the directory is that of a log of a hundred entries.
        memory.log.delete(&"state/head".into()).await.unwrap();
        assert_eq!(verdict(Vec::new()).await.0, Verdict::Committed);
        assert_eq!(verdict(held("mine", &oldest)).await.0, Verdict::Committed);
        for better in [&newest, &receipt] {
            let (found, problems) = verdict(held("mine", better)).await;
            assert_eq!(found, Verdict::Diverged, "{problems}");
            assert!(
                problems.contains("mine: the log signed 301 entries and shows a checkpoint over 100"),
                "{problems}"
            );
        }
    });
}

#[test]
fn two_histories_under_one_signature_are_divergence() {
    block_on(async {
        let (memory, _) = Memory::ledger().await;
        let fork = memory.fork();
        for (memory, numbers) in [(&memory, 0..9), (&fork, 9..18)] {
            let mut ledger = memory.open().await.unwrap();
            ledger.append(&findings(numbers), None, at(1), &mut salts()).await.unwrap();
        }
        let other = get(&fork.log, "checkpoint").await;
        let same = memory.fork();
        put(&same.log, "checkpoints/10", other.clone()).await;
        assert_eq!(verify(&same.log).await.verdict, Verdict::Diverged);
        let mut ledger = memory.open().await.unwrap();
        ledger.append(&findings(20..40), None, at(2), &mut salts()).await.unwrap();
        let older = memory.fork();
        put(&older.log, "checkpoints/10", other).await;
        let report = verify(&older.log).await;
        assert_eq!(report.verdict, Verdict::Diverged, "{:?}", report.problems);
        let back = memory.fork();
        put(&back.log, "checkpoint", get(&memory.log, "checkpoints/10").await).await;
        let report = verify(&back.log).await;
        assert_eq!(report.verdict, Verdict::Diverged, "a log that signed 30 shows 10: {:?}", report.problems);
    });
}

/// A log of our own making, signed and whole but for its entries.
async fn signed(entries: &[Vec<u8>]) -> DirectoryReport {
    let store = std::sync::Arc::new(InMemory::new());
    let (mut edge, mut objects) = (Edge::default(), Vec::new());
    entries.iter().for_each(|entry| edge.push(entry, &mut objects));
    objects.extend(edge.partials(0));
    for object in objects {
        put(&store, &object.resource.to_string(), object.bytes).await;
    }
    put(&store, "checkpoint", Checkpoint::sign(&key(), edge.size(), edge.root()).unwrap()).await;
    verify(&store).await
}

#[test]
fn what_a_log_may_not_sign_is_found_though_it_is_signed() {
    block_on(async {
        let body = EntryContent::Body(b"{}".to_vec());
        let genesis = Entry { kind: EntryKind::Genesis, clock_held: false, time: at(0), content: body };
        let entry = |time| {
            let content = EntryContent::Commitment([1; 32]);
            Entry { kind: EntryKind::Finding, clock_held: false, time: at(time), content }.encode()
        };
        let genesis = genesis.encode();
        let sound = signed(&[genesis.clone(), entry(1), entry(1)]).await;
        assert_eq!(sound.verdict, Verdict::Committed, "{:?}", sound.problems);
        let mut short = entry(1);
        short.pop();
        for (entries, problem) in [
            (vec![genesis.clone(), entry(2), entry(1)], "entry 2 has time 1800000000001 ms, before 1800000000002 ms"),
            (vec![genesis.clone(), short], "entry 1: finding entry of 42 bytes, expected 43"),
            (vec![genesis.clone(), vec![]], "entry 1: 0 bytes are too few"),
            (vec![entry(1)], "entry 0 is of kind finding: genesis is entry 0"),
            (vec![genesis.clone(), genesis.clone()], "entry 1 is of kind genesis: genesis is entry 0"),
        ] {
            let report = signed(&entries).await;
            assert_eq!(report.verdict, Verdict::Invalid);
            assert!(report.problems.iter().any(|text| text.contains(problem)), "{problem}: {:?}", report.problems);
        }
        let empty = signed(&[]).await;
        assert_eq!(empty.problems, ["checkpoint: it covers no entry, not even the genesis entry"]);
    });
}

#[test]
fn a_directory_that_signs_for_more_than_it_holds_stops_at_once() {
    block_on(async {
        for size in [2, 257, crate::limits::LEDGER_ENTRIES_MAX] {
            let store = std::sync::Arc::new(InMemory::new());
            put(&store, "checkpoint", Checkpoint::sign(&key(), size, record_hash(b"x")).unwrap()).await;
            let report = verify(&store).await;
            assert!(
                report.problems.iter().any(|text| text.contains("the walk stops at entry 0")),
                "{:?}",
                report.problems
            );
        }
    });
}

#[test]
fn spare_tiles_at_the_edge_of_64_bits_get_an_answer() {
    block_on(async {
        let (memory, _) = log().await;
        for (level, index) in [(63, u64::MAX), (0, u64::MAX), (7, u64::MAX / 256), (8, 0), (63, 0)] {
            let resource = Resource::Tile { level, index, width: 3 };
            put(&memory.log, &resource.to_string(), "x").await;
        }
        put(&memory.log, &Resource::Entries { index: u64::MAX, width: 1 }.to_string(), "x").await;
        let report = verify(&memory.log).await;
        assert_eq!((report.verdict, report.notes.len()), (Verdict::Committed, 6), "{:?}", report.problems);
    });
}
