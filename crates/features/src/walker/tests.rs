//! The rules of time against an independent reading of them: random logs, polls, silences, ticks, commits and kills
//! must leave the same kept, late and duplicate sets as one plain walk over the log with the recorded decisions.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{Field, Schema};
use events::schema::ENVELOPE;
use proptest::prelude::*;

use super::*;

const TICK: Millis = Millis(10);
const LATENESS: Millis = Millis(10);

/// A record: its parts as (event id, event time).
type Parts = Vec<(u8, i64)>;

#[derive(Clone, Debug)]
enum Action {
    /// Appends a record; a marker follows it where set.
    Append(Vec<(u8, i64)>, bool),
    /// Reads some records.
    Poll(usize),
    /// The clock goes on; a silent topic may be decided idle.
    Idle(i64),
    /// Closes ticks the watermark has passed.
    Close(usize),
    /// Moves the position to everything read.
    Without,
    /// Commits what was closed.
    Commit,
    /// Dies; what was not committed is gone.
    Kill,
}

fn action() -> impl Strategy<Value = Action> {
    let parts = prop::collection::vec((0u8..12, -60i64..6), 1..4);
    prop_oneof![
        6 => (parts, any::<bool>()).prop_map(|(parts, marker)| Action::Append(parts, marker)),
        5 => (1usize..5).prop_map(Action::Poll),
        2 => (0i64..60).prop_map(Action::Idle),
        4 => (1usize..4).prop_map(Action::Close),
        1 => Just(Action::Without),
        3 => Just(Action::Commit),
        2 => Just(Action::Kill),
    ]
}

/// What became of each (offset, part), and the rows of each sealed tick.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    side: BTreeMap<(i64, i32), &'static str>,
    sealed: BTreeMap<i64, BTreeSet<(i64, i32)>>,
}

#[derive(Default)]
struct World {
    log: Vec<(i64, Parts)>,
    end: i64,
    now: i64,
    committed: Option<(TopicPosition, i64)>,
    decisions: BTreeMap<i64, i64>,
    outcome: Outcome,
}

/// One owner's memory.
struct Owner {
    walker: Walker,
    side: Vec<(i64, i32, &'static str)>,
    sealed: Vec<(i64, BTreeSet<(i64, i32)>)>,
    last: i64,
    /// One for each closed tick and each commit without one, oldest first.
    records: Vec<TopicPosition>,
}

impl Owner {
    fn new(world: &World) -> Self {
        let (walker, last) = match &world.committed {
            None => (Walker::new(TICK, LATENESS, Offset(0)), i64::MIN / 4),
            Some((at, last)) => (Walker::restore(TICK, LATENESS, at, Timestamp::from_millis(*last)), *last),
        };
        Self { walker, side: Vec::new(), sealed: Vec::new(), last, records: Vec::new() }
    }

    fn poll(&mut self, world: &World, count: usize) {
        let next = self.walker.next().0;
        let unread: Vec<_> = world.log.iter().filter(|(offset, _)| *offset >= next).take(count).collect();
        let end = unread.last().map(|(offset, _)| Offset(offset + 1));
        let position = self.walker.position().0;
        for part in self.walker.walk(&Arc::new(batch(&unread)), end) {
            if part.offset.0 >= position && part.disposition != Disposition::Kept {
                self.side.push((part.offset.0, part.part, part.disposition.name()));
            }
        }
        if world.log.iter().all(|(offset, _)| *offset < self.walker.next().0) {
            self.walker.reached_end(Offset(world.end));
        }
    }

    fn close(&mut self) -> bool {
        let Some(due) = self.walker.first_open().filter(|due| *due <= self.walker.watermark()) else { return false };
        let rows = self.walker.close(due).iter().map(|row| (row.offset.0, row.part)).collect();
        self.last = due.millis();
        self.sealed.push((due.millis(), rows));
        self.records.push(self.walker.record());
        true
    }

