//! Files give what the same records from a log do, whatever stands between the lines.

use std::fs;

use crate::testing::{WORLD, replay_clock, run as run_engine};
use crate::{Captured, RecordFile, RecordedFeed, RecordedSource};

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

/// The same files as Parquet.
fn parquet() -> tempfile::TempDir {
    let dir = files("\n");
    for entry in fs::read_dir(dir.path()).unwrap() {
        let lines = entry.unwrap().path();
        let mut file = RecordFile::create(&lines.with_extension("parquet")).unwrap();
        for line in fs::read(&lines).unwrap().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            file.add(base::Timestamp::MIN, "somebody", line).unwrap();
        }
        file.finish().unwrap();
        fs::remove_file(lines).unwrap();
    }
    dir
}

#[test]
fn how_files_are_laid_out_changes_nothing() {
    let results = |captured: &Captured| {
        captured.lanes.values().flat_map(|lane| lane.results.iter().map(|r| r.unwrap())).collect::<Vec<_>>()
    };
    let plain = results(&replay(&files("\n")));
    assert!(plain.len() > 100, "{} results", plain.len());
    for other in [files("\r\n\n  \n"), parquet()] {
        assert_eq!(plain, results(&replay(&other)));
    }
}

#[test]
fn a_file_that_ends_early_holds_the_other_back_no_more() {
    let told =
        |dir: &tempfile::TempDir| replay(dir).lanes.values().map(|lane| lane.results.iter().count()).sum::<usize>();
    let whole = told(&files("\n"));
    for share in [0, 3] {
        let dir = files("\n");
        let auth = dir.path().join("auth.ndjson");
        let text = fs::read_to_string(&auth).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        fs::write(&auth, lines[..lines.len() * share / 10].join("\n")).unwrap();
        let left = told(&dir);
        assert!(left * 10 > whole * 9, "{left} of {whole} results with {share} tenths of the sign-ins");
    }
}

#[test]
fn two_files_of_one_name_are_not_chosen_from() {
    let (dir, other) = (files("\n"), parquet());
    fs::copy(other.path().join("auth.parquet"), dir.path().join("auth.parquet")).unwrap();
    let told = RecordedSource::open(dir.path(), &WORLD.spec, &WORLD.keys).err().unwrap().to_string();
    assert!(told.contains("both `auth.ndjson` and `auth.parquet`"), "{told}");
}

#[test]
fn a_missing_file_is_named() {
    let dir = files("\n");
    fs::remove_file(dir.path().join("auth.ndjson")).unwrap();
    let error = RecordedSource::open(dir.path(), &WORLD.spec, &WORLD.keys).err().unwrap();
    assert!(error.to_string().contains("auth.ndjson"), "{error}");
}
