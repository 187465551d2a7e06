use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMillisecondArray};
use base::Millis;

use super::*;
use crate::walker::Walker;

/// Rows of one topic's tick in the order they were written: user, event time and id.
fn rows(events: &[(&str, i64, &str)]) -> Vec<OpenRow> {
    let end = Timestamp::from_millis(60_000);
    let times = |times: Vec<i64>| -> ArrayRef { Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC")) };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..events.len() as i64)),
        Arc::new(Int32Array::from(vec![0; events.len()])),
        times(vec![0; events.len()]),
        times(events.iter().map(|event| event.1).collect()),
        Arc::new(StringArray::from_iter_values(events.iter().map(|event| event.2))),
        Arc::new(StringArray::from_iter_values(events.iter().map(|event| event.0))),
    ];
    let schema = Schema::new(ENVELOPE.iter().map(Column::field).collect::<Vec<Field>>());
    let batch = Arc::new(RecordBatch::try_new(Arc::new(schema), columns).unwrap());
    let mut walker = Walker::new(Millis::minutes(1), Millis(0), Offset(0));
    walker.walk(&batch, None);
    assert!(walker.decide_idle(Offset(events.len() as i64), end));
    walker.close(end)
}

/// Two sources of one event may write it in either order, and a topic may be read before or after the other: what comes
/// just before a row follows from the events first.
#[test]
fn rows_stand_by_user_time_and_id_and_only_then_as_they_were_written() {
    let access = rows(&[("v", 1, "a"), ("u", 7, "c"), ("u", 7, "b"), ("u", 3, "d")]);
    let auth = rows(&[("u", 7, "b"), ("u", 7, "a")]);
    let sorted = sort_tick(&[(TopicId(1), Stream::Auth, auth), (TopicId(0), Stream::Access, access)]).unwrap();
    let told = sorted.sequence.iter().map(|(stream, row)| {
        let batch = sorted.streams[*stream as usize].as_ref().unwrap();
        let text = |column: usize| batch.column(column).as_string::<i32>().value(*row);
        (*stream, text(5), text(4))
    });
    let expected = [
        (Stream::Access, "u", "d"),
        (Stream::Auth, "u", "a"),
        (Stream::Access, "u", "b"),
        (Stream::Auth, "u", "b"),
        (Stream::Access, "u", "c"),
        (Stream::Access, "v", "a"),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}
