//! Reads sealed runs back: journal records, input as it was decoded, rejects.
//!
//! A stream without rows has no file; the journal's footer says how many rows there must be, so a lost file is an
//! error and not an empty stream.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::ErrorKind;
use std::path::Path;

use arrow::array::{ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Int32Type, Int64Type};
use engine::JournalRecord;
use events::{Decoded, Offset, Reject, RejectReason, Stream, TopicId};

use crate::error::{Error, Result};
use crate::layout::{JOURNAL, REJECTS, RunId};
use crate::limits::CHUNK_ROWS;
use crate::table::{self, Table};

/// One input topic as a replay sees it.
#[derive(Clone, Debug)]
pub(crate) struct ReplayInput {
    pub(crate) topic: String,
    pub(crate) stream: Stream,
}

/// The journal records of a run.
pub(crate) fn records(dir: &Path, run: &RunId) -> Result<Vec<JournalRecord>> {
    let table = table::read(&run.path(dir, JOURNAL))?;
    let mut records: Vec<JournalRecord> = Vec::new();
    for batch in &table.batches {
        for raw in table.texts(batch, "record")?.into_iter().flatten() {
            let problem = |error: serde_json::Error| Error::file(&table.path, format!("journal record: {error}"));
            records.push(serde_json::from_str(&raw).map_err(problem)?);
        }
    }
    let named = run.first..=run.last;
    if !records.iter().map(|record| record.sequence).eq(named) {
        let problem = format!("its journal records are not {} to {}", run.first, run.last);
        return Err(Error::file(&table.path, problem));
    }
    Ok(records)
}

/// The last journal record of a run.
pub(crate) fn end_record(dir: &Path, run: &RunId) -> Result<JournalRecord> {
    let problem = || Error::file(&run.path(dir, JOURNAL), "it holds no journal record");
    records(dir, run)?.pop().ok_or_else(problem)
}

/// One stream of a run; nothing if it has no rows.
pub(crate) fn stream(dir: &Path, run: &RunId, stream: &str) -> Result<Option<Table>> {
    let path = run.path(dir, JOURNAL);
    let footer = table::footer(&path)?;
    let expected: usize = footer.get(&format!("rows.{stream}")).and_then(|rows| rows.parse().ok()).unwrap_or(0);
    if expected == 0 {
        return Ok(None);
    }
    let table = table::read(&run.path(dir, stream)).map_err(|error| lost(error, expected))?;
    let found = table.row_count();
    if found != expected {
        return Err(Error::file(&table.path, format!("it holds {found} rows, the journal's file says {expected}")));
    }
    Ok(Some(table))
}

/// A file that is not there although the journal's file counts its rows: nobody mistyped a path, the archive lost it.
fn lost(error: Error, expected: usize) -> Error {
    match error {
        Error::Disk { path, source, .. } if source.kind() == ErrorKind::NotFound => {
            Error::file(&path, format!("the file is gone, and the journal's file says that it holds {expected} rows"))
        }
        other => other,
    }
}

/// The input of a run per topic, in chunks; the last chunk of a topic reaches its position at the end of the run, so
/// that idle decisions up to there take effect although no record follows.
pub(crate) fn inputs(dir: &Path, run: &RunId, topics: &[ReplayInput], ends: &[Offset]) -> Result<Vec<Vec<Decoded>>> {
    let mut rejects = rejects(dir, run, topics)?;
    let mut chunks = Vec::new();
    let mut tables: BTreeMap<Stream, Option<Table>> = BTreeMap::new();
    for ((id, input), end) in (0u8..).map(TopicId).zip(topics).zip(ends) {
        let table = match tables.entry(input.stream) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(place) => {
                let table = stream(dir, run, input.stream.name())?;
                table.as_ref().map_or(Ok(()), |table| all_known(table, topics))?;
                place.insert(table)
            }
        };
        let events = match table {
            Some(table) => of_topic(table, input)?,
            None => RecordBatch::new_empty(input.stream.schema()),
        };
        chunks.push(chunked(&events, rejects.remove(&id).unwrap_or_default(), *end));
    }
    Ok(chunks)
}

/// An error where a file holds rows of a topic that is no input: it was renamed, and positions would be another's.
fn all_known(table: &Table, topics: &[ReplayInput]) -> Result<()> {
    for batch in &table.batches {
        let strange = |name: &&str| topics.iter().all(|topic| topic.topic != *name);
        if let Some(name) = table.strings(batch, "topic")?.iter().flatten().find(strange) {
            return Err(Error::file(&table.path, format!("it holds rows of `{name}`, which is no input topic")));
        }
    }
    Ok(())
}

