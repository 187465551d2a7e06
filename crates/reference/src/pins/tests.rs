use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn the_last_row_before_a_time_is_found_although_clocks_fall_back_or_run_ahead() {
    let mut log = Log::default();
    for (offset, append_time) in [(3, 10), (4, 10), (7, 30), (8, 20), (9, 30), (12, 40)] {
        assert!(log.note(Offset(offset), at(append_time)));
    }
    assert!(!log.note(Offset(9), at(99)), "read before");
    for (time, offset) in [(0, 0), (10, 0), (11, 5), (20, 5), (21, 9), (30, 9), (31, 10), (40, 10), (41, 13)] {
        assert_eq!(log.behind(at(time)), Offset(offset), "{time}");
    }
    // One row of next year hides no other.
    log.note(Offset(13), at(1_000_000));
    assert_eq!(log.behind(at(60)), Offset(13));
    log.note(Offset(14), at(50));
    assert_eq!(log.behind(at(60)), Offset(15));
    assert_eq!(Log::default().behind(at(0)), Offset(0));
}

#[test]
fn pins_come_back_as_they_were_written() {
    let mut pins = Pins::default();
    pins.set(Kind::Relations, 3, Offset(7));
    pins.set(Kind::Staff, 0, Offset(1));
    let json = serde_json::to_string(&pins).unwrap();
    assert_eq!(json, r#"{"relations/3":7,"staff/0":1}"#);
    assert_eq!(serde_json::from_str::<Pins>(&json).unwrap(), pins);
    assert_eq!(pins.to_string(), "staff/0=1 relations/3=7");
    let error = serde_json::from_str::<Pins>(r#"{"stuff/0":1}"#).unwrap_err().to_string();
    assert!(error.starts_with("`stuff/0` names no reference partition"), "{error}");
}

#[test]
fn pins_are_reached_when_all_are() {
    let pins = |staff, relations| {
        let mut pins = Pins::default();
        pins.set(Kind::Staff, 0, Offset(staff));
        pins.set(Kind::Relations, 1, Offset(relations));
        pins
    };
    assert!(pins(3, 4).reached_by(&pins(3, 9)));
    assert!(!pins(3, 4).reached_by(&pins(9, 3)));
    assert!(!pins(3, 4).reached_by(&Pins::default()));
    assert!(Pins::default().reached_by(&Pins::default()));
}
