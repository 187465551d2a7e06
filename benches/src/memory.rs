//! A [`World`] behind the engine's ports: an hour of it at a time, and a store that counts what is committed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Clock, Millis, Timestamp};
use engine::ports::{
    Flow, LaneId, LaneStore, PortError, ReferenceFeed, ReferenceRecord, SharesInMemory, Source, StoredPane, Tier,
    Transaction, Wake,
};
use engine::{Engine, Metrics, Progress};
use events::{Offset, TopicId};

use crate::world::World;

type Result<T> = std::result::Result<T, PortError>;

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn time_of_day(&self) -> Option<Timestamp> {
        None
    }
}

/// What was committed.
#[derive(Default)]
pub struct Committed {
    /// Transactions of each lane, if they are kept.
    pub kept: BTreeMap<LaneId, Vec<Transaction>>,
    /// Findings.
    pub findings: u64,
    /// Of results and findings, by lane.
    pub digests: BTreeMap<LaneId, u64>,
    keep: bool,
}

struct Store {
    lane: LaneId,
    committed: Arc<Mutex<Committed>>,
    shares: SharesInMemory,
}

impl LaneStore for Store {
    fn head(&mut self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        Ok(BTreeMap::new())
    }

    fn panes(&mut self, _tier: Tier, _first: Timestamp) -> Result<Vec<StoredPane>> {
        Ok(Vec::new())
    }

    fn commit(&mut self, transaction: Transaction) -> Result<()> {
        self.shares.keep(self.lane, &transaction);
        let mut committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        committed.findings += transaction.findings.len() as u64;
        let digest = committed.digests.entry(self.lane).or_default();
        // Message by message: where transactions are cut depends on the clock.
        for message in transaction.results.iter().chain(&transaction.journal) {
            let mut hasher = DefaultHasher::new();
            (*digest, &message.key, &message.value).hash(&mut hasher);
            *digest = hasher.finish();
        }
        if committed.keep {
            committed.kept.entry(self.lane).or_default().push(transaction);
        }
        Ok(())
    }

    fn trim(&mut self, _tier: Tier, _first: Timestamp) -> Result<()> {
        Ok(())
    }
}

/// The events.
struct MemorySource<'a> {
    world: &'a World,
    next: Vec<[usize; 2]>,
    released: Timestamp,
    assigned: bool,
    committed: Arc<Mutex<Committed>>,
    shares: SharesInMemory,
}

impl Source for MemorySource<'_> {
    fn poll(&mut self, wait: Duration) -> Result<Vec<Wake>> {
        if !std::mem::replace(&mut self.assigned, true) {
            return Ok(vec![Wake::Assigned((0u32..).map(LaneId).take(self.next.len()).collect())]);
        }
        if wait.is_zero() {
            // Ticks are due: time stands still until they are closed.
            return Ok(Vec::new());
        }
        let mut wakes = Vec::new();
        while wakes.is_empty() {
            self.released = self.released + Millis::hours(1);
            let mut left = false;
            for ((lane, logs), next) in (0u32..).map(LaneId).zip(&self.world.lanes).zip(&mut self.next) {
                for (topic, log) in logs.iter().enumerate() {
                    let from = next[topic];
                    let to = from + log[from..].iter().take_while(|raw| raw.time < self.released).count();
                    left |= to < log.len();
                    if to > from {
                        let records = World::records(log, from, to);
                        wakes.push(Wake::Records { lane, topic: TopicId(topic as u8), records });
                        next[topic] = to;
                    }
                }
            }
            if wakes.is_empty() && !left {
                wakes.push(Wake::Exhausted);
            }
        }
        Ok(wakes)
    }

    fn open(&mut self, lane: LaneId) -> Result<Box<dyn LaneStore>> {
        let (committed, shares) = (Arc::clone(&self.committed), self.shares.clone());
        Ok(Box::new(Store { lane, committed, shares }))
    }

    fn log_start(&mut self, _lane: LaneId) -> Result<Vec<Offset>> {
        Ok(vec![Offset(0); 2])
    }

    fn start(&mut self, _lane: LaneId, _from: &[Offset]) -> Result<()> {
        Ok(())
    }

    fn set_flow(&mut self, _lane: LaneId, _topic: TopicId, _flow: Flow) -> Result<()> {
        // An hour at a time is never so far ahead that holding it would save memory.
        Ok(())
    }

    fn at_end(&self, _lane: LaneId, _topic: TopicId) -> Option<Offset> {
        None
    }

    fn shares(&mut self) -> Result<Vec<(LaneId, StoredPane)>> {
        Ok(self.shares.take())
    }

    fn lane_count(&self) -> u32 {
        self.next.len() as u32
    }

    fn lag(&self, _lane: LaneId, _topic: TopicId) -> Option<u64> {
        None
    }
}

/// The reference rows: all at once; which of them a tick may know, their append times say.
struct MemoryFeed<'a> {
    world: &'a World,
    rows: Vec<ReferenceRecord>,
}

impl ReferenceFeed for MemoryFeed<'_> {
    fn poll(&mut self, _through: Option<Timestamp>) -> Result<Vec<ReferenceRecord>> {
        Ok(std::mem::take(&mut self.rows))
    }

    fn known_through(&self) -> Timestamp {
        Timestamp::MAX
    }

    fn ends(&mut self) -> Result<Vec<(&'static str, u32, Offset)>> {
        Ok(self.world.before.iter().map(|(kind, count)| (*kind, 0, Offset(*count))).collect())
    }
}

/// The whole path over a world: decode to findings, as they are committed.
///
/// # Panics
/// If the engine fails: a bench has nothing to say then.
pub fn run(world: &World, keep: bool) -> Committed {
    let committed = Arc::new(Mutex::new(Committed { keep, ..Committed::default() }));
    let start = world.lanes.iter().flatten().filter_map(|log| log.first()).map(|raw| raw.time).min();
    let mut source = MemorySource {
        world,
        next: vec![[0; 2]; world.lanes.len()],
        released: start.unwrap_or(Timestamp::MIN),
        assigned: false,
        committed: Arc::clone(&committed),
        shares: SharesInMemory::default(),
    };
    let mut feed = MemoryFeed { world, rows: world.reference.clone() };
    let (metrics, progress) = (Metrics::new(&world.spec).expect("metrics"), Progress::default());
    let keys = Arc::clone(&world.keys);
    let mut engine = Engine::new(&world.spec, keys, &mut source, &mut feed, &Standing, &metrics, &progress);
    engine.run(&AtomicBool::new(false)).unwrap_or_else(|error| panic!("the engine: {error}"));
    drop(engine);
    drop(source);
    assert_eq!(progress.snapshot().events, world.events, "every event is walked");
    std::mem::take(&mut *committed.lock().unwrap_or_else(PoisonError::into_inner))
}
