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

#[test]
fn the_digest_is_that_of_the_lines_be_it_that_nobody_can_read_them_back() {
    let finding = |ordinal, value: &str| {
        let (tick_end, value) = (Timestamp::from_millis(60_000), value.as_bytes().to_vec());
        ArchivedFinding { tick_end, lane: LaneId(0), ordinal, id: String::new(), value }
    };
    let findings = [finding(0, "{\"a\":1}\n"), finding(1, r#"{"b":2}"#)];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("findings.ndjson");
    let digest = write_findings(&findings, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes, b"{\"a\":1}\n{\"b\":2}\n");
    assert_eq!(digest, Digest(Sha256::digest(&bytes).into()));
    assert_eq!(write_findings(&findings, Path::new("/dev/null")).unwrap(), digest);
}
