//! The columns the seal reads, by name, and those it fills, row by row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float64Array, Int32Builder, Int64Builder, RecordBatch, StringArray,
    StringBuilder, TimestampMillisecondArray,
};
use arrow::datatypes::{Float64Type, TimestampMillisecondType};
use events::schema::{ColumnKind, Stream};

use crate::facts::hash64;
use crate::seal::{COMMON, added};
use crate::spec::ProgramSpec;

/// One column being filled.
enum Filling {
    Text(StringBuilder),
    Flag(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
}

/// A value for the next column of a row.
pub(super) enum Value<'a> {
    Text(Option<&'a str>),
    Flag(bool),
    Int(Option<i32>),
    Long(Option<i64>),
}

/// Columns filled row by row, each row in the declared order.
pub(super) struct Filler {
    columns: Vec<Filling>,
}

impl Filler {
    pub(super) fn new(spec: &ProgramSpec, stream: Stream, rows: usize) -> Self {
        let filling = |kind| match kind {
            ColumnKind::Text => Filling::Text(StringBuilder::with_capacity(rows, rows * 8)),
            ColumnKind::Flag => Filling::Flag(BooleanBuilder::with_capacity(rows)),
            ColumnKind::Int => Filling::Int(Int32Builder::with_capacity(rows)),
            _ => Filling::Long(Int64Builder::with_capacity(rows)),
        };
        let mut columns: Vec<_> = COMMON.iter().chain(added(stream)).map(|column| filling(column.kind)).collect();
        for _ in spec.seen.iter().filter(|seen| seen.relation == stream.name()) {
            columns.extend([filling(ColumnKind::Flag), filling(ColumnKind::Int)]);
        }
        Self { columns }
    }

    pub(super) fn row<'a>(&mut self, values: impl IntoIterator<Item = Value<'a>>) {
        let mut columns = self.columns.iter_mut();
        for value in values {
            match (columns.next(), value) {
                (Some(Filling::Text(column)), Value::Text(value)) => column.append_option(value),
                (Some(Filling::Flag(column)), Value::Flag(value)) => column.append_value(value),
                (Some(Filling::Int(column)), Value::Int(value)) => column.append_option(value),
                (Some(Filling::Long(column)), Value::Long(value)) => column.append_option(value),
                _ => unreachable!("the seal fills its columns in the order it declares them"),
            }
        }
        assert!(columns.next().is_none(), "the seal fills every column it declares");
    }

    pub(super) fn finish(self) -> Vec<ArrayRef> {
        let columns = self.columns.into_iter();
        let finished = columns.map(|column| -> ArrayRef {
            match column {
                Filling::Text(mut column) => Arc::new(column.finish()),
                Filling::Flag(mut column) => Arc::new(column.finish()),
                Filling::Int(mut column) => Arc::new(column.finish()),
                Filling::Long(mut column) => Arc::new(column.finish()),
            }
        });
        finished.collect()
    }
}

/// Columns of a stream that the seal reads, by name.
pub(super) struct Source<'a> {
    batch: &'a RecordBatch,
}

impl<'a> Source<'a> {
    fn text(&self, name: &str) -> &'a StringArray {
        self.column(name).as_string::<i32>()
    }

    fn float(&self, name: &str) -> &'a Float64Array {
        self.column(name).as_primitive::<Float64Type>()
    }

    fn column(&self, name: &str) -> &'a ArrayRef {
        self.batch.column_by_name(name).expect("the schema of a stream is fixed")
    }
}

pub(super) fn optional(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

pub(super) fn hashed(column: &StringArray, row: usize) -> Option<i64> {
    optional(column, row).map(hash64)
}

/// Columns whose values are noted as seen, each with its kind.
pub(super) type SeenColumns<'a> = Vec<(usize, &'a StringArray)>;

fn seen_columns<'a>(source: &Source<'a>, spec: &ProgramSpec, stream: Stream) -> SeenColumns<'a> {
    let kinds = spec.seen.iter().enumerate().filter(|(_, seen)| seen.relation == stream.name());
    kinds.map(|(kind, seen)| (kind, source.text(&seen.column))).collect()
}

pub(super) struct AccessColumns<'a> {
    pub(super) seen: SeenColumns<'a>,
    pub(super) time: &'a TimestampMillisecondArray,
    pub(super) user: &'a StringArray,
    pub(super) patient: &'a StringArray,
    pub(super) action: &'a StringArray,
    pub(super) outcome: &'a StringArray,
    pub(super) workstation: &'a StringArray,
    pub(super) search: &'a StringArray,
    pub(super) reason: &'a StringArray,
    pub(super) resource: &'a StringArray,
}

impl<'a> AccessColumns<'a> {
    pub(super) fn new(batch: &'a RecordBatch, spec: &ProgramSpec) -> Self {
        let source = Source { batch };
        Self {
            seen: seen_columns(&source, spec, Stream::Access),
            time: source.column("event_time").as_primitive::<TimestampMillisecondType>(),
            user: source.text("user_key"),
            patient: source.text("patient_key"),
            action: source.text("action"),
            outcome: source.text("outcome"),
            workstation: source.text("workstation"),
            search: source.text("search_token"),
            reason: source.text("reason_token"),
            resource: source.text("resource"),
        }
    }

    /// The patient whose chart the access touched: of a refused one, nobody's.
    pub(super) fn touched(&self, row: usize) -> Option<&'a str> {
        optional(self.patient, row).filter(|_| !self.is_refused(row))
    }

    pub(super) fn is_refused(&self, row: usize) -> bool {
        self.outcome.value(row) == "failure"
    }
}

pub(super) struct AuthColumns<'a> {
    pub(super) seen: SeenColumns<'a>,
    pub(super) time: &'a TimestampMillisecondArray,
    pub(super) user: &'a StringArray,
    pub(super) activity: &'a StringArray,
    pub(super) outcome: &'a StringArray,
    pub(super) network: &'a StringArray,
    pub(super) device: &'a StringArray,
    pub(super) workstation: &'a StringArray,
    pub(super) address: &'a StringArray,
    pub(super) latitude: &'a Float64Array,
    pub(super) longitude: &'a Float64Array,
}

impl<'a> AuthColumns<'a> {
    pub(super) fn new(batch: &'a RecordBatch, spec: &ProgramSpec) -> Self {
        let source = Source { batch };
        Self {
            seen: seen_columns(&source, spec, Stream::Auth),
            time: source.column("event_time").as_primitive::<TimestampMillisecondType>(),
            user: source.text("user_key"),
            activity: source.text("activity"),
            outcome: source.text("outcome"),
            network: source.text("network"),
            device: source.text("device_key"),
            workstation: source.text("workstation"),
            address: source.text("address_key"),
            latitude: source.float("latitude"),
            longitude: source.float("longitude"),
        }
    }
}
