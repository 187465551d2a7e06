use engine::Crossing;

use super::*;
use crate::store::CapturedLane;

/// What a lane told one lane of two watches of the steps that end at these minutes.
fn told(lane: u32, minutes: &[i64]) -> CapturedLane {
    let mut told = CapturedLane::default();
    for minute in minutes {
        let end = Timestamp::from_millis(minute * 60_000);
        let crossing = Crossing { lane, end, under: "these".to_owned(), piece: 0, is_last: true, states: None };
        let (key, value) = crossing.encode().unwrap();
        for watch in 0..2 {
            let message = Message { key: key.clone(), value: value.clone(), headers: Vec::new() };
            told.crossings.push(TopicId(watch), LaneId(u32::from(watch)), &message).unwrap();
        }
    }
    told
}

#[test]
fn lanes_are_handed_over_side_by_side_a_few_steps_at_a_time() {
    let minutes: Vec<i64> = (1..=20).map(|step| 5 * step).collect();
    // One begins later, one ends earlier.
    let lanes = [told(0, &minutes), told(1, &minutes[4..]), told(2, &minutes[..9])];
    let mut captured = Captured { lanes: (0..).map(LaneId).zip(lanes).collect() };
    let mut source = WatchSource::new(None, &mut captured, 2);
    let mut seen: BTreeMap<(LaneId, TopicId), Vec<Crossing>> = BTreeMap::new();
    let mut newest = Timestamp::MIN;
    for turn in 0.. {
        let mut ends = std::collections::BTreeSet::new();
        let mut exhausted = false;
        for wake in source.poll(Duration::ZERO).unwrap() {
            match wake {
                Wake::Assigned(lanes) => assert_eq!((turn, lanes.len()), (0, 3)),
                Wake::Records { lane, topic, records } => {
                    assert_eq!(lane.0, u32::from(topic.0));
                    let seen = seen.entry((lane, topic)).or_default();
                    for record in records.iter() {
                        assert_eq!(record.offset, Offset(seen.len() as i64));
                        let crossing = Crossing::decode(record.key.unwrap(), record.value.unwrap()).unwrap();
                        ends.insert(crossing.end);
                        seen.push(crossing);
                    }
                }
                Wake::Exhausted => exhausted = true,
                other => panic!("{other:?}"),
            }
        }
        assert!(ends.len() <= CHUNK_STEPS, "{} steps at once", ends.len());
        assert!(ends.first().is_none_or(|first| *first > newest), "a step came in two turns");
        newest = ends.last().copied().unwrap_or(newest);
        if exhausted {
            break;
        }
    }
    for crossings in seen.values() {
        for (lane, steps) in [(0, &minutes[..]), (1, &minutes[4..]), (2, &minutes[..9])] {
            let ours = crossings.iter().filter(|crossing| crossing.lane == lane);
            let ends: Vec<i64> = ours.map(|crossing| crossing.end.millis() / 60_000).collect();
            assert_eq!(ends, steps, "lane {lane}");
        }
    }
    assert_eq!(seen.len(), 2);
}
