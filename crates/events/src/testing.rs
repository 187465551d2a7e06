//! Helps for this crate's tests: fixed keys, records from texts, and what they decode to as text.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMillisecondType;
use arrow::util::display::array_value_to_string;
use base::{Millis, Timestamp};

use crate::{DecodeOptions, Decoded, Decoder, Format, Networks, Offset, PseudonymKeys, Record, Records, Stream};

/// 2026-01-01T00:00:00Z.
pub(crate) const APPENDED: Timestamp = Timestamp::from_millis(1_767_225_600_000);

pub(crate) fn keys() -> Arc<PseudonymKeys> {
    Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|index| index as u8)).unwrap())
}

/// Options that take events of the last thirty years.
pub(crate) fn options() -> DecodeOptions {
    DecodeOptions {
        max_event_age: Millis::days(30 * 366),
        networks: Networks::new([("10.0.0.0/8", "internal"), ("10.9.0.0/16", "vpn")], "external").unwrap(),
        ..DecodeOptions::default()
    }
}

pub(crate) fn decoder(stream: Stream, format: Format) -> Decoder {
    Decoder::new(stream, format, keys(), options()).unwrap()
}

/// Records with offsets from 0.
pub(crate) fn records<'a>(values: impl IntoIterator<Item = Option<&'a [u8]>>) -> Records {
    let mut records = Records::default();
    for (offset, value) in (0..).zip(values) {
        records.push(Record { offset: Offset(offset), append_time: APPENDED, key: None, value, headers: &[] });
    }
    records
}

pub(crate) fn decode(stream: Stream, format: Format, texts: &[&str]) -> Decoded {
    decoder(stream, format).decode(&records(texts.iter().map(|text| Some(text.as_bytes()))))
}

/// Rows as `column: value` lines (absent ones left out, pseudonyms cut short), then the rejects.
pub(crate) fn dump(decoded: &Decoded) -> String {
    let mut text = String::new();
    for row in 0..decoded.events.num_rows() {
        for (field, array) in decoded.events.schema().fields().iter().zip(decoded.events.columns()) {
            if array.is_null(row) || field.name() == "append_time" {
                continue;
            }
            let value = match field.name().as_str() {
                // Arrow names no zone without its time zone database.
                "event_time" => {
                    let times = array.as_primitive::<TimestampMillisecondType>();
                    jiff::Timestamp::from_millisecond(times.value(row)).unwrap().to_string()
                }
                _ => array_value_to_string(array, row).unwrap(),
            };
            let shown =
                if field.name().ends_with("_key") || field.name().ends_with("_token") { &value[..9] } else { &value };
            writeln!(text, "{}: {shown}", field.name()).unwrap();
        }
    }
    for reject in &decoded.rejects {
        writeln!(text, "reject {}/{}: {}: {}", reject.offset, reject.part, reject.reason, reject.detail).unwrap();
    }
    text
}
