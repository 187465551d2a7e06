//! A house in several lanes: what they share makes them say what one lane would, and a lane that is away holds the others
//! up, but loses and changes nothing.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::atomic::AtomicI64;

use base::Clock;

use super::*;
use crate::ports::SharesInMemory;

pub(super) mod silence;

/// Midnight in the house, where [`world`] begins.
const START: i64 = 1_767_567_600_000;

pub(super) type Log = Vec<(Timestamp, Vec<u8>)>;

/// A clock that goes on with every look.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1_000, Ordering::Relaxed))
    }

    fn time_of_day(&self) -> Option<Timestamp> {
        Some(Timestamp::from_millis(self.0.load(Ordering::Relaxed)))
    }
}

/// The house of [`world`], its users spread over lanes.
pub(super) fn split(world: &World, lanes: usize) -> Vec<[Log; 2]> {
    let mut logs = vec![[Log::new(), Log::new()]; lanes];
    for (topic, log) in world.topics.iter().enumerate() {
        for (time, value) in log {
            let event: serde_json::Value = serde_json::from_slice(value).unwrap();
            let user = event["user"].as_str().unwrap();
            let lane = user.bytes().map(usize::from).sum::<usize>() % lanes;
            logs[lane][topic].push((*time, value.clone()));
        }
    }
    logs
}

/// What lanes committed.
#[derive(Default)]
pub(super) struct Kept {
    results: Vec<Message>,
    pub(super) crossings: Vec<(TopicId, LaneId, Message)>,
    letters: Vec<DeadLetter>,
    last: BTreeMap<LaneId, Timestamp>,
    journal: BTreeMap<LaneId, Vec<JournalRecord>>,
    shares: VecDeque<StoredPane>,
}

struct LaneOfMany {
    lane: LaneId,
    kept: Arc<Mutex<Kept>>,
    shares: SharesInMemory,
}

impl LaneStore for LaneOfMany {
    fn head(&mut self) -> std::result::Result<BTreeMap<Vec<u8>, Vec<u8>>, PortError> {
        Ok(BTreeMap::new())
    }

    fn panes(&mut self, _: Tier, _: Timestamp) -> std::result::Result<Vec<StoredPane>, PortError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, transaction: Transaction) -> std::result::Result<(), PortError> {
        self.shares.keep(self.lane, &transaction);
        let mut kept = self.kept.lock().unwrap();
        kept.results.extend(transaction.results);
        kept.crossings.extend(transaction.crossings);
        kept.letters.extend(transaction.dead_letters);
        let shares = transaction.panes.into_iter().filter(|(tier, _)| *tier == Tier::Shared);
        kept.shares.extend(shares.map(|(_, share)| share));
        for message in &transaction.journal {
            let record: JournalRecord = serde_json::from_slice(&message.value).unwrap();
            record.tick_end.map(|end| kept.last.insert(self.lane, end));
            kept.journal.entry(self.lane).or_default().push(record);
        }
        Ok(())
    }

    fn trim(&mut self, _: Tier, _: Timestamp) -> std::result::Result<(), PortError> {
        Ok(())
    }
}

/// How lanes are handed out and read.
#[derive(Default)]
pub(super) struct Plan {
    /// At which poll each lane comes; the last of them may be another process's.
    comes: Vec<u32>,
    /// What that process's lane shares.
    elsewhere: VecDeque<StoredPane>,
    /// Nothing of the last lane is there while the first stands within these times, and then nothing of the others until
    /// it has caught up.
    silent: Option<Range<Timestamp>>,
    /// How long lanes wait for each other.
    timeout: Option<Millis>,
    /// What a replay is to follow.
    journal: Option<BTreeMap<LaneId, Vec<JournalRecord>>>,
    /// The broker does not answer.
    is_away: bool,
}

/// A plan in which every lane comes at once.
pub(super) fn plain(lanes: usize) -> Plan {
    Plan { comes: vec![1; lanes], ..Plan::default() }
}

