//! The main path over ports in memory: whatever the polls, the kills and the restarts, the same input leaves the same
//! results, findings and journal ticks.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::util::display::array_value_to_string;
use base::{Seed, SystemClock};
use events::{Offset, Record, Records};
use features::JournalRecord;
use hospital::{Hospital, HospitalConfig, Site, Stream};

use super::*;
use crate::ports::{DeadLetter, LaneStore, Message, ReferenceRecord, StoredPane, Tier, Transaction};
use crate::spec::ModelUse;

mod lanes;
mod watches;

/// Journal records in the middle of a run.
const EARLY: usize = 400;

/// What a lane stored, surviving its owners.
#[derive(Default)]
struct Stored {
    head: BTreeMap<Vec<u8>, Vec<u8>>,
    panes: BTreeMap<(Tier, Timestamp), Vec<u8>>,
    results: Vec<Message>,
    findings: Vec<Message>,
    letters: Vec<DeadLetter>,
    journal: Vec<JournalRecord>,
    commits: u32,
    /// The head as it was after [`EARLY`] records.
    early: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What its last owner held, see [`Logs`].
    held: Vec<(usize, Millis)>,
    /// See [`Logs`].
    open_most: usize,
    /// How often the lane was opened.
    opened: u32,
    /// What tells the engine to stop.
    stop: Arc<AtomicBool>,
}

/// When a commit goes wrong: its number, whether it took effect, whether the process dies of it, and whether it is told
/// to stop just then.
#[derive(Clone, Copy, Default)]
struct Fault {
    commit: u32,
    persisted: bool,
    kills: bool,
    stops: bool,
}

struct Store {
    stored: Arc<Mutex<Stored>>,
    faults: Vec<Fault>,
}

impl LaneStore for Store {
    fn head(&mut self) -> std::result::Result<BTreeMap<Vec<u8>, Vec<u8>>, PortError> {
        Ok(self.stored.lock().unwrap().head.clone())
    }

    fn panes(&mut self, tier: Tier, first: Timestamp) -> std::result::Result<Vec<StoredPane>, PortError> {
        let stored = self.stored.lock().unwrap();
        let panes = stored.panes.range((tier, first)..).filter(|((at, _), _)| *at == tier);
        Ok(panes.map(|((_, end), bytes)| StoredPane { end: *end, bytes: bytes.clone() }).collect())
    }

    fn commit(&mut self, transaction: Transaction) -> std::result::Result<(), PortError> {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.commits += 1;
        let fault = self.faults.iter().find(|fault| fault.commit == stored.commits);
        if fault.is_some_and(|fault| fault.stops) {
            stored.stop.store(true, Ordering::Relaxed);
        }
        let lost = || match fault.is_some_and(|fault| fault.kills) {
            true => Err(PortError::Corrupt("killed".to_owned())),
            false => Err(PortError::Unavailable("the answer was lost".to_owned())),
        };
        if fault.is_some_and(|fault| !fault.persisted) {
            return lost();
        }
        for (key, value) in transaction.head {
            match value {
                Some(value) => stored.head.insert(key, value),
                None => stored.head.remove(&key),
            };
        }
        for (tier, pane) in transaction.panes {
            assert!(stored.panes.insert((tier, pane.end), pane.bytes).is_none(), "a pane is sealed once");
        }
        stored.results.extend(transaction.results);
        stored.findings.extend(transaction.findings);
        stored.letters.extend(transaction.dead_letters);
        let records = transaction.journal.iter().map(|message| serde_json::from_slice(&message.value).unwrap());
        stored.journal.extend(records);
        if stored.early.is_empty() && stored.journal.len() > EARLY {
            stored.early = stored.head.clone();
        }
        if fault.is_some() { lost() } else { Ok(()) }
    }

    fn trim(&mut self, tier: Tier, first: Timestamp) -> std::result::Result<(), PortError> {
        self.stored.lock().unwrap().panes.retain(|(at, end), _| *at != tier || *end >= first);
        Ok(())
    }
}

/// One lane's logs, read in pieces of a seeded size.
struct Logs<'a> {
    topics: &'a [Vec<(Timestamp, Vec<u8>)>; 2],
    next: [usize; 2],
    flows: [Flow; 2],
    pieces: VecDeque<usize>,
    stored: Arc<Mutex<Stored>>,
    /// End of the newest day whose share was handed out.
    shared: Timestamp,
    faults: Vec<Fault>,
    assigned: bool,
    started: bool,
    /// Topics that were held, each with how far it was ahead of the other.
    held: Vec<(usize, Millis)>,
    /// Records read that no committed tick holds yet: how many there were at most.
    open_most: usize,
}

