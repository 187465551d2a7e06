//! What a lane does that closes no tick, and where silence sets its topics.

use super::*;

#[test]
fn a_record_of_many_late_parts_goes_out_once_with_a_letter_for_each() {
    let world = world(4);
    let mut logs = split(&world, 1);
    let late = |id: u32| {
        format!(
            r#"{{"id":"late-{id}","time":{START},"user":"somebody","patient":"p","action":"read","outcome":"success"}}"#
        )
    };
    let record = format!("[{},{},{}]", late(0), late(1), late(2)).into_bytes();
    let place = logs[0][0].len() / 2;
    let time = logs[0][0][place].0;
    logs[0][0].insert(place, (time, record.clone()));
    let kept = run_lanes(&world, &logs, plain(1), |_, _| {});
    let letters = kept.letters.iter().filter(|letter| letter.reason == "late" && letter.offset == Offset(place as i64));
    let (key, headers) = (b"somebody".as_slice(), [("trace".to_owned(), Some(b"t1".to_vec()))]);
    let told: Vec<_> = letters
        .map(|letter| {
            (letter.part, letter.key.as_deref(), letter.value.as_deref(), &*letter.headers, letter.record_with)
        })
        .collect();
    let further = |part| (part, None, None, [].as_slice(), Some(0));
    assert_eq!(told, [(0, Some(key), Some(record.as_slice()), headers.as_slice(), None), further(1), further(2)]);
}

/// A producer that ships nothing else closes no tick, and what it ships must be seen all the same.
#[test]
fn garbage_leaves_a_lane_although_none_of_its_ticks_closes() {
    let world = world(3);
    let garbage = vec![(Timestamp::from_millis(START), b"{no event".to_vec()); 400];
    let kept = run_lanes(&world, &[[garbage, Log::new()]], plain(1), |_, _| {});
    assert!(kept.last.is_empty() && kept.letters.len() > 100, "{} letters", kept.letters.len());
    let told = kept.letters.iter().map(|letter| (letter.offset.0, letter.reason));
    assert!(told.eq((0..kept.letters.len() as i64).map(|offset| (offset, "not_json"))), "each once, in order");
    let last = kept.journal[&LaneId(0)].last().unwrap();
    assert_eq!(last.topics[0].position, Offset(kept.letters.len() as i64));
    assert_eq!(last.counts[0].rejects, kept.letters.len() as u64);
}

/// A clock that stands until it is told to go on.
pub(crate) struct Standing(AtomicI64);

impl Standing {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.millis()))
    }

    pub(crate) fn go_on(&self, by: Millis) {
        self.0.fetch_add(by.0, Ordering::Relaxed);
    }
}

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn time_of_day(&self) -> Option<Timestamp> {
        Some(self.now())
    }
}

/// What is appended just then may be as late as the lateness allows: silence says no more than a record of that time would.
/// Nothing is silence while the broker is away.
#[test]
fn a_silent_topic_stands_as_if_something_had_come_of_when_it_fell_silent() {
    /// As far as looks at a topic may lie apart.
    const STEP: Millis = Millis::seconds(10);
    let world = world(3);
    let logs = [[world.topics[0][..30].to_vec(), Log::new()]];
    let times = world.reference.iter().map(|row| row.append_time).chain(logs[0][0].iter().map(|(time, _)| *time));
    let newest = times.max().unwrap();
    let (after, lateness) = (world.spec.idle_after(), world.spec.inputs()[1].lateness);
    assert!(after.0 % STEP.0 == 0 && lateness > Millis(0), "{after}, {lateness}");
    // The broker's time has gone on by as much as the topic was silent for.
    for (is_away, expected) in [(false, newest - lateness), (true, Timestamp::MIN)] {
        let plan = Plan { is_away, ..plain(1) };
        let (next, held) = (BTreeMap::new(), BTreeSet::new());
        let (kept, shares) = (Arc::default(), SharesInMemory::default());
        let mut lanes = Lanes { logs: &logs, plan, polls: 0, next, held, kept, shares };
        let (mut feed, clock) = (Feed::whole(&world), Standing::new(newest + Millis::days(365)));
        let (metrics, progress) = (Metrics::new(&world.spec).unwrap(), Progress::default());
        let keys = Arc::clone(&world.keys);
        let mut engine = Engine::new(&world.spec, keys, &mut lanes, &mut feed, &clock, &metrics, &progress);
        let stands = |engine: &Engine<'_>| engine.lanes[&LaneId(0)].worker.lane().walker(TopicId(1)).watermark();
        // The lane comes, and what there is of it; the first look at its topics is at the hour that the clock shows.
        (0..2).for_each(|_| engine.step().unwrap());
        for _ in 0..after.0 / STEP.0 {
            assert_eq!(stands(&engine), Timestamp::MIN, "not silent for long enough yet");
            clock.go_on(STEP);
            engine.step().unwrap();
        }
        assert_eq!(stands(&engine), expected, "away: {is_away}");
    }
}

/// Who restarts a process at night stops no clock: the lane goes on where silence had brought it, and others need not wait
/// for the next record.
#[test]
fn silence_goes_on_over_a_restart() {
    const STEP: Millis = Millis::seconds(10);
    const NIGHT: Millis = Millis::minutes(30);
    let mut world = world(3);
    world.topics[0].truncate(30);
    world.topics[1].clear();
    let times = world.reference.iter().map(|row| row.append_time).chain(world.topics[0].iter().map(|(time, _)| *time));
    let newest = times.max().unwrap();
    let stored = Arc::new(Mutex::new(Stored::default()));
    let mut stood = Vec::new();
    for owner in 0..2 {
        let mut logs = Logs { is_marked: true, ..logs(&world, &[97], &[], &stored) };
        let mut feed = Feed::since(&world, Timestamp::MAX, owner > 0);
        let clock = Standing::new(newest + Millis(owner * NIGHT.0));
        let (metrics, progress) = (Metrics::new(&world.spec).unwrap(), Progress::default());
        let keys = Arc::clone(&world.keys);
        let mut engine = Engine::new(&world.spec, keys, &mut logs, &mut feed, &clock, &metrics, &progress);
        for _ in 0..NIGHT.0 / STEP.0 {
            engine.step().unwrap();
            clock.go_on(STEP);
        }
        stood.push(engine.lanes[&LaneId(0)].worker.lane().watermark());
    }
    let half = Millis(NIGHT.0 / 2);
    assert!(stood[0] - newest > half && stood[1] - stood[0] > half, "{stood:?} after {newest:?}");
}
