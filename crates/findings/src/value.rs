//! One cell of a feature row, whatever Arrow type it came in, and how it reads in a sentence.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use base::Timestamp;
use jiff::tz::TimeZone;

use crate::limits::CELL_CHARS_MAX;
use crate::score::Micros;
use crate::words;

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Missing,
    Flag(bool),
    Whole(i64),
    Decimal(f64),
    Text(String),
    Time(Timestamp),
}

impl Value {
    /// The cell of a column and row; missing where either does not exist or the type says nothing to a person.
    pub(crate) fn of(batch: &RecordBatch, column: &str, row: usize) -> Self {
        let Some(array) = batch.column_by_name(column) else { return Self::Missing };
        if row >= array.len() || array.is_null(row) {
            return Self::Missing;
        }
        // Casting one cell keeps this total over all Arrow types; only rows that become findings come here.
        let Ok(cell) = cast(&array.slice(row, 1), &plain_type(array.data_type())) else { return Self::Missing };
        if cell.is_null(0) {
            return Self::Missing;
        }
        match cell.data_type() {
            DataType::Boolean => Self::Flag(cell.as_boolean().value(0)),
            DataType::Int64 => Self::Whole(cell.as_primitive::<Int64Type>().value(0)),
            DataType::Float64 => Self::decimal(cell.as_primitive::<Float64Type>().value(0)),
            DataType::Timestamp(..) => {
                Self::Time(Timestamp::from_millis(cell.as_primitive::<TimestampMillisecondType>().value(0)))
            }
            _ => Self::Text(cell.as_string::<i32>().value(0).to_owned()),
        }
    }

    /// A float, held to millionths; missing if it is none.
    pub(crate) fn decimal(number: f64) -> Self {
        Micros::of(number).map_or(Self::Missing, |micros| Self::Decimal(micros.number()))
    }

    /// As a number: flags count as 0 and 1, times as milliseconds.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Missing | Self::Text(_) => None,
            Self::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Self::Whole(whole) => Some(*whole as f64),
            Self::Decimal(decimal) => Some(*decimal),
            Self::Time(time) => Some(time.millis() as f64),
        }
    }

    /// Whether it is zero or false.
    pub(crate) fn is_zero(&self) -> bool {
        matches!(self, Self::Flag(false) | Self::Whole(0)) || matches!(self, Self::Decimal(number) if *number == 0.0)
    }

    /// As a person reads it, times by the clocks of the zone.
    pub(crate) fn told(&self, zone: &TimeZone) -> String {
        match self {
            Self::Missing => "unknown".to_owned(),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::Whole(whole) => words::whole(*whole),
            Self::Decimal(decimal) => words::decimal(*decimal),
            Self::Text(text) => words::tame(text, CELL_CHARS_MAX),
            Self::Time(time) => words::moment(*time, zone),
        }
    }

    /// As machines compare it: no separators, no units.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(whole) => whole.to_string(),
            Self::Decimal(decimal) => decimal.to_string(),
            Self::Text(text) => words::tame(text, CELL_CHARS_MAX),
            Self::Time(time) => time.millis().to_string(),
        }
    }
}

fn plain_type(of: &DataType) -> DataType {
    match of {
        DataType::Boolean => DataType::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::UInt64 => DataType::Float64,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            DataType::Float64
        }
        whole if whole.is_integer() => DataType::Int64,
        DataType::Duration(_) => DataType::Int64,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Dictionary(_, values) => plain_type(values),
        _ => DataType::Utf8,
    }
}
