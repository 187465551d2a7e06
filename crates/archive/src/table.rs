//! One Parquet file: written as a whole or not at all, read as batches.
//!
//! A file gets its name only when its bytes are on the disk: a crash before leaves a temporary file that the next
//! start removes, a crash after leaves a complete file. A file that is there is never written again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType};
use base::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};
use crate::layout::TEMPORARY;
use crate::limits::{ROW_GROUP_ROWS, ZSTD_LEVEL};

/// Key-values in a file's footer.
pub(crate) type Footer = BTreeMap<String, String>;

/// The type of every time in an archive.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Writes a file if it is not there; says whether it did.
pub(crate) fn write(path: &Path, schema: &SchemaRef, batches: &[RecordBatch], footer: &Footer) -> Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::disk(folder, "making the folder"))?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(TEMPORARY);
    let temporary: PathBuf = folder.join(name);
    let file = File::create(&temporary).map_err(Error::disk(&temporary, "creating it"))?;
    let properties = properties(path, footer)?;
    let parquet = Error::parquet(path, "writing it");
    let mut writer = ArrowWriter::try_new(file, Arc::clone(schema), Some(properties)).map_err(parquet)?;
    for batch in batches {
        writer.write(batch).map_err(parquet)?;
    }
    writer.finish().map_err(parquet)?;
    writer.inner().sync_all().map_err(Error::disk(&temporary, "flushing it to the disk"))?;
    fs::rename(&temporary, path).map_err(Error::disk(path, "giving it its name"))?;
    let folder_file = File::open(folder).map_err(Error::disk(folder, "opening the folder"))?;
    folder_file.sync_all().map_err(Error::disk(folder, "flushing the folder to the disk"))?;
    Ok(true)
}

/// How every file is written.
pub(crate) fn properties(path: &Path, footer: &Footer) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|error| Error::file(path, error))?;
    let pairs = footer.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("chartwarden".to_owned())
        .set_key_value_metadata(Some(pairs.collect()))
        .build())
}

/// A file that has been read.
pub(crate) struct Table {
    pub(crate) path: PathBuf,
    pub(crate) batches: Vec<RecordBatch>,
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Table> {
    let file = File::open(path).map_err(Error::disk(path, "opening it"))?;
    let parquet = Error::parquet(path, "reading it");
    let batches = guarded(path, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet)?.with_batch_size(ROW_GROUP_ROWS);
        let reader = builder.build().map_err(parquet)?;
        reader.collect::<std::result::Result<Vec<_>, _>>().map_err(|error| Error::file(path, error))
    })?;
    Ok(Table { path: path.to_path_buf(), batches })
}

/// Reads the key-values of a file's footer.
pub(crate) fn footer(path: &Path) -> Result<Footer> {
    let file = File::open(path).map_err(Error::disk(path, "opening it"))?;
    let pairs = guarded(path, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(Error::parquet(path, "reading it"))?;
        Ok(builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default())
    })?;
    Ok(pairs.into_iter().map(|pair| (pair.key, pair.value.unwrap_or_default())).collect())
}

/// What the Parquet library reads. It panics at some bytes that nothing of ours wrote, which is damage like any other.
pub(crate) fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    base::guarded(read).unwrap_or_else(|| Err(Error::file(path, "it is damaged: what it holds cannot be made out")))
}

impl Table {
    /// Rows in all.
    pub(crate) fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    fn column<'b>(&self, batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
        batch.column_by_name(name).ok_or_else(|| Error::file(&self.path, format!("column `{name}` is absent")))
    }

    fn mistyped(&self, name: &str) -> Error {
        Error::file(&self.path, format!("column `{name}` has another type than it was written with"))
    }

    /// A column of texts, where it stands.
    pub(crate) fn strings<'b>(&self, batch: &'b RecordBatch, name: &str) -> Result<&'b StringArray> {
        self.column(batch, name)?.as_string_opt::<i32>().ok_or_else(|| self.mistyped(name))
    }

    /// A column of texts.
    pub(crate) fn texts(&self, batch: &RecordBatch, name: &str) -> Result<Vec<Option<String>>> {
        Ok(self.strings(batch, name)?.iter().map(|text| text.map(str::to_owned)).collect())
    }

    /// A column of integers.
    pub(crate) fn longs(&self, batch: &RecordBatch, name: &str) -> Result<Vec<i64>> {
        let column = self.column(batch, name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| self.mistyped(name))?;
        Ok(column.values().to_vec())
    }

    /// A column of times; absent ones are the beginning of time.
    pub(crate) fn times(&self, batch: &RecordBatch, name: &str) -> Result<Vec<Timestamp>> {
        let column = self.column(batch, name)?.as_primitive_opt::<TimestampMillisecondType>();
        let column = column.ok_or_else(|| self.mistyped(name))?;
        let time = |row| if column.is_valid(row) { Timestamp::from_millis(column.value(row)) } else { Timestamp::MIN };
        Ok((0..column.len()).map(time).collect())
    }
}

/// A schema from names, types and whether a value may be absent.
pub(crate) fn schema(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, kind, nullable)| Field::new(*name, kind.clone(), *nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
