//! One lane: commit, restore, fencing, the broker's death, trimming.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base::{Seed, Timestamp};
use chartwarden_tests::broker::{Broker, Network};
use engine::ports::{DeadLetter, LaneId, LaneStore, PortError, Source, StoredPane, Tier, Transaction};
use events::{Offset, TopicId};
use kafka::{Config, KafkaSource, Speaker, create_topic, read_committed, rekeyed_to, topic_ends};

use crate::support::{holding, numbered, numbers, pane, patient, pipeline, poll_until, speak, values};

const LANE: LaneId = LaneId(0);
/// Each costs a restart of the broker.
const MARKER_KILLS: u32 = 6;

#[test]
fn commits_are_read_back_committed_and_restored_to_the_high_watermark() {
    let config = pipeline(Broker::shared().bootstrap(), "commits", 2);
    let mut source = holding(&config, 2);
    let mut store = source.open(LANE).unwrap();
    for number in 1..=30 {
        store.commit(numbered(number)).unwrap();
    }
    for topic in ["commits.findings", "commits.results", "commits.journal"] {
        let mut found = numbers(&config, topic);
        found.sort_unstable(); // findings are spread over partitions by key
        assert_eq!(found, (1..=30).collect::<Vec<_>>(), "{topic}");
    }
    // Tools that tell lags ask the group.
    let stands = rekeyed_to(&config, &config.input_topics).unwrap();
    assert_eq!(stands.get(&("commits.access".to_owned(), 0)), Some(&Offset(30)));
    // The other lane's state is its own.
    assert!(source.open(LaneId(1)).unwrap().head().unwrap().is_empty());

    // The last offset is that of a transaction marker, which is no record: restore must not wait for one there.
    let mut next = source.open(LANE).unwrap();
    assert_eq!(next.head().unwrap()[b"journal".as_slice()], b"30");
    let panes = next.panes(Tier::Minute, Timestamp::from_millis(11 * 60_000)).unwrap();
    assert_eq!(panes, (11..=30).map(pane).collect::<Vec<_>>());
}

#[test]
fn a_zombie_is_fenced_and_nothing_of_it_is_visible() {
    let config = pipeline(Broker::shared().bootstrap(), "zombie", 1);
    let mut old = holding(&config, 1);
    let mut store = old.open(LANE).unwrap();
    store.commit(numbered(1)).unwrap();
    // Another group stands for a process that took the lane over while this one was stalled and noticed nothing.
    let other = Config { group: "zombie.other".to_owned(), ..config.clone() };
    let mut new = holding(&other, 1);
    let mut taken = new.open(LANE).unwrap();
    assert!(matches!(store.commit(numbered(666)), Err(PortError::Fenced(LANE))));
    assert!(store.commit(numbered(667)).is_err(), "a fenced store stays fenced");
    assert_eq!(taken.head().unwrap()[b"journal".as_slice()], b"1");
    taken.commit(numbered(2)).unwrap();
    for topic in ["zombie.findings", "zombie.journal", "zombie.results"] {
        assert_eq!(numbers(&config, topic), [1, 2], "{topic}");
    }
}

#[test]
fn the_broker_dies_in_the_middle_of_commits_and_each_is_there_once() {
    let broker = Arc::new(Broker::start().unwrap());
    let config = patient(broker.bootstrap(), "dies");
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    let (committed, back) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let killer = {
        let (broker, committed, back) = (Arc::clone(&broker), Arc::clone(&committed), Arc::clone(&back));
        thread::spawn(move || {
            while committed.load(Ordering::Acquire) < 20 {
                thread::yield_now();
            }
            broker.kill().unwrap();
            broker.restart().unwrap();
            back.store(true, Ordering::Release);
        })
    };
    // Commits go on through the kill, and for some more after it.
    let mut number = 0;
    let mut after = 0;
    while after < 5 {
        number += 1;
        match store.commit(numbered(number)) {
            Ok(()) => {}
            // What the commit before this one wrote hangs: the lane goes on from what is left of it.
            Err(PortError::Unavailable(_)) => {
                store = opened(&mut source);
                number = reached(&mut *store);
            }
            Err(error) => panic!("{error}"),
        }
        committed.store(number, Ordering::Release);
        after += i32::from(back.load(Ordering::Acquire));
    }
    killer.join().unwrap();
    for topic in ["dies.findings", "dies.journal", "dies.results"] {
        assert_eq!(numbers(&config, topic), (1..=number).collect::<Vec<_>>(), "{topic}");
    }
    let mut next = source.open(LANE).unwrap();
    assert_eq!(next.head().unwrap()[b"journal".as_slice()], number.to_string().into_bytes());
    assert_eq!(next.panes(Tier::Minute, Timestamp::MIN).unwrap(), (1..=number).map(pane).collect::<Vec<_>>());
}

