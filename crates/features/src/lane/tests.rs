//! A lane against two oracles: the same log in other pieces and through kills gives the same bytes, and what windows
//! say equals one plain query over every kept event with the hop expanded.

use std::fmt::Write as _;

use arrow::array::{Array, Int64Array, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit, TimestampMillisecondType};
use arrow::util::pretty::pretty_format_batches;
use base::Digest;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use events::{DecodeOptions, Decoder, Format, PseudonymKeys, Record, Records};
use futures::executor::block_on;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reference::Kind;

use super::fixture::*;
use super::*;
use crate::journal::TierRecord;
use crate::shared::SharedFacts;

/// 2026-03-27T00:00:00Z: the clocks of the house go forward in the night to the 29th.
const START: i64 = 1_774_569_600_000;
const LATENESS: Millis = Millis::minutes(2);
fn config() -> LaneConfig {
    let digest = Digest([0; 32]);
    LaneConfig {
        topics: vec![(Stream::Access, LATENESS), (Stream::Auth, LATENESS)],
        digests: Digests { spec: digest, reading: digest, sql: digest, model: digest, engine: "test".to_owned() },
        epoch: 0,
    }
}

/// Where the reference stood when the lane was first opened; who takes it up must not ask again.
fn genesis() -> Pins {
    let mut pins = Pins::default();
    pins.set(Kind::Staff, 0, Offset(3));
    pins
}

/// Raw records of the two topics, in offset order.
type Logs = [Vec<String>; 2];

