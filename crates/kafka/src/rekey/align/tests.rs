//! Nobody runs ahead, nobody who is behind waits, and everything goes out in order.

use base::{Millis, Seed, Timestamp};

use super::Alignment;

fn at(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

#[test]
fn the_one_ahead_waits_and_the_one_behind_does_not() {
    let mut align = Alignment::new(Millis(100));
    align.add(None);
    align.add(None);
    for time in [1_000, 1_050, 1_200] {
        align.push(0, at(time), time);
    }
    assert_eq!(align.release(&[false, false], 10), [], "nobody knows yet where the other stands");
    align.push(1, at(960), 960);
    assert_eq!(align.release(&[false, false], 10), [(1, 960), (0, 1_000), (0, 1_050)]);
    assert_eq!(align.release(&[false, false], 10), [], "960 is too far behind");
    assert_eq!(align.release(&[false, true], 10), [(0, 1_200)], "it rests");
    assert_eq!(align.skew(), Millis(240));
}

#[test]
fn what_has_no_time_goes_at_once_and_moves_nothing() {
    let mut align = Alignment::new(Millis(100));
    align.add(at(500));
    align.add(at(0));
    align.push(0, None, "garbage");
    align.push(0, at(600), "ahead");
    assert_eq!(align.release(&[false, false], 10), [(0, "garbage")]);
    align.push(1, at(550), "behind");
    assert_eq!(align.release(&[false, false], 10), [(1, "behind"), (0, "ahead")]);
}

/// Random partitions that bring their records in random portions: whatever goes out lies within the skew of where the
/// others stand, each partition keeps its order, and nothing stays behind.
#[test]
fn random_partitions_stay_within_the_skew() {
    for seed in 0..200 {
        let seed = Seed(seed);
        let draw = |name: &str, index: u64, below: u64| seed.child(name).index(index).0 % below;
        let count = 2 + draw("parts", 0, 4) as usize;
        let mut align = Alignment::new(Millis(1_000));
        let mut sources: Vec<std::collections::VecDeque<i64>> = Vec::new();
        for part in 0..count {
            align.add(None);
            let mut time = 0;
            let step = 1 + draw("step", part as u64, 500);
            let records = draw("records", part as u64, 200);
            let times = (0..records).map(|record| {
                time += draw("gap", record * 8 + part as u64, step) as i64;
                time
            });
            sources.push(times.collect());
        }
        let mut newest = vec![i64::MIN; count];
        let mut left: usize = sources.iter().map(std::collections::VecDeque::len).sum();
        for turn in 0..100_000 {
            if left == 0 {
                break;
            }
            for (part, source) in sources.iter_mut().enumerate() {
                if align.is_empty(part) {
                    for _ in 0..draw("portion", turn * 8 + part as u64, 4) {
                        if let Some(time) = source.pop_front() {
                            align.push(part, at(time), time);
                        }
                    }
                }
            }
            let rests: Vec<bool> = (0..count).map(|part| sources[part].is_empty() && align.is_empty(part)).collect();
            for (part, time) in align.release(&rests, 7) {
                left -= 1;
                assert!(time >= newest[part], "partition {part} lost its order, seed {seed:?}");
                newest[part] = time;
                for other in (0..count).filter(|other| !rests[*other] && *other != part) {
                    let stands = align.newest(other).map_or(i64::MIN, |at| at.millis());
                    let next = align.parts[other].waiting.front().map_or(i64::MIN, |(_, next)| *next);
                    let stands = stands.max(next);
                    assert!(time.saturating_sub(1_000) <= stands, "partition {part} ran ahead, seed {seed:?}");
                }
            }
        }
        assert_eq!(left, 0, "seed {seed:?}");
    }
}