struct Lanes<'a> {
    logs: &'a [[Log; 2]],
    plan: Plan,
    polls: u32,
    next: BTreeMap<LaneId, [usize; 2]>,
    held: BTreeSet<(LaneId, TopicId)>,
    kept: Arc<Mutex<Kept>>,
    shares: SharesInMemory,
}

impl Source for Lanes<'_> {
    fn poll(&mut self, _: Duration) -> std::result::Result<Vec<Wake>, PortError> {
        self.polls += 1;
        let come = (0..).map(LaneId).zip(&self.plan.comes).filter(|(_, poll)| **poll == self.polls);
        let come: Vec<LaneId> = come.map(|(lane, _)| lane).collect();
        if !come.is_empty() {
            return Ok(vec![Wake::Assigned(come)]);
        }
        let mut wakes = Vec::new();
        let mut left = !self.plan.elsewhere.is_empty() || self.plan.comes.iter().any(|poll| *poll > self.polls);
        let last = LaneId(self.logs.len() as u32 - 1);
        let stands = |lane| self.kept.lock().unwrap().last.get(&lane).copied();
        let (silent, others) = match (&self.plan.silent, stands(LaneId(0)), stands(last)) {
            (Some(silent), Some(first), last) => {
                (silent.contains(&first), first >= silent.end && last < Some(silent.end))
            }
            _ => (false, false),
        };
        for (lane, next) in &mut self.next {
            let nothing = if *lane == last { silent } else { others };
            if nothing {
                left = true;
                continue;
            }
            for (topic, log) in self.logs[lane.0 as usize].iter().enumerate() {
                let id = TopicId(topic as u8);
                left |= next[topic] < log.len();
                if self.held.contains(&(*lane, id)) {
                    continue;
                }
                let end = (next[topic] + 40).min(log.len());
                let mut records = Records::default();
                for (offset, (time, value)) in log.iter().enumerate().take(end).skip(next[topic]) {
                    let (offset, append_time) = (Offset(offset as i64), *time);
                    let headers = [("trace".to_owned(), Some(b"t1".to_vec()))];
                    let (key, value) = (Some(b"somebody".as_slice()), Some(value.as_slice()));
                    records.push(Record { offset, append_time, key, value, headers: &headers });
                }
                next[topic] = end;
                if !records.is_empty() {
                    wakes.push(Wake::Records { lane: *lane, topic: id, records });
                }
            }
        }
        if !left {
            wakes.push(Wake::Exhausted);
        }
        Ok(wakes)
    }

    fn open(&mut self, lane: LaneId) -> std::result::Result<Box<dyn LaneStore>, PortError> {
        Ok(Box::new(LaneOfMany { lane, kept: Arc::clone(&self.kept), shares: self.shares.clone() }))
    }

    fn log_start(&mut self, _: LaneId) -> std::result::Result<Vec<Offset>, PortError> {
        Ok(vec![Offset(0); 2])
    }

    fn start(&mut self, lane: LaneId, _: &[Offset]) -> std::result::Result<(), PortError> {
        self.next.insert(lane, [0; 2]);
        Ok(())
    }

    fn set_flow(&mut self, lane: LaneId, topic: TopicId, flow: Flow) -> std::result::Result<(), PortError> {
        match flow {
            Flow::Hold => self.held.insert((lane, topic)),
            Flow::Read => self.held.remove(&(lane, topic)),
        };
        Ok(())
    }

    fn at_end(&self, lane: LaneId, topic: TopicId) -> Option<Offset> {
        self.logs[lane.0 as usize][topic.index()].is_empty().then_some(Offset(0))
    }

    fn answers(&self, _: LaneId, _: TopicId) -> bool {
        !self.plan.is_away
    }

    fn shares(&mut self) -> std::result::Result<Vec<(LaneId, StoredPane)>, PortError> {
        /// Longer than it takes to decide that a topic is idle.
        const EVERY: u32 = 1_000;
        let mut told = self.shares.take();
        if self.polls.is_multiple_of(EVERY) {
            let last = LaneId(self.logs.len() as u32 - 1);
            told.extend(self.plan.elsewhere.pop_front().map(|share| (last, share)));
        }
        Ok(told)
    }

    fn lane_count(&self) -> u32 {
        self.logs.len() as u32
    }

    fn journal(&mut self, lane: LaneId) -> std::result::Result<Option<Vec<JournalRecord>>, PortError> {
        Ok(self.plan.journal.as_mut().and_then(|journal| journal.remove(&lane)))
    }

    fn lag(&self, _: LaneId, _: TopicId) -> Option<u64> {
        None
    }
}