/// Four days of a few users: bursts and silences, disorder within the lateness and beyond it, records sent twice.
fn logs(seed: u8) -> Logs {
    let mut draw = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut below = move |limit: u32| i64::from(draw.next_u32() % limit);
    let mut logs = Logs::default();
    let (mut now, mut id) = (START, 0);
    while now < START + Millis::hours(99).0 {
        now += if below(9) == 0 { below(5 * 3_600_000) } else { below(180_000) };
        for _ in 0..below(4) {
            id += 1;
            let user = below(4);
            // One in twelve comes later than the lateness allows.
            let age = if below(12) == 0 { below(900_000) } else { below(120_000) };
            let time = now - age;
            let topic = usize::from(below(4) == 0);
            let record = if topic == 0 {
                let action = ["read", "print", "update"][below(3) as usize];
                let (patient, bytes) = (below(7), below(1_000));
                format!(
                    r#"{{"id":"a{id}","time":{time},"user":"u{user}","patient":"p{patient}","action":"{action}","outcome":"success","workstation":"w{}","bytes":{bytes}}}"#,
                    id % 2
                )
            } else {
                let outcome = ["success", "failure"][below(2) as usize];
                format!(r#"{{"id":"s{id}","time":{time},"user":"u{user}","activity":"logon","outcome":"{outcome}"}}"#)
            };
            if below(15) == 0 {
                logs[topic].push(record.clone());
            }
            logs[topic].push(record);
        }
    }
    logs
}

/// What a lane has stored and handed over, as a broker would keep it.
#[derive(Default)]
struct Stored {
    record: Option<JournalRecord>,
    panes: BTreeMap<(Tier, Timestamp), Vec<u8>>,
    facts: BTreeMap<String, Vec<u8>>,
    users: Vec<(Timestamp, RecordBatch)>,
    pairs: Vec<(Timestamp, RecordBatch)>,
    /// Of the first user with a row.
    evidence: Vec<(Timestamp, RecordBatch)>,
    /// What the watch was told.
    told: Vec<(Timestamp, Option<RecordBatch>)>,
    journal: Vec<JournalRecord>,
    /// Offset and disposition of every part that was not kept, by topic.
    side: BTreeMap<(u8, Offset), Disposition>,
}

/// One owner of the lane.
struct Owner {
    lane: Lane,
    decoders: [Decoder; 2],
    side: Vec<((u8, Offset), Disposition)>,
    reference: Reference,
    shared: SharedFacts,
}

impl Owner {
    fn new(program: &Arc<Program>, stored: &Stored) -> Self {
        let keys = Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap());
        let decoder = |stream| {
            let options = DecodeOptions { max_event_age: Millis::days(3_000), ..DecodeOptions::default() };
            Decoder::new(stream, Format::Native, Arc::clone(&keys), options).unwrap()
        };
        let lane = match &stored.record {
            None => Lane::new(Arc::clone(program), config(), &[Offset(0); 2], genesis()).unwrap(),
            Some(record) => {
                let mut panes = StoredPanes::default();
                for ((tier, end), bytes) in &stored.panes {
                    if record.tiers.get(tier.name()).is_some_and(|needed| *end >= needed.first) {
                        panes.0.entry(*tier).or_default().push((*end, bytes.clone()));
                    }
                }
                Lane::restore(Arc::clone(program), config(), record, &panes, &stored.facts).unwrap()
            }
        };
        let decoders = [decoder(Stream::Access), decoder(Stream::Auth)];
        let mut shared = SharedFacts::new(program, &config().digests, 1).unwrap();
        for ((_, end), share) in stored.panes.iter().filter(|((tier, _), _)| *tier == Tier::Shared) {
            shared.take(0, *end, share).unwrap();
        }
        Self { lane, decoders, side: Vec::new(), reference: Reference::new(program.zone().clone()), shared }
    }

    /// Reads up to `count` records of a topic.
    fn read(&mut self, logs: &Logs, topic: u8, count: usize) -> bool {
        let id = TopicId(topic);
        let from = self.lane.walker(id).next().0;
        let mut records = Records::default();
        for (offset, text) in (from..).zip(logs[usize::from(topic)].iter().skip(from as usize).take(count)) {
            let append_time = Timestamp::from_millis(START + Millis::days(5).0);
            let value = Some(text.as_bytes());
            records.push(Record { offset: Offset(offset), append_time, key: None, value, headers: &[] });
        }
        if records.is_empty() {
            return false;
        }
        let decoded = self.decoders[usize::from(topic)].decode(&records);
        assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
        for part in self.lane.offer(id, decoded.events, &[], decoded.next) {
            if part.disposition != Disposition::Kept {
                self.side.push(((topic, part.offset), part.disposition));
            }
        }
        true
    }

    /// Closes one tick and commits it.
    fn close(&mut self, stored: &mut Stored) -> bool {
        let watermark = self.lane.watermark();
        let Some(end) = self.lane.next_due(None).filter(|due| *due <= watermark) else { return false };
        let pins = Pins::default();
        if let Some(day) = self.lane.shared_day(end) {
            let facts = self.shared.of(day).expect("the only lane has told the day before yesterday");
            self.lane.put_shared(day, facts);
        }
        self.lane.begin_tick(end, &self.reference, &pins).unwrap();
        if let Some(rows) = self.lane.pair_rows(&self.reference, &pins).unwrap() {
            let scores: Vec<i64> = rows.column(2).as_primitive::<Int64Type>().iter().map(|n| n.unwrap_or(0)).collect();
            self.lane.put_pair_scores(&rows, &scores).unwrap();
            stored.pairs.push((end, rows));
        }
        if let Some(rows) = self.lane.user_rows(&self.reference, &pins).unwrap() {
            let user = rows.column(0).as_string::<i32>().value(0);
            stored.evidence.push((end, self.lane.evidence(user, &self.reference, &pins).unwrap()));
            stored.users.push((end, rows));
        }
        let output = self.lane.end_tick(&pins).unwrap();
        stored.told.extend(output.crossing.into_iter().map(|states| (end, states)));
        for (tier, end, bytes) in output.panes {
            if tier == Tier::Shared {
                self.shared.take(0, end, &bytes).unwrap();
            }
            assert!(stored.panes.insert((tier, end), bytes).is_none(), "{tier:?} {end:?} was sealed before");
        }
        for (user, facts) in output.facts {
            match facts {
                Some(facts) => stored.facts.insert(user, facts),
                None => stored.facts.remove(&user),
            };
        }
        for (topic, at) in (0u8..).zip(&output.record.topics) {
            for (place, what) in self.side.extract_if(.., |(place, _)| place.0 == topic && place.1 < at.position) {
                assert!(stored.side.insert(place, what).is_none(), "{place:?} left twice");
            }
        }
        stored.journal.push(output.record.clone());
        stored.record = Some(output.record);
        true
    }
}

/// Reads everything in pieces drawn from `pieces`, dying after every `life` ticks.
fn run(program: &Arc<Program>, logs: &Logs, pieces: &[u8], life: usize) -> Stored {
    let mut stored = Stored::default();
    let mut owner = Owner::new(program, &stored);
    let (mut turn, mut age) = (0, 0);
    loop {
        let piece = usize::from(pieces[turn % pieces.len()]) + 1;
        let topic = pieces[(turn / 2) % pieces.len()] & 1;
        turn += 1;
        let read = owner.read(logs, topic, piece) || owner.read(logs, 1 - topic, piece);
        let mut closed = false;
        while owner.close(&mut stored) {
            (closed, age) = (true, age + 1);
            if age == life {
                // Whatever was read beyond the last committed tick is gone with its owner.
                (owner, age) = (Owner::new(program, &stored), 0);
                break;
            }
        }
        if !read && !closed {
            return stored;
        }
    }
}