    fn commit(&mut self, world: &mut World) {
        let decisions = self.records.iter().flat_map(|record| &record.decisions);
        for decision in decisions {
            let known = world.decisions.entry(decision.offset.0).or_insert(i64::MIN);
            *known = decision.watermark.millis().max(*known);
        }
        let Some(record) = std::mem::take(&mut self.records).pop() else { return };
        for (end, rows) in self.sealed.drain(..) {
            assert!(world.outcome.sealed.insert(end, rows).is_none(), "tick {end} sealed twice");
        }
        let position = record.position.0;
        for (offset, part, what) in self.side.extract_if(.., |side| side.0 < position) {
            assert!(world.outcome.side.insert((offset, part), what).is_none(), "{offset}.{part} left twice");
        }
        if let Some((before, _)) = &world.committed {
            assert!(before.position <= record.position, "the position goes back");
            assert!(before.resume <= record.resume, "resume goes back");
        }
        world.committed = Some((record, self.last));
    }
}

fn batch(records: &[&(i64, Parts)]) -> RecordBatch {
    let parts: Vec<(i64, i32, &(u8, i64))> = records
        .iter()
        .flat_map(|(offset, parts)| (0i32..).zip(parts).map(move |(part, event)| (*offset, part, event)))
        .collect();
    let times = |time: &dyn Fn(&(u8, i64)) -> i64| -> ArrayRef {
        let times = parts.iter().map(|(_, _, event)| time(event));
        Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(parts.iter().map(|part| part.0))),
        Arc::new(Int32Array::from_iter_values(parts.iter().map(|part| part.1))),
        times(&|_| 0),
        times(&|event| event.1),
        Arc::new(StringArray::from_iter_values(parts.iter().map(|part| part.2.0.to_string()))),
        Arc::new(StringArray::from_iter_values(parts.iter().map(|_| "u"))),
    ];
    let schema = Schema::new(ENVELOPE.iter().map(|column| column.field()).collect::<Vec<Field>>());
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// The rules of time, read once more: no batches, no restarts, no bookkeeping.
fn plain_walk(log: &[(i64, Parts)], decisions: &BTreeMap<i64, i64>, position: i64, last: i64) -> Outcome {
    let mut outcome = Outcome::default();
    /// Where each event of a tick stands, by id and time.
    type Tick = BTreeMap<(u8, i64), (i64, i32)>;
    let mut open: BTreeMap<i64, Tick> = BTreeMap::new();
    let mut watermark = i64::MIN / 4;
    for (offset, parts) in log.iter().filter(|(offset, _)| *offset < position) {
        for (_, value) in decisions.range(..=*offset) {
            watermark = watermark.max(*value);
        }
        for (part, (id, time)) in (0i32..).zip(parts) {
            let end = (time.div_euclid(TICK.0) + 1) * TICK.0;
            if end <= watermark {
                outcome.side.insert((*offset, part), "late");
            } else {
                match open.entry(end).or_default().entry((*id, *time)) {
                    Entry::Occupied(_) => {
                        outcome.side.insert((*offset, part), "duplicate");
                    }
                    Entry::Vacant(entry) => {
                        entry.insert((*offset, part));
                    }
                }
            }
        }
        let newest = parts.iter().map(|(_, time)| time - LATENESS.0).max().unwrap_or(watermark);
        watermark = watermark.max(newest);
    }
    for (end, rows) in open.into_iter().filter(|(end, rows)| *end <= last && !rows.is_empty()) {
        outcome.sealed.insert(end, rows.into_values().collect());
    }
    outcome
}

fn play(actions: &[Action]) -> (World, Outcome) {
    let mut world = World::default();
    let mut owner = Owner::new(&world);
    for action in actions {
        match action {
            Action::Append(parts, marker) => {
                world.now += 3;
                let parts = parts.iter().map(|(id, age)| (*id, world.now + age)).collect();
                world.log.push((world.end, parts));
                world.end += 1 + i64::from(*marker);
            }
            Action::Poll(count) => owner.poll(&world, *count),
            Action::Idle(wait) => {
                world.now += wait;
                owner.poll(&world, usize::MAX);
                let value = Timestamp::from_millis(world.now) - LATENESS - Millis(30);
                owner.walker.decide_idle(Offset(world.end), value);
            }
            Action::Close(count) => {
                let mut left = *count;
                while left > 0 && owner.close() {
                    left -= 1;
                }
            }
            Action::Without => {
                owner.walker.catch_up();
                owner.records.push(owner.walker.record());
            }
            Action::Commit => owner.commit(&mut world),
            Action::Kill => owner = Owner::new(&world),
        }
    }
    // Read everything, close what is due, commit.
    owner.poll(&world, usize::MAX);
    while owner.close() {}
    owner.walker.catch_up();
    owner.records.push(owner.walker.record());
    owner.commit(&mut world);
    let (at, last) = world.committed.clone().unwrap();
    let expected = plain_walk(&world.log, &world.decisions, at.position.0, last);
    (world, expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_run_is_the_plain_walk(actions in prop::collection::vec(action(), 1..80)) {
        let (world, expected) = play(&actions);
        prop_assert_eq!(&world.outcome.side, &expected.side);
        prop_assert_eq!(&world.outcome.sealed, &expected.sealed);
    }
}

#[test]
fn a_part_late_by_exactly_the_lateness_is_kept() {
    let mut walker = Walker::new(TICK, LATENESS, Offset(0));
    // Event 30 carries the watermark to 20; the tick [10, 20) has closed, [20, 30) has not.
    let log = [(0, vec![(1, 30)]), (1, vec![(2, 20), (3, 19)])];
    let walked = walker.walk(&Arc::new(batch(&log.iter().collect::<Vec<_>>())), None);
    let dispositions: Vec<_> = walked.iter().map(|part| part.disposition).collect();
    assert_eq!(dispositions, [Disposition::Kept, Disposition::Kept, Disposition::Late]);
    assert_eq!(walker.watermark(), Timestamp::from_millis(20));
}

#[test]
fn only_the_same_event_is_a_duplicate_and_not_another_one_of_its_id() {
    let plain = batch(&[&(0, vec![(1, 30); 6])]);
    let times = TimestampMillisecondArray::from(vec![30, 30, 30, 30, 31, 30]).with_timezone("UTC");
    let users = StringArray::from(vec!["u", "u", "v", "u", "u", "u"]);
    let patients = StringArray::from(vec![Some("p"), Some("p"), Some("p"), Some("q"), Some("p"), None]);
    let mut columns = plain.columns().to_vec();
    (columns[3], columns[5]) = (Arc::new(times), Arc::new(users));
    columns.push(Arc::new(patients));
    let mut fields: Vec<_> = plain.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("patient_key", arrow::datatypes::DataType::Utf8, true)));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let walked = Walker::new(TICK, LATENESS, Offset(0)).walk(&Arc::new(batch), None);
    let kept: Vec<_> = walked.iter().map(|part| part.disposition == Disposition::Kept).collect();
    assert_eq!(kept, [true, false, true, true, true, true]);
}

