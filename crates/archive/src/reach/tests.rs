use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use engine::JournalRecord;

use super::*;
use crate::layout::{JOURNAL, RunId, WATCHES, day_of_tick};
use crate::table::{self, Footer};
use crate::testing::WORLD;

/// What was archived of a lane: the ends of its runs, in hours.
type Ends<'e> = &'e [i64];

fn at(hour: i64) -> Timestamp {
    Timestamp::from_millis(1_772_323_200_000) + Millis::hours(hour)
}

/// Writes the journal of a lane, in which each run has one record.
fn write(folder: &Path, lane: u32, ends: Ends<'_>) {
    let first: JournalRecord = serde_json::from_slice(&WORLD.committed[0].journal[0].value).unwrap();
    for (sequence, hour) in (0..).zip(ends) {
        let end = at(*hour);
        let record = JournalRecord { sequence, tick_end: Some(end), ..first.clone() };
        let text = serde_json::to_string(&record).unwrap();
        let schema = table::schema(&[("record", DataType::Utf8, false)]);
        let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec![text]))];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let run = RunId { lane: LaneId(lane), first: sequence, last: sequence, day: day_of_tick(end) };
        table::write(&run.path(folder, JOURNAL), &schema, &[batch], &Footer::new()).unwrap();
    }
}

/// What is told of an archive of these lanes of users and of watches.
fn told(users: [Ends<'_>; 3], watches: [Ends<'_>; 3]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for (lane, (users, watches)) in (0..).zip(users.into_iter().zip(watches)) {
        write(dir.path(), lane, users);
        write(&dir.path().join(WATCHES), lane, watches);
    }
    let mut report = Report::default();
    compare_reach(&mut report, &Listing::open(dir.path()).unwrap(), &WORLD.spec).unwrap();
    assert_eq!(report.difference_count, report.differences.len() as u64);
    report.differences
}

fn ends_early(who: &str, hour: i64, newest: i64) -> String {
    format!("{who}: the archive ends at {}, and at {} where it is newest", when(at(hour)), when(at(newest)))
}

const ALL: Ends<'static> = &[24, 48, 72, 74];

#[test]
fn a_lane_whose_files_are_gone_is_told() {
    assert_eq!(told([ALL; 3], [ALL; 3]), Vec::<String>::new());
    let of_watches = "lane 1 of watches: the archive holds nothing of it";
    assert_eq!(told([ALL; 3], [ALL, &[], ALL]), [of_watches]);
    assert_eq!(told([ALL, &[], ALL], [ALL, &[], ALL]), ["lane 1: the archive holds nothing of it", of_watches]);
    // Where nothing at all is there of watches, none may have been archived.
    assert_eq!(told([ALL; 3], [&[]; 3]), Vec::<String>::new());
}

#[test]
fn a_lane_whose_last_days_are_gone_is_told() {
    // What was watched since, the lane has told.
    assert_eq!(told([ALL, ALL, &ALL[..2]], [ALL; 3]), [ends_early("lane 2", 48, 74)]);
    assert_eq!(told([ALL, ALL, &ALL[..1]], [&ALL[..1]; 3]), [ends_early("lane 2", 24, 74)]);
    assert_eq!(told([ALL; 3], [&ALL[..1], ALL, ALL]), [ends_early("lane 0 of watches", 24, 74)]);
}

/// Runs are sealed one after the other, lanes that catch up are not all as far, and watches say little where nothing happens.
#[test]
fn a_lane_that_ends_a_little_earlier_is_not_told() {
    assert_eq!(told([ALL, ALL, &ALL[..3]], [ALL; 3]), Vec::<String>::new());
    assert_eq!(told([&ALL[..3], &ALL[..3], &ALL[..2]], [&ALL[..3]; 3]), Vec::<String>::new());
    assert_eq!(told([&ALL[..3], &ALL[..1], ALL], [&ALL[..1]; 3]).len(), 1, "two days are the most");
    assert_eq!(told([&ALL[..3], &ALL[..1], &ALL[..2]], [&ALL[..1]; 3]), Vec::<String>::new());
    assert_eq!(told([ALL; 3], [&ALL[..2], ALL, ALL]), Vec::<String>::new());
}

/// A lane of watches in which nothing has happened yet says nothing, and its first day is sealed when it is over.
#[test]
fn a_lane_of_watches_may_be_absent_on_the_first_day() {
    assert_eq!(told([ALL; 3], [&[24], &[], &[24]]), Vec::<String>::new());
    assert_eq!(told([&[24]; 3], [&[23, 24], &[], &[24]]), Vec::<String>::new());
}
