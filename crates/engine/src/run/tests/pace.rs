//! What is held while a lane waits, and what is not.

use super::*;

#[test]
fn what_runs_ahead_is_held_and_never_what_is_waited_for() {
    let mut world = world(3);
    // Sign-ins come one by one, so that accesses run ahead of them; at the end both are there.
    let last = world.topics[0].last().unwrap().0 + Millis::hours(1);
    let (_, json) = world.topics[1].last().unwrap().clone();
    world.topics[1].push((last, json));
    let stored = run(&world, &[200, 1], &[]);
    assert!(stored.held.iter().filter(|(topic, _)| *topic == 0).count() > 3, "{:?}", stored.held);
    for (topic, ahead) in &stored.held {
        assert!(*ahead > Millis(0), "topic {topic} was held {ahead} behind the other");
    }
    // How far it gets: to the limit, and what one poll brings.
    let furthest = stored.held.iter().map(|(_, ahead)| *ahead).max().unwrap();
    assert!(furthest.0 < AHEAD_MAX.0 + Millis::hours(6).0, "{furthest}");
    let counts = &stored.journal.last().unwrap().counts;
    assert!(counts[0].read > 1_000 && counts.iter().all(features::Counts::balance), "{counts:?}");
}

#[test]
fn what_runs_ahead_by_little_is_held_once_it_fills_the_lane() {
    let mut world = world(3);
    let log = |count: i64, every: i64, rest: &str| -> Vec<(Timestamp, Vec<u8>)> {
        let event = |n: i64| {
            let time = Timestamp::from_millis(1_767_567_600_000) + Millis::seconds(n * every);
            let json = format!(r#"{{"id":"{n}","time":{},"user":"u{}",{rest}}}"#, time.millis(), n % 7);
            (time, json.into_bytes())
        };
        (0..count).map(event).collect()
    };
    // A script opens a chart every second for less than an hour; sign-ins come one by one, and are what the lane waits for.
    world.topics[0] = log(3_000, 1, r#""patient":"p","action":"read","outcome":"success""#);
    world.topics[1] = log(200, 15, r#""activity":"logon","outcome":"success""#);
    let stored = run(&world, &[200, 1], &[]);
    let counts = &stored.journal.last().unwrap().counts;
    assert!(counts[0].read > 2_000 && counts[1].read > 100, "{counts:?}");
    // What one poll brings comes on top.
    assert!(stored.open_most < OPEN_ROWS_HOLD + 500, "{} rows were open", stored.open_most);
}

#[test]
fn a_lane_with_ticks_to_close_reads_on_when_few_rows_wait_for_them() {
    let stored = run(&world(3), &[97, 20], &[]);
    let read: u64 = stored.journal.last().unwrap().counts.iter().map(|counts| counts.read).sum();
    // What one poll brings comes on top, and what the lateness keeps open anyway.
    assert!(stored.open_most < OPEN_ROWS_DUE + 500 && read > 2_000, "{} of {read}", stored.open_most);
}
