//! Results that come otherwise than beside the journal records they belong to.

use super::*;

fn archiver_of(dir: &Path, committed: Vec<Vec<Followed>>) -> Archiver {
    let follower = WORLD.follower_of(1_000, 1, committed);
    Archiver::new(dir, &WORLD.spec, Arc::clone(&WORLD.keys), follower, &[LANE]).unwrap()
}

/// As a follower hands them over that was told too early an end of the topic.
#[test]
fn results_that_come_when_their_tick_is_archived_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut committed = WORLD.handed_over(<[u8]>::to_vec);
    let has_results = |step: &Vec<Followed>| {
        step.iter().any(|followed| matches!(followed, Followed::Results { messages, .. } if !messages.is_empty()))
    };
    let place = committed.iter().position(has_results).unwrap();
    let late = committed[place].remove(0);
    committed.push(vec![late]);
    let error = archiver_of(dir.path(), committed).finish().unwrap_err();
    let told = error.to_string();
    assert!(
        matches!(&error, Error::Late(late) if late.lane == LANE) && error.kind() == base::Kind::Corrupt,
        "{error:?}"
    );
    let first = &WORLD.committed[place].results[0].key;
    let (stream, end) = crate::follow::result_key(first).unwrap();
    let end = engine::when(end);
    assert!(told.contains(&format!("lane 0: a result of `{stream}` for the tick of {end} came after")), "{told}");

    // Who begins anew reads again what the topic holds.
    archiver_of(dir.path(), WORLD.handed_over(<[u8]>::to_vec)).finish().unwrap();
}

/// Who goes on from the archive's end takes what came too late for archived; who remembers it is told.
#[test]
fn what_came_too_late_is_missed_until_the_files_from_its_run_on_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), 1_000, 40);
    let runs = layout::runs(dir.path()).unwrap();
    let [.., run] = runs.as_slice() else { panic!("nothing is archived") };
    let end = read::end_record(dir.path(), run).unwrap().tick_end.unwrap();
    let late =
        |tick_end| Late { folder: dir.path().to_path_buf(), lane: LANE, stream: "features".to_owned(), tick_end };
    let open = || archiver_of(dir.path(), WORLD.handed_over(<[u8]>::to_vec));
    let archiver = open();
    let error = archiver.check_holds(&late(end)).unwrap_err();
    assert!(matches!(&error, Error::Late(told) if *told == late(end)), "{error}");
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    // Neither what is still to come nor what is another folder's is missed.
    archiver.check_holds(&late(end + base::Millis(1))).unwrap();
    archiver.check_holds(&Late { folder: "elsewhere".into(), ..late(end) }).unwrap();
    archiver.check_holds(&Late { lane: LaneId(LANE.0 + 1), ..late(end) }).unwrap();
    drop(archiver);
    fs::remove_file(run.path(dir.path(), layout::JOURNAL)).unwrap();
    open().check_holds(&late(end)).unwrap();
}

#[test]
fn results_wait_for_their_journal_records_on_the_disk() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    archive(one.path(), 1_000, 40);
    let told = || WORLD.committed.iter().flat_map(|transaction| &transaction.results);
    let all = WORLD.handed_over(<[u8]>::to_vec).into_iter().flatten();
    let (results, journal): (Vec<_>, Vec<_>) = all.partition(|followed| matches!(followed, Followed::Results { .. }));
    let mut committed = vec![results];
    committed.extend(journal.into_iter().map(|records| vec![records]));
    let mut archiver = archiver_of(two.path(), committed);
    archiver.step(Duration::ZERO).unwrap();
    let waiting =
        |archiver: &Archiver| (archiver.lanes[&LANE].results.count(), archiver.lanes[&LANE].results.byte_count());
    let bytes: usize = told().map(|result| result.value.len()).sum();
    assert!(bytes > 100_000, "{bytes} bytes are little");
    assert_eq!(waiting(&archiver), (told().count(), bytes as u64));
    archiver.finish().unwrap();
    assert_eq!(waiting(&archiver), (0, 0));
    same(&files(one.path()), &files(two.path()));
}
