//! What a lane has stored, and who may go on with it: not another pipeline, not who was overtaken, not what does not fit.

use super::lanes::silence::Standing;
use super::*;

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

/// What was on its way to the former owner is not the next one's, who begins at another offset.
#[test]
fn a_lane_that_comes_straight_back_reads_again_what_was_on_its_way() {
    let world = world(3);
    let clean = run(&world, &[100], &[]);
    let stored = Arc::new(Mutex::new(Stored::default()));
    let (metrics, progress) = (Metrics::new(&world.spec).unwrap(), Progress::default());
    let (mut source, mut feed) = (logs(&world, &[100], &[], &stored), Feed::whole(&world));
    source.back_after = 5;
    let keys = Arc::clone(&world.keys);
    let mut engine = Engine::new(&world.spec, keys, &mut source, &mut feed, &SystemClock, &metrics, &progress);
    engine.run(&AtomicBool::new(false)).unwrap();
    drop(engine);
    drop(source);
    let stored = Arc::into_inner(stored).unwrap().into_inner().unwrap();
    assert_eq!(stored.opened, 2);
    assert_eq!(ticks(&stored), ticks(&clean));
    assert!(stored.results == clean.results, "what was on its way was taken twice, or out of its order");
    assert_eq!(stored.journal.last().unwrap().counts, clean.journal.last().unwrap().counts);
}

/// A decision stands at the end of the log, behind the marker of a transaction: no record brings whoever comes next there.
#[test]
fn what_was_decided_of_a_silent_topic_holds_for_its_next_owner() {
    let mut world = world(3);
    world.reference.clear();
    let start = Timestamp::from_millis(1_767_567_600_000) + Millis::seconds(30);
    let log = |minutes: i64, rest: &str| -> Vec<(Timestamp, Vec<u8>)> {
        let event = |minute: i64| {
            let time = start + Millis::minutes(minute);
            (time, format!(r#"{{"id":"{minute}","time":{},"user":"u",{rest}}}"#, time.millis()).into_bytes())
        };
        (0..=minutes).map(event).collect()
    };
    world.topics[0] = log(30, r#""patient":"p","action":"read","outcome":"success""#);
    world.topics[1] = log(10, r#""activity":"logon","outcome":"success""#);
    let stored = Arc::new(Mutex::new(Stored::default()));
    let clock = Standing::new(start + Millis::days(365));
    let (metrics, progress) = (Metrics::new(&world.spec).unwrap(), Progress::default());
    // Two minutes longer than it takes until anything is decided, and one look.
    let steps = (world.spec.idle_after().0 + Millis::minutes(2).0) / 10_000;
    let mut stood = Vec::new();
    for looks in [steps, 0] {
        let (mut source, mut feed) = (logs(&world, &[100], &[], &stored), Feed::whole(&world));
        source.is_marked = true;
        let keys = Arc::clone(&world.keys);
        let mut engine = Engine::new(&world.spec, keys, &mut source, &mut feed, &clock, &metrics, &progress);
        (0..2).for_each(|_| engine.step().unwrap());
        for _ in 0..looks {
            clock.go_on(Millis::seconds(10));
            engine.step().unwrap();
        }
        let walker = engine.lanes[&LaneId(0)].worker.lane().walker(TopicId(0));
        stood.push((walker.watermark(), walker.open_row_count()));
        // It is gone with everything that it had not committed.
    }
    let heard = start + Millis::minutes(30) - world.spec.inputs()[0].lateness;
    // Rows wait still, from which the next owner begins; nothing was silent for long enough in its own hearing.
    let (watermark, open_rows) = stood[0];
    assert!(watermark > heard && open_rows > 0, "{watermark:?} and {heard:?}, {open_rows} rows");
    assert_eq!(stood[1], stood[0]);
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
        case("door/w1:x"),
    ]);
    let former = crate::Former::read(LaneId(0), head).unwrap().unwrap();
    let start = [Offset(7), Offset(9)];
    let renewed = former.renewed_watches(&world.spec, &start).unwrap();
    let now: JournalRecord = serde_json::from_slice(&renewed.journal[0].value).unwrap();
    assert_eq!(now.topics.iter().map(|topic| topic.resume).collect::<Vec<_>>(), start);
    assert_eq!((now.tick_end, now.sequence, now.epoch), (record.tick_end, record.sequence + 1, 1));
    assert_eq!(now.carried.unwrap().into_keys().collect::<Vec<_>>(), ["address/a1:x"]);
    let gone: Vec<_> = renewed.head.into_iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect();
    assert_eq!(gone, [b"case/door/w1:x"]);
}