/// The rows of one topic, with the columns a decoder gives.
fn of_topic(table: &Table, input: &ReplayInput) -> Result<RecordBatch> {
    let schema = input.stream.schema();
    let mut parts = Vec::new();
    for batch in &table.batches {
        let topics = table.strings(batch, "topic")?;
        let ours = |topic: Option<&str>| topic == Some(input.topic.as_str());
        // Rows of a topic stand together.
        let Some(first) = topics.iter().position(ours) else { continue };
        let count = topics.iter().skip(first).take_while(|topic| ours(*topic)).count();
        let slice = batch.slice(first, count);
        let columns = schema.fields().iter().map(|field| column(table, &slice, field)).collect::<Result<Vec<_>>>()?;
        let problem = |error: arrow::error::ArrowError| Error::file(&table.path, error);
        parts.push(RecordBatch::try_new(input.stream.schema(), columns).map_err(problem)?);
    }
    Ok(concat_batches(&schema, &parts)?)
}

/// A column as a decoder gives it. A file that was written before there was such a column says nothing of it, which is what
/// an absent value says; what every event has is never absent.
fn column(table: &Table, batch: &RecordBatch, field: &Field) -> Result<ArrayRef> {
    let name = field.name();
    match batch.column_by_name(name) {
        Some(column) => Ok(ArrayRef::clone(column)),
        None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
        None => Err(Error::file(&table.path, format!("column `{name}` is absent"))),
    }
}

fn rejects(dir: &Path, run: &RunId, topics: &[ReplayInput]) -> Result<BTreeMap<TopicId, Vec<Reject>>> {
    let mut found: BTreeMap<TopicId, Vec<Reject>> = BTreeMap::new();
    let Some(table) = stream(dir, run, REJECTS)? else { return Ok(found) };
    for batch in &table.batches {
        let names = table.texts(batch, "topic")?;
        let offsets = table.longs(batch, "offset")?;
        let parts = batch.column_by_name("part").and_then(|column| column.as_primitive_opt::<Int32Type>());
        let parts = parts.ok_or_else(|| Error::file(&table.path, "column `part` is absent"))?;
        let append_times = table.times(batch, "append_time")?;
        let (reasons, details) = (table.texts(batch, "reason")?, table.texts(batch, "detail")?);
        for row in 0..batch.num_rows() {
            let name = names[row].as_deref().unwrap_or_default();
            let topic = (0u8..).map(TopicId).zip(topics).find(|(_, input)| input.topic == name);
            let (topic, _) = topic.ok_or_else(|| Error::file(&table.path, format!("no input topic `{name}`")))?;
            let reason = reasons[row].as_deref().unwrap_or_default();
            let known = RejectReason::ALL.into_iter().find(|known| known.name() == reason);
            found.entry(topic).or_default().push(Reject {
                offset: Offset(offsets[row]),
                part: parts.value(row),
                append_time: append_times[row],
                reason: known.ok_or_else(|| Error::file(&table.path, format!("no reject reason `{reason}`")))?,
                detail: details[row].clone().unwrap_or_default(),
            });
        }
    }
    Ok(found)
}

/// What of a chunk stands at or above an offset; nothing if it ends there or before.
pub(crate) fn rest(chunk: Decoded, from: Offset) -> Option<Decoded> {
    if chunk.next.is_some_and(|next| next <= from) {
        return None;
    }
    let offsets = chunk.events.column(0).as_primitive::<Int64Type>().values();
    let first = offsets.partition_point(|offset| *offset < from.0);
    let events = chunk.events.slice(first, offsets.len() - first);
    let rejects: Vec<_> = chunk.rejects.into_iter().filter(|reject| reject.offset >= from).collect();
    Some(Decoded { part_count: events.num_rows() + rejects.len(), events, rejects, ..chunk })
}

/// Cuts rows and rejects at the same offsets; a record's parts stay together.
fn chunked(events: &RecordBatch, rejects: Vec<Reject>, end: Offset) -> Vec<Decoded> {
    let offsets = events.column(0).as_primitive::<Int64Type>().values();
    let mut rejects = rejects.into_iter().peekable();
    let mut chunks = Vec::new();
    let mut from = 0;
    loop {
        let mut to = (from + CHUNK_ROWS).min(offsets.len());
        while to > from && to < offsets.len() && offsets[to] == offsets[to - 1] {
            to += 1;
        }
        let last = to == offsets.len();
        let next = if last { end } else { Offset(offsets[to - 1]).next() };
        let mut ours = Vec::new();
        while let Some(reject) = rejects.next_if(|reject| last || reject.offset < next) {
            ours.push(reject);
        }
        chunks.push(Decoded {
            events: events.slice(from, to - from),
            record_count: 0,
            part_count: to - from + ours.len(),
            rejects: ours,
            next: Some(next),
            zone_missing: 0,
        });
        if last {
            return chunks;
        }
        from = to;
    }
}
