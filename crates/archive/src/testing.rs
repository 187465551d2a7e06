//! A lane that ran: the engine over logs in memory, with garbage, repeated records and a topic that falls silent. Read
//! next: `testing/follower.rs`, which hands over what it committed.

mod follower;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base::{Clock, Seed, Timestamp};
use engine::ports::{
    Flow, LaneId, LaneStore, Message, PortError, ReferenceFeed, ReferenceRecord, SharesInMemory, Source, StoredPane,
    Tier, Transaction, Wake,
};
use engine::{Engine, JournalRecord, Metrics, ModelUse, PipelineSpec, Progress};
use events::{Offset, PseudonymKeys, Record, Records, TopicId};
use hospital::{Hospital, HospitalConfig, Site, Stream};

type Result<T> = std::result::Result<T, PortError>;
type Log = Vec<(Timestamp, Vec<u8>)>;

pub(crate) const LANE: LaneId = LaneId(0);

/// Computed once for all tests.
pub(crate) static WORLD: LazyLock<World> = LazyLock::new(world);

/// With a silence at the beginning.
pub(crate) static LATE_WORLD: LazyLock<World> = LazyLock::new(late_world);

/// With upgrades on its way.
pub(crate) static UPGRADED_WORLD: LazyLock<World> = LazyLock::new(upgraded_world);

/// What a lane read and committed.
pub(crate) struct World {
    pub(crate) spec: PipelineSpec,
    pub(crate) keys: Arc<PseudonymKeys>,
    pub(crate) logs: Arc<[Log; 2]>,
    pub(crate) reference: Arc<Vec<ReferenceRecord>>,
    pub(crate) committed: Vec<Transaction>,
}

/// Every look moves it on, so that silence lasts.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(5_000, Ordering::Relaxed))
    }

    fn time_of_day(&self) -> Option<Timestamp> {
        Some(Timestamp::from_millis(self.0.load(Ordering::Relaxed)))
    }
}

struct Store(Arc<Mutex<Vec<Transaction>>>, SharesInMemory);

impl LaneStore for Store {
    fn head(&mut self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        Ok(Default::default())
    }
    fn panes(&mut self, _: Tier, _: Timestamp) -> Result<Vec<StoredPane>> {
        Ok(Vec::new())
    }
    fn commit(&mut self, transaction: Transaction) -> Result<()> {
        self.1.keep(LANE, &transaction);
        self.0.lock().unwrap().push(transaction);
        Ok(())
    }
    fn trim(&mut self, _: Tier, _: Timestamp) -> Result<()> {
        Ok(())
    }
}

/// Nothing is there for a while; the second topic falls silent half way until the first is three quarters through.
struct Logs {
    /// Polls until anything is there.
    late: u32,
    logs: Arc<[Log; 2]>,
    next: [usize; 2],
    flows: [Flow; 2],
    committed: Arc<Mutex<Vec<Transaction>>>,
    shares: SharesInMemory,
    assigned: bool,
    silent: u32,
}

impl Logs {
    fn end(&self, topic: usize) -> usize {
        if self.late > 0 {
            return 0;
        }
        let pause = topic == 1 && self.next[0] < self.logs[0].len() * 3 / 4;
        if pause { self.logs[1].len() / 2 } else { self.logs[topic].len() }
    }
}

impl Source for Logs {
    fn poll(&mut self, _: Duration) -> Result<Vec<Wake>> {
        if !std::mem::replace(&mut self.assigned, true) {
            return Ok(vec![Wake::Assigned(vec![LANE])]);
        }
        self.late = self.late.saturating_sub(1);
        let mut wakes = Vec::new();
        for topic in 0..2 {
            let end = (self.next[topic] + 150).min(self.end(topic));
            if self.flows[topic] == Flow::Read && end > self.next[topic] {
                let records = records(&self.logs[topic], self.next[topic], end);
                self.next[topic] = end;
                wakes.push(Wake::Records { lane: LANE, topic: TopicId(topic as u8), records });
            }
        }
        self.silent = if wakes.is_empty() { self.silent + 1 } else { 0 };
        if self.silent > 60 && (0..2).all(|topic| self.next[topic] == self.logs[topic].len()) {
            wakes.push(Wake::Exhausted);
        }
        Ok(wakes)
    }
    fn open(&mut self, _: LaneId) -> Result<Box<dyn LaneStore>> {
        Ok(Box::new(Store(Arc::clone(&self.committed), self.shares.clone())))
    }
    fn log_start(&mut self, _: LaneId) -> Result<Vec<Offset>> {
        Ok(vec![Offset(0); 2])
    }
    fn start(&mut self, _: LaneId, _: &[Offset]) -> Result<()> {
        Ok(())
    }
    fn set_flow(&mut self, _: LaneId, topic: TopicId, flow: Flow) -> Result<()> {
        self.flows[topic.index()] = flow;
        Ok(())
    }
    fn shares(&mut self) -> Result<Vec<(LaneId, StoredPane)>> {
        Ok(self.shares.take())
    }
    fn lane_count(&self) -> u32 {
        LANE.0 + 1
    }
    fn at_end(&self, _: LaneId, topic: TopicId) -> Option<Offset> {
        let next = self.next[topic.index()];
        (next == self.end(topic.index())).then_some(Offset(offset(next)))
    }
    fn lag(&self, _: LaneId, _: TopicId) -> Option<u64> {
        None
    }
}