impl Logs<'_> {
    /// Time of the newest record read of a topic.
    fn newest(&self, topic: usize) -> Timestamp {
        self.topics[topic][..self.next[topic]].last().map_or(Timestamp::from_millis(0), |(time, _)| *time)
    }
}

impl Source for Logs<'_> {
    fn poll(&mut self, _: Duration) -> std::result::Result<Vec<Wake>, PortError> {
        if !std::mem::replace(&mut self.assigned, true) {
            return Ok(vec![Wake::Assigned(vec![LaneId(0)])]);
        }
        assert!(self.started, "nothing is read before the lane was started");
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = stored.journal.last().map_or(0, |record| record.topics.iter().map(|topic| topic.resume.0).sum());
        self.open_most = self.open_most.max(self.next.iter().sum::<usize>() - closed as usize);
        drop(stored);
        let mut wakes = Vec::new();
        for topic in 0..2 {
            let piece = self.pieces.pop_front().unwrap_or(97);
            self.pieces.push_back(piece);
            let log = &self.topics[topic];
            let end = (self.next[topic] + piece).min(log.len());
            if self.flows[topic] == Flow::Hold || end == self.next[topic] {
                continue;
            }
            let mut records = Records::default();
            for (offset, (time, value)) in log.iter().enumerate().take(end).skip(self.next[topic]) {
                let offset = Offset(offset as i64);
                records.push(Record { offset, append_time: *time, key: None, value: Some(value), headers: &[] });
            }
            self.next[topic] = end;
            wakes.push(Wake::Records { lane: LaneId(0), topic: TopicId(topic as u8), records });
        }
        if wakes.is_empty() && (0..2).all(|topic| self.next[topic] == self.topics[topic].len()) {
            wakes.push(Wake::Exhausted);
        }
        Ok(wakes)
    }

    fn open(&mut self, _: LaneId) -> std::result::Result<Box<dyn LaneStore>, PortError> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).opened += 1;
        Ok(Box::new(Store { stored: Arc::clone(&self.stored), faults: self.faults.clone() }))
    }

    fn log_start(&mut self, _: LaneId) -> std::result::Result<Vec<Offset>, PortError> {
        Ok(vec![Offset(0); 2])
    }

    fn start(&mut self, _: LaneId, from: &[Offset]) -> std::result::Result<(), PortError> {
        self.started = true;
        self.flows = [Flow::Read; 2];
        self.next = [from[0].0 as usize, from[1].0 as usize];
        Ok(())
    }

    fn set_flow(&mut self, _: LaneId, topic: TopicId, flow: Flow) -> std::result::Result<(), PortError> {
        self.flows[topic.index()] = flow;
        if flow == Flow::Hold {
            self.held.push((topic.index(), self.newest(topic.index()) - self.newest(1 - topic.index())));
        }
        Ok(())
    }

    fn at_end(&self, _: LaneId, _: TopicId) -> Option<Offset> {
        None
    }

    fn shares(&mut self) -> std::result::Result<Vec<(LaneId, StoredPane)>, PortError> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let told = stored.panes.range((Tier::Shared, self.shared + Millis(1))..);
        let told: Vec<_> = told.map(|((_, end), bytes)| StoredPane { end: *end, bytes: bytes.clone() }).collect();
        self.shared = told.last().map_or(self.shared, |share| share.end);
        Ok(told.into_iter().map(|share| (LaneId(0), share)).collect())
    }

    fn lane_count(&self) -> u32 {
        1
    }

    fn lag(&self, _: LaneId, _: TopicId) -> Option<u64> {
        None
    }
}

/// The reference: what was appended by `began` is there at the first start, and what comes later when it is asked for.
struct Feed {
    rows: Vec<ReferenceRecord>,
    began: Timestamp,
    /// Whether somebody has been here before, when there was less.
    again: bool,
    handed: usize,
    through: Timestamp,
    whole_since: Timestamp,
}

impl Feed {
    /// All of it is there from the beginning.
    fn whole(world: &World) -> Self {
        Self::since(world, Timestamp::MAX, false)
    }

