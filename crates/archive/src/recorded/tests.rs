//! Files give what the same records from a log do, whatever stands between the lines.

use std::fs;

use crate::testing::{WORLD, replay_clock, run as run_engine};
use crate::{Captured, RecordedFeed, RecordedSource};

/// The world's logs as files, each line followed by `between`.
fn files(between: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, log) in ["access", "auth"].iter().zip(WORLD.logs.iter()) {
        let mut text = Vec::new();
        for (_, value) in log {
            text.extend_from_slice(value);
            text.extend_from_slice(between.as_bytes());
        }
        fs::write(dir.path().join(format!("{name}.ndjson")), text).unwrap();
    }
    for kind in ["staff", "patients", "relations"] {
        let rows = WORLD.reference.iter().filter(|row| row.kind == kind).filter_map(|row| row.value.clone());
        fs::write(dir.path().join(format!("{kind}.ndjson")), rows.collect::<Vec<_>>().join(&b'\n')).unwrap();
    }
    dir
}

fn replay(dir: &tempfile::TempDir) -> Captured {
    let mut source = RecordedSource::open(dir.path(), &WORLD.spec, &WORLD.keys).unwrap();
    let mut feed = RecordedFeed::open(dir.path(), &WORLD.spec).unwrap();
    run_engine(&WORLD, &mut source, &mut feed, &replay_clock());
    source.take_captured()
}

#[test]
fn empty_lines_and_windows_ends_change_nothing() {
    let (plain, spaced) = (replay(&files("\n")), replay(&files("\r\n\n  \n")));
    let results = |captured: &Captured| {
        captured.lanes.values().flat_map(|lane| lane.results.iter().map(|r| r.unwrap())).collect::<Vec<_>>()
    };
    assert!(results(&plain).len() > 100, "{} results", results(&plain).len());
    assert_eq!(results(&plain), results(&spaced));
}

#[test]
fn a_missing_file_is_named() {
    let dir = files("\n");
    fs::remove_file(dir.path().join("auth.ndjson")).unwrap();
    let error = RecordedSource::open(dir.path(), &WORLD.spec, &WORLD.keys).err().unwrap();
    assert!(error.to_string().contains("auth.ndjson"), "{error}");
}
