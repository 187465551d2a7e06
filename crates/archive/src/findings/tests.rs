use engine::ports::Message;

use super::*;
use crate::Captured;

#[test]
fn findings_of_several_lanes_stand_by_tick_and_only_then_by_lane() {
    let mut captured = Captured::default();
    for (lane, end, id) in [(1, 60_000, "b"), (1, 120_000, "e"), (0, 60_000, "a"), (0, 120_000, "d"), (0, 120_000, "c")]
    {
        let key = format!("{FINDINGS}/{end}").into_bytes();
        let value = format!(r#"{{"metadata":{{"uid":"{id}"}}}}"#).into_bytes();
        let lane = captured.lanes.entry(LaneId(lane)).or_default();
        lane.results.push(&Message { key, value, headers: Vec::new() }).unwrap();
    }
    let told: Vec<_> = captured.findings().unwrap().into_iter().map(|finding| (finding.id, finding.ordinal)).collect();
    // Within a tick of a lane they stand as they were told.
    let expected = [("a", 0), ("b", 0), ("d", 0), ("c", 1), ("e", 0)];
    assert_eq!(told, expected.map(|(id, ordinal)| (id.to_owned(), ordinal)));
}
