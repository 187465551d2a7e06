use std::collections::BTreeSet;
use std::fs;

use engine::ports::{Message, ReferenceFeed, Source, Tier};
use engine::{Counts, ENGINE, JournalRecord};
use events::{Offset, TopicId};

use super::*;
use crate::testing::{LANE, LATE_WORLD, WORLD, World, replay_clock, run as run_engine};
use crate::{ArchiveFeed, Error, Listing, ReplaySource, compare, read_findings, tick_that_read, write_findings};

mod older;
mod replayed;
mod results;

fn archive(dir: &Path, records: usize, transactions: usize) -> Progress {
    archive_of(&WORLD, dir, records, transactions)
}

fn archive_of(world: &World, dir: &Path, records: usize, transactions: usize) -> Progress {
    let follower = world.follower(records, transactions);
    let mut archiver = Archiver::new(dir, &world.spec, Arc::clone(&world.keys), follower, &[LANE]).unwrap();
    archiver.finish().unwrap();
    archiver.progress()
}

/// Every file below a folder, with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with(layout::LOCK) {
                found.insert(path.strip_prefix(dir).unwrap().to_path_buf(), fs::read(path).unwrap());
            }
        }
    }
    found
}

fn same(one: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) {
    assert!(one.keys().eq(other.keys()), "{:?}\n{:?}", one.keys(), other.keys());
    let differs = one.iter().find(|(path, bytes)| other[*path] != **bytes);
    assert!(differs.is_none(), "{:?}", differs.map(|(path, _)| path));
}

/// The files in the order they were written: reference, then run by run, the journal of each last.
fn written(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<&PathBuf> {
    let order = ["reference", "access", "auth", "rejects", "features", "pair_features", "findings", "journal"];
    let stream = |path: &PathBuf| {
        let folder = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        order.iter().position(|stream| folder == format!("stream={stream}")).unwrap()
    };
    let mut paths: Vec<_> = files.keys().collect();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.sort_by_key(|path| match stream(path) {
        0 => (String::new(), 0, name(path)),
        place => (name(path), place, String::new()),
    });
    paths
}

#[test]
fn files_do_not_depend_on_polls_and_every_disposition_is_kept() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let progress = archive(one.path(), 1_000, 40);
    archive(two.path(), 37, 3);
    same(&files(one.path()), &files(two.path()));
    let journal = WORLD.journal();
    let last = journal.last().unwrap();
    assert_eq!(progress.lanes[&LANE].archived, Some(last.sequence));
    assert!(progress.runs >= 2, "{progress:?}");
    assert!(journal.iter().any(|record| record.topics.iter().any(|topic| !topic.decisions.is_empty())), "no silence");
    let mut counted = BTreeMap::<String, u64>::new();
    for run in layout::runs(one.path()).unwrap() {
        for stream in ["access", "auth"] {
            let Some(table) = read::stream(one.path(), &run, stream).unwrap() else { continue };
            for batch in &table.batches {
                for made in table.texts(batch, "disposition").unwrap().into_iter().flatten() {
                    *counted.entry(made).or_default() += 1;
                }
            }
        }
    }
    let total = |of: fn(&engine::Counts) -> u64| last.counts.iter().map(of).sum::<u64>();
    assert_eq!(counted.get("kept").copied(), Some(total(|counts| counts.kept)));
    assert_eq!(counted.get("late").copied(), Some(total(|counts| counts.late)), "records after the silence are late");
    assert_eq!(counted.get("duplicate").copied(), Some(total(|counts| counts.duplicates)));
}

#[test]
fn a_kill_at_any_file_leaves_the_same_bytes_after_the_next_start() {
    let whole = tempfile::tempdir().unwrap();
    archive(whole.path(), 1_000, 1_000);
    let all = files(whole.path());
    let order = written(&all);
    for step in 0..order.len() {
        let dir = tempfile::tempdir().unwrap();
        for path in &order[..step] {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), &all[*path]).unwrap();
        }
        let next = dir.path().join(order[step]);
        fs::create_dir_all(next.parent().unwrap()).unwrap();
        let half = &all[order[step]][..all[order[step]].len() / 2];
        fs::write(format!("{}{}", next.display(), layout::TEMPORARY), half).unwrap();
        archive(dir.path(), 1_000, 1_000);
        same(&all, &files(dir.path()));
    }
}