/// Runs lanes as planned; `look` sees after each turn what was committed, and the metrics.
pub(super) fn run_lanes(world: &World, logs: &[[Log; 2]], plan: Plan, mut look: impl FnMut(&Kept, &Metrics)) -> Kept {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let timeout = plan.timeout;
    let mut lanes = Lanes {
        logs,
        plan,
        polls: 0,
        next: BTreeMap::new(),
        held: BTreeSet::new(),
        kept: Arc::clone(&kept),
        shares: SharesInMemory::default(),
    };
    let mut feed = Feed::whole(world);
    let (metrics, progress) = (Metrics::new(&world.spec).unwrap(), Progress::default());
    // Everything was appended before.
    let today = START + Millis::days(365).0;
    let (keys, clock) = (Arc::clone(&world.keys), Ticking(AtomicI64::new(today)));
    let engine = Engine::new(&world.spec, keys, &mut lanes, &mut feed, &clock, &metrics, &progress);
    let mut engine = engine.with_shares_timeout(timeout);
    while !engine.exhausted || engine.has_ticks() {
        engine.step().unwrap();
        look(&kept.lock().unwrap(), &metrics);
    }
    drop(engine);
    drop(lanes);
    Arc::into_inner(kept).unwrap().into_inner().unwrap()
}

/// Rows of users as text, by tick and user, up to a tick; and how many of them have something of their peers.
fn rows(kept: &Kept, until: Timestamp) -> (BTreeMap<(i64, String), String>, usize) {
    rows_with(kept, until, |cell| !cell("unexplained_vs_peers").is_empty())
}

/// The same, and of how many something holds of their cells.
fn rows_with(
    kept: &Kept,
    until: Timestamp,
    mut holds: impl FnMut(&dyn Fn(&str) -> String) -> bool,
) -> (BTreeMap<(i64, String), String>, usize) {
    let (mut rows, mut held) = (BTreeMap::new(), 0);
    each_row(&kept.results, "features", until, |end, batch, row| {
        let shown = |column: usize| array_value_to_string(batch.column(column), row).unwrap();
        let cell = |name: &str| shown(batch.schema().index_of(name).unwrap());
        let text: Vec<String> = (0..batch.num_columns()).map(shown).collect();
        held += usize::from(holds(&cell));
        assert!(rows.insert((end.millis(), cell("user_key")), text.join(" ")).is_none(), "a row is there twice");
    });
    (rows, held)
}

/// Looks at every row of a stream up to a tick: the tick's end, and where the row stands.
pub(super) fn each_row(
    results: &[Message],
    stream: &str,
    until: Timestamp,
    mut look: impl FnMut(Timestamp, &RecordBatch, usize),
) {
    for message in results {
        let key = std::str::from_utf8(&message.key).unwrap();
        let Some((_, end)) = key.split_once('/').filter(|(name, _)| *name == stream) else { continue };
        let end = Timestamp::from_millis(end.parse().unwrap());
        if end > until {
            continue;
        }
        for batch in StreamReader::try_new(message.value.as_slice(), None).unwrap() {
            let batch = batch.unwrap();
            (0..batch.num_rows()).for_each(|row| look(end, &batch, row));
        }
    }
}

