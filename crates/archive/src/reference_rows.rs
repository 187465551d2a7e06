//! Reference rows on their way into the archive: every version, with its offset, and no raw id.
//!
//! A row that the reference would reject is kept without its content, for its offset and time still pin ticks. Rows
//! are written before any journal record that may pin them; a crash between leaves rows that the next start does not
//! write twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, SchemaRef};
use base::Timestamp;
use engine::ports::ReferenceRecord;
use events::{Offset, PseudonymKeys};
use jiff::tz::TimeZone;
use reference::Kind;

use crate::error::{Error, Result};
use crate::layout::{self, ReferenceId};
use crate::limits::REFERENCE_ROWS_MAX;
use crate::run::times;
use crate::table::{self, Footer, schema, time_type};

struct Row {
    offset: i64,
    append_time: Timestamp,
    value: Option<String>,
    reject: Option<&'static str>,
}

#[derive(Default)]
struct Partition {
    /// Right after what is in the archive.
    from: i64,
    /// Right after what has been taken.
    next: i64,
    rows: Vec<Row>,
}

/// Rows of all partitions that wait to be written.
pub(crate) struct ReferenceRows {
    keys: Arc<PseudonymKeys>,
    zone: TimeZone,
    partitions: BTreeMap<(Kind, u32), Partition>,
    waiting: usize,
}

impl ReferenceRows {
    /// Goes on behind what is in the archive.
    pub(crate) fn new(dir: &Path, keys: Arc<PseudonymKeys>, zone: TimeZone) -> Result<Self> {
        let mut partitions: BTreeMap<(Kind, u32), Partition> = BTreeMap::new();
        for run in layout::reference_runs(dir)? {
            let next = run.last + 1;
            partitions.insert((run.kind, run.partition), Partition { from: next, next, rows: Vec::new() });
        }
        Ok(Self { keys, zone, partitions, waiting: 0 })
    }

    pub(crate) fn take(&mut self, record: &ReferenceRecord) {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == record.kind) else { return };
        let partition = self.partitions.entry((kind, record.partition)).or_default();
        if record.offset.0 < partition.next {
            return; // in the archive already
        }
        let value = record.value.as_deref().map(<[u8]>::trim_ascii).filter(|value| !value.is_empty());
        let kept = value.map(|value| reference::pseudonymise(kind, value, &self.keys, &self.zone)).transpose();
        let (value, reject) = match kept {
            Ok(value) => (value.map(|value| String::from_utf8_lossy(&value).into_owned()), None),
            Err(reject) => (None, Some(reject.reason.name())),
        };
        partition.next = record.offset.0.saturating_add(1);
        partition.rows.push(Row { offset: record.offset.0, append_time: record.append_time, value, reject });
        self.waiting += 1;
    }

    /// Whether so many rows wait that they should be written whatever the lanes do.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting >= REFERENCE_ROWS_MAX
    }

    /// Writes everything that waits.
    pub(crate) fn flush(&mut self, dir: &Path) -> Result<u64> {
        let mut files = 0;
        for ((kind, number), partition) in &mut self.partitions {
            let Some((first, last)) = partition.rows.first().zip(partition.rows.last()) else { continue };
            let day = layout::day(first.append_time);
            let id = ReferenceId { kind: *kind, partition: *number, from: partition.from, last: last.offset, day };
            let footer = Footer::from([
                ("chartwarden.stream".to_owned(), "reference".to_owned()),
                ("chartwarden.pseudonym_key".to_owned(), self.keys.id().to_owned()),
            ]);
            let batch = batch(&id, &partition.rows)?;
            table::write(&id.path(dir), &batch.schema(), &[batch], &footer)?;
            files += 1;
            partition.from = partition.next;
            partition.rows.clear();
        }
        self.waiting = 0;
        Ok(files)
    }
}

fn columns() -> SchemaRef {
    schema(&[
        ("kind", DataType::Utf8, false),
        ("partition", DataType::Int64, false),
        ("offset", DataType::Int64, false),
        ("append_time", time_type(), false),
        ("value", DataType::Utf8, true),
        ("reject", DataType::Utf8, true),
    ])
}

fn batch(id: &ReferenceId, rows: &[Row]) -> Result<RecordBatch> {
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![id.kind.name(); rows.len()])),
        Arc::new(Int64Array::from(vec![i64::from(id.partition); rows.len()])),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.offset))),
        times(rows.iter().map(|row| Some(row.append_time))),
        Arc::new(rows.iter().map(|row| row.value.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.reject).collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(columns(), arrays)?)
}

/// Every row of these files, in their order.
pub(crate) fn read(dir: &Path, runs: &[ReferenceId]) -> Result<Vec<ReferenceRecord>> {
    let mut records = Vec::new();
    for run in runs {
        let table = table::read(&run.path(dir))?;
        let before = records.len();
        for batch in &table.batches {
            let offsets = table.longs(batch, "offset")?;
            let append_times = table.times(batch, "append_time")?;
            let values = table.texts(batch, "value")?;
            for ((offset, append_time), value) in offsets.into_iter().zip(append_times).zip(values) {
                records.push(ReferenceRecord {
                    kind: run.kind.name(),
                    partition: run.partition,
                    offset: Offset(offset),
                    append_time,
                    value: value.map(String::into_bytes),
                });
            }
        }
        let last = records[before..].last().map(|record| record.offset.0);
        if last != Some(run.last) {
            return Err(Error::file(&table.path, format!("its last offset is {last:?}, its name says {}", run.last)));
        }
    }
    Ok(records)
}
