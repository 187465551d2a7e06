use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;

use anyhow::anyhow;
use engine::ports::PortError;
use engine::{Metrics, ModelUse};

use super::*;
use crate::shipped;

fn shown() -> Arc<Shown> {
    Shown::new(Metrics::new(&shipped::load(ModelUse::Record).unwrap()).unwrap())
}

fn keeper<'a>(shown: &'a Shown, over: &'a AtomicBool) -> Keeper<'a> {
    Keeper { sink: Sink::Ledger, place: Path::new("data/ledger"), shown, over, retry_min: Duration::from_millis(1) }
}

fn failures(shown: &Shown) -> u64 {
    let text = shown.metrics.text();
    let found = text.lines().find_map(|line| line.strip_prefix("chartwarden_sink_failures_total{sink=\"ledger\"} "));
    found.unwrap_or_else(|| panic!("no such series:\n{text}")).parse().unwrap()
}

fn damaged() -> anyhow::Error {
    ledger::Error::Damaged { path: "state/head".to_owned(), reason: "cut short".to_owned() }.into()
}

fn read_only() -> anyhow::Error {
    let source = ErrorKind::ReadOnlyFilesystem.into();
    archive::Error::Disk { path: "data/archive".into(), doing: "writing it", source }.into()
}

/// Runs lives that end so, one after the other; says how the keeper ends, and how many lives were opened.
fn lives(shown: &Shown, over: &AtomicBool, ends: Vec<Result<()>>) -> (Result<()>, usize) {
    let (mut ends, mut opened) = (VecDeque::from(ends), 0);
    let open = || {
        opened += 1;
        Ok(opened)
    };
    let kept = keeper(shown, over).keep(None, open, |_| ends.pop_front().expect("a life more than was told of"));
    (kept, opened)
}

#[test]
fn whatever_a_person_can_mend_is_tried_again_until_it_is_mended() {
    let (shown, over) = (shown(), AtomicBool::new(false));
    let gone = Failure::invalid("the archive's folder is gone").into();
    let key = ledger::Error::Key { place: "ledger.key".to_owned(), reason: "no such file".to_owned() }.into();
    let topic = PortError::Corrupt("a record is no result".to_owned()).into();
    let full = std::io::Error::from(ErrorKind::StorageFull).into();
    let ends = [damaged(), read_only(), gone, key, topic, full].map(Err).into_iter().chain([Ok(())]).collect();
    let (kept, opened) = lives(&shown, &over, ends);
    kept.unwrap();
    assert_eq!((opened, failures(&shown)), (7, 6));
    assert!(!shown.is_stopping(), "lanes go on");
}

#[test]
fn what_cannot_be_opened_is_tried_again_too() {
    let (shown, over) = (shown(), AtomicBool::new(false));
    let mut answers = VecDeque::from([Err(damaged()), Err(read_only()), Ok("whole")]);
    let mut lived = Vec::new();
    let open = || answers.pop_front().expect("it was open");
    let live = |kept: &mut &'static str| {
        lived.push(*kept);
        Ok(())
    };
    keeper(&shown, &over).keep(None, open, live).unwrap();
    assert_eq!((lived, failures(&shown)), (vec!["whole"], 2));
}

#[test]
fn the_first_life_has_what_was_opened_before_lanes_joined() {
    let (shown, over) = (shown(), AtomicBool::new(false));
    let (mut lived, mut ends) = (Vec::new(), VecDeque::from([Err(damaged()), Ok(())]));
    let live = |kept: &mut u32| {
        lived.push(*kept);
        ends.pop_front().expect("it ended well")
    };
    keeper(&shown, &over).keep(Some(1), || Ok(2), live).unwrap();
    assert_eq!(lived, [1, 2]);
}

#[test]
fn who_stops_a_process_is_told_what_stands_failed() {
    for (error, kind) in [(damaged(), Kind::Corrupt), (read_only(), Kind::Invalid)] {
        let (shown, over) = (shown(), AtomicBool::new(false));
        let (mut error, mut lives) = (Some(error), 0);
        let live = |_: &mut ()| {
            lives += 1;
            if lives < 3 {
                return Err(damaged());
            }
            over.store(true, Ordering::Relaxed);
            Err(error.take().expect("it goes on when all is over"))
        };
        let ended = keeper(&shown, &over).keep(None, || Ok(()), live).unwrap_err();
        assert_eq!((report::kind(&ended), failures(&shown)), (kind, 3), "{ended}");
    }
}

#[test]
fn what_nobody_can_mend_beside_a_running_process_ends_it() {
    let refused = PortError::Invalid("the broker refuses this principal".to_owned());
    let archived = archive::Error::Port(PortError::Invalid("the broker refuses this principal".to_owned()));
    for (error, kind) in [
        (refused.into(), Kind::Invalid),
        (archived.into(), Kind::Invalid),
        (archive::Error::Replay("archive with the former pipeline".to_owned()).into(), Kind::Invalid),
        (ledger::Error::Bug("a tile without a place".to_owned()).into(), Kind::Bug),
        (anyhow!("nobody thought of this"), Kind::Bug),
    ] {
        let (shown, over) = (shown(), AtomicBool::new(false));
        let (kept, opened) = lives(&shown, &over, vec![Err(error)]);
        let error = kept.unwrap_err();
        assert_eq!((report::kind(&error), opened, failures(&shown)), (kind, 1, 1), "{error}");
        assert!(shown.is_stopping(), "the others go on: {error}");
    }
}

#[test]
fn at_the_start_only_what_time_heals_is_put_off() {
    let (shown, over) = (shown(), AtomicBool::new(false));
    let keeper = keeper(&shown, &over);
    assert_eq!(keeper.at_start(Ok(1)).unwrap(), Some(1));
    let taken = ledger::Error::InUse { place: "openings".to_owned() };
    assert_eq!(keeper.at_start::<()>(Err(taken.into())).unwrap(), None);
    assert_eq!(failures(&shown), 1);
    for (error, code) in [(damaged(), 1), (read_only(), 2), (anyhow!("nobody thought of this"), 70)] {
        let refused = keeper.at_start::<()>(Err(error)).unwrap_err();
        assert_eq!(report::kind(&refused).exit_code(), code, "{refused}");
    }
}

#[test]
fn pauses_grow_up_to_a_minute() {
    let pauses: Vec<u64> = std::iter::successors(Some(RETRY_MIN), |pause| Some(longer(*pause)))
        .take(8)
        .map(|pause| pause.as_secs())
        .collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
}