#[test]
fn a_house_in_three_lanes_says_what_it_says_in_one() {
    let world = world(6);
    let one = run_lanes(&world, &split(&world, 1), plain(1), |_, _| {});
    let three = run_lanes(&world, &split(&world, 3), plain(3), |_, _| {});
    let until = three.last.values().chain(one.last.values()).copied().min().unwrap();
    let keys = one.results.iter().map(|message| &message.key);
    let cut = one.results.len() - keys.collect::<BTreeSet<_>>().len();
    let ((one, with_peers), (three, _)) = (rows(&one, until), rows(&three, until));
    assert!(one.len() > 2_000 && with_peers > 500, "{} rows, {with_peers} with peers", one.len());
    assert!(cut > 10, "{cut} steps with more rows than a record holds");
    let differs = one.iter().zip(&three).find(|(a, b)| a != b);
    assert!(differs.is_none() && one.len() == three.len(), "{} and {} rows, {differs:#?}", one.len(), three.len());
}

/// Speaks on a topic of the house: who, how long after its beginning, and the rest of the event.
pub(super) fn speak<'a>(world: &mut World, topic: usize, events: impl IntoIterator<Item = (&'a str, Millis, &'a str)>) {
    for (user, after, rest) in events {
        let time = Timestamp::from_millis(START) + after;
        let event = format!(r#"{{"id":"{user}-{}","time":{},"user":"{user}",{rest}}}"#, after.0, time.millis());
        let place = world.topics[topic].partition_point(|(at, _)| *at <= time);
        world.topics[topic].insert(place, (time, event.into_bytes()));
    }
}

