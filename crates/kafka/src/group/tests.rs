use engine::ports::LaneId;

use super::{Change, Holdings, Moved};

fn lanes(ids: &[u32]) -> Vec<LaneId> {
    ids.iter().copied().map(LaneId).collect()
}

#[test]
fn a_lane_is_assigned_when_its_last_topic_is_here() {
    let mut holdings = Holdings::new(2);
    assert_eq!(holdings.apply(Moved::Given(vec![(0, 0), (0, 1)])), None);
    assert_eq!(holdings.halves().map(|(lane, _)| lane).collect::<Vec<_>>(), lanes(&[0, 1]));
    assert_eq!(holdings.apply(Moved::Given(vec![(1, 1)])), Some(Change::Assigned(lanes(&[1]))));
    assert_eq!(holdings.apply(Moved::Given(vec![(1, 0)])), Some(Change::Assigned(lanes(&[0]))));
    assert_eq!(holdings.halves().count(), 0);
}

#[test]
fn a_lane_is_revoked_once_and_with_its_first_topic() {
    let mut holdings = Holdings::new(2);
    let all = vec![(0, 0), (0, 1), (1, 0), (1, 1)];
    assert_eq!(holdings.apply(Moved::Given(all.clone())), Some(Change::Assigned(lanes(&[0, 1]))));
    assert_eq!(holdings.apply(Moved::Taken(vec![(1, 0)])), Some(Change::Revoked(lanes(&[0]))));
    assert_eq!(holdings.apply(Moved::Taken(vec![(0, 0)])), None);
    // Everything goes and comes straight back: told as two changes.
    assert_eq!(holdings.apply(Moved::Taken(vec![(0, 1), (1, 1)])), Some(Change::Revoked(lanes(&[1]))));
    assert_eq!(holdings.apply(Moved::Given(all)), Some(Change::Assigned(lanes(&[0, 1]))));
}
