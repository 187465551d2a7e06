//! What is written is what a JSON reader reads.

use base::Timestamp;

use super::Object;

#[test]
fn an_object_reads_back() {
    let mut out = b"left over".to_vec();
    let mut object = Object::new(&mut out);
    object.text("plain", "Ward 3").text("odd", "a \"b\" \\ \u{e9}\n").number("n", -120).flag("f", true);
    object.address("ip", [10, 0, 255, 7]).hex("id", "e", 0xab).decimal("x", 1.5, 3);
    object.end();
    let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let expected = serde_json::json!({"plain": "Ward 3", "odd": "a \"b\" \\ \u{e9}\n", "n": -120, "f": true,
        "ip": "10.0.255.7", "id": "e00000000000000ab", "x": 1.5});
    assert_eq!(value, expected);
}

#[test]
fn times_agree_with_the_calendar_library() {
    for millis in (0..4_000_000_000_000_i64).step_by(86_399_123_457) {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.time("t", Timestamp::from_millis(millis), false);
        object.end();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let read: jiff::Timestamp = value["t"].as_str().unwrap().parse().unwrap();
        assert_eq!(read.as_millisecond(), millis);
    }
}
