//! A lane of watches against a plain count: whatever the order in which lanes speak, and wherever it is restarted, each
//! step gives the same rows once.

use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use base::Digest;
use proptest::prelude::*;

use super::*;
use crate::lane::fixture::{compiled, spec};

const HOP: Millis = Millis::minutes(5);
const SIZE: Millis = Millis::hours(1);
const LANES: u32 = 3;
/// 2026-03-27T00:00:00Z.
const START: i64 = 1_774_569_600_000;

fn program() -> Arc<Program> {
    let mut spec = spec(Millis::hours(2));
    spec.watches[0].size = SIZE;
    compiled(spec)
}

fn digests() -> Digests {
    let digest = Digest([7; 32]);
    Digests { spec: digest, reading: digest, sql: digest, model: digest, engine: "test".to_owned() }
}

fn step(number: i64) -> Timestamp {
    Timestamp::from_millis(START) + Millis(number * HOP.0)
}

/// What users of one lane did in one step: (patient, user), once for each access.
type Done = Vec<(u8, u8)>;

fn states(program: &Program, done: &Done) -> Option<RecordBatch> {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let schema = Arc::new(Schema::new(vec![text("user_key"), text("patient_key")]));
    let watch = &program.spec.watches[0];
    let plans = WindowPlans::compile(&watch.users, "access", &schema, &["patient_key", "user_key"]).unwrap();
    let users: StringArray = done.iter().map(|(_, user)| Some(format!("u{user}"))).collect();
    let patients: StringArray = done.iter().map(|(patient, _)| Some(format!("p{patient}"))).collect();
    let rows = RecordBatch::try_new(schema, vec![Arc::new(users), Arc::new(patients)]).unwrap();
    (!done.is_empty()).then(|| plans.partial(vec![rows]).unwrap())
}

/// Rows of entities as (patient, users, accesses).
type Told = Vec<(String, i64, i64)>;

fn told(rows: &RecordBatch) -> Told {
    let numbers = |column: usize| rows.column(column).as_primitive::<Int64Type>();
    let (users, events) = (numbers(1), numbers(2));
    let patients = rows.column(0).as_string::<i32>().iter().enumerate();
    patients.map(|(row, patient)| (patient.unwrap().to_owned(), users.value(row), events.value(row))).collect()
}

/// What a step must give: the patients met in it, counted over the window that ends with it.
fn expected(lanes: &[Vec<Done>], number: usize) -> Told {
    let reach = usize::try_from(SIZE.0 / HOP.0).unwrap();
    let within = (number + 1).saturating_sub(reach)..=number;
    let met: BTreeSet<u8> = lanes.iter().flat_map(|steps| &steps[number]).map(|(patient, _)| *patient).collect();
    let count = |patient: u8| {
        let all = within.clone().flat_map(|step| lanes.iter().flat_map(move |steps| &steps[step]));
        let users: Vec<u8> = all.filter(|(of, _)| *of == patient).map(|(_, user)| *user).collect();
        let distinct: BTreeSet<_> = users.iter().collect();
        (format!("p{patient}"), distinct.len() as i64, users.len() as i64)
    };
    met.into_iter().map(count).collect()
}

/// Records of the watch's topic.
fn crossings(program: &Program, lane: u32, number: usize, done: &Done) -> Vec<Crossing> {
    let under = digests().told_under();
    let mut split = Crossing::split(lane, step(number as i64 + 1), &under, states(program, done).as_ref(), 1).unwrap();
    let read = |crossing: Crossing| {
        let (key, value) = crossing.encode().unwrap();
        Crossing::decode(&key, &value).unwrap()
    };
    split.remove(0).into_iter().map(read).collect()
}