fn shown(rows: &[(Timestamp, RecordBatch)]) -> String {
    let mut text = String::new();
    for (end, batch) in rows {
        writeln!(text, "{}\n{}", end.millis(), pretty_format_batches(std::slice::from_ref(batch)).unwrap()).unwrap();
    }
    text
}

/// End, positions, counts and tiers.
type Tick = (Option<Timestamp>, Vec<Offset>, Vec<Counts>, BTreeMap<String, TierRecord>);

/// The journal without what depends on how far an owner had read: its resume offsets and their watermarks.
fn ticks(stored: &Stored) -> Vec<Tick> {
    let tick = |record: &JournalRecord| {
        let positions = record.topics.iter().map(|topic| topic.position).collect();
        (record.tick_end, positions, record.counts.clone(), record.tiers.clone())
    };
    stored.journal.iter().map(tick).collect()
}

#[test]
fn pieces_and_kills_leave_the_same_bytes() {
    let programs = [spec(Millis::minutes(20)), with_visitors(spec(Millis::minutes(150)))].map(compiled);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(12) });
    let strategy = (any::<u8>(), prop::collection::vec(any::<u8>(), 2..9), 1usize..400);
    let outcome = runner.run(&strategy, |(seed, pieces, life)| {
        let (logs, program) = (logs(seed), &programs[usize::from(seed % 2)]);
        let (plain, broken) = (run(program, &logs, &[200], usize::MAX), run(program, &logs, &pieces, life));
        prop_assert!(plain.users.len() > 50, "{} rows of users", plain.users.len());
        prop_assert!(plain.side.values().any(|what| *what == Disposition::Late));
        prop_assert!(plain.side.values().any(|what| *what == Disposition::Duplicate));
        prop_assert_eq!(shown(&plain.users), shown(&broken.users));
        prop_assert_eq!(shown(&plain.pairs), shown(&broken.pairs));
        prop_assert_eq!(shown(&plain.evidence), shown(&broken.evidence));
        prop_assert!(plain.told.iter().filter(|(_, states)| states.is_some()).count() > 50);
        prop_assert!(plain.told == broken.told, "watches were told otherwise");
        prop_assert_eq!(&plain.side, &broken.side);
        prop_assert_eq!(ticks(&plain), ticks(&broken));
        prop_assert!(plain.panes == broken.panes, "stored panes differ");
        prop_assert_eq!(&plain.facts, &broken.facts);
        for record in &broken.journal {
            prop_assert_eq!(&record.genesis, &genesis());
            prop_assert!(record.counts.iter().all(Counts::balance));
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn days_are_kept_for_as_long_as_baselines_reach_and_what_was_seen_for_its_own_time() {
    let mut spec = spec(Millis::minutes(20));
    spec.seen[0].horizon = Millis::days(30);
    let program = compiled(spec);
    let mut logs = Logs::default();
    for day in 0..12 {
        let time = START - Millis::days(11 - day).0;
        let user = |id: &str| format!(r#""id":"{id}{day}","time":{time},"user":"u0","outcome":"success""#);
        logs[0].push(format!(r#"{{{},"patient":"p{day}","action":"read"}}"#, user("a")));
        logs[1].push(format!(r#"{{{},"activity":"logon"}}"#, user("s")));
    }
    let stored = run(&program, &logs, &[2], 3);
    let tiers = &stored.record.as_ref().unwrap().tiers;
    let lane = Owner::new(&program, &stored).lane;
    // Two days of the baseline, two to spare, and the one under way.
    assert!((3..=5).contains(&tiers["day"].panes), "{tiers:?}");
    assert_eq!(lane.panes[0].day.len(), tiers["day"].panes);
    assert_eq!(tiers["seen"].panes, 11, "of every day that has ended, one pane: {tiers:?}");
    assert_eq!(lane.state_keys(), (1, 11), "every patient of the ticks that are closed");
    // Told up to yesterday; gone by is the day before. From there two days of the baseline and five to spare, inclusive.
    assert_eq!(tiers["shared"].panes, 1 + 1 + 2 + 5, "{tiers:?}");
    let in_use = lane.shared_in_use().expect("a restored lane knows the day it went by");
    assert_eq!(in_use - tiers["shared"].first, Millis::days(7));
    assert_eq!(*lane.stored[&Tier::Shared].last().unwrap() - in_use, Millis::days(1));
}

#[test]
fn who_was_silent_for_long_is_forgotten_and_a_name_that_never_got_in_sooner() {
    let mut spec = spec(Millis::minutes(20));
    spec.watches.clear();
    let program = compiled(spec);
    let day = |day: i64| START - Millis::days(420 - day).0;
    let mut logs = Logs::default();
    let speak = |logs: &mut Logs, id: &str, time: i64, user: &str| {
        let event = format!(r#""id":"{id}{time}{user}","time":{time},"user":"{user}""#);
        logs[0].push(format!(r#"{{{event},"patient":"p0","action":"read","outcome":"success"}}"#));
        logs[1].push(format!(r#"{{{event},"activity":"logon","outcome":"success"}}"#));
    };
    // Somebody works for a day, and names are tried that nobody has; another works on, one day in ten.
    speak(&mut logs, "a", day(0), "u0");
    for name in 0..20 {
        let time = day(0) + 60_000;
        logs[1].push(format!(
            r#"{{"id":"f{name}","time":{time},"user":"x{name}","activity":"logon","outcome":"failure"}}"#
        ));
    }
    let users = |until: i64, life: usize, mut logs: Logs| {
        (0..=until / 10).for_each(|ten| speak(&mut logs, "b", day(ten * 10) + 7_200_000, "u1"));
        let stored = run(&program, &logs, &[2], life);
        assert_eq!(Owner::new(&program, &stored).lane.state_keys().0, stored.facts.len());
        stored.facts.len()
    };
    for life in [usize::MAX, 5] {
        assert_eq!(users(30, life, logs.clone()), 22, "all are remembered for thirty days");
        assert_eq!(users(50, life, logs.clone()), 2, "of who worked, there is something yet");
    }
    assert_eq!(users(360, usize::MAX, logs.clone()), 2);
    assert_eq!(users(390, usize::MAX, logs), 1);
}

#[test]
fn every_day_is_told_once_also_where_nothing_happened() {
    let mut spec = spec(Millis::minutes(20));
    spec.watches.clear();
    let program = compiled(spec);
    let mut logs = Logs::default();
    // Nothing for three days; then a day that is an hour short, the clocks going forward.
    for hours in [-84, -80, 12, 36, 60, 71] {
        let time = START + Millis::hours(hours).0;
        let user = |id: &str| format!(r#""id":"{id}{hours}","time":{time},"user":"u0","outcome":"success""#);
        logs[0].push(format!(r#"{{{},"patient":"p0","action":"read"}}"#, user("a")));
        logs[1].push(format!(r#"{{{},"activity":"logon"}}"#, user("s")));
    }
    for life in [usize::MAX, 1] {
        let stored = run(&program, &logs, &[2], life);
        let told = stored.panes.keys().filter(|(tier, _)| *tier == Tier::Shared);
        let told: Vec<i64> = told.map(|(_, end)| (end.millis() - START) / 3_600_000).collect();
        // Midnight is 23:00 before, 22:00 after. The first is the day before the first tick.
        assert_eq!(told, [-97, -73, -49, -25, -1, 23, 47, 70]);
        assert!(
            stored
                .journal
                .iter()
                .all(|record| record.tick_end <= Some(Timestamp::from_millis(START) + Millis::hours(71)))
        );
    }
}

#[test]
fn a_restored_lane_counts_the_bytes_of_one_that_never_stopped() {
    let (logs, program) = (logs(3), compiled(spec(Millis::minutes(20))));
    let mut stored = Stored::default();
    let mut owner = Owner::new(&program, &stored);
    while owner.read(&logs, 0, 50) | owner.read(&logs, 1, 50) {
        while owner.close(&mut stored) {}
    }
    let (before, after) = (owner.lane.state_bytes(), Owner::new(&program, &stored).lane.state_bytes());
    assert!(before > 0 && after.abs_diff(before) * 10 <= before, "{before} bytes, and {after} after a restore");
}

/// Every kept access, with the columns the oracle needs.
fn kept(logs: &Logs, stored: &Stored) -> RecordBatch {
    let keys = Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap());
    let options = DecodeOptions { max_event_age: Millis::days(3_000), ..DecodeOptions::default() };
    let mut decoder = Decoder::new(Stream::Access, Format::Native, keys, options).unwrap();
    let mut records = Records::default();
    for (offset, text) in (0..).zip(&logs[0]) {
        if !stored.side.contains_key(&(0, Offset(offset))) {
            let append_time = Timestamp::from_millis(START + Millis::days(5).0);
            let value = Some(text.as_bytes());
            records.push(Record { offset: Offset(offset), append_time, key: None, value, headers: &[] });
        }
    }
    let decoded = decoder.decode(&records).events;
    let time = decoded.column_by_name("event_time").unwrap();
    let event_ms: Int64Array = time.as_primitive::<TimestampMillisecondType>().iter().collect();
    let patients = decoded.column_by_name("patient_key").unwrap().as_string::<i32>();
    let patient_h: Int64Array = patients.iter().map(|patient| patient.map(crate::facts::hash64)).collect();
    let schema = Schema::new(vec![
        Field::new("user_key", DataType::Utf8, false),
        Field::new("patient_key", DataType::Utf8, true),
        Field::new("event_ms", DataType::Int64, true),
        Field::new("patient_h", DataType::Int64, true),
        Field::new("action", DataType::Utf8, false),
        Field::new("byte_count", DataType::Int64, true),
    ]);
    let column = |name: &str| Arc::clone(decoded.column_by_name(name).unwrap());
    let columns = vec![
        column("user_key"),
        column("patient_key"),
        Arc::new(event_ms) as _,
        Arc::new(patient_h) as _,
        column("action"),
        column("byte_count"),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// The rows that were scored, with the window each size looked at: one plain query does the rest.
fn asked(stored: &Stored, size: Millis, hop: Millis) -> RecordBatch {
    let (mut ends, mut users, mut from, mut to) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (end, rows) in &stored.users {
        for user in rows.column(0).as_string::<i32>().iter().flatten() {
            ends.push(end.millis());
            users.push(user.to_owned());
            to.push(end.floor(hop).millis());
            from.push((end.floor(hop) - size).millis());
        }
    }
    let schema = Schema::new(vec![
        Field::new("tick_end", DataType::Timestamp(TimeUnit::Millisecond, None), false),
        Field::new("asked_user", DataType::Utf8, false),
        Field::new("from_ms", DataType::Int64, false),
        Field::new("to_ms", DataType::Int64, false),
    ]);
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(TimestampMillisecondArray::from(ends)),
        Arc::new(StringArray::from(users)),
        Arc::new(Int64Array::from(from)),
        Arc::new(Int64Array::from(to)),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

#[test]
fn windows_equal_one_plain_query_over_everything_kept() {
    let program = compiled(spec(Millis::minutes(20)));
    for seed in [1, 2] {
        let logs = logs(seed);
        let stored = run(&program, &logs, &[31], 177);
        let kept = kept(&logs, &stored);
        for (place, (size, hop)) in SIZES.into_iter().enumerate() {
            let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
            for (name, batch) in [("access", kept.clone()), ("asked", asked(&stored, size, hop))] {
                let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
                session.register_table(name, Arc::new(table)).unwrap();
            }
            // An outer join: who was scored without an event in the window has nothing there.
            let query = format!(
                "SELECT tick_end, asked_user AS user_key, count(user_key) AS events, {} FROM asked LEFT JOIN access \
                 ON user_key = asked_user AND event_ms >= from_ms AND event_ms < to_ms \
                 GROUP BY tick_end, asked_user ORDER BY tick_end, asked_user",
                MEASURES.split_once(", ").unwrap().1
            );
            let expected = block_on(async { session.sql(&query).await.unwrap().collect().await.unwrap() });
            let expected = arrow::compute::concat_batches(&expected[0].schema(), &expected).unwrap();
            let mut row = 0;
            for (end, rows) in &stored.users {
                for scored in 0..rows.num_rows() {
                    for (measure, name) in MEASURE_NAMES.iter().enumerate() {
                        let value = |batch: &RecordBatch, column: usize, row: usize| {
                            let column = batch.column(column).as_primitive::<Int64Type>();
                            column.is_valid(row).then(|| column.value(row))
                        };
                        let found = value(rows, 1 + place * MEASURE_NAMES.len() + measure, scored);
                        let wanted = value(&expected, 2 + measure, row);
                        // A user without a row in the window: nothing counted, nothing measured.
                        let wanted = wanted.filter(|_| value(&expected, 2, row) != Some(0));
                        assert_eq!(found, wanted, "seed {seed}, {size}, {name} at {end:?}, row {scored}");
                    }
                    row += 1;
                }
            }
            assert!(row > 100 && row == expected.num_rows(), "{row} rows compared");
        }
    }
}

#[test]
fn what_is_known_of_a_chart_is_what_all_did_with_it_up_to_the_day_before_yesterday() {
    let program = compiled(with_visitors(spec(Millis::minutes(20))));
    let logs = logs(5);
    let stored = run(&program, &logs, &[31], 177);
    let kept = kept(&logs, &stored);
    let text = |name: &str| kept.column_by_name(name).unwrap().as_string::<i32>();
    let times = kept.column_by_name("event_ms").unwrap().as_primitive::<Int64Type>();
    let mut local = LocalTime::new(program.zone.clone());
    let mut day = |time: i64| local.at(Timestamp::from_millis(time)).day;
    // (user, patient, time, day) of every access that was kept.
    let visits: Vec<_> = (0..kept.num_rows())
        .map(|row| {
            (text("user_key").value(row), text("patient_key").value(row), times.value(row), day(times.value(row)))
        })
        .collect();
    let known = |patient: &str, today: i32| {
        let days = today - 1 - PEERS_DAYS as i32..today - 1;
        let visits = visits.iter().filter(|visit| visit.1 == patient && days.contains(&visit.3)).count() as i64;
        Some(visits).filter(|visits| *visits > 0)
    };
    let (mut rows, mut some) = (0, 0);
    for (end, pairs) in &stored.pairs {
        let column = |place: usize| pairs.column(place).as_string::<i32>();
        let found = pairs.column_by_name("visits").unwrap().as_primitive::<Int64Type>();
        for row in 0..pairs.num_rows() {
            let (user, patient) = (column(0).value(row), column(1).value(row));
            let hour = (*end - Millis::hours(1)).millis()..end.millis();
            let ours = visits.iter().filter(|visit| (visit.0, visit.1) == (user, patient) && hour.contains(&visit.2));
            let wanted = ours.filter_map(|visit| known(patient, visit.3)).max();
            assert_eq!(found.iter().nth(row).flatten(), wanted, "{user} with {patient} at {end:?}");
            (rows, some) = (rows + 1, some + usize::from(wanted.is_some()));
        }
    }
    assert!(rows > 200 && some > 50, "{some} of {rows} rows know anything");

    // What a finding shows: the accesses of the last day, and those of the two days that closed before.
    let (mut rows, mut some) = (0, 0);
    for (end, evidence) in &stored.evidence {
        let column = |place: usize| evidence.column(place).as_string::<i32>();
        let number = |name: &str| evidence.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        let today = day(end.millis() - 1);
        let hour = end.floor(Millis::hours(1)) - Millis::hours(24);
        for row in 0..evidence.num_rows() {
            let pair = (column(0).value(row), column(1).value(row));
            let ours = || visits.iter().filter(|visit| (visit.0, visit.1) == pair && visit.2 < end.millis());
            let events = ours().filter(|visit| visit.2 >= hour.millis()).count() as i64;
            let habits = ours().filter(|visit| (today - 2..today).contains(&visit.3)).count() as i64;
            assert_eq!(number("events").iter().nth(row).flatten(), Some(events), "{pair:?} at {end:?}");
            let found = number("habits").iter().nth(row).flatten();
            assert_eq!(found, Some(habits).filter(|habits| *habits > 0), "{pair:?} at {end:?}");
            (rows, some) = (rows + 1, some + usize::from(habits > 0));
        }
    }
    assert!(rows > 200 && some > 50, "{some} of {rows} rows of evidence know anything");
}

/// Two hours end with one tick where there was nothing in between.
#[test]
fn facts_of_every_hour_that_ended_are_told() {
    let mut spec = spec(Millis::minutes(20));
    spec.watches.clear();
    let program = compiled(spec);
    let mut logs = Logs::default();
    for (user, minute) in [("u0", 30), ("u1", 5 * 60 - 1), ("u2", 6 * 60 + 30)] {
        let time = START + Millis::minutes(minute).0 + 30_000;
        let event = format!(r#""id":"{user}","time":{time},"user":"{user}""#);
        logs[0].push(format!(r#"{{{event},"patient":"p0","action":"read","outcome":"success"}}"#));
        logs[1].push(format!(r#"{{{event},"activity":"logon","outcome":"success"}}"#));
    }
    for life in [usize::MAX, 1] {
        let stored = run(&program, &logs, &[2], life);
        assert_eq!(stored.facts.len(), 2, "the third hour has not ended");
        assert_eq!(Owner::new(&program, &stored).lane.state_keys().0, 2, "what is told and what is known");
    }
}