    fn since(world: &World, began: Timestamp, again: bool) -> Self {
        let mut rows = world.reference.clone();
        rows.sort_by_key(|row| row.append_time);
        Self { rows, began, again, handed: 0, through: Timestamp::MIN, whole_since: Timestamp::MIN }
    }

    fn before(&self, time: Timestamp) -> usize {
        if time == Timestamp::MAX { self.rows.len() } else { self.rows.partition_point(|row| row.append_time < time) }
    }
}

impl ReferenceFeed for Feed {
    fn poll(&mut self, through: Option<Timestamp>) -> std::result::Result<Vec<ReferenceRecord>, PortError> {
        self.through = self.through.max(through.map_or(Timestamp::MIN, |through| through.max(self.began)));
        let end = self.before(self.through).max(self.handed);
        Ok(self.rows[std::mem::replace(&mut self.handed, end)..end].to_vec())
    }

    fn known_through(&self) -> Timestamp {
        self.through
    }

    fn ends(&mut self) -> std::result::Result<Vec<(&'static str, u32, Offset)>, PortError> {
        let there = if self.again { self.rows.len() } else { self.before(self.began) };
        let count = |kind: &str| self.rows[..there].iter().filter(|row| row.kind == kind).count() as i64;
        Ok(["staff", "patients", "relations"].map(|kind| (kind, 0, Offset(count(kind)))).to_vec())
    }

    fn whole_since(&mut self) -> std::result::Result<Timestamp, PortError> {
        Ok(self.whole_since)
    }
}

struct World {
    topics: [Vec<(Timestamp, Vec<u8>)>; 2],
    reference: Vec<ReferenceRecord>,
    spec: PipelineSpec,
    keys: Arc<PseudonymKeys>,
}

fn world(days: u32) -> World {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach");
    let spec = PipelineSpec::load(&folder, ModelUse::PairOnly).unwrap_or_else(|problems| panic!("{problems}"));
    let start = Timestamp::from_millis(1_767_567_600_000);
    let mut config = HospitalConfig::demo(Seed(5), start);
    config.staff = 60;
    config.days = days;
    config.first_incident_day = 0;
    config.site = Site::small();
    let mut hospital = Hospital::new(config).unwrap();
    let mut topics = [Vec::new(), Vec::new()];
    let mut rows = hospital.reference();
    while let Some(day) = hospital.next_day() {
        for item in day.items {
            topics[usize::from(item.stream == Stream::Auth)].push((item.time, item.json));
        }
        rows.extend(day.reference);
    }
    let mut offsets: BTreeMap<&str, i64> = BTreeMap::new();
    let reference = rows.into_iter().map(|row| {
        let next = offsets.entry(row.kind).or_default();
        let offset = Offset(*next);
        *next += 1;
        ReferenceRecord { kind: row.kind, partition: 0, offset, append_time: row.time, value: Some(row.json) }
    });
    let reference = reference.collect();
    World {
        topics,
        reference,
        spec,
        keys: Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap()),
    }
}

/// Runs to the end, through as many owners as faults kill.
fn run(world: &World, pieces: &[usize], faults: &[Fault]) -> Stored {
    run_since(world, Timestamp::MAX, pieces, faults)
}

/// The same where the reference that was appended from `began` on comes while it runs.
fn run_since(world: &World, began: Timestamp, pieces: &[usize], faults: &[Fault]) -> Stored {
    let stored = Arc::new(Mutex::new(Stored::default()));
    loop {
        let again = stored.lock().unwrap_or_else(PoisonError::into_inner).opened > 0;
        match own(world, Feed::since(world, began, again), pieces, faults, &stored) {
            Err(Error::Port(PortError::Corrupt(_))) => continue,
            other => other.unwrap(),
        }
        return Arc::into_inner(stored).unwrap().into_inner().unwrap();
    }
}

