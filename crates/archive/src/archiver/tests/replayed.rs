//! Replays that are stopped and go on, and one of an archive that somebody goes on writing.

use engine::ports::{Flow, LaneStore, PortError, StoredPane, Wake};

use super::*;
use crate::testing::{UPGRADED_WORLD, try_run as try_run_engine};

/// A source that is stopped at a poll, as if the process had been killed there.
struct Killed<'a>(&'a mut ReplaySource, u32);

impl Source for Killed<'_> {
    fn poll(&mut self, wait: Duration) -> std::result::Result<Vec<Wake>, PortError> {
        self.1 -= 1;
        if self.1 == 0 { Err(PortError::Unavailable("killed".to_owned())) } else { self.0.poll(wait) }
    }

    fn open(&mut self, lane: LaneId) -> std::result::Result<Box<dyn LaneStore>, PortError> {
        self.0.open(lane)
    }

    fn log_start(&mut self, lane: LaneId) -> std::result::Result<Vec<Offset>, PortError> {
        self.0.log_start(lane)
    }

    fn start(&mut self, lane: LaneId, from: &[Offset]) -> std::result::Result<(), PortError> {
        self.0.start(lane, from)
    }

    fn set_flow(&mut self, lane: LaneId, topic: TopicId, flow: Flow) -> std::result::Result<(), PortError> {
        self.0.set_flow(lane, topic, flow)
    }

    fn at_end(&self, lane: LaneId, topic: TopicId) -> Option<Offset> {
        self.0.at_end(lane, topic)
    }

    fn shares(&mut self) -> std::result::Result<Vec<(LaneId, StoredPane)>, PortError> {
        self.0.shares()
    }

    fn lane_count(&self) -> u32 {
        self.0.lane_count()
    }

    fn journal(&mut self, lane: LaneId) -> std::result::Result<Option<Vec<JournalRecord>>, PortError> {
        self.0.journal(lane)
    }

    fn lag(&self, lane: LaneId, topic: TopicId) -> Option<u64> {
        self.0.lag(lane, topic)
    }
}

fn same_results(one: &crate::Captured, other: &crate::Captured) {
    let (one, other) = (told(one), told(other));
    assert!(one == other && one.len() > 100, "{} and {} results", one.len(), other.len());
}

/// A replay of a world's archive that is killed again and again, each time a little further on; what it came to, and the
/// events and ticks that were done at each start.
fn stop_and_go(world: &World, dir: &Path) -> (crate::Captured, Vec<(u64, u64)>) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("kept");
    let mut gone_on = Vec::new();
    loop {
        let archive = listed(dir);
        let source = ReplaySource::open(&archive, &world.spec).unwrap();
        let (mut source, events, ticks) = source.resuming(&folder, &world.spec).unwrap();
        gone_on.push((events, ticks));
        assert!(gone_on.len() < 100, "{gone_on:?}");
        let mut feed = ArchiveFeed::open(&archive).unwrap();
        // What was told since the last checkpoint is lost.
        let mut killed = Killed(&mut source, 5 + gone_on.len() as u32);
        if try_run_engine(world, &mut killed, &mut feed, &replay_clock()).is_ok() {
            let captured = source.take_captured();
            source.forget().unwrap();
            assert!(!folder.exists(), "nothing is left of it");
            return (captured, gone_on);
        }
        // A checkpoint that was not finished.
        fs::write(folder.join("told-9999.parquet"), b"torn").unwrap();
        fs::write(folder.join("state-9999.parquet.part"), b"torn").unwrap();
    }
}

#[test]
fn a_replay_that_is_stopped_goes_on_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 40);
    let (plain, (resumed, gone_on)) = (replay(dir.path()), stop_and_go(&WORLD, dir.path()));
    assert!(gone_on.len() > 3 && gone_on.windows(2).all(|pair| pair[0] <= pair[1]), "{gone_on:?}");
    assert!(gone_on.iter().filter(|(events, _)| *events > 0).count() > 2, "{gone_on:?}");
    same_results(&plain, &resumed);
    assert!(crossings(&plain) == crossings(&resumed), "watches are told otherwise");
}