/// A broker that dies between its answer to a commit and the markers may forget them (see `stable.rs` of crate
/// `kafka`). What follows here touches other topics, so that its marker would end only a part of what hangs.
#[test]
fn a_broker_that_dies_right_after_a_commit_leaves_all_of_it_or_nothing() {
    let broker = Broker::start().unwrap();
    let config = patient(broker.bootstrap(), "markers");
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    let (mut whole, mut small) = (Vec::new(), Vec::new());
    let mut last = 0;
    for round in 0..MARKER_KILLS {
        let (first, second) = (last + 1, last + 2);
        store.commit(numbered(first)).unwrap();
        // Markers are written within milliseconds: before, among and after them.
        thread::sleep(Duration::from_millis(u64::from(round)));
        broker.kill().unwrap();
        broker.restart().unwrap();
        let head_and_journal =
            Transaction { findings: Vec::new(), results: Vec::new(), panes: Vec::new(), ..numbered(second) };
        let followed = store.commit(head_and_journal);
        store = opened(&mut source);
        let now = reached(&mut *store);
        assert!(followed.is_err() || now == second, "transaction {second} was committed, and {now} is the last");
        assert!((last..=second).contains(&now), "{now} after {last}");
        whole.extend((now >= first).then_some(first));
        small.extend((now >= second).then_some(second));
        last = now;
    }
    let all: Vec<_> = whole.iter().chain(&small).copied().collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(numbers(&config, "markers.journal"), all);
    assert_eq!(numbers(&config, "markers.results"), whole);
    let mut findings = numbers(&config, "markers.findings");
    findings.sort_unstable();
    assert_eq!(findings, whole);
    let panes = opened(&mut source).panes(Tier::Minute, Timestamp::MIN).unwrap();
    assert_eq!(panes, whole.iter().copied().map(pane).collect::<Vec<_>>());
}

/// The number of the last transaction that counts.
fn reached(store: &mut dyn LaneStore) -> i64 {
    let head = store.head().unwrap();
    head.get(b"journal".as_slice()).map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap())
}

