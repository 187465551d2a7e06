//! Replay of an archive with everything: windows, scores, findings, all compared with what was archived.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use archive::{ArchiveFeed, Archiver, Captured, Listing, ReplaySource};
use chartwarden_benches::harness::{Bench, Mode, Outcome};
use chartwarden_benches::memory::{self, Committed, Standing};
use chartwarden_benches::world::World;
use engine::ports::{Followed, Follower, LaneId, PortError};
use engine::{Engine, Metrics, Progress};
use events::{Offset, TopicId};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Hands a world and what was computed from it to the archiver.
struct Following(VecDeque<Followed>);

impl Following {
    fn new(world: &World, committed: Committed) -> Self {
        let mut all = VecDeque::from([Followed::Reference(world.reference.clone())]);
        for ((lane, logs), (_, transactions)) in (0u32..).map(LaneId).zip(&world.lanes).zip(committed.kept) {
            for (topic, log) in logs.iter().enumerate() {
                for from in (0..log.len()).step_by(10_000) {
                    let records = World::records(log, from, (from + 10_000).min(log.len()));
                    all.push_back(Followed::Input { lane, topic: TopicId(topic as u8), records });
                }
            }
            for transaction in transactions {
                let records = transaction.journal.into_iter().map(|message| message.value).collect();
                all.push_back(Followed::Results { lane, messages: transaction.results });
                all.push_back(Followed::Journal { lane, records });
            }
        }
        Self(all)
    }
}

impl Follower for Following {
    fn start(&mut self, _: LaneId, _: &[Offset], _: Option<(Offset, Offset)>) -> Result<(), PortError> {
        Ok(())
    }

    fn poll(&mut self, _wait: Duration) -> Result<Vec<Followed>, PortError> {
        Ok(self.0.pop_front().into_iter().collect())
    }
}

fn replay(world: &World, archive: &Listing) -> (Captured, u64) {
    let mut source = ReplaySource::open(archive, &world.spec).expect("an archive");
    let mut feed = ArchiveFeed::open(archive).expect("an archived reference");
    let (metrics, progress) = (Metrics::new(&world.spec).expect("metrics"), Progress::default());
    let keys = Arc::clone(&world.keys);
    let mut engine = Engine::new(&world.spec, keys, &mut source, &mut feed, &Standing, &metrics, &progress);
    engine.run(&AtomicBool::new(false)).unwrap_or_else(|error| panic!("the engine: {error}"));
    drop(engine);
    (source.take_captured(), progress.snapshot().events)
}

fn main() {
    let mode = Mode::from_arguments();
    let world = World::play(mode.pick(60, 400), mode.pick(3, 14), mode.pick(1, 2));
    let committed = memory::run(&world, true);
    let steps = 2 + world.events / 10_000 * 2 + committed.kept.values().flatten().count() as u64 * 3 + 16;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lanes: Vec<_> = committed.kept.keys().copied().collect();
    let follower = Box::new(Following::new(&world, committed));
    let keys = Arc::clone(&world.keys);
    let mut archiver = Archiver::new(folder.path(), &world.spec, keys, follower, &lanes).expect("an archiver");
    (0..steps).for_each(|_| archiver.step(Duration::ZERO).map(drop).expect("a step of the archiver"));
    archiver.finish().expect("the end of the archive");

    // To the byte, before anybody asks how fast.
    let listing = Listing::open(folder.path()).expect("an archive");
    let (captured, events) = replay(&world, &listing);
    let report = archive::compare(&listing, &captured, world.spec.digests()).expect("a comparison");
    assert!(report.is_equal(), "a replay differs: {:?}", report.differences);
    assert!(events > 0 && report.user_rows > 0, "something is replayed");

    Bench::new("the whole path without a broker", "events", mode)
        .with("live, from records in memory", || {
            let committed = memory::run(&world, false);
            Outcome::of(world.events, committed.digests)
        })
        .with("replay from Parquet", || {
            let (captured, events) = replay(&world, &listing);
            let findings = captured.findings().expect("findings");
            Outcome::of(events, findings.iter().map(|finding| &finding.value).collect::<Vec<_>>())
        })
        .run();
}