/// Everybody who signs in, by name.
pub(super) fn names(world: &World) -> Vec<String> {
    let name = |(_, event): &(Timestamp, Vec<u8>)| {
        let event: serde_json::Value = serde_json::from_slice(event).unwrap();
        event["user"].as_str().unwrap().to_owned()
    };
    world.topics[1].iter().map(name).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn who_gets_in_from_an_address_that_shut_out_many_is_told_from_the_day_after_next_on() {
    let mut world = world(6);
    let names = names(&world);
    let failed = r#""activity":"logon","outcome":"failure","address":"203.0.113.9""#;
    let succeeded = r#""activity":"logon","outcome":"success","address":"203.0.113.9""#;
    // One account every two hours on the second day, the first of them on the third as well; then somebody's password fits,
    // and a day later another's, and another's.
    let tries = (0..9).map(|n| (n, 25 + 2 * n as i64, failed)).chain([(0, 2 * 24 + 1, failed)]);
    let entries = [(10, 2 * 24 + 12), (11, 3 * 24 + 12), (12, 4 * 24 + 12)].map(|(n, hours)| (n, hours, succeeded));
    speak(&mut world, 1, tries.chain(entries).map(|(n, hours, rest)| (&*names[n], Millis::hours(hours), rest)));
    for lanes in [1, 3] {
        let kept = run_lanes(&world, &split(&world, lanes), plain(lanes), |_, _| {});
        let told = |hours: i64| {
            let mut accounts = BTreeMap::new();
            rows_with(&kept, Timestamp::from_millis(START) + Millis::hours(hours), |cell| {
                let told = cell("rule_sprayed_address") == "true";
                accounts.extend(told.then(|| (cell("user_key"), cell("address_shut_out_24h"))));
                told
            });
            accounts.into_values().collect::<Vec<_>>()
        };
        assert!(told(3 * 24 + 12).is_empty(), "on the third day nobody goes by the second yet");
        assert_eq!(told(4 * 24), ["9"], "{lanes} lanes: the one who got in on the fourth day, and nobody else");
        assert_eq!(told(5 * 24), ["9", "9"], "{lanes} lanes: an account that was tried on two days is one account");
    }
}

#[test]
fn what_is_refused_and_what_patients_and_machines_do_touches_no_chart() {
    let opened = |rest: &str| format!(r#""patient":"nobodys-patient","action":"read",{rest}"#);
    let refused = opened(r#""outcome":"failure""#);
    let forced = opened(r#""outcome":"failure","break_glass":true"#);
    let patient = opened(r#""outcome":"success","actor":"patient""#);
    let machine = opened(r#""outcome":"success","actor":"system""#);
    let staff = opened(r#""outcome":"success""#);
    for (rest, charts) in [(refused, 0), (forced, 0), (patient, 0), (machine, 0), (staff, 1)] {
        let mut world = world(3);
        speak(&mut world, 0, [("e-stranger", Millis::hours(30), &*rest)]);
        let kept = run_lanes(&world, &split(&world, 1), plain(1), |_, _| {});
        let chart = world.keys.patient("nobodys-patient");
        let mut pairs = 0;
        each_row(&kept.results, "pair_features", Timestamp::MAX, |_, batch, row| {
            let cell = array_value_to_string(batch.column_by_name("patient_key").unwrap(), row).unwrap();
            pairs += usize::from(cell == chart);
        });
        let user = world.keys.user("e-stranger");
        let counted = ["patients_24h", "unexplained_24h", "still_unexplained_24h", "overrides_uncharted_24h"];
        let mut most = [0, 0, 0, 0];
        each_row(&kept.results, "features", Timestamp::MAX, |_, batch, row| {
            let cell = |name| array_value_to_string(batch.column_by_name(name).unwrap(), row).unwrap();
            if cell("user_key") == user {
                let now = counted.map(|name| cell(name).parse::<i64>().unwrap());
                most = std::array::from_fn(|place| most[place].max(now[place]));
            }
        });
        assert_eq!((pairs.min(1), most), (charts, [charts as i64, charts as i64, charts as i64, 0]), "{rest}");
    }
}

#[test]
fn how_often_the_house_opened_a_chart_without_a_reason_is_told_from_the_day_after_next_on() {
    let mut world = world(6);
    let names = names(&world);
    let opened = |action: &str| format!(r#""patient":"nobodys-patient","action":"{action}","outcome":"success""#);
    let (read, wrote) = (opened("read"), opened("create"));
    // Five on the second day, two of whom write; one of them on the third day as well; and one on each day after.
    let acts = [(0, 25, &wrote), (1, 27, &read), (2, 29, &read), (3, 31, &wrote), (4, 33, &read), (1, 50, &read)];
    let later = [(10, 2 * 24 + 12, &read), (11, 3 * 24 + 12, &read), (12, 4 * 24 + 12, &read)];
    let acts = acts.into_iter().chain(later);
    speak(&mut world, 0, acts.map(|(n, hours, rest)| (names[n].as_str(), Millis::hours(hours), rest.as_str())));
    let patient = world.keys.patient("nobodys-patient");
    for lanes in [1, 3] {
        let kept = run_lanes(&world, &split(&world, lanes), plain(lanes), |_, _| {});
        let mut told = BTreeMap::new();
        each_row(&kept.results, "pair_features", Timestamp::MAX, |_, batch, row| {
            let cell = |name| array_value_to_string(batch.column_by_name(name).unwrap(), row).unwrap();
            if cell("patient_key") == patient {
                told.insert(cell("user_key"), (cell("house_unexplained_days"), cell("house_written_days")));
            }
        });
        let of = |n: usize| told.get(&world.keys.user(&names[n])).map(|(days, written)| (&**days, &**written));
        let expected = [(4, Some(("0", "0"))), (10, Some(("0", "0"))), (11, Some(("5", "2"))), (12, Some(("7", "2")))];
        assert_eq!(expected.map(|(n, _)| (n, of(n))), expected, "{lanes} lanes");
    }
}

#[test]
fn a_lane_that_is_away_holds_the_others_up_for_a_day_and_changes_nothing() {
    let world = world(4);
    let logs = split(&world, 3);
    let all = run_lanes(&world, &logs, plain(3), |_, _| {});
    let first_day = Timestamp::from_millis(START) + Millis::days(1);
    let (mut held_at, mut waited) = (BTreeMap::new(), 0_i64);
    let late = run_lanes(&world, &logs, Plan { comes: vec![1, 1, 600], ..Plan::default() }, |kept, metrics| {
        if !kept.last.contains_key(&LaneId(2)) {
            held_at = kept.last.clone();
            let metrics = metrics.text();
            let wait =
                metrics.lines().find_map(|line| line.strip_prefix("chartwarden_shares_wait_seconds{lane=\"0\"} "));
            waited = wait.map_or(0, |seconds| seconds.parse().unwrap());
        }
    });
    // The day of the first tick and the one after it: what is shared of the day before the first is asked for by the latter.
    assert_eq!(held_at, BTreeMap::from([(LaneId(0), first_day), (LaneId(1), first_day)]));
    assert!(waited > 60, "waited for {waited} s");
    let until = all.last.values().chain(late.last.values()).copied().min().unwrap();
    assert!(until > first_day + Millis::days(2), "{until:?}");
    assert_eq!(rows(&all, until), rows(&late, until));
}

/// A process whose only lane is empty, and without any reference: what time it is, others' shares tell.
#[test]
fn a_process_with_nothing_but_an_empty_lane_goes_on_with_the_others() {
    let mut world = world(6);
    let whole = run_lanes(&world, &split(&world, 1), plain(1), |_, _| {});
    world.reference.clear();
    let nothing = [[Log::new(), Log::new()], [Log::new(), Log::new()]];
    let plan = Plan { comes: vec![1], elsewhere: whole.shares.clone(), ..Plan::default() };
    let empty = run_lanes(&world, &nothing, plan, |_, _| {});
    let newest = |kept: &Kept| kept.shares.back().map(|share| share.end);
    assert!(whole.shares.len() > 4 && newest(&whole) <= newest(&empty).map(|end| end + Millis::days(1)));
    assert!(empty.last[&LaneId(0)] <= whole.last[&LaneId(0)], "no clock but the broker's counts");
}

#[test]
fn after_a_timeout_lanes_go_by_what_was_shared_earlier_and_a_replay_does_the_same() {
    let world = world(16);
    let logs = split(&world, 3);
    let patient = run_lanes(&world, &logs, plain(3), |_, _| {});
    let day = |number| Timestamp::from_millis(START) + Millis::days(number);
    let (silent, timeout) = (Some(day(2)..day(13)), Some(Millis::hours(1)));
    let mut ahead = Millis(0);
    let hasty = run_lanes(&world, &logs, Plan { silent, timeout, ..plain(3) }, |kept, _| {
        if let (Some(first), Some(last)) = (kept.last.get(&LaneId(0)), kept.last.get(&LaneId(2))) {
            ahead = ahead.max(*first - *last);
        }
    });
    assert!(ahead > Millis::days(9), "a lane was {ahead} ahead of the one that was silent");
    let older = |kept: &Kept| kept.journal.values().flatten().filter(|record| record.shared.is_some()).count();
    let (none, some) = (older(&patient), older(&hasty));
    assert!(none == 0 && some > 500, "{none} and {some} ticks went by an older day");
    let last = &hasty.journal[&LaneId(0)].last().unwrap();
    assert_eq!(last.shared, None, "once the lane is back, the day is the right one again");
    let until = |a: &Kept, b: &Kept| a.last.values().chain(b.last.values()).copied().min().unwrap();
    let (all, _) = rows(&patient, until(&patient, &hasty));
    assert_ne!(all, rows(&hasty, until(&patient, &hasty)).0, "older facts are other facts");

    let followed = Plan { journal: Some(hasty.journal.clone()), ..plain(3) };
    let replayed = run_lanes(&world, &logs, followed, |_, _| {});
    assert_eq!(replayed.last, hasty.last);
    let results = |kept: &Kept| {
        let mut results: Vec<_> =
            kept.results.iter().map(|message| (message.key.clone(), message.value.clone())).collect();
        results.sort();
        results
    };
    assert!(results(&replayed) == results(&hasty), "a replay goes by the days that the journal names");
}
