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
use crate::limits::REOPEN_PAUSE;
use crate::ports::{DeadLetter, LaneStore, Message, PortError, ReferenceRecord, StoredPane, Tier, Transaction};
use crate::spec::ModelUse;
use crate::stopwatch::Stopwatch;

mod lanes;
mod nurse;
mod pace;
mod reference;
mod stored;
mod watches;

use self::reference::Feed;

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
    /// Since when its last owner waits to open it again.
    failed: Option<Stopwatch>,
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
        stored.failed = fault.filter(|fault| !fault.kills).map(|_| Stopwatch::start());
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
    /// After so many polls that bring records, the lane is taken away and given back with them; never where there are none.
    back_after: u32,
    /// A marker stands at the end of each topic, which is known, and is not that of a replay.
    is_marked: bool,
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
        // What is written while the lane waits to be opened again arrives when it is.
        let failed = stored.failed;
        if let Some(failed) = failed {
            std::thread::sleep((REOPEN_PAUSE + Duration::from_millis(20)).saturating_sub(failed.elapsed()));
        }
        let closed = stored.journal.last().map_or(0, |record| record.topics.iter().map(|topic| topic.resume.0).sum());
        self.open_most = self.open_most.max(self.next.iter().sum::<usize>() - closed as usize);
        drop(stored);
        let mut wakes = Vec::new();
        for topic in 0..2 {
            let piece = self.pieces.pop_front().unwrap_or(97);
            self.pieces.push_back(piece);
            let log = &self.topics[topic];
            let end = (self.next[topic] + piece).min(log.len());
            let is_held = self.flows[topic] == Flow::Hold && failed.is_none();
            if is_held || end == self.next[topic] {
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
        if wakes.is_empty() && !self.is_marked && (0..2).all(|topic| self.next[topic] == self.topics[topic].len()) {
            wakes.push(Wake::Exhausted);
        }
        if self.back_after > 0 && wakes.iter().any(|wake| matches!(wake, Wake::Records { .. })) {
            self.back_after -= 1;
            if self.back_after == 0 {
                wakes.extend([Wake::Revoked(vec![LaneId(0)]), Wake::Assigned(vec![LaneId(0)])]);
            }
        }
        Ok(wakes)
    }

    fn open(&mut self, _: LaneId) -> std::result::Result<Box<dyn LaneStore>, PortError> {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        (stored.opened, stored.failed) = (stored.opened + 1, None);
        drop(stored);
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

    fn at_end(&self, _: LaneId, topic: TopicId) -> Option<Offset> {
        let end = self.topics[topic.index()].len();
        (self.is_marked && self.next[topic.index()] == end).then_some(Offset(end as i64 + 1))
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

fn logs<'a>(world: &'a World, pieces: &[usize], faults: &[Fault], stored: &Arc<Mutex<Stored>>) -> Logs<'a> {
    Logs {
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
        back_after: 0,
        is_marked: false,
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
    let mut logs = logs(world, pieces, faults, stored);
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

/// More of them than wait for a tick, in a lane of nothing else.
#[test]
fn letters_without_a_tick_leave_once_although_an_answer_is_lost() {
    let mut world = world(3);
    let time = Timestamp::from_millis(1_767_567_600_000);
    world.topics = [vec![(time, b"{no event".to_vec()); 1_200], Vec::new()];
    for persisted in [false, true] {
        let stored = run(&world, &[600], &[Fault { commit: 2, persisted, ..Fault::default() }]);
        assert_eq!((ticks(&stored).len(), stored.opened), (0, 2));
        let offsets = stored.letters.iter().map(|letter| letter.offset.0);
        assert!(offsets.eq(0..1_200), "persisted: {persisted}, {} letters", stored.letters.len());
    }
}

#[test]
fn a_lane_that_is_opened_again_has_not_committed() {
    let world = world(3);
    let stored = Arc::new(Mutex::new(Stored::default()));
    let (metrics, progress) = (Metrics::new(&world.spec).unwrap(), Progress::default());
    let faults = [4, 5].map(|commit| Fault { commit, ..Fault::default() });
    let (mut logs, mut feed) = (logs(&world, &[100], &faults, &stored), Feed::whole(&world));
    let keys = Arc::clone(&world.keys);
    let mut engine = Engine::new(&world.spec, keys, &mut logs, &mut feed, &SystemClock, &metrics, &progress);
    let mut third = None;
    loop {
        engine.step().unwrap();
        match stored.lock().unwrap().commits {
            3 => third = engine.lanes.get(&LaneId(0)).map(|owned| owned.committed_at),
            0..3 | 4 => {}
            _ => break,
        }
    }
    // Opened twice since, and neither time did anything get through.
    assert!(third.is_some());
    assert_eq!(engine.last_commits.get(&LaneId(0)).copied(), third);
    assert!(
        metrics.text().contains("chartwarden_checkpoint_age_seconds{lane=\"0\"}"),
        "its age is told while it waits"
    );
}