/// One owner's time: it takes the lane up where it stands, and ends with its logs, a fault or an error.
fn own(
    world: &World,
    mut feed: Feed,
    pieces: &[usize],
    faults: &[Fault],
    stored: &Arc<Mutex<Stored>>,
) -> crate::Result<()> {
    let (metrics, progress) = (Metrics::new(&world.spec).unwrap(), Progress::default());
    let mut logs = Logs {
        topics: &world.topics,
        next: [0; 2],
        flows: [Flow::Read; 2],
        pieces: pieces.iter().copied().collect(),
        stored: Arc::clone(stored),
        shared: Timestamp::MIN,
        faults: faults.to_vec(),
        assigned: false,
        started: false,
        held: Vec::new(),
        open_most: 0,
    };
    let keys = Arc::clone(&world.keys);
    let mut engine = Engine::new(&world.spec, keys, &mut logs, &mut feed, &SystemClock, &metrics, &progress);
    let stop = Arc::clone(&stored.lock().unwrap_or_else(PoisonError::into_inner).stop);
    let ended = engine.run(&stop);
    drop(engine);
    let mut stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
    (stored.held, stored.open_most) = (logs.held, logs.open_most);
    ended
}

fn ticks(stored: &Stored) -> Vec<Option<Timestamp>> {
    stored.journal.iter().filter(|record| record.pins.is_some()).map(|record| record.tick_end).collect()
}

#[test]
fn kills_lost_answers_and_batch_sizes_leave_the_same_bytes() {
    let world = salted(world(3));
    let clean = run(&world, &[500], &[]);
    assert!(ticks(&clean).len() > 1_000, "{} ticks", ticks(&clean).len());
    assert!(clean.results.len() > 500, "{} results", clean.results.len());
    let fault = |commit, persisted, kills| Fault { commit, persisted, kills, stops: false };
    let faults = [
        fault(1, false, true),
        fault(3, true, true),
        fault(5, false, false),
        fault(9, true, false),
        fault(10, true, true),
        // The first commit of an owner, which would also delete what former ones left.
        fault(11, false, true),
        fault(16, false, true),
        fault(17, true, false),
    ];
    let broken = run(&world, &[13, 700, 61, 5], &faults);
    assert_eq!(ticks(&clean), ticks(&broken));
    assert_eq!(clean.results.len(), broken.results.len());
    let differs = clean.results.iter().zip(&broken.results).find(|(a, b)| a != b);
    assert!(differs.is_none(), "{:?}", differs.map(|(a, _)| String::from_utf8_lossy(&a.key).into_owned()));
    for stored in [&clean, &broken] {
        let sequence: Vec<u64> = stored.journal.iter().map(|record| record.sequence).collect();
        assert!(sequence.iter().copied().eq(0..sequence.len() as u64), "the journal has a gap");
    }
    let last = |stored: &Stored| stored.journal.last().unwrap().counts.clone();
    assert_eq!(last(&clean), last(&broken));
    let letters = |stored: &Stored| {
        let mut letters = stored.letters.clone();
        letters.sort_by_key(|letter| (letter.topic, letter.offset, letter.part));
        letters
    };
    for reason in ["not_json", "late"] {
        let count = clean.letters.iter().filter(|letter| letter.reason == reason).count();
        assert!(count > 10, "{count} letters of what is {reason}");
    }
    assert!(last(&clean)[0].duplicates > 10, "{:?}", last(&clean));
    assert_eq!(letters(&clean), letters(&broken));
}

/// The same logs with garbage in them, with records that are there twice, and with some that come hours later once more.
fn salted(mut world: World) -> World {
    for log in &mut world.topics {
        let clean = std::mem::take(log);
        for (number, (time, value)) in clean.iter().enumerate() {
            log.push((*time, value.clone()));
            match number % 60 {
                20 => log.push((*time, b"{no event".to_vec())),
                30 => log.push((*time, value.clone())),
                40 if number > 400 => log.push((*time, clean[number - 400].1.clone())),
                _ => {}
            }
        }
    }
    world
}

/// What is known of the reference at a tick is read before the tick closes, however late it is delivered, and whoever
/// took the lane up had read less of it than its former owner.
#[test]
fn a_tick_waits_until_what_was_appended_before_it_has_been_read() {
    let world = world(3);
    let began = Timestamp::from_millis(1_767_567_600_000) + Millis::hours(12);
    let kill = |commit| Fault { commit, persisted: true, kills: true, stops: false };
    let delivered = run_since(&world, began, &[13, 700, 61, 5], &[kill(4), kill(9), kill(30)]);
    assert!(delivered.opened > 3, "{} owners", delivered.opened);
    let genesis = &delivered.journal[0].genesis;
    let mut moved = 0;
    for record in delivered.journal.iter().filter(|record| record.pins.is_some()) {
        let (end, pins) = (record.tick_end.unwrap(), record.pins.as_ref().unwrap());
        for kind in reference::Kind::ALL {
            let appended = |row: &&ReferenceRecord| row.kind == kind.name() && row.append_time < end.max(began);
            let there = world.reference.iter().filter(appended).count() as i64;
            assert_eq!(pins.get(kind, 0), Offset(there), "{kind:?} at {end:?}");
            moved += usize::from(pins.get(kind, 0) > genesis.get(kind, 0));
        }
    }
    assert!(moved > 500, "{moved} pins behind genesis");
}