#[test]
fn an_idle_decision_never_lowers_the_watermark_and_sticks() {
    let mut walker = Walker::new(TICK, LATENESS, Offset(0));
    walker.walk(&Arc::new(batch(&[&(0, vec![(1, 100)])])), None);
    assert!(!walker.decide_idle(Offset(1), Timestamp::from_millis(50)));
    assert!(walker.decide_idle(Offset(1), Timestamp::from_millis(200)));
    walker.walk(&Arc::new(batch(&[&(1, vec![(2, 120)])])), None);
    assert_eq!(walker.watermark(), Timestamp::from_millis(200));
}

#[test]
fn what_was_heard_last_is_a_record_and_no_decision() {
    let at = Timestamp::from_millis;
    let mut walker = Walker::new(TICK, LATENESS, Offset(0));
    assert_eq!(walker.heard(), None);
    walker.walk(&Arc::new(batch(&[&(0, vec![(1, 100)])])), None);
    assert!(walker.decide_idle(Offset(1), at(200)));
    assert_eq!((walker.watermark(), walker.heard()), (at(200), Some(at(100))));
    walker.catch_up();
    assert_eq!(walker.record().decisions.len(), 1);
    // A late record behind the decision: the watermark that is stored was decided, and nothing stored says so.
    walker.walk(&Arc::new(batch(&[&(1, vec![(2, 100)])])), None);
    walker.close(walker.tick_end(at(100)));
    walker.catch_up();
    let stored = walker.record();
    assert_eq!((stored.resume, stored.watermark, stored.decisions.len()), (Offset(2), at(200), 0));
    let mut restored = Walker::restore(TICK, LATENESS, &stored, walker.tick_end(at(100)));
    assert_eq!(restored.heard(), None);
    restored.walk(&Arc::new(batch(&[&(2, vec![(3, 205)])])), None);
    assert_eq!((restored.watermark(), restored.heard()), (at(200), Some(at(205))));
}

/// A topic that is silent for weeks is decided to be idle every minute, and each time its end lies behind the marker of a
/// transaction.
#[test]
fn a_long_silence_leaves_one_decision_and_nothing_below_the_end_to_read_again() {
    let mut walker = Walker::new(TICK, LATENESS, Offset(0));
    walker.walk(&Arc::new(batch(&[&(0, vec![(1, 100)])])), None);
    assert!(walker.decide_idle(Offset(2), Timestamp::from_millis(500)));
    walker.close(walker.tick_end(Timestamp::from_millis(100)));
    for minute in 1..1_000 {
        assert!(walker.decide_idle(Offset(2), Timestamp::from_millis(1_000 * minute)));
        walker.close(Timestamp::from_millis(1_000 * minute));
        let at = walker.record();
        let newest = Decision { offset: Offset(2), watermark: Timestamp::from_millis(1_000 * minute) };
        assert_eq!((at.position, at.resume, at.decisions), (Offset(2), Offset(2), vec![newest]));
    }
    let at = walker.record();
    let restored = Walker::restore(TICK, LATENESS, &at, Timestamp::from_millis(999_000));
    assert_eq!((restored.watermark(), restored.next()), (walker.watermark(), Offset(2)));
}

/// As of a journal that is followed, or of one whose lane reads again from where it resumes.
#[test]
fn what_was_decided_further_on_counts_once_it_is_reached() {
    let mut walker = Walker::new(TICK, LATENESS, Offset(0));
    let further = Decision { offset: Offset(9), watermark: Timestamp::from_millis(500) };
    walker.learn(&[further]);
    walker.walk(&Arc::new(batch(&[&(0, vec![(1, 100)])])), None);
    walker.catch_up();
    let at = walker.record();
    assert_eq!((at.position, at.decisions), (Offset(1), Vec::new()));
    walker.reached_end(Offset(9));
    walker.catch_up();
    let at = walker.record();
    assert_eq!((walker.watermark(), at.position, at.decisions), (further.watermark, Offset(9), vec![further]));
}