#[test]
fn a_run_of_which_a_file_cannot_be_written_is_not_sealed() {
    let whole = tempfile::tempdir().unwrap();
    archive(whole.path(), 1_000, 1_000);
    for stream in ["access", "auth", "rejects", "features", "pair_features"] {
        let (world, dir) = (&*WORLD, tempfile::tempdir().unwrap());
        let follower = world.follower(1_000, 1_000);
        let mut archiver = Archiver::new(dir.path(), &world.spec, Arc::clone(&world.keys), follower, &[LANE]).unwrap();
        fs::write(dir.path().join(format!("stream={stream}")), "no folder").unwrap();
        let error = archiver.finish().unwrap_err();
        assert!(error.to_string().contains(&format!("stream={stream}")), "{error}");
        let mut runs = layout::runs(dir.path()).unwrap();
        runs.retain(|run| run.path(whole.path(), stream).exists());
        assert!(runs.is_empty(), "without `{stream}`: {runs:?}");
    }
}

#[test]
fn an_archive_has_one_writer_at_a_time() {
    let world = &*WORLD;
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let follower = world.follower(150, 4);
        Archiver::new(dir.path(), &world.spec, Arc::clone(&world.keys), follower, &[LANE])
    };
    let first = open().unwrap();
    let error = open().err().expect("the folder is taken");
    assert!(matches!(error, Error::Taken { .. }) && error.kind() == base::Kind::Unavailable, "{error}");
    drop(first);
    open().unwrap();
}

#[test]
fn no_lane_is_archived_that_could_not_be_read_again() {
    let (dir, follower) = (tempfile::tempdir().unwrap(), WORLD.follower(150, 4));
    let lanes = [LANE, LaneId(LANES_MAX)];
    let error = Archiver::new(dir.path(), &WORLD.spec, Arc::clone(&WORLD.keys), follower, &lanes).err().unwrap();
    assert_eq!((error.kind(), files(dir.path()).len()), (base::Kind::Invalid, 0), "{error}");
}

#[test]
fn an_archiver_that_stops_and_starts_anywhere_replays_like_one_that_did_not() {
    let world = &*WORLD;
    let dir = tempfile::tempdir().unwrap();
    for steps in [5, 20, 70, 1_000] {
        let follower = world.follower(150, 4);
        let mut archiver = Archiver::new(dir.path(), &world.spec, Arc::clone(&world.keys), follower, &[LANE]).unwrap();
        for _ in 0..steps {
            archiver.step(Duration::ZERO).unwrap();
        }
        for lane in archiver.lanes.keys().copied().collect::<Vec<_>>() {
            if let Some(run) = archiver.lanes.get_mut(&lane).unwrap().rest(&archiver.setup).unwrap() {
                archiver.write(&run).unwrap();
            }
        }
    }
    let replayed = replay(dir.path());
    assert!(compare(&listed(dir.path()), &replayed, WORLD.spec.digests()).unwrap().is_equal());
}

fn replay(dir: &Path) -> crate::Captured {
    replay_of(&WORLD, dir)
}

/// A lane that has never had an event is decided to be idle by what is seen elsewhere, and tells watches so; its first ticks
/// are not those its rows ask for.
#[test]
fn a_lane_that_begins_in_silence_speaks_to_watches_and_is_replayed() {
    let (world, dir) = (&*LATE_WORLD, tempfile::tempdir().unwrap());
    let journal = world.journal();
    let silent = journal.iter().filter(|record| record.tick_end.is_some() && record.counts.iter().all(|c| c.read == 0));
    let silent: Vec<_> = silent.filter_map(|record| record.tick_end).collect();
    assert!(silent.len() >= 2, "{} ticks before the first event", silent.len());
    let hop = world.spec.program().spec().scoring.hop;
    assert!(silent.windows(2).all(|pair| pair[1] - pair[0] == hop), "{silent:?}");
    let told: usize = world.committed.iter().map(|transaction| transaction.crossings.len()).sum();
    assert!(told > 2 * silent.len(), "{told} records for watches");
    archive_of(world, dir.path(), 1_000, 40);
    let replayed = replay_of(world, dir.path());
    let report = compare(&listed(dir.path()), &replayed, world.spec.digests()).unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert!(report.user_rows > 100, "{report:?}");
    let live: Vec<_> = world.committed.iter().flat_map(|transaction| transaction.crossings.clone()).collect();
    assert!(live == crossings(&replayed), "watches are told the same");
}

/// What watches were told.
fn crossings(captured: &crate::Captured) -> Vec<(TopicId, LaneId, Message)> {
    captured.lanes[&LANE].crossings.after(0).collect::<crate::Result<_>>().unwrap()
}

/// What an archive holds now.
fn listed(dir: &Path) -> Listing {
    Listing::open(dir).unwrap()
}

fn replay_listed(world: &World, archive: &Listing) -> crate::Captured {
    let mut source = ReplaySource::open(archive, &world.spec).unwrap();
    let mut feed = ArchiveFeed::open(archive).unwrap();
    run_engine(world, &mut source, &mut feed, &replay_clock());
    source.take_captured()
}