/// The lane's store, once the broker is ready for it.
fn opened(source: &mut KafkaSource) -> Box<dyn LaneStore> {
    for _ in 0..60 {
        source.poll(Duration::from_millis(100)).unwrap();
        match source.open(LANE) {
            Ok(store) => return store,
            Err(PortError::Unavailable(_)) => thread::sleep(Duration::from_millis(500)),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the lane could not be opened for 30 s");
}

#[test]
fn nothing_follows_a_commit_that_cannot_be_read_and_a_foreign_transaction_is_named() {
    let config = pipeline(Broker::shared().bootstrap(), "unread", 1);
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    // To readers a foreign transaction that stands before ours is as one of ours that hangs.
    let foreign = Speaker::transactional(&config, "unread.foreign").unwrap();
    foreign.begin().unwrap();
    foreign.send("unread.results", Some(0), b"foreign", Some(b"0"), &[], None).unwrap();
    foreign.flush().unwrap();
    store.commit(numbered(1)).unwrap();
    let told = |answer: Result<(), PortError>| match answer {
        Err(PortError::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    };
    let text = told(store.commit(numbered(2)));
    assert!(text.contains("`unread.results` partition 0") && text.contains("open the lane again"), "{text}");
    told(store.trim(Tier::Minute, Timestamp::MIN));
    let text = told(source.open(LANE).map(drop));
    assert!(text.contains("`unread.results` partition 0") && text.contains("kafka-transactions.sh"), "{text}");
    foreign.end(false).unwrap();
    let mut store = opened(&mut source);
    assert_eq!(reached(&mut *store), 1);
    store.commit(numbered(2)).unwrap();
    drop(opened(&mut source));
    for topic in ["unread.results", "unread.journal", "unread.findings"] {
        let mut found = numbers(&config, topic);
        found.sort_unstable();
        assert_eq!(found, [1, 2], "{topic}");
    }
}

#[test]
fn trimmed_panes_are_gone_and_needed_ones_stay() {
    let config = pipeline(Broker::shared().bootstrap(), "trim", 1);
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    let needed = Timestamp::from_millis(7 * 60_000);
    for number in 1..=5 {
        store.commit(numbered(number)).unwrap();
    }
    // A store that has not read a tier does not know all of it, and deletes nothing.
    store.trim(Tier::Minute, needed).unwrap();
    let mut store = source.open(LANE).unwrap();
    assert_eq!(store.panes(Tier::Minute, needed).unwrap(), []);
    for number in 6..=10 {
        store.commit(numbered(number)).unwrap();
    }
    store.trim(Tier::Minute, needed).unwrap();
    let mut store = source.open(LANE).unwrap();
    assert_eq!(store.panes(Tier::Minute, Timestamp::MIN).unwrap(), (7..=10).map(pane).collect::<Vec<_>>());
    // Nothing needed any more: everything goes, and an emptied partition restores to nothing.
    store.trim(Tier::Minute, Timestamp::MAX).unwrap();
    assert_eq!(source.open(LANE).unwrap().panes(Tier::Minute, Timestamp::MIN).unwrap(), []);
}

#[test]
fn a_renewed_state_counts_alone_also_before_the_former_panes_are_deleted() {
    let config = pipeline(Broker::shared().bootstrap(), "renewed", 1);
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    (1..=5).for_each(|number| store.commit(numbered(number)).unwrap());
    // Other bytes for one pane, and the others are no more.
    let other = StoredPane { bytes: b"other".to_vec(), ..pane(4) };
    let panes = vec![(Tier::Minute, other.clone())];
    store.commit(Transaction { panes, renewed: true, ..numbered(6) }).unwrap();
    // As after a crash right behind the commit.
    let mut store = source.open(LANE).unwrap();
    assert!(!store.head().unwrap().contains_key(b"renewed".as_slice()), "the engine does not see it");
    assert_eq!(store.panes(Tier::Minute, Timestamp::MIN).unwrap(), std::slice::from_ref(&other));
    store.commit(numbered(7)).unwrap();
    let mut store = source.open(LANE).unwrap();
    assert_eq!(store.panes(Tier::Minute, Timestamp::MIN).unwrap(), [other.clone(), pane(7)]);
    store.trim(Tier::Minute, other.end).unwrap();
    let low = topic_ends(&config, "renewed.panes.minute").unwrap()[0].0.0;
    assert!(low > 0, "the former panes are deleted");
    let mut store = source.open(LANE).unwrap();
    assert_eq!(store.panes(Tier::Minute, Timestamp::MIN).unwrap(), [other, pane(7)]);
    // What is read twice in a row is all there both times.
    for _ in 0..5 {
        assert_eq!(reached(&mut *store), 7);
    }
}

/// Longer than the transaction timeout below, and than the coordinator takes to look for what is over it.
const STALL: Duration = Duration::from_secs(14);
/// Stalls at most; each falls into a transaction nearly always.
const STALLS_MAX: u32 = 4;

/// The coordinator ends the transaction of a member that the network holds up for too long, and fences it, although nobody
/// else wants the lane.
#[test]
fn a_stall_longer_than_a_transaction_may_take_fences_the_lane_and_it_is_opened_again() {
    let broker = Broker::start().unwrap();
    let mut config = patient(&broker.wired(), "stall");
    config.transaction_timeout = Duration::from_secs(2);
    config.properties.insert("session.timeout.ms".to_owned(), "60000".to_owned());
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    let (mut number, mut fenced) = (0, 0);
    for stall in 0..STALLS_MAX {
        let ended = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(200 + 7 * u64::from(stall)));
                broker.network(Network::Silent);
                thread::sleep(STALL);
                broker.network(Network::Sound);
            });
            (0..10_000).find_map(|_| {
                number += 1;
                store.commit(numbered(number)).err()
            })
        });
        match ended {
            Some(PortError::Fenced(LANE)) => fenced += 1,
            Some(PortError::Unavailable(_)) | None => {}
            Some(error) => panic!("{error}"),
        }
        store = opened(&mut source);
        number = reached(&mut *store);
        if fenced > 0 {
            break;
        }
    }
    assert!(fenced > 0, "no stall of {STALLS_MAX} fell into a transaction");
    store.commit(numbered(number + 1)).unwrap();
    let found = numbers(&config, "stall.journal");
    assert_eq!(found, (1..=number + 1).collect::<Vec<_>>());
    assert_eq!(numbers(&config, "stall.results"), found);
    let panes = opened(&mut source).panes(Tier::Minute, Timestamp::MIN).unwrap();
    assert_eq!(panes, found.into_iter().map(pane).collect::<Vec<_>>());
}