/// Offsets have gaps, as transaction markers leave them.
fn offset(place: usize) -> i64 {
    (place + place / 50) as i64
}

fn records(log: &Log, from: usize, to: usize) -> Records {
    let mut records = Records::default();
    for (place, (time, value)) in log.iter().enumerate().take(to).skip(from) {
        let offset = Offset(offset(place));
        records.push(Record { offset, append_time: *time, key: None, value: Some(value), headers: &[] });
    }
    records
}

struct Feed(Arc<Vec<ReferenceRecord>>, bool);

impl ReferenceFeed for Feed {
    fn poll(&mut self, _: Option<Timestamp>) -> Result<Vec<ReferenceRecord>> {
        Ok(if std::mem::replace(&mut self.1, true) { Vec::new() } else { self.0.to_vec() })
    }
    fn known_through(&self) -> Timestamp {
        Timestamp::MAX
    }
    fn ends(&mut self) -> Result<Vec<(&'static str, u32, Offset)>> {
        Ok(["staff", "patients", "relations"].map(|kind| (kind, 0, Offset(40))).to_vec())
    }
}

fn pipeline(folder: &Path, models: ModelUse) -> PipelineSpec {
    PipelineSpec::load(folder, models).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Three days of a small hospital in one lane.
fn world() -> World {
    world_under(pipeline(&shipped(), ModelUse::PairOnly))
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach")
}

/// The shipped pipeline, but that it opens cases at once and for little, and closes them soon.
fn eager() -> PipelineSpec {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(shipped()).unwrap() {
        let entry = entry.unwrap();
        symlink(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let file = folder.path().join("pipeline.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    for (from, to) in [
        ("learn_days = 14 ", "learn_days = 0 "),
        ("open_score = 0.90 ", "open_score = 0.05 "),
        (r#"close_after = "7d""#, r#"close_after = "2h""#),
    ] {
        assert!(text.contains(from), "pipeline.toml no longer says `{from}`");
        text = text.replacen(from, to, 1);
    }
    fs::write(file, text).unwrap();
    pipeline(folder.path(), ModelUse::Score)
}

fn world_under(spec: PipelineSpec) -> World {
    let mut config = HospitalConfig::demo(Seed(9), Timestamp::from_millis(1_767_567_600_000));
    (config.staff, config.days, config.first_incident_day, config.site) = (60, 3, 0, Site::small());
    let mut hospital = Hospital::new(config).unwrap();
    let mut logs = [Log::new(), Log::new()];
    let mut rows = hospital.reference();
    while let Some(day) = hospital.next_day() {
        for item in day.items {
            let log = &mut logs[usize::from(item.stream == Stream::Auth)];
            log.push((item.time, item.json.clone()));
            match log.len() % 97 {
                0 => log.push((item.time, b"{ not json".to_vec())),
                50 => log.push((item.time, item.json)),
                _ => {}
            }
        }
        rows.extend(day.reference);
    }
    let mut reference: Vec<ReferenceRecord> = Vec::new();
    for row in rows {
        let next = reference.iter().rev().find(|known| known.kind == row.kind).map_or(0, |known| known.offset.0 + 1);
        let (kind, append_time, value) = (row.kind, row.time, Some(dated(row.kind, row.json)));
        reference.push(ReferenceRecord { kind, partition: 0, offset: Offset(next), append_time, value });
    }
    let keys = PseudonymKeys::generate("1", std::array::from_fn(|index| index as u8)).unwrap();
    let mut world = World {
        spec,
        keys: Arc::new(keys),
        logs: Arc::new(logs),
        reference: Arc::new(reference),
        committed: Vec::new(),
    };
    world.committed = ran(&world, 0);
    world
}

/// A row of the staff as a house writes it that knows days only: it counts from the first local midnight on, an hour before
/// that of UTC.
fn dated(kind: &str, json: Vec<u8>) -> Vec<u8> {
    if kind != "staff" {
        return json;
    }
    let mut row: serde_json::Value = serde_json::from_slice(&json).unwrap();
    row["valid_from"] = "2026-01-05".into();
    serde_json::to_vec(&row).unwrap()
}

/// The same, but that the lane is silent for some 20 minutes before its first event, which are known to the broker by the
/// reference alone.
fn late_world() -> World {
    let mut world = world();
    let first = world.logs.iter().filter_map(|log| log.first()).map(|(time, _)| *time).min().unwrap();
    let known = world.reference.iter().filter(|row| row.append_time < first - base::Millis::hours(1)).cloned();
    world.reference = Arc::new(known.collect());
    world.committed = ran(&world, 250);
    world
}

/// The same with cases, but that now and then an upgrade carried those over that were open, under other identifiers.
fn upgraded_world() -> World {
    /// Transactions from one to the next: some three hours.
    const EVERY: usize = 10;
    let world = world_under(eager());
    let read = |message: &Message| serde_json::from_slice::<JournalRecord>(&message.value).unwrap();
    let write = |record: &JournalRecord| serde_json::to_vec(record).unwrap();
    let (mut open, mut committed, mut upgrades) = (BTreeMap::new(), Vec::new(), 0);
    for (number, mut transaction) in world.committed.into_iter().enumerate() {
        let cases = transaction.head.iter().filter_map(|(key, case)| Some((key.strip_prefix(b"case/")?, case)));
        open.extend(cases.map(|(user, case)| (user.to_vec(), case.clone())));
        open.retain(|_, case| case.is_some());
        for message in &mut transaction.journal {
            let record = read(message);
            let (sequence, epoch) = (record.sequence + u64::from(upgrades), record.epoch + upgrades);
            message.value = write(&JournalRecord { sequence, epoch, ..record });
        }
        let stands = read(transaction.journal.last().unwrap());
        committed.push(transaction);
        if open.is_empty() || !number.is_multiple_of(EVERY) {
            continue;
        }
        upgrades += 1;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let renamed = |case: &[u8]| text(case).replacen(r#""id":""#, &format!(r#""id":"carried-{upgrades}-"#), 1);
        let carried = open.iter().map(|(user, case)| (text(user), renamed(case.as_deref().unwrap())));
        let (sequence, epoch, carried) = (stands.sequence + 1, stands.epoch + 1, Some(carried.collect()));
        let upgrade = JournalRecord { sequence, epoch, carried, pins: None, shared: None, ..stands };
        let message = Message { key: Vec::new(), value: write(&upgrade), headers: Vec::new() };
        committed.push(Transaction { journal: vec![message], ..Transaction::default() });
    }
    World { committed, ..world }
}

fn ran(world: &World, late: u32) -> Vec<Transaction> {
    let committed = Arc::new(Mutex::new(Vec::new()));
    let mut logs = Logs {
        late,
        logs: Arc::clone(&world.logs),
        next: [0; 2],
        flows: [Flow::Read; 2],
        committed: Arc::clone(&committed),
        shares: SharesInMemory::default(),
        assigned: false,
        silent: 0,
    };
    let mut feed = Feed(Arc::clone(&world.reference), false);
    let clock = Ticking(AtomicI64::new(1_767_567_600_000));
    run(world, &mut logs, &mut feed, &clock);
    std::mem::take(&mut *committed.lock().unwrap())
}

/// The engine over any ports, to the end.
pub(crate) fn run(world: &World, source: &mut dyn Source, feed: &mut dyn ReferenceFeed, clock: &dyn Clock) {
    try_run(world, source, feed, clock).unwrap();
}

/// The same, where the source may fail.
pub(crate) fn try_run(
    world: &World,
    source: &mut dyn Source,
    feed: &mut dyn ReferenceFeed,
    clock: &dyn Clock,
) -> engine::Result<()> {
    let metrics = Metrics::new(&world.spec).unwrap();
    let progress = Progress::default();
    let mut engine = Engine::new(&world.spec, Arc::clone(&world.keys), source, feed, clock, &metrics, &progress);
    engine.run(&AtomicBool::new(false))
}

pub(crate) fn replay_clock() -> impl Clock {
    Ticking(AtomicI64::new(0))
}

impl World {
    pub(crate) fn journal(&self) -> Vec<JournalRecord> {
        let messages = self.committed.iter().flat_map(|transaction| &transaction.journal);
        messages.map(|message| serde_json::from_slice(&message.value).unwrap()).collect()
    }
}
