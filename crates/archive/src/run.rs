//! Writes a run: one file per stream that has rows, the journal last.
//!
//! What a file holds follows from the run's span alone: no time of writing, no order of polls. A crash between two
//! files leaves a run without its journal file; the next start removes it and writes the same bytes again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use base::Timestamp;
use engine::WATCH_STREAM;
use events::Stream;

use crate::error::{Error, Result};
use crate::findings::finding_id;
use crate::follow::{Run, Setup};
use crate::layout::{self, FINDINGS, JOURNAL, REJECTS, RunId};
use crate::table::{self, Footer, schema, time_type};

/// One stream of a run.
struct Stock<'a> {
    stream: &'a str,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Stock<'_> {
    fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// Streams that a lane writes beside its journal.
pub(crate) fn streams(setup: &Setup) -> Vec<&str> {
    let inputs = setup.streams().into_iter().map(|stream| stream.name());
    let rows = setup.rows.iter().map(String::as_str);
    inputs.chain([REJECTS, FINDINGS]).chain(rows).collect()
}

/// Writes every file of a run that is not there yet.
pub(crate) fn write(dir: &Path, run: &Run, setup: &Setup) -> Result<RunId> {
    let records = &run.records;
    let id = RunId { lane: run.lane, first: records[0].0.sequence, last: run.end().sequence, day: day(run) };
    let mut stocks = Vec::new();
    for stream in setup.streams() {
        stocks.push(inputs(run, setup, stream)?);
    }
    stocks.push(rejects(run, setup)?);
    for stream in setup.rows.iter().map(String::as_str).chain(former_watches(run, setup)) {
        stocks.push(rows(run, stream)?);
    }
    stocks.push(findings(run)?);
    let mut footer = footer(run);
    // The journal's footer says how many rows every stream has: a file that is lost later is missed.
    let mut sealing = footer.clone();
    for stock in &stocks {
        sealing.insert(format!("rows.{}", stock.stream), stock.rows().to_string());
    }
    for stock in stocks.iter().filter(|stock| stock.rows() > 0) {
        footer.insert("chartwarden.stream".to_owned(), stock.stream.to_owned());
        table::write(&id.path(dir, stock.stream), &stock.schema, &stock.batches, &footer)?;
    }
    let stock = journal(run)?;
    sealing.insert("chartwarden.stream".to_owned(), JOURNAL.to_owned());
    table::write(&id.path(dir, JOURNAL), &stock.schema, &stock.batches, &sealing)?;
    Ok(id)
}

/// Streams of watches that the pipeline has no more.
fn former_watches<'r>(run: &'r Run, setup: &Setup) -> BTreeSet<&'r str> {
    let streams = run.results.iter().map(|(stream, ..)| stream.as_str());
    streams
        .filter(|stream| stream.starts_with(WATCH_STREAM) && !setup.rows.iter().any(|known| known == stream))
        .collect()
}

/// The day of a run's first tick; a run without any is kept under that of its newest input.
fn day(run: &Run) -> String {
    if let Some(end) = run.records.iter().find_map(|(record, _)| record.tick_end) {
        return layout::day_of_tick(end);
    }
    let rejects = run.spans.iter().flat_map(|span| &span.rejects).map(|reject| reject.append_time);
    layout::day(rejects.max().unwrap_or(Timestamp::from_millis(0)))
}

fn footer(run: &Run) -> Footer {
    let end = run.end();
    let positions = |record: &engine::JournalRecord| {
        let offsets = record.topics.iter().map(|topic| topic.position.to_string());
        offsets.collect::<Vec<_>>().join(",")
    };
    let pairs = [
        ("engine", end.digests.engine.clone()),
        ("spec", end.digests.spec.to_string()),
        ("sql", end.digests.sql.to_string()),
        ("model", end.digests.model.to_string()),
        ("lane", run.lane.to_string()),
        ("first_sequence", run.records[0].0.sequence.to_string()),
        ("last_sequence", end.sequence.to_string()),
        ("positions_from", positions(&run.start)),
        ("positions_to", positions(end)),
    ];
    pairs.into_iter().map(|(key, value)| (format!("chartwarden.{key}"), value)).collect()
}

/// Columns of an input stream: where a row came from, the event, what became of it.
pub(crate) fn input_schema(stream: Stream) -> SchemaRef {
    let mut fields = vec![Field::new("lane", DataType::Int32, false), Field::new("topic", DataType::Utf8, false)];
    fields.extend(stream.schema().fields().iter().map(|field| field.as_ref().clone()));
    fields.push(Field::new("disposition", DataType::Utf8, false));
    Arc::new(Schema::new(fields))
}

fn inputs(run: &Run, setup: &Setup, stream: Stream) -> Result<Stock<'static>> {
    let schema = input_schema(stream);
    let lane = i32::try_from(run.lane.0).unwrap_or(i32::MAX);
    let mut batches = Vec::new();
    for (input, span) in setup.inputs.iter().zip(&run.spans).filter(|(input, _)| input.stream == stream) {
        for (events, dispositions) in &span.rows {
            let count = events.num_rows();
            let mut columns: Vec<ArrayRef> = vec![
                Arc::new(Int32Array::from(vec![lane; count])),
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&input.topic, count))),
            ];
            columns.extend(events.columns().iter().cloned());
            columns.push(Arc::new(StringArray::from_iter_values(dispositions.iter().map(|made| made.name()))));
            batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
        }
    }
    Ok(Stock { stream: stream.name(), schema, batches })
}