/// Takes records from an offset on; gives the one after them.
fn hear(watches: &mut WatchLane, said: Vec<Crossing>, mut offset: i64) -> i64 {
    for crossing in said {
        watches.take(TopicId(0), crossing, Offset(offset)).unwrap();
        offset += 1;
    }
    offset
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn order_and_restarts_change_nothing(
        lanes in prop::collection::vec(
            prop::collection::vec(prop::collection::vec((0u8..4, 0u8..5), 0..3), 20..=20),
            LANES as usize..=LANES as usize,
        ),
        turns in prop::collection::vec(0..LANES, 200),
        restarts in prop::collection::vec(any::<bool>(), 60),
    ) {
        let program = program();
        // Each lane speaks of its steps in order; between lanes, any order.
        let mut next = [0usize; LANES as usize];
        let mut log = Vec::new();
        for lane in turns.into_iter().chain((0..LANES).cycle().take(200)) {
            let number = next[lane as usize];
            if number < 20 {
                next[lane as usize] += 1;
                log.extend(crossings(&program, lane, number, &lanes[lane as usize][number]));
            }
        }
        let mut watches = WatchLane::new(Arc::clone(&program), digests(), LANES, &[Offset(0)]).unwrap();
        let (mut at, mut record, mut panes, mut found) = (0, None::<JournalRecord>, BTreeMap::new(), BTreeMap::new());
        let mut restarts = restarts.into_iter();
        while at < log.len() {
            watches.take(TopicId(0), log[at].clone(), Offset(at as i64)).unwrap();
            at += 1;
            while let Some(due) = watches.next_due(None) {
                let rows = watches.close(due).unwrap().remove(0);
                prop_assert!(found.insert(due, rows.as_ref().map(told).unwrap_or_default()).is_none());
                let output = watches.end().unwrap();
                panes.extend(output.pane.map(|pane| (due, pane)));
                record = output.record;
            }
            if let Some(from) = watches.read_again() {
                at = usize::try_from(from[0].0).unwrap();
                continue;
            }
            if restarts.next() == Some(true) {
                let stored = |first: Timestamp| panes.range(first..).map(|(end, pane)| (*end, pane.clone())).collect::<Vec<_>>();
                watches = match &record {
                    None => WatchLane::new(Arc::clone(&program), digests(), LANES, &[Offset(0)]).unwrap(),
                    Some(record) => {
                        let panes = stored(record.tiers["minute"].first);
                        WatchLane::restore(Arc::clone(&program), digests(), LANES, record, &panes).unwrap()
                    }
                };
                at = usize::try_from(watches.resume()[0].0).unwrap();
            }
        }
        for number in 0..20 {
            let expected = expected(&lanes, number);
            let found = found.remove(&step(number as i64 + 1)).unwrap_or_default();
            prop_assert_eq!(found, expected, "step {}", number);
        }
    }
}

#[test]
fn a_lane_that_has_not_spoken_holds_a_step_back() {
    let program = program();
    let mut watches = WatchLane::new(Arc::clone(&program), digests(), LANES, &[Offset(0)]).unwrap();
    let say = |watches: &mut WatchLane, lane, number: usize, offset| {
        hear(watches, crossings(&program, lane, number, &vec![(1, 1)]), offset);
    };
    say(&mut watches, 0, 0, 0);
    say(&mut watches, 1, 0, 1);
    assert_eq!((watches.next_due(None), watches.waiting_steps()), (None, 1));
    say(&mut watches, 2, 0, 2);
    assert_eq!(watches.next_due(None), Some(step(1)));
}

#[test]
fn every_definition_that_states_depend_on_names_what_is_told() {
    let other = Digest([8; 32]);
    for changed in [
        Digests { spec: other, ..digests() },
        Digests { sql: other, ..digests() },
        Digests { model: other, ..digests() },
        Digests { engine: "another".to_owned(), ..digests() },
    ] {
        assert_ne!(changed.told_under(), digests().told_under(), "{changed:?}");
    }
}

#[test]
fn what_other_definitions_said_is_passed_over_and_strange_records_are_named() {
    let program = program();
    let mut watches = WatchLane::new(Arc::clone(&program), digests(), 1, &[Offset(0)]).unwrap();
    let one = |lane| crossings(&program, lane, 0, &vec![(1, 1)]).remove(0);
    let other = Crossing { under: "of another pipeline".to_owned(), ..one(0) };
    watches.take(TopicId(0), other, Offset(0)).unwrap();
    assert_eq!((watches.next_due(None), watches.resume()), (None, vec![Offset(1)]));
    // As an engine wrote it that cut nothing into pieces, and did not name itself.
    let key = format!("0/{}/070707070707.070707070707.070707070707", step(1).millis());
    watches.take(TopicId(0), Crossing::decode(key.as_bytes(), b"").unwrap(), Offset(1)).unwrap();
    assert_eq!((watches.next_due(None), watches.resume()), (None, vec![Offset(2)]));
    let told = watches.take(TopicId(0), one(4), Offset(9)).unwrap_err().to_string();
    assert!(told.contains("offset 9 is of lane 4, but there are 1 lanes"), "{told}");
    let told = Crossing::decode(b"lane", b"").unwrap_err().to_string();
    assert!(told.contains("the key `lane` is not `<lane>/<end>/<definitions>/<piece>`"), "{told}");
}

