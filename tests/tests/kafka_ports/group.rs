//! Lanes in a group of several members.

use std::collections::BTreeMap;
use std::time::Duration;

use chartwarden_tests::broker::Broker;
use engine::ports::{LaneId, PortError, Source, Wake};
use events::{Offset, TopicId};
use kafka::{Config, KafkaSource, add_partitions};

use crate::support::{holding, numbered, pipeline, poll_until, speak, values};

const LANES: u32 = 6;

/// Members of one group, polled in turn, and who holds which lane.
struct Members {
    sources: Vec<Option<KafkaSource>>,
    owner: BTreeMap<LaneId, usize>,
}

impl Members {
    /// Polls everybody once. A lane must never have two owners, and records come only for lanes that are held.
    fn turn(&mut self) {
        for (index, source) in self.sources.iter_mut().enumerate() {
            let Some(source) = source else { continue };
            for wake in source.poll(Duration::from_millis(20)).unwrap() {
                match wake {
                    Wake::Assigned(lanes) => {
                        for lane in lanes {
                            assert_eq!(self.owner.insert(lane, index), None, "lane {lane} has two owners");
                            source.start(lane, &[Offset(0), Offset(0)]).unwrap();
                        }
                    }
                    Wake::Revoked(lanes) => {
                        for lane in lanes {
                            assert_eq!(self.owner.remove(&lane), Some(index), "lane {lane} was not held");
                        }
                    }
                    Wake::Records { lane, .. } => assert_eq!(self.owner.get(&lane), Some(&index), "lane {lane}"),
                    Wake::Decoded { .. } | Wake::Exhausted => panic!("only a replay does this"),
                }
            }
        }
    }

    /// Polls until every lane is held and the members that are here hold `shares` of them.
    fn settle(&mut self, shares: &[usize]) {
        for _ in 0..1_000 {
            self.turn();
            let mut counts: Vec<_> = (0..self.sources.len())
                .filter(|index| self.sources[*index].is_some())
                .map(|index| self.owner.values().filter(|owner| **owner == index).count())
                .collect();
            counts.sort_unstable();
            if counts == shares {
                return;
            }
        }
        panic!("lanes did not settle: {:?}", self.owner);
    }

    fn join(&mut self, config: &Config) {
        self.sources.push(Some(KafkaSource::connect(config).unwrap()));
    }

    fn leave(&mut self, index: usize) {
        self.sources[index] = None;
        self.owner.retain(|_, owner| *owner != index);
    }
}

fn three_members_come_and_go(config: &Config) {
    for lane in 0..LANES {
        for topic in &config.input_topics {
            speak(config, topic, lane, (0..20).map(|n| n.to_string()));
        }
    }
    let mut members = Members { sources: Vec::new(), owner: BTreeMap::new() };
    for shares in [&[6][..], &[3, 3], &[2, 2, 2]] {
        members.join(config);
        members.settle(shares);
    }
    members.leave(0);
    members.settle(&[3, 3]);
}

#[test]
fn three_members_never_share_a_lane() {
    three_members_come_and_go(&pipeline(Broker::shared().bootstrap(), "three", LANES));
}

#[test]
fn three_members_of_the_newer_protocol_never_share_a_lane() {
    let mut config = pipeline(Broker::shared().bootstrap(), "newer", LANES);
    config.properties.clear();
    config.properties.insert("group.protocol".to_owned(), "consumer".to_owned());
    three_members_come_and_go(&config);
}

#[test]
fn a_static_member_that_comes_straight_back_has_its_lanes_again() {
    let mut config = pipeline(Broker::shared().bootstrap(), "static", 3);
    config.instance_id = Some("one".to_owned());
    speak(&config, "static.access", 1, ["a".to_owned(), "b".to_owned()]);
    let mut source = holding(&config, 3);
    source.open(LaneId(1)).unwrap().commit(numbered(1)).unwrap();
    drop(source);
    let mut source = holding(&config, 3);
    let mut store = source.open(LaneId(1)).unwrap();
    assert_eq!(store.head().unwrap()[b"journal".as_slice()], b"1");
    source.start(LaneId(1), &[Offset(1), Offset(0)]).unwrap();
    assert_eq!(values(&mut source, 1)[&(LaneId(1), TopicId(0))], ["b"]);
}

#[test]
fn partitions_that_are_added_under_a_member_end_it() {
    let mut config = pipeline(Broker::shared().bootstrap(), "widened", 2);
    config.properties.insert("topic.metadata.refresh.interval.ms".to_owned(), "500".to_owned());
    let mut source = holding(&config, 2);
    for topic in &config.input_topics {
        add_partitions(&config, topic, 3).unwrap();
    }
    let told = (0..300).find_map(|_| source.poll(Duration::from_millis(100)).err());
    let Some(PortError::Invalid(text)) = told else { panic!("{told:?}") };
    for part in ["partitions", "3", "2", "chartwarden rekey"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_store_of_a_lane_that_was_taken_away_is_closed() {
    let config = pipeline(Broker::shared().bootstrap(), "taken", 2);
    let mut first = holding(&config, 2);
    let mut stores: Vec<_> = (0..2).map(|lane| (LaneId(lane), first.open(LaneId(lane)).unwrap())).collect();
    let mut second = KafkaSource::connect(&config).unwrap();
    let mut gone = Vec::new();
    let mut kept = Vec::new();
    poll_until(&mut first, |_, wakes| {
        for wake in wakes {
            match wake {
                Wake::Revoked(lanes) => gone.extend(lanes),
                Wake::Assigned(lanes) => kept.extend(lanes),
                _ => {}
            }
        }
        second.poll(Duration::ZERO).unwrap();
        kept.len() == 1
    });
    gone.sort_unstable();
    assert_eq!(gone, [LaneId(0), LaneId(1)]);
    // Both stores are closed, also that of the lane that came straight back: it is opened again.
    for (lane, store) in &mut stores {
        let fenced = *lane;
        assert!(matches!(store.commit(numbered(1)), Err(PortError::Fenced(lane)) if lane == fenced));
    }
    first.open(kept[0]).unwrap().commit(numbered(2)).unwrap();
}

#[test]
fn half_a_lane_is_waited_out_and_then_an_error_that_names_the_settings() {
    let mut config = pipeline(Broker::shared().bootstrap(), "half", 2);
    config.half_lane_max = Duration::from_millis(500);
    let mut source = holding(&config, 2);
    // A member that wants only one of the topics: no assignor can keep the lanes together any more.
    let stranger = Config { input_topics: vec!["half.auth".to_owned()], ..config.clone() };
    let mut stranger = KafkaSource::connect(&stranger).unwrap();
    let error = (0..300).find_map(|_| {
        stranger.poll(Duration::ZERO).unwrap();
        source.poll(Duration::from_millis(100)).err()
    });
    let Some(PortError::Invalid(text)) = error else { panic!("{error:?}") };
    for part in ["half.access here", "half.auth with another", "partition.assignment.strategy", "group.remote.assignor"]
    {
        assert!(text.contains(part), "{text}");
    }
}
