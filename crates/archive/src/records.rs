//! Records as a topic would hold them, in one Parquet file: time, key, and the JSON text. For recorded or simulated events
//! only: it keeps raw ids, which no archive may. Read next: `table.rs`, whose files these are.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray, StringBuilder, TimestampMillisecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use base::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::error::{Error, Result};
use crate::layout::TEMPORARY;
use crate::limits::ROW_GROUP_ROWS;
use crate::table;

/// Writes records to a file that gets its name when it is complete.
pub struct RecordFile {
    path: PathBuf,
    temporary: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<File>,
    times: TimestampMillisecondBuilder,
    keys: StringBuilder,
    values: StringBuilder,
    rows: usize,
}

impl RecordFile {
    /// Begins a file: `time` (UTC), `key` and `value` of each record, in the order they come.
    pub fn create(path: &Path) -> Result<Self> {
        let columns =
            [("time", table::time_type(), false), ("key", DataType::Utf8, false), ("value", DataType::Utf8, false)];
        let schema = table::schema(&columns);
        let mut name = path.as_os_str().to_os_string();
        name.push(TEMPORARY);
        let temporary = PathBuf::from(name);
        let file = File::create(&temporary).map_err(Error::disk(&temporary, "creating it"))?;
        let properties = table::properties(path, &table::Footer::default())?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .map_err(Error::parquet(path, "writing it"))?;
        Ok(Self {
            path: path.to_path_buf(),
            temporary,
            schema,
            writer,
            times: Self::times(),
            keys: StringBuilder::new(),
            values: StringBuilder::new(),
            rows: 0,
        })
    }

    fn times() -> TimestampMillisecondBuilder {
        TimestampMillisecondBuilder::new().with_timezone("UTC")
    }

    /// Adds a record.
    pub fn add(&mut self, time: Timestamp, key: &str, value: &[u8]) -> Result<()> {
        let value = std::str::from_utf8(value).map_err(|error| Error::file(&self.path, error))?;
        self.times.append_value(time.millis());
        self.keys.append_value(key);
        self.values.append_value(value);
        self.rows += 1;
        if self.rows == ROW_GROUP_ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        self.rows = 0;
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.times.finish()), Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let batch = batch.map_err(|error| Error::file(&self.path, error))?;
        self.writer.write(&batch).map_err(Error::parquet(&self.path, "writing it"))
    }

    /// Completes the file.
    pub fn finish(mut self) -> Result<()> {
        self.write()?;
        let file = self.writer.into_inner().map_err(Error::parquet(&self.path, "writing it"))?;
        file.sync_all().map_err(Error::disk(&self.temporary, "flushing it to the disk"))?;
        fs::rename(&self.temporary, &self.path).map_err(Error::disk(&self.path, "giving it its name"))
    }
}

/// Reads the texts of such a file, whoever wrote it: of its columns only `value` is looked at.
pub(crate) struct RecordRows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    values: StringArray,
    /// Of the next row, within `values` and within the file.
    place: usize,
    number: i64,
}

impl RecordRows {
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::disk(&path, "opening it"))?;
        let parquet = Error::parquet(&path, "reading it");
        let reader = table::guarded(&path, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet)?;
            builder.with_batch_size(ROW_GROUP_ROWS).build().map_err(parquet)
        })?;
        Ok(Self { path, reader, values: StringArray::new_null(0), place: 0, number: -1 })
    }

    /// The next text and its number, from 0.
    pub(crate) fn next(&mut self) -> Result<Option<(i64, &[u8])>> {
        while self.place == self.values.len() {
            let Some(batch) = self.reader.next() else { return Ok(None) };
            let batch = batch.map_err(|error| Error::file(&self.path, error))?;
            let column = batch.column_by_name("value");
            let column = column.ok_or_else(|| Error::file(&self.path, "column `value` is absent"))?;
            let texts = cast(column, &DataType::Utf8).map_err(|error| Error::file(&self.path, error))?;
            (self.values, self.place) = (texts.as_string::<i32>().clone(), 0);
        }
        self.number += 1;
        self.place += 1;
        let row = self.place - 1;
        let text = if self.values.is_null(row) { "" } else { self.values.value(row) };
        Ok(Some((self.number, text.as_bytes())))
    }
}

#[cfg(test)]
mod tests;
