//! Much at once: one user who makes more than half of the traffic.

use base::Millis;
use kafka::Speaker;

use crate::oracle::say;
use crate::stage::{LANES, Stage, settle, wait_until};
use crate::surroundings::{ACCESS, AUTH, copied, last_tick, newest};

/// Charts that a script opens under one login within an hour; everybody else together makes fewer accesses in four days.
const OPENED: i64 = 200_000;

/// Its lane is busy for longer than the others. They wait for it no more than for a lane that is down: not within a day.
#[test]
fn the_lane_of_a_script_holds_up_no_other() {
    let stage = Stage::new("2s");
    let mut member = stage.start("before", None);
    settle(&mut [&mut member]);
    member.stop();
    let last: Vec<_> = (0..LANES).map(|lane| [ACCESS, AUTH].map(|topic| newest(&stage, topic, lane))).collect();
    let end = last.iter().flatten().map(|record| record.time).max().unwrap();
    let speaker = Speaker::connect(&stage.config).unwrap();
    for number in 0..OPENED {
        let time = end + Millis(number * Millis::hours(1).0 / OPENED);
        let (key, mut event) = copied(&last[0][0], time, "script");
        event["id"] = format!("script-{number}").into();
        event["patient"] = format!("chart-{}", number % 20_000).into();
        speaker.send(ACCESS, Some(0), &key, Some(event.to_string().as_bytes()), &[], Some(time)).unwrap();
    }
    for (lane, records) in (0..).zip(&last) {
        for (topic, record) in [ACCESS, AUTH].into_iter().zip(records) {
            for minute in 1..=60 {
                let time = end + Millis::minutes(minute);
                let (key, event) = copied(record, time, "usual");
                speaker.send(topic, Some(lane), &key, Some(event.to_string().as_bytes()), &[], Some(time)).unwrap();
            }
        }
    }
    speaker.flush().unwrap();
    let before = stage.journal()[&0].counts[0];
    let mut member = stage.start("busy", None);
    let far = (end + Millis::minutes(50)).millis() as f64 / 1_000.0;
    let (mut through, mut looks) = ([None; LANES as usize], 0);
    wait_until("every lane is through the hour", || {
        looks += 1;
        for (lane, through) in (0..LANES).zip(&mut through) {
            if last_tick(&member, lane) > far {
                through.get_or_insert(looks);
            }
        }
        through.iter().all(Option::is_some)
    });
    let [scripts, others @ ..] = through.map(Option::unwrap);
    say(&format!("the lane of the script is through at look {scripts}, the others at {others:?}"));
    assert!(others.iter().all(|other| *other < scripts), "looks: {others:?}, and its {scripts}");
    settle(&mut [&mut member]);
    member.stop();
    let after = stage.journal()[&0].counts[0];
    assert!(after.kept > before.kept + OPENED as u64 * 11 / 12, "{after:?} after {before:?}");
    assert_eq!((after.late, after.rejects), (before.late, before.rejects), "nothing of it is late");
}