#[test]
fn a_record_that_the_dead_letter_topic_does_not_take_stops_no_lane() {
    let bootstrap = Broker::shared().bootstrap();
    let (wide, narrow) = ("letters.wide", "letters.narrow");
    // As somebody sets it up who leaves the broker's limit of a megabyte.
    create_topic(&Config::new(bootstrap, "g", narrow), &format!("{narrow}.dlq"), 1, &[]).unwrap();
    let noise: Vec<u8> = (0..250_000_u64).flat_map(|word| Seed(7).index(word).0.to_le_bytes()).collect();
    let letter = |part, value: &[u8], headers: Vec<events::Header>| DeadLetter {
        topic: TopicId(0),
        offset: Offset(17),
        part,
        reason: "too_large",
        detail: "2 MB".to_owned(),
        key: Some(b"user".to_vec()),
        value: Some(value.to_vec()),
        headers,
        record_with: None,
    };
    let header = |bytes: &[u8]| vec![("trace".to_owned(), Some(bytes.to_vec()))];
    for (name, takes) in [(wide, true), (narrow, false)] {
        let config = pipeline(bootstrap, name, 1);
        let mut source = holding(&config, 1);
        let mut store = source.open(LANE).unwrap();
        let dead_letters = vec![
            letter(0, &noise, header(b"t1")),
            letter(1, b"small", header(&noise)),
            letter(2, b"small", header(b"t1")),
        ];
        store.commit(Transaction { dead_letters, ..numbered(1) }).unwrap();
        store.commit(numbered(2)).unwrap();
        let read = read_committed(&config, &format!("{name}.dlq")).unwrap();
        let told = |record: &kafka::CommittedRecord| {
            let header =
                |name: &str| record.headers.iter().find(|(known, _)| known == name).and_then(|(_, v)| v.clone());
            let omitted = header("x-chartwarden-omitted").map(|text| String::from_utf8(text).unwrap());
            let lengths =
                [record.key.clone(), record.value.clone(), header("trace")].map(|bytes| bytes.map(|b| b.len()));
            assert_eq!(header("x-chartwarden-offset").as_deref(), Some(b"17".as_slice()));
            (lengths, omitted)
        };
        let told: Vec<_> = read.iter().map(told).collect();
        let small = ([Some(4), Some(5), Some(2)], None);
        let expected = match takes {
            true => {
                vec![
                    ([Some(4), Some(noise.len()), Some(2)], None),
                    ([Some(4), Some(5), Some(noise.len())], None),
                    small,
                ]
            }
            false => vec![
                ([Some(4), None, Some(2)], Some("value of 2000000 bytes".to_owned())),
                ([None; 3], Some("key, value and headers of 2000014 bytes".to_owned())),
                small,
            ],
        };
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn a_record_that_no_topic_takes_is_refused_with_its_topic_and_leaves_nothing() {
    let config = pipeline(Broker::shared().bootstrap(), "large", 1);
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    let mut transaction = numbered(1);
    transaction.results[0].value = vec![0; 17 << 20];
    let Err(PortError::Invalid(text)) = store.commit(transaction) else { panic!("no error") };
    assert!(text.contains("large.results") && text.contains("max.message.bytes"), "{text}");
    let mut store = source.open(LANE).unwrap();
    assert!(store.head().unwrap().is_empty());
    store.commit(numbered(2)).unwrap();
    assert_eq!(numbers(&config, "large.findings"), [2]);
}

/// Bounds wide enough for a busy machine: what they catch is a step of 100 ms on the way of every commit, or a wait of
/// a second on the way of a restore. The figures are printed for the README.
#[test]
#[expect(clippy::print_stdout, reason = "figures for people")]
fn a_commit_takes_milliseconds_and_a_restore_no_second() {
    let config = pipeline(Broker::shared().bootstrap(), "speed", 1);
    let mut source = holding(&config, 1);
    let mut store = source.open(LANE).unwrap();
    store.commit(numbered(0)).unwrap();
    let mut commits: Vec<_> = (1..=50).map(|number| timed(|| store.commit(numbered(number)).unwrap())).collect();
    commits.sort_unstable();
    let open = timed(|| store = source.open(LANE).unwrap());
    let restores = [0, 1, 2].map(|_| {
        timed(|| {
            store.head().unwrap();
            store.panes(Tier::Minute, Timestamp::MIN).unwrap();
        })
    });
    speak(&config, "speed.access", 0, (0..200_000).map(|n| format!("{n:0>300}")));
    source.start(LANE, &[Offset(0), Offset(0)]).unwrap();
    let read = timed(|| drop(values(&mut source, 200_000)));
    let end = timed(|| poll_until(&mut source, |source, _| source.at_end(LANE, TopicId(0)) == Some(Offset(200_000))));
    let (fastest, median) = (commits[0], commits[commits.len() / 2]);
    println!(
        "commit {fastest:?} at best, {median:?} median; open {open:?}; restore {restores:?}; 200,000 records of 300 \
         bytes in {read:?}; end seen after {end:?}"
    );
    assert!(fastest < Duration::from_millis(90), "the fastest of 50 commits took {fastest:?}");
    let fastest = restores.iter().min().unwrap();
    assert!(*fastest < Duration::from_secs(1), "the fastest of 3 restores took {fastest:?}");
}

#[expect(clippy::disallowed_methods, reason = "the duration is only reported and bounded")]
fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// Takes what lanes have shared until there is so much of it.
fn shared(source: &mut KafkaSource, count: usize) -> BTreeMap<LaneId, Vec<StoredPane>> {
    let mut found: BTreeMap<LaneId, Vec<StoredPane>> = BTreeMap::new();
    for _ in 0..600 {
        for (lane, share) in source.shares().unwrap() {
            found.entry(lane).or_default().push(share);
        }
        if found.values().map(Vec::len).sum::<usize>() >= count {
            return found;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("60 s did not bring {count} shares: {found:?}");
}

#[test]
fn what_lanes_share_comes_to_every_process_once_it_is_committed() {
    let config = pipeline(Broker::shared().bootstrap(), "shares", 2);
    let share = |day: i64, bytes: usize| StoredPane {
        end: Timestamp::from_millis(day * 86_400_000),
        bytes: vec![u8::try_from(day).unwrap(); bytes],
    };
    let mut source = holding(&config, 2);
    let mut stores = [LANE, LaneId(1)].map(|lane| source.open(lane).unwrap());
    // The second is larger than one record may be.
    let first = [share(1, 0), share(2, 1_300_000), share(3, 10)];
    stores[0].panes(Tier::Shared, Timestamp::MIN).unwrap();
    for (number, share) in (1..).zip(&first) {
        stores[0].commit(Transaction { panes: vec![(Tier::Shared, share.clone())], ..numbered(number) }).unwrap();
    }
    stores[1].commit(Transaction { panes: vec![(Tier::Shared, share(1, 7))], ..numbered(1) }).unwrap();
    let expected = |first: &[StoredPane]| BTreeMap::from([(LANE, first.to_vec()), (LaneId(1), vec![share(1, 7)])]);
    assert_eq!(shared(&mut source, 4), expected(&first));
    let next = share(2, 9);
    stores[1].commit(Transaction { panes: vec![(Tier::Shared, next.clone())], ..numbered(2) }).unwrap();
    assert_eq!(shared(&mut source, 1), BTreeMap::from([(LaneId(1), vec![next.clone()])]), "each is handed over once");

    // Another process, which has one of the lanes now, begins behind what the owner has deleted.
    stores[0].trim(Tier::Shared, first[1].end).unwrap();
    let mut other = holding(&Config { group: "shares.other".to_owned(), ..config }, 2);
    let _store = other.open(LaneId(1)).unwrap();
    let mut left = expected(&first[1..]);
    left.entry(LaneId(1)).or_default().push(next);
    assert_eq!(shared(&mut other, 4), left);
}