fn replay_of(world: &World, dir: &Path) -> crate::Captured {
    replay_listed(world, &listed(dir))
}

#[test]
fn a_replay_gives_the_bytes_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 40);
    let replayed = replay(dir.path());
    let report = compare(&listed(dir.path()), &replayed, WORLD.spec.digests()).unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert!(report.user_rows > 100 && report.pair_rows > 100 && report.scores > 100, "{report:?}");
    // The archive itself is not what the replay was compared with by mistake: the run's own messages are the same.
    let live: Vec<_> = WORLD.committed.iter().flat_map(|transaction| &transaction.results).collect();
    assert!(live.into_iter().cloned().eq(told(&replayed)));

    let (one, two) = (dir.path().join("one.ndjson"), dir.path().join("two.ndjson"));
    write_findings(&replayed.findings().unwrap(), &one).unwrap();
    write_findings(&read_findings(dir.path()).unwrap(), &two).unwrap();
    assert_eq!(fs::read(one).unwrap(), fs::read(two).unwrap());

    // Under other definitions there is nothing to compare, and equality is not claimed.
    let now = engine::Digests { engine: "another engine".to_owned(), ..WORLD.spec.digests().clone() };
    let told = compare(&listed(dir.path()), &replayed, &now).unwrap_err().to_string();
    assert!(told.contains("nothing to compare"), "{told}");

    let mut other = replayed;
    let lane = other.lanes.get_mut(&LANE).unwrap();
    let mut results: Vec<_> = lane.results.iter().map(Result::unwrap).collect();
    let gone = results.iter().position(|message| message.key.starts_with(b"features/")).unwrap();
    let key = results.remove(gone).key;
    results.push(engine::ports::Message {
        key: [b"findings/".as_slice(), &key[b"features/".len()..]].concat(),
        value: br#"{"metadata":{"uid":"f1"}}"#.to_vec(),
        headers: Vec::new(),
    });
    lane.results = crate::Results::default();
    results.iter().for_each(|message| lane.results.push(message).unwrap());
    let report = compare(&listed(dir.path()), &other, WORLD.spec.digests()).unwrap();
    assert_eq!(report.difference_count, 2, "{:?}", report.differences);
    assert!(report.differences[0].contains("only the archive has rows"), "{:?}", report.differences);
    assert!(report.differences[1].contains("only the replay has it (f1)"), "{:?}", report.differences);
}

#[test]
fn a_lane_that_commits_nothing_is_not_captured_and_one_that_is_not_archived_is_named() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 40);
    let mut source = ReplaySource::open(&listed(dir.path()), &WORLD.spec).unwrap();
    let mut store = source.open(LANE).unwrap();
    assert!(store.head().unwrap().is_empty() && store.panes(Tier::Minute, Timestamp::MIN).unwrap().is_empty());
    let mut captured = source.take_captured();
    assert!(captured.lanes.is_empty(), "{:?}", captured.lanes.keys());
    captured.lanes.insert(LaneId(7), crate::CapturedLane::default());
    let told = compare(&listed(dir.path()), &captured, WORLD.spec.digests()).unwrap_err().to_string();
    assert!(told.contains("holds nothing of lane 7"), "{told}");
}

/// What the lane told in a replay.
fn told(captured: &crate::Captured) -> Vec<engine::ports::Message> {
    captured.lanes[&LANE].results.iter().map(|result| result.unwrap()).collect()
}

#[test]
fn gaps_and_lost_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 1_000);
    let runs = layout::runs(dir.path()).unwrap();
    let access = runs.iter().map(|run| run.path(dir.path(), "access")).find(|path| path.exists()).unwrap();
    let bytes = fs::read(&access).unwrap();
    fs::remove_file(&access).unwrap();
    let mut source = ReplaySource::open(&listed(dir.path()), &WORLD.spec).unwrap();
    source.poll(Duration::ZERO).unwrap();
    let error = source.poll(Duration::ZERO).expect_err("a lost file is no empty stream");
    assert_eq!(error.kind(), base::Kind::Corrupt);
    assert!(error.to_string().contains("the file is gone, and the journal's file says that it holds "), "{error}");
    fs::write(&access, bytes).unwrap();

    fs::remove_file(runs[0].path(dir.path(), "journal")).unwrap();
    let error = Listing::open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Gap { lane: LANE, expected: 0, .. }), "{error}");
}