fn rejects(run: &Run, setup: &Setup) -> Result<Stock<'static>> {
    let schema = schema(&[
        ("lane", DataType::Int32, false),
        ("topic", DataType::Utf8, false),
        ("offset", DataType::Int64, false),
        ("part", DataType::Int32, false),
        ("append_time", time_type(), false),
        ("reason", DataType::Utf8, false),
        ("detail", DataType::Utf8, false),
    ]);
    let all: Vec<_> = setup
        .inputs
        .iter()
        .zip(&run.spans)
        .flat_map(|(input, span)| span.rejects.iter().map(|reject| (input.topic.as_str(), reject)))
        .collect();
    let lane = i32::try_from(run.lane.0).unwrap_or(i32::MAX);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![lane; all.len()])),
        Arc::new(StringArray::from_iter_values(all.iter().map(|(topic, _)| *topic))),
        Arc::new(Int64Array::from_iter_values(all.iter().map(|(_, reject)| reject.offset.0))),
        Arc::new(Int32Array::from_iter_values(all.iter().map(|(_, reject)| reject.part))),
        times(all.iter().map(|(_, reject)| Some(reject.append_time))),
        Arc::new(StringArray::from_iter_values(all.iter().map(|(_, reject)| reject.reason.name()))),
        Arc::new(StringArray::from_iter_values(all.iter().map(|(_, reject)| reject.detail.as_str()))),
    ];
    let batches = vec![RecordBatch::try_new(Arc::clone(&schema), columns)?];
    Ok(Stock { stream: REJECTS, schema, batches })
}

/// Feature rows as they were committed, tick after tick.
fn rows<'a>(run: &Run, stream: &'a str) -> Result<Stock<'a>> {
    let mut batches = Vec::new();
    for (_, _, value) in run.results.iter().filter(|(name, _, _)| name == stream) {
        batches.extend(ipc(run, value)?);
    }
    let first = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    if batches.iter().any(|batch| batch.schema() != first) {
        let problem = format!("the columns of stream `{stream}` change within journal records of the same definitions");
        return Err(Error::Committed { lane: run.lane, what: "result", problem });
    }
    Ok(Stock { stream, schema: first, batches })
}

fn ipc(run: &Run, bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    decode_ipc(bytes).map_err(|error| Error::Committed {
        lane: run.lane,
        what: "result",
        problem: format!("it is no Arrow stream: {error}"),
    })
}

/// The batches of an Arrow IPC stream.
pub(crate) fn decode_ipc(bytes: &[u8]) -> std::result::Result<Vec<RecordBatch>, arrow::error::ArrowError> {
    StreamReader::try_new(bytes, None)?.collect()
}

fn findings(run: &Run) -> Result<Stock<'static>> {
    let schema = schema(&[
        ("lane", DataType::Int32, false),
        ("tick_end", time_type(), false),
        ("ordinal", DataType::Int64, false),
        ("id", DataType::Utf8, false),
        ("value", DataType::Utf8, false),
    ]);
    let (mut ends, mut ordinals, mut ids, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (_, end, value) in run.results.iter().filter(|(name, _, _)| name == FINDINGS) {
        let text = std::str::from_utf8(value).map_err(|error| Error::Committed {
            lane: run.lane,
            what: "finding",
            problem: error.to_string(),
        })?;
        let ordinal = if ends.last() == Some(end) { ordinals.last().map_or(0, |last| last + 1) } else { 0 };
        ends.push(*end);
        ordinals.push(ordinal);
        ids.push(finding_id(value));
        values.push(text);
    }
    let lane = i32::try_from(run.lane.0).unwrap_or(i32::MAX);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![lane; ends.len()])),
        times(ends.into_iter().map(Some)),
        Arc::new(Int64Array::from(ordinals)),
        Arc::new(StringArray::from(ids)),
        Arc::new(StringArray::from(values)),
    ];
    let batches = vec![RecordBatch::try_new(Arc::clone(&schema), columns)?];
    Ok(Stock { stream: FINDINGS, schema, batches })
}

fn journal(run: &Run) -> Result<Stock<'static>> {
    let schema = schema(&[
        ("lane", DataType::Int32, false),
        ("sequence", DataType::Int64, false),
        ("tick_end", time_type(), true),
        ("record", DataType::Utf8, false),
    ]);
    let lane = i32::try_from(run.lane.0).unwrap_or(i32::MAX);
    let records = || run.records.iter();
    let sequence = |record: &engine::JournalRecord| i64::try_from(record.sequence).unwrap_or(i64::MAX);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![lane; run.records.len()])),
        Arc::new(Int64Array::from_iter_values(records().map(|(record, _)| sequence(record)))),
        times(records().map(|(record, _)| record.tick_end)),
        Arc::new(StringArray::from_iter_values(records().map(|(_, raw)| String::from_utf8_lossy(raw)))),
    ];
    let batches = vec![RecordBatch::try_new(Arc::clone(&schema), columns)?];
    Ok(Stock { stream: JOURNAL, schema, batches })
}

/// A column of times.
pub(crate) fn times(times: impl Iterator<Item = Option<Timestamp>>) -> ArrayRef {
    let times = times.map(|time| time.map(Timestamp::millis));
    Arc::new(TimestampMillisecondArray::from_iter(times).with_timezone("UTC"))
}
