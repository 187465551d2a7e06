//! Feature rows and findings of one lane as they are committed, written as Arrow files.
//!
//! Rows keep their order, and files are cut by row counts alone, so the same run gives the same bytes. Read next:
//! `training.rs`, which reads them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use archive::{CapturedLane, Crossings, Results};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use engine::ports::{LaneId, Message, Transaction};

use crate::report::disk;

/// Rows of one batch of a file.
const BATCH_ROWS: usize = 16_384;

/// What one lane's results become.
pub(crate) struct Recorder {
    folder: PathBuf,
    lane: u32,
    streams: BTreeMap<String, Rows>,
    /// Findings, by tick end and order within it.
    pub(crate) findings: Vec<(i64, Vec<u8>)>,
    /// What the watches are told.
    crossings: Crossings,
    /// Feature rows seen, and rows of entities that are watched.
    pub(crate) rows: u64,
    /// Why something that was committed could not be kept.
    pub(crate) failure: Option<anyhow::Error>,
}

#[derive(Default)]
struct Rows {
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    file: Option<FileWriter<BufWriter<File>>>,
}

impl Recorder {
    pub(crate) fn new(folder: &Path, lane: u32) -> Self {
        let (folder, streams, findings) = (folder.to_path_buf(), BTreeMap::new(), Vec::new());
        Self { folder, lane, streams, findings, crossings: Crossings::default(), rows: 0, failure: None }
    }

    /// Of what a lane has told already.
    pub(crate) fn of(folder: &Path, lane: LaneId, told: &Results) -> Result<Self> {
        let mut recorder = Self::new(folder, lane.0);
        told.iter().try_for_each(|result| recorder.result(&result?))?;
        Ok(recorder)
    }

    /// Keeps what a lane commits, but for what only a restart would need.
    pub(crate) fn keep(&mut self, transaction: &Transaction) -> Result<()> {
        transaction.results.iter().try_for_each(|result| self.result(result))?;
        let mut crossings = transaction.crossings.iter();
        Ok(crossings.try_for_each(|(watch, to, crossing)| self.crossings.push(*watch, *to, crossing))?)
    }

    /// An error if it holds less than was committed.
    pub(crate) fn check_whole(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Takes what the watches were told.
    pub(crate) fn take_crossings(&mut self) -> (LaneId, CapturedLane) {
        let crossings = std::mem::take(&mut self.crossings);
        (LaneId(self.lane), CapturedLane { crossings, ..CapturedLane::default() })
    }

    /// Keeps a result of a tick: its key is `<stream>/<tick end>`.
    fn result(&mut self, message: &Message) -> Result<()> {
        let key = std::str::from_utf8(&message.key).context("a result's key is no text")?;
        let (stream, end) = key.rsplit_once('/').ok_or_else(|| anyhow!("result `{key}` has no tick"))?;
        if stream == "findings" {
            self.findings.push((end.parse()?, message.value.clone()));
            return Ok(());
        }
        let rows = self.streams.entry(stream.to_owned()).or_default();
        for batch in StreamReader::try_new(message.value.as_slice(), None)? {
            let batch = batch?;
            self.rows += batch.num_rows() as u64;
            rows.pending_rows += batch.num_rows();
            rows.pending.push(batch);
        }
        if rows.pending_rows >= BATCH_ROWS {
            let path = self.folder.join(format!("{stream}-{:02}.arrow", self.lane));
            rows.write(&path)?;
        }
        Ok(())
    }

    /// Writes what is left and closes the files.
    pub(crate) fn finish(&mut self) -> Result<()> {
        for (stream, rows) in &mut self.streams {
            let path = self.folder.join(format!("{stream}-{:02}.arrow", self.lane));
            rows.write(&path)?;
            if let Some(mut file) = rows.file.take() {
                file.finish()?;
            }
        }
        Ok(())
    }
}

impl Rows {
    fn write(&mut self, path: &Path) -> Result<()> {
        let Some(first) = self.pending.first() else { return Ok(()) };
        let schema = first.schema();
        let batch = concat_batches(&schema, &self.pending)?;
        self.pending.clear();
        self.pending_rows = 0;
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = BufWriter::new(File::create(path).map_err(|error| disk(path, &error))?);
                let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
                self.file.insert(FileWriter::try_new_with_options(file, &schema, options)?)
            }
        };
        Ok(file.write(&batch)?)
    }
}
