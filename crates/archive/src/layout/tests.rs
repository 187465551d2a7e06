use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::*;
use crate::listing::Lanes;

fn touch(dir: &Path, run: &RunId, stream: &str) {
    let path = run.path(dir, stream);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, []).unwrap();
}

fn id(lane: u32, first: u64, last: u64) -> RunId {
    RunId { lane: LaneId(lane), first, last, day: "2026-03-01".to_owned() }
}

#[test]
fn runs_follow_each_other_and_a_gap_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(runs(dir.path()).unwrap().is_empty());
    for run in [id(0, 0, 4), id(0, 5, 9), id(12, 0, 0)] {
        touch(dir.path(), &run, JOURNAL);
    }
    assert_eq!(runs(dir.path()).unwrap(), [id(0, 0, 4), id(0, 5, 9), id(12, 0, 0)]);
    touch(dir.path(), &id(0, 11, 12), JOURNAL);
    let error = runs(dir.path()).unwrap_err().to_string();
    assert!(error.contains("lane 0") && error.contains("10") && error.contains("11"), "{error}");
}

/// As many lanes as the largest number says are set up: one name of a file must not take all memory.
#[test]
fn a_name_that_says_a_lane_which_no_archive_has_is_refused() {
    for folder in ["", WATCHES] {
        let dir = tempfile::tempdir().unwrap();
        touch(&dir.path().join(folder), &id(LANES_MAX - 1, 0, 4), JOURNAL);
        let listed = || Lanes::of(&dir.path().join(folder));
        assert_eq!(listed().unwrap().runs.into_keys().collect::<Vec<_>>(), [LaneId(LANES_MAX - 1)]);
        for lane in [LANES_MAX, u32::MAX] {
            let run = id(lane, 0, 4);
            touch(&dir.path().join(folder), &run, JOURNAL);
            let error = listed().unwrap_err();
            assert_eq!(error.kind(), base::Kind::Corrupt);
            let told = format!("its name says lane {lane}, and an archive has at most 4096 lanes");
            assert!(error.to_string().contains(&told), "{error}");
        }
    }
}

#[test]
fn reference_rows_up_to_the_largest_number_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let day = "2026-03-01".to_owned();
    let run = ReferenceId { kind: Kind::ALL[0], partition: 0, from: 0, last: i64::MAX, day };
    let path = run.path(dir.path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, []).unwrap();
    assert!(reference_runs(dir.path()).unwrap().is_empty());
}

#[test]
fn a_run_that_is_sealed_while_days_are_listed_is_no_gap() {
    let follows = |before: Option<&u64>, run: &u64| {
        let expected = before.map_or(0, |before| before + 1);
        (*run != expected).then_some(Error::Gap { lane: LaneId(0), expected, found: *run })
    };
    let listed = |listings: &[&[u64]]| {
        let mut listings = listings.iter();
        chain(|| Ok(listings.next().expect("as many listings as are needed").to_vec()), follows)
    };
    assert_eq!(listed(&[&[0, 1]]).unwrap(), [0, 1]);
    assert_eq!(listed(&[&[2, 0], &[0, 1, 2]]).unwrap(), [0, 1, 2]);
    assert_eq!(listed(&[&[0, 2], &[0, 1, 2, 4], &[0, 1, 2, 3, 4]]).unwrap(), [0, 1, 2, 3, 4]);
    let error = listed(&[&[0, 2], &[0, 2, 3]]).unwrap_err();
    assert!(matches!(error, Error::Gap { expected: 1, found: 2, .. }), "{error}");
}

#[test]
fn a_run_that_was_never_sealed_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    touch(dir.path(), &id(0, 0, 4), JOURNAL);
    touch(dir.path(), &id(0, 0, 4), "access");
    touch(dir.path(), &id(0, 5, 7), "access");
    let sealed = runs(dir.path()).unwrap();
    sweep(dir.path(), &sealed, &["access"]).unwrap();
    assert!(id(0, 0, 4).path(dir.path(), "access").exists());
    assert!(!id(0, 5, 7).path(dir.path(), "access").exists());
}

#[test]
fn what_is_not_named_as_ours_is_not_swept() {
    let dir = tempfile::tempdir().unwrap();
    touch(dir.path(), &id(0, 0, 4), JOURNAL);
    touch(dir.path(), &id(0, 0, 4), "access");
    let sealed = id(0, 0, 4).path(dir.path(), "access");
    let folder = sealed.parent().unwrap();
    let reference = dir.path().join(format!("stream={REFERENCE}/dt=2026-03-01"));
    let copied = dir.path().join("stream=access/dt=2026-03-01.old");
    for folder in [&folder.join("@eaDir"), &reference, &copied] {
        fs::create_dir_all(folder).unwrap();
    }
    let (unsealed, row) = ("lane=00-000000000005-000000000007.parquet", "staff=00-000000000000-000000000003.parquet");
    let stay = [
        folder.join("notes.txt"),
        folder.join("download.part"),
        folder.join("lane=0-5-7.parquet"),
        folder.join(format!("{unsealed}.bak")),
        folder.join(OsStr::from_bytes(b"caf\xe9.parquet")),
        folder.join("@eaDir/thumbnail"),
        copied.join(unsealed),
        dir.path().join("stream=access/dt=2026-03-02"),
        reference.join("notes.txt"),
        reference.join(row),
    ];
    let go = [
        folder.join(unsealed),
        folder.join(format!("{unsealed}{TEMPORARY}")),
        folder.join(format!("{}{TEMPORARY}", sealed.file_name().unwrap().to_str().unwrap())),
        reference.join(format!("{row}{TEMPORARY}")),
    ];
    stay.iter().chain(&go).for_each(|path| fs::write(path, []).unwrap());
    sweep(dir.path(), &runs(dir.path()).unwrap(), &["access"]).unwrap();
    for path in stay.iter().chain([&sealed]) {
        assert!(path.exists(), "{} is gone", path.display());
    }
    for path in &go {
        assert!(!path.exists(), "{} is there still", path.display());
    }
}

#[test]
fn midnight_belongs_to_the_day_it_ends() {
    assert_eq!(day_of_tick(Timestamp::from_millis(86_400_000)), "1970-01-01");
    assert_eq!(day(Timestamp::from_millis(86_400_000)), "1970-01-02");
}