#[test]
fn steps_without_anything_are_closed_so_that_they_are_not_read_for_ever() {
    let program = program();
    let mut watches = WatchLane::new(Arc::clone(&program), digests(), 1, &[Offset(0)]).unwrap();
    for number in 0..WATCH_EMPTY_STEPS_MAX {
        assert_eq!((watches.next_due(None), watches.resume()), (None, vec![Offset(0)]));
        hear(&mut watches, crossings(&program, 0, number, &Vec::new()), number as i64);
    }
    let last = step(WATCH_EMPTY_STEPS_MAX as i64);
    assert_eq!(watches.next_due(None), Some(last));
    assert!(watches.close(last).unwrap()[0].is_none());
    assert_eq!(watches.resume(), [Offset(WATCH_EMPTY_STEPS_MAX as i64)]);
}

#[test]
fn entities_are_spread_over_lanes_and_none_is_lost_or_told_twice() {
    let program = program();
    let done: Done = (0..40).map(|patient| (patient, 1)).collect();
    let all = states(&program, &done).unwrap();
    let split = Crossing::split(0, step(1), "these", Some(&all), 4).unwrap();
    let keys = |crossing: &Crossing| -> Vec<String> {
        let states = crossing.states.as_ref().unwrap();
        states.column(0).as_string::<i32>().iter().map(|key| key.unwrap().to_owned()).collect()
    };
    assert!(split.len() == 4 && split.iter().any(|pieces| pieces.len() > 1), "{split:?}");
    let mut found: Vec<String> = split.iter().flatten().flat_map(keys).collect();
    found.sort();
    let mut expected: Vec<String> = (0..40).map(|patient| format!("p{patient}")).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_step_is_whole_only_with_the_last_piece_of_what_a_lane_says_of_it() {
    let program = program();
    let done: Done = (0..40).map(|patient| (patient, 1)).collect();
    let mut said = crossings(&program, 0, 0, &done);
    let last = said.split_off(said.len() - 1);
    assert!(said.len() > 1, "{} pieces before the last", said.len());
    let mut watches = WatchLane::new(Arc::clone(&program), digests(), 1, &[Offset(0)]).unwrap();
    // Before an upgrade was made whole it had said more, and in more pieces.
    let more: Done = (0..200).map(|patient| (patient, 1)).collect();
    let mut more = crossings(&program, 0, 0, &more);
    more.pop();
    assert!(more.len() > said.len() + 1, "{} pieces of more", more.len());
    let mut offset = hear(&mut watches, more, 0);
    assert_eq!((watches.next_due(None), watches.resume()), (None, vec![Offset(0)]));
    offset = hear(&mut watches, said, offset);
    assert_eq!(watches.next_due(None), None);
    hear(&mut watches, last, offset);
    assert_eq!(watches.next_due(None), Some(step(1)));
    let rows = watches.close(step(1)).unwrap().remove(0).unwrap();
    assert_eq!(told(&rows).len(), 40);
}

#[test]
fn after_an_upgrade_windows_are_filled_again_without_a_word() {
    let program = program();
    let mut watches = WatchLane::new(Arc::clone(&program), digests(), 1, &[Offset(0)]).unwrap();
    let mut offset = 0;
    let mut say = |watches: &mut WatchLane, number: usize| {
        offset = hear(watches, crossings(&program, 0, number, &vec![(1, number as u8)]), offset);
    };
    let close = |watches: &mut WatchLane| {
        let due = watches.next_due(None).unwrap();
        let refills = watches.refills(due);
        let rows = watches.close(due).unwrap().remove(0).as_ref().map(told);
        (due, refills, rows.unwrap(), watches.end().unwrap())
    };
    for number in 0..3 {
        say(&mut watches, number);
    }
    let records: Vec<_> = (0..3).map(|_| close(&mut watches).3.record.unwrap()).collect();
    let mut record = records[2].clone();
    record = JournalRecord { carried: Some(BTreeMap::new()), pins: None, tiers: BTreeMap::new(), ..record };
    let mut renewed = WatchLane::restore(Arc::clone(&program), digests(), 1, &record, &[]).unwrap();
    assert_eq!(renewed.resume(), [Offset(3)]);
    for number in 0..4 {
        say(&mut renewed, number);
    }
    for number in 1..=3 {
        let (due, refills, _, output) = close(&mut renewed);
        assert_eq!((due, refills, output.record.is_none(), output.pane.is_some()), (step(number), true, true, true));
    }
    let (due, refills, rows, output) = close(&mut renewed);
    assert_eq!((due, refills, output.record.is_some()), (step(4), false, true));
    assert_eq!(rows, [("p1".to_owned(), 4, 4)], "three users from before the upgrade and one after it");
}
