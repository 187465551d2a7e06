//! Archives that an earlier version wrote, whose events had fewer columns.

use arrow::array::{Array as _, RecordBatch};
use events::{Decoded, Stream};

use super::*;
use crate::read::ReplayInput;
use crate::table;

/// A column that came later, and may be absent.
const LATER: &str = "workstation_key";

/// Writes the events of every run again, as if there had never been a column.
fn forget_column(dir: &Path, column: &str) {
    for run in layout::runs(dir).unwrap() {
        for stream in Stream::ALL {
            let path = run.path(dir, stream.name());
            if !path.exists() {
                continue;
            }
            let batches = table::read(&path).unwrap().batches;
            let older: Vec<_> = batches.iter().map(|batch| without(batch, column)).collect();
            fs::remove_file(&path).unwrap();
            table::write(&path, &older[0].schema(), &older, &table::Footer::new()).unwrap();
        }
    }
}

fn without(batch: &RecordBatch, column: &str) -> RecordBatch {
    let schema = batch.schema();
    let kept: Vec<usize> = (0..schema.fields().len()).filter(|place| schema.field(*place).name() != column).collect();
    assert_eq!(kept.len() + 1, schema.fields().len(), "there is no `{column}`");
    batch.project(&kept).unwrap()
}

/// Everything that a replay is handed over.
fn inputs(dir: &Path) -> crate::Result<Vec<Decoded>> {
    let topics = WORLD.spec.inputs().iter();
    let topics: Vec<_> = topics.map(|input| ReplayInput { topic: input.topic.clone(), stream: input.stream }).collect();
    let mut found = Vec::new();
    for run in layout::runs(dir)? {
        let ends: Vec<_> = read::end_record(dir, &run)?.topics.iter().map(|topic| topic.position).collect();
        found.extend(read::inputs(dir, &run, &topics, &ends)?.into_iter().flatten());
    }
    Ok(found)
}

#[test]
fn an_archive_that_is_older_than_a_column_is_replayed_without_it() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 40);
    let whole = inputs(dir.path()).unwrap();
    forget_column(dir.path(), LATER);
    let older = inputs(dir.path()).unwrap();
    assert_eq!(whole.len(), older.len());
    let mut known = 0;
    for (whole, older) in whole.iter().zip(&older) {
        let (whole, older) = (&whole.events, &older.events);
        let [before, after] = [whole, older].map(|events| events.column_by_name(LATER).unwrap());
        known += before.len() - before.null_count();
        assert_eq!((after.len(), after.null_count()), (before.len(), before.len()));
        assert_eq!(without(whole, LATER), without(older, LATER), "all other columns are what they were");
    }
    assert!(known > 100, "{known} events named a workstation");
    // Watches alone ask for it: lanes of users tell what they told.
    let report = compare(&listed(dir.path()), &replay(dir.path()), WORLD.spec.digests()).unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert!(report.user_rows > 100, "{report:?}");
}

#[test]
fn an_archive_without_what_every_event_has_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 40);
    forget_column(dir.path(), "user_key");
    let error = inputs(dir.path()).unwrap_err();
    let told = error.to_string();
    assert!(told.ends_with("column `user_key` is absent") && error.kind() == base::Kind::Corrupt, "{told}");
}