/// The state counts as soon as it has its name: what was told before it must stand beside it by then.
#[test]
fn a_checkpoint_is_none_before_what_was_told_is_written() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    archive(dir.path(), 1_000, 40);
    let archived = listed(dir.path());
    let source = ReplaySource::open(&archived, &WORLD.spec).unwrap();
    let (mut source, ..) = source.resuming(folder.path(), &WORLD.spec).unwrap();
    let in_the_way = format!("told-0.parquet{}", layout::TEMPORARY);
    fs::create_dir(folder.path().join(&in_the_way)).unwrap();
    let mut feed = ArchiveFeed::open(&archived).unwrap();
    let told = try_run_engine(&WORLD, &mut source, &mut feed, &replay_clock()).unwrap_err().to_string();
    assert!(told.contains("told-0.parquet"), "{told}");
    let kept = fs::read_dir(folder.path()).unwrap();
    let kept: Vec<_> = kept.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(kept, [in_the_way]);
}

#[test]
fn cases_that_an_upgrade_carried_over_go_on_in_a_replay_that_was_stopped() {
    let dir = tempfile::tempdir().unwrap();
    archive_of(&UPGRADED_WORLD, dir.path(), 1_000, 40);
    let plain = replay_of(&UPGRADED_WORLD, dir.path());
    let names =
        |finding: &crate::findings::ArchivedFinding| String::from_utf8_lossy(&finding.value).contains("carried-");
    let carried = plain.findings().unwrap().iter().filter(|finding| names(finding)).count();
    assert!(carried > 10, "{carried} findings about cases that were carried over");
    let (resumed, gone_on) = stop_and_go(&UPGRADED_WORLD, dir.path());
    assert!(gone_on.iter().filter(|(events, _)| *events > 0).count() > 2, "{gone_on:?}");
    same_results(&plain, &resumed);
}

#[test]
fn what_is_kept_of_a_replay_is_of_one_archive_and_pipeline() {
    let (one, two, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    archive(one.path(), 1_000, 40);
    archive(two.path(), 1_000, 40);
    let open = |dir: &Path| ReplaySource::open(&listed(dir), &WORLD.spec).unwrap().resuming(folder.path(), &WORLD.spec);
    let (mut source, ..) = open(one.path()).unwrap();
    let mut feed = ArchiveFeed::open(&listed(one.path())).unwrap();
    run_engine(&WORLD, &mut source, &mut feed, &replay_clock());
    let told = open(two.path()).err().unwrap().to_string();
    assert!(told.contains("keeps a replay of another archive") && told.contains("name another folder"), "{told}");
    let (_, events, ticks) = open(one.path()).unwrap();
    assert!(events > 1_000 && ticks > 100, "{events} events, {ticks} ticks");
}

/// Whoever archives seals runs while what it held before is computed again.
#[test]
fn what_is_sealed_during_a_replay_is_not_held_against_it() {
    let (world, dir) = (&*WORLD, tempfile::tempdir().unwrap());
    let follower = world.follower(150, 4);
    let mut archiver = Archiver::new(dir.path(), &world.spec, Arc::clone(&world.keys), follower, &[LANE]).unwrap();
    while archiver.progress().runs < 2 {
        assert!(archiver.step(Duration::ZERO).unwrap(), "two runs are not the whole");
    }
    let before = listed(dir.path());
    let replayed = replay_listed(world, &before);
    archiver.finish().unwrap();
    let report = compare(&before, &replayed, world.spec.digests()).unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert!(report.user_rows > 0, "{report:?}");
    let late = compare(&listed(dir.path()), &replayed, world.spec.digests()).unwrap();
    assert!(late.runs > report.runs && !late.is_equal(), "{late:?}");
}
