use super::*;

#[test]
fn a_stamp_is_that_of_one_lane_and_of_nobody_else() {
    let written = stamp(LaneId(3), 17);
    assert_eq!(number_in(&written, LaneId(3)), Some(17));
    for other in [1, 13, 33] {
        assert_eq!(number_in(&written, LaneId(other)), None, "lane {other}");
    }
    for strange in ["3", "3/", "/17", "3/17/1", "3/-1", "03/17"] {
        assert_eq!(number_in(strange.as_bytes(), LaneId(3)), None, "{strange}");
    }
    assert_eq!(number_in(b"\xff/17", LaneId(3)), None);
}