#[test]
fn a_reference_that_was_cut_since_a_lane_read_it_is_refused() {
    let mut world = world(3);
    let stored = Arc::new(Mutex::new(Stored::default()));
    let kill = Fault { commit: 4, persisted: true, kills: true, stops: false };
    own(&world, Feed::whole(&world), &[500], &[kill], &stored).unwrap_err();
    let cut = world.reference.iter().rposition(|row| row.kind == "relations").unwrap();
    world.reference.remove(cut);
    let told = own(&world, Feed::whole(&world), &[500], &[], &stored).unwrap_err().to_string();
    for part in ["reference `relations` partition 0", "lane 0 has read it to offset", "was cut or created anew"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_lane_that_may_need_what_was_compacted_away_is_refused_unless_that_will_do() {
    let world = world(3);
    let began = Timestamp::from_millis(1_767_567_600_000) + Millis::hours(1);
    let stored = Arc::new(Mutex::new(Stored::default()));
    let kill = Fault { commit: 4, persisted: true, kills: true, stops: false };
    own(&world, Feed::since(&world, began, false), &[500], &[kill], &stored).unwrap_err();
    let tick = stored.lock().unwrap_or_else(PoisonError::into_inner).journal.last().unwrap().tick_end.unwrap();
    let end = world.topics[0].last().unwrap().0;
    let next = world.reference.iter().map(|row| row.append_time).filter(|time| *time >= tick).min().unwrap();
    assert!(next < end, "no row is appended between the tick and the end of the world");
    let again = |whole_since| Feed { whole_since, ..Feed::since(&world, Timestamp::MAX, true) };
    let told = own(&world, again(next + Millis(1)), &[500], &[], &stored).unwrap_err().to_string();
    assert!(told.contains("lane 0 stands at") && told.contains("--compacted-reference"), "{told}");
    // What was replaced before the tick was so when the lane was there, and what was replaced later is all there still.
    own(&world, again(next), &[500], &[], &stored).unwrap();
}

#[test]
fn state_of_another_pipeline_is_refused_by_what_differs() {
    let world = world(3);
    let stored = Arc::new(Mutex::new(Stored::default()));
    let kill = Fault { commit: 2, persisted: true, kills: true, stops: false };
    own(&world, Feed::whole(&world), &[500], &[kill], &stored).unwrap_err();
    let mine = stored.lock().unwrap_or_else(PoisonError::into_inner).head[b"journal".as_slice()].clone();
    let record: JournalRecord = serde_json::from_slice(&mine).unwrap();
    let other = base::Digest([7; 32]);
    type Edit = fn(&mut features::Digests, base::Digest);
    let edits: [(&str, Edit); 4] = [
        ("specification", |digests, other| digests.spec = other),
        ("SQL", |digests, other| digests.sql = other),
        ("model", |digests, other| digests.model = other),
        ("engine", |digests, _| digests.engine = "chartwarden 0.0.9 state 1".to_owned()),
    ];
    for (what, edit) in edits {
        let mut record = record.clone();
        edit(&mut record.digests, other);
        let head = serde_json::to_vec(&record).unwrap();
        stored.lock().unwrap_or_else(PoisonError::into_inner).head.insert(b"journal".to_vec(), head);
        let told = own(&world, Feed::whole(&world), &[500], &[], &stored).unwrap_err();
        assert!(matches!(told, Error::OtherDefinitions { what: told, .. } if told == what), "{what}: {told}");
    }
}

/// Panes that one owner would have deleted are deleted by many, none of whom lives for an hour of events.
#[test]
fn owners_that_live_for_a_moment_leave_as_few_panes_as_one_that_stays() {
    let world = world(3);
    let kills: Vec<_> =
        (2..10_000).step_by(3).map(|commit| Fault { commit, persisted: true, kills: true, stops: false }).collect();
    let (one, many) = (run(&world, &[500], &[]), run(&world, &[500], &kills));
    let minutes = |stored: &Stored| stored.panes.keys().filter(|(tier, _)| *tier == Tier::Minute).count();
    assert!(many.opened > 30, "{} owners", many.opened);
    assert!(ticks(&many).len() > 4 * minutes(&one), "{} of {} ticks", minutes(&one), ticks(&many).len());
    assert!(minutes(&many) < minutes(&one) + 90, "{} panes of minutes, not {}", minutes(&many), minutes(&one));
}

#[test]
fn who_is_told_to_stop_while_a_commit_fails_opens_the_lane_once_more() {
    let world = world(3);
    for persisted in [false, true] {
        let stored = run(&world, &[100], &[Fault { commit: 4, persisted, stops: true, ..Fault::default() }]);
        assert_eq!(stored.opened, 2);
        assert!(stored.commits >= 4 && ticks(&stored).len() < 500, "{} ticks: it stopped", ticks(&stored).len());
    }
}

/// What a former owner reads that was stopped after the head, and continued when another had gone on.
struct Overtaken(Option<BTreeMap<Vec<u8>, Vec<u8>>>, Store);

impl LaneStore for Overtaken {
    fn head(&mut self) -> std::result::Result<BTreeMap<Vec<u8>, Vec<u8>>, PortError> {
        self.0.take().map_or_else(|| self.1.head(), Ok)
    }

    fn panes(&mut self, tier: Tier, first: Timestamp) -> std::result::Result<Vec<StoredPane>, PortError> {
        self.1.panes(tier, first)
    }

    fn commit(&mut self, transaction: Transaction) -> std::result::Result<(), PortError> {
        self.1.commit(transaction)
    }

    fn trim(&mut self, tier: Tier, first: Timestamp) -> std::result::Result<(), PortError> {
        self.1.trim(tier, first)
    }
}

#[test]
fn a_lane_that_went_on_elsewhere_while_it_was_read_is_lost_and_not_damaged() {
    let world = world(3);
    let stored = run(&world, &[500], &[]);
    let early = stored.early.clone();
    assert!(!early.is_empty() && early != stored.head, "{} records", stored.journal.len());
    let stored = Arc::new(Mutex::new(stored));
    let open = |head: Option<BTreeMap<_, _>>| {
        let store = Overtaken(head, Store { stored: Arc::clone(&stored), faults: Vec::new() });
        let start = [Offset(0); 2];
        Worker::open(LaneId(0), &world.spec, &world.keys, Box::new(store), 1, &start, Pins::default(), None).map(drop)
    };
    open(None).unwrap();
    let told = open(Some(early)).unwrap_err();
    assert!(matches!(told, Error::Port(PortError::Fenced(_))), "{told}");
    // Where nobody has gone on, what does not fit is damage. The first panes may be ones that are only not deleted yet.
    stored.lock().unwrap().panes.pop_last();
    let told = open(None).unwrap_err();
    assert!(matches!(told, Error::Features(_)), "{told}");
}

#[test]
fn a_state_that_stands_elsewhere_does_not_renew_a_lane() {
    let world = world(3);
    let stored = run(&world, &[500], &[]);
    let former = |head: &BTreeMap<_, _>| crate::Former::read(LaneId(0), head.clone()).unwrap().unwrap();
    let state = crate::State { head: stored.head.clone(), panes: stored.panes.clone(), ..crate::State::default() };
    let (now, early) = (former(&stored.head), former(&stored.early));
    assert!(now.is_of(&world.spec));
    let renewed = now.renewed(&world.spec, &world.keys, state.clone(), None).unwrap();
    let record: JournalRecord = serde_json::from_slice(&renewed.journal[0].value).unwrap();
    assert_eq!((record.sequence, record.epoch), (now.record().sequence + 1, 1));
    assert_eq!(record.topics, now.record().topics, "it reads on where the lane stood");
    for (former, state) in [(&early, state), (&now, crate::State::default())] {
        let told = former.renewed(&world.spec, &world.keys, state, None).unwrap_err();
        assert!(matches!(told, Error::Renewal { .. }), "{told}");
    }
    // A journal with other fields is damaged, or of another version, and says which.
    let text = String::from_utf8(stored.head[b"journal".as_slice()].clone()).unwrap();
    let unread = |text: String| {
        let head = BTreeMap::from([(b"journal".to_vec(), text.into_bytes())]);
        crate::Former::read(LaneId(0), head).unwrap_err().to_string()
    };
    let fewer = text.replace("\"reading\"", "\"other\"");
    assert!(unread(fewer.clone()).contains("reading"), "{}", unread(fewer));
    let older = unread(fewer.replace(crate::ENGINE, "chartwarden 0.0.9 state 1"));
    assert!(older.contains("written by `chartwarden 0.0.9 state 1`") && older.contains("state_prefix"), "{older}");
    // What was read under other limits is not what this pipeline would have read.
    let mut other = stored.head.clone();
    let mut record = now.record().clone();
    record.digests.reading = record.digests.sql;
    other.insert(b"journal".to_vec(), serde_json::to_vec(&record).unwrap());
    let told = former(&other).fits(&world.spec).unwrap_err().to_string();
    assert!(told.contains("lateness") && told.contains("state_prefix"), "{told}");
    // A pane less is noticed before anything is written.
    let mut state = crate::State { head: stored.head, panes: stored.panes, ..crate::State::default() };
    state.panes.pop_last();
    let told = now.renewed(&world.spec, &world.keys, state, None).unwrap_err();
    assert!(matches!(told, Error::Features(_)), "{told}");
}

#[test]
fn watches_that_come_and_go_leave_those_that_stay_with_their_cases() {
    let world = world(3);
    let stored = run(&world, &[500], &[]);
    let mut record = crate::Former::read(LaneId(0), stored.head).unwrap().unwrap().record().clone();
    // One watch was there, and the pipeline has two.
    record.topics.truncate(1);
    let case = |name: &str| ([b"case/", name.as_bytes()].concat(), b"a case".to_vec());
    let head = BTreeMap::from([
        (b"journal".to_vec(), serde_json::to_vec(&record).unwrap()),
        case("address/a1:x"),
        case("workstation/w1:x"),
    ]);
    let former = crate::Former::read(LaneId(0), head).unwrap().unwrap();
    let start = [Offset(7), Offset(9)];
    let renewed = former.renewed_watches(&world.spec, &start).unwrap();
    let now: JournalRecord = serde_json::from_slice(&renewed.journal[0].value).unwrap();
    assert_eq!(now.topics.iter().map(|topic| topic.resume).collect::<Vec<_>>(), start);
    assert_eq!((now.tick_end, now.sequence, now.epoch), (record.tick_end, record.sequence + 1, 1));
    assert_eq!(now.carried.unwrap().into_keys().collect::<Vec<_>>(), ["address/a1:x"]);
    let gone: Vec<_> = renewed.head.into_iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect();
    assert_eq!(gone, [b"case/workstation/w1:x"]);
}

#[test]
fn what_runs_ahead_is_held_and_never_what_is_waited_for() {
    let mut world = world(3);
    // Sign-ins come one by one, so that accesses run ahead of them; at the end both are there.
    let last = world.topics[0].last().unwrap().0 + Millis::hours(1);
    let (_, json) = world.topics[1].last().unwrap().clone();
    world.topics[1].push((last, json));
    let stored = run(&world, &[200, 1], &[]);
    assert!(stored.held.iter().filter(|(topic, _)| *topic == 0).count() > 3, "{:?}", stored.held);
    for (topic, ahead) in &stored.held {
        assert!(*ahead > Millis(0), "topic {topic} was held {ahead} behind the other");
    }
    // How far it gets: to the limit, and what one poll brings.
    let furthest = stored.held.iter().map(|(_, ahead)| *ahead).max().unwrap();
    assert!(furthest.0 < AHEAD_MAX.0 + Millis::hours(6).0, "{furthest}");
    let counts = &stored.journal.last().unwrap().counts;
    assert!(counts[0].read > 1_000 && counts.iter().all(features::Counts::balance), "{counts:?}");
}

#[test]
fn a_lane_with_ticks_to_close_reads_on_when_few_rows_wait_for_them() {
    let stored = run(&world(3), &[97, 20], &[]);
    let read: u64 = stored.journal.last().unwrap().counts.iter().map(|counts| counts.read).sum();
    // What one poll brings comes on top, and what the lateness keeps open anyway.
    assert!(stored.open_most < OPEN_ROWS_DUE + 500 && read > 2_000, "{} of {read}", stored.open_most);
}

/// A nurse's day: a patient of her ward, a colleague's chart at night from outside, a search, a print.
fn a_nurses_day() -> World {
    let at =
        |text: &str| text.parse::<jiff::Timestamp>().map(|time| Timestamp::from_millis(time.as_millisecond())).unwrap();
    let access = |time: &str, rest: &str| {
        let json = format!(r#"{{"id":"a-{time}","time":"{time}","user":"n1","outcome":"success",{rest}}}"#);
        (at(time), json.into_bytes())
    };
    let accesses = vec![
        access("2026-01-05T08:00:10Z", r#""patient":"p1","action":"read","workstation":"ws1""#),
        access("2026-01-05T08:00:40Z", r#""patient":"p1","action":"update","workstation":"ws1""#),
        access("2026-01-05T08:07:00Z", r#""action":"search","search":"Berg","results":0,"workstation":"ws1""#),
        access("2026-01-05T08:07:20Z", r#""patient":"p2","action":"read","workstation":"ws1""#),
        access("2026-01-05T08:07:20Z", r#""patient":"p2","action":"read","workstation":"ws1""#),
        access("2026-01-05T22:30:00Z", r#""patient":"p2","action":"print","bytes":5000,"address":"203.0.113.7""#),
        access("2026-01-05T23:30:00Z", r#""patient":"p1","action":"read","workstation":"ws1""#),
    ];
    let sign_in = |time: &str, outcome: &str| {
        let json = format!(
            r#"{{"id":"s-{time}","time":"{time}","user":"n1","activity":"logon","outcome":"{outcome}","address":"203.0.113.7","country":"AT","device":"d1"}}"#
        );
        (at(time), json.into_bytes())
    };
    let sign_ins = vec![
        sign_in("2026-01-05T08:00:00Z", "success"),
        sign_in("2026-01-05T22:28:00Z", "failure"),
        sign_in("2026-01-05T22:29:00Z", "success"),
        sign_in("2026-01-05T23:40:00Z", "success"),
    ];
    let row = |kind, offset, json: &str| ReferenceRecord {
        kind,
        partition: 0,
        offset: Offset(offset),
        append_time: at("2026-01-01T00:00:00Z"),
        value: Some(json.as_bytes().to_vec()),
    };
    let reference = vec![
        row(
            "staff",
            0,
            r#"{"user":"n1","role":"nurse","unit":"w1","shift":"day","hired":"2020-02-01","valid_from":"2020-02-01"}"#,
        ),
        row(
            "staff",
            1,
            r#"{"user":"n2","role":"nurse","unit":"w2","patient":"p2","hired":"2021-02-01","valid_from":"2021-02-01"}"#,
        ),
        row("patients", 0, r#"{"patient":"p1","unit":"w1","insurer":"i1","valid_from":"2026-01-01"}"#),
        row("patients", 1, r#"{"patient":"p2","staff_user":"n2","insurer":"i2","valid_from":"2026-01-01"}"#),
        row(
            "relations",
            0,
            r#"{"id":"r1","kind":"encounter","patient":"p1","unit":"w1","from":"2026-01-04","valid_from":"2026-01-04"}"#,
        ),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach");
    World {
        topics: [accesses, sign_ins],
        reference,
        spec: PipelineSpec::load(&folder, ModelUse::Record).unwrap_or_else(|problems| panic!("{problems}")),
        keys: Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap()),
    }
}

#[test]
fn features_of_a_nurses_day_are_the_golden_ones() {
    let stored = run(&a_nurses_day(), &[3], &[]);
    let mut told = String::new();
    for message in &stored.results {
        for rows in StreamReader::try_new(message.value.as_slice(), None).unwrap() {
            let rows = rows.unwrap();
            for row in 0..rows.num_rows() {
                told += &format!("{}\n", String::from_utf8_lossy(&message.key));
                for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
                    let value = array_value_to_string(column, row).unwrap();
                    // What is nothing is left out.
                    if !["", "0", "0.0", "false"].contains(&value.as_str()) {
                        told += &format!("  {} {value}\n", field.name());
                    }
                }
            }
        }
    }
    expect_test::expect_file!["../../golden/nurses_day.txt"].assert_eq(&told);
}