/// A replay would go on without any reference, and tell other things.
#[test]
fn an_archive_whose_reference_is_gone_is_refused_if_a_lane_has_gone_by_it() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 40);
    let all = ArchiveFeed::open(&listed(dir.path())).unwrap().poll(None).unwrap();
    assert!(all.len() > 10, "{} rows", all.len());
    fs::remove_dir_all(dir.path().join("stream=reference")).unwrap();
    let error = ArchiveFeed::open(&listed(dir.path())).unwrap_err();
    assert!(matches!(error, Error::ReferenceGone { lane: LANE, .. }), "{error}");
    assert_eq!(error.kind(), base::Kind::Corrupt);
    assert!(error.to_string().ends_with("the files of `stream=reference` are gone"), "{error}");

    // Where the reference was empty all along, nothing is gone.
    let written = |raw: &[u8]| {
        let mut record: JournalRecord = serde_json::from_slice(raw).unwrap();
        record.genesis = Default::default();
        record.pins = record.pins.map(|_| Default::default());
        serde_json::to_vec(&record).unwrap()
    };
    let (dir, follower) = (tempfile::tempdir().unwrap(), WORLD.follower_over(1_000, 40, written));
    let mut archiver = Archiver::new(dir.path(), &WORLD.spec, Arc::clone(&WORLD.keys), follower, &[LANE]).unwrap();
    archiver.finish().unwrap();
    fs::remove_dir_all(dir.path().join("stream=reference")).unwrap();
    assert!(ArchiveFeed::open(&listed(dir.path())).unwrap().poll(None).unwrap().is_empty());
}

/// Archives under a journal of some engine that counted other parts from its middle on.
fn archive_counted(engine: &str, edit: impl Fn(&mut Counts)) -> crate::Result<()> {
    let middle = WORLD.journal().len() as u64 / 2;
    let written = |raw: &[u8]| {
        let mut record: JournalRecord = serde_json::from_slice(raw).unwrap();
        record.digests.engine = engine.to_owned();
        if record.sequence > middle {
            edit(&mut record.counts[0]);
        }
        serde_json::to_vec(&record).unwrap()
    };
    let (dir, follower) = (tempfile::tempdir().unwrap(), WORLD.follower_over(1_000, 40, written));
    let mut archiver = Archiver::new(dir.path(), &WORLD.spec, Arc::clone(&WORLD.keys), follower, &[LANE])?;
    archiver.finish()
}

#[test]
fn another_engine_may_have_taken_other_parts_for_one_event_but_not_have_read_others() {
    let another = "chartwarden 0.0.9 state 1";
    let one_event_less =
        |counts: &mut Counts| (counts.kept, counts.duplicates) = (counts.kept - 1, counts.duplicates + 1);
    archive_counted(another, one_event_less).unwrap();
    for (engine, told) in [
        (ENGINE, archive_counted(ENGINE, one_event_less)),
        (another, archive_counted(another, |counts| (counts.read, counts.kept) = (counts.read + 1, counts.kept + 1))),
        (
            another,
            archive_counted(another, |counts| (counts.kept, counts.rejects) = (counts.kept - 1, counts.rejects + 1)),
        ),
    ] {
        assert!(matches!(told, Err(Error::Counts { .. })), "{engine}: {told:?}");
    }
}

#[test]
fn the_tick_that_read_a_record_is_found_from_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 40);
    let runs = layout::runs(dir.path()).unwrap();
    let records: Vec<_> = runs.iter().flat_map(|run| crate::read::records(dir.path(), run).unwrap()).collect();
    let end = |place: usize| records.last().unwrap().topics[place].position;
    let archived = listed(dir.path());
    let mut found = BTreeSet::new();
    for (place, input) in WORLD.spec.inputs().iter().enumerate() {
        for offset in (0..end(place).0).step_by(97).map(Offset) {
            let told = tick_that_read(&archived, &WORLD.spec, &input.topic, LANE, offset).unwrap();
            let ticks = records.iter().filter(|record| record.pins.is_some());
            let read = ticks.filter(|record| record.topics[place].position > offset);
            assert_eq!(Some(told), read.map(|record| record.tick_end.unwrap()).next(), "{} {offset}", input.topic);
            found.insert(told);
        }
    }
    assert!(found.len() > 10 && runs.len() > 2, "{} ticks in {} runs", found.len(), runs.len());
    let told = |topic, lane, offset| tick_that_read(&archived, &WORLD.spec, topic, lane, Offset(offset)).unwrap_err();
    let Offset(end) = end(0);
    for (problem, expected) in [
        (told("ehr.access.v1", LANE, end), format!("no tick in the archive has read offset {end}; it ends at {end}")),
        (told("ehr.acess.v1", LANE, 0), "there are ehr.access.v1, auth.events.v1".to_owned()),
        (told("ehr.access.v1", LaneId(7), 0), "nothing of `ehr.access.v1` partition 7".to_owned()),
    ] {
        assert!(problem.to_string().contains(&expected), "{problem}");
    }
}
