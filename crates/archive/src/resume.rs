//! How far a replay is, kept in a folder, so that one that was stopped goes on.
//!
//! Two kinds of Parquet files, each whole or not there: `told-N`, what lanes told since the file before, and `state-N`, the
//! state of every lane after that. A checkpoint is taken between two turns of the engine, when every lane has committed.
//! Crash table: before `state-N` has its name the one before counts, and `told-N` is written anew; after it, older states
//! are only in the way. Read next: `replay.rs`, which goes on from here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int32Array, Int64Array, LargeBinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use base::Timestamp;
use engine::PipelineSpec;
use engine::ports::{LaneId, Message, Tier};
use events::TopicId;

use crate::error::{Error, Result};
use crate::layout::TEMPORARY;
use crate::limits::CHECKPOINT_BYTES;
use crate::store::{Captured, CapturedLane};
use crate::table::{self, Footer, schema};

/// What a row of these files is.
const RESULT: &str = "result";
const CROSSING: &str = "crossing";
const HEAD: &str = "head";
const PANE: &str = "pane";

/// The checkpoints of one replay.
pub(crate) struct Checkpoints {
    dir: PathBuf,
    /// What is replayed under which definitions.
    identity: Footer,
    /// Number of the next one.
    next: u32,
    /// What of each lane's results and crossings stands in files.
    written: BTreeMap<LaneId, [usize; 2]>,
    /// Bytes told when the newest was taken.
    bytes: u64,
}

impl Checkpoints {
    /// The checkpoints in `dir` of a replay of `archive`, and what the newest holds.
    pub(crate) fn open(dir: &Path, archive: &Path, spec: &PipelineSpec) -> Result<(Self, Captured)> {
        let archive = fs::canonicalize(archive).map_err(Error::disk(archive, "finding it"))?;
        let digests = spec.digests();
        let identity = [
            ("archive", archive.display().to_string()),
            ("spec", digests.spec.to_string()),
            ("sql", digests.sql.to_string()),
            ("model", digests.model.to_string()),
            ("engine", digests.engine.clone()),
        ];
        let identity = identity.into_iter().map(|(key, value)| (format!("chartwarden.{key}"), value)).collect();
        fs::create_dir_all(dir).map_err(Error::disk(dir, "making the folder"))?;
        let mut opened = Self { dir: dir.to_path_buf(), identity, next: 0, written: BTreeMap::new(), bytes: 0 };
        let mut captured = Captured::default();
        let newest = opened.numbers("state")?.pop();
        if let Some(newest) = newest {
            opened.check(newest)?;
            opened.next = newest + 1;
            opened.read(&opened.path("state", newest), &mut captured)?;
            for number in 0..=newest {
                opened.read(&opened.path("told", number), &mut captured)?;
            }
        }
        opened.sweep(newest)?;
        opened.written = captured.lanes.iter().map(|(lane, told)| (*lane, counts(told))).collect();
        opened.bytes = captured.byte_count();
        Ok((opened, captured))
    }

    /// Takes a checkpoint if so much has been told since the last one.
    pub(crate) fn keep(&mut self, captured: &Captured) -> Result<()> {
        let bytes = captured.byte_count();
        if bytes - self.bytes < CHECKPOINT_BYTES {
            return Ok(());
        }
        let number = self.next;
        let (mut told, mut state) = (Vec::new(), Vec::new());
        for (lane, captured) in &captured.lanes {
            let [results, crossings] = self.written.get(lane).copied().unwrap_or_default();
            let results = captured.results.after(results).collect::<Result<Vec<_>>>()?;
            let crossings = captured.crossings.after(crossings).collect::<Result<Vec<_>>>()?;
            let mut rows = Rows::of(*lane);
            results.iter().for_each(|result| rows.message(RESULT, None, result));
            for (watch, to, crossing) in &crossings {
                rows.message(CROSSING, Some((*watch, *to)), crossing);
            }
            told.push(rows.batch()?);
            let mut rows = Rows::of(*lane);
            captured.state.head.iter().for_each(|(key, value)| rows.push(HEAD, None, None, key, value));
            for ((tier, end), bytes) in &captured.state.panes {
                rows.push(PANE, None, Some(*end), tier.name().as_bytes(), bytes);
            }
            state.push(rows.batch()?);
        }
        table::write(&self.path("told", number), &columns(), &told, &self.identity)?;
        table::write(&self.path("state", number), &columns(), &state, &self.identity)?;
        self.written = captured.lanes.iter().map(|(lane, told)| (*lane, counts(told))).collect();
        self.bytes = bytes;
        self.next = number + 1;
        self.sweep(Some(number))
    }

    /// Removes everything: the replay has come to its end.
    pub(crate) fn remove(&self) -> Result<()> {
        for name in ["state", "told"] {
            for number in self.numbers(name)? {
                self.delete(&self.path(name, number))?;
            }
        }
        // A folder that was somebody's before stays.
        drop(fs::remove_dir(&self.dir));
        Ok(())
    }

    fn path(&self, name: &str, number: u32) -> PathBuf {
        self.dir.join(format!("{name}-{number}.parquet"))
    }

    fn names(&self) -> Result<Vec<String>> {
        let listing = Error::disk(&self.dir, "listing it");
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(&listing)? {
            names.push(entry.map_err(&listing)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// Numbers of the files of a name, lowest first.
    fn numbers(&self, name: &str) -> Result<Vec<u32>> {
        let number = |file: &String| file.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(".parquet")?.parse().ok();
        let mut numbers: Vec<u32> = self.names()?.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Removes what the newest checkpoint does not need.
    fn sweep(&self, newest: Option<u32>) -> Result<()> {
        let unneeded = |name: &str, number: &u32| match newest {
            Some(newest) if name == "state" => *number != newest,
            Some(newest) => *number > newest,
            None => true,
        };
        for name in ["state", "told"] {
            for number in self.numbers(name)?.iter().filter(|number| unneeded(name, number)) {
                self.delete(&self.path(name, *number))?;
            }
            let torn = |file: &&String| file.starts_with(&format!("{name}-")) && file.ends_with(TEMPORARY);
            for part in self.names()?.iter().filter(torn) {
                self.delete(&self.dir.join(part))?;
            }
        }
        Ok(())
    }

    fn delete(&self, path: &Path) -> Result<()> {
        fs::remove_file(path).map_err(Error::disk(path, "removing it"))
    }

    /// An error where it is of another replay.
    fn check(&self, number: u32) -> Result<()> {
        let path = self.path("state", number);
        let footer = table::footer(&path)?;
        let Some((what, now)) = self.identity.iter().find(|(key, value)| footer.get(*key) != Some(*value)) else {
            return Ok(());
        };
        let what = what.trim_start_matches("chartwarden.");
        let was = footer.get(&format!("chartwarden.{what}")).map_or("none", String::as_str);
        Err(Error::Replay(format!(
            "`{}` keeps a replay of another {what} ({was}, now {now}): name another folder, or remove that one",
            self.dir.display()
        )))
    }

    fn read(&self, path: &Path, captured: &mut Captured) -> Result<()> {
        let table = table::read(path)?;
        let strange = |what: &str| Error::file(path, format!("it holds a strange {what}"));
        for batch in &table.batches {
            let [lanes, watches, tos] = ["lane", "watch", "to"].map(|name| batch.column_by_name(name));
            let numbers =
                |column: Option<&ArrayRef>| column.and_then(|column| column.as_primitive_opt::<Int32Type>()).cloned();
            let (lanes, watches, tos) = (numbers(lanes), numbers(watches), numbers(tos));
            let (Some(lanes), Some(watches), Some(tos)) = (lanes, watches, tos) else { return Err(strange("column")) };
            let bytes =
                |name: &str| batch.column_by_name(name).and_then(|column| column.as_binary_opt::<i64>()).cloned();
            let (Some(keys), Some(values)) = (bytes("key"), bytes("value")) else { return Err(strange("column")) };
            let (kinds, ends) = (table.strings(batch, "kind")?, table.longs(batch, "end")?);
            for (row, end) in ends.into_iter().enumerate() {
                let number = |numbers: &Int32Array| u32::try_from(numbers.value(row)).map_err(|_| strange("number"));
                let lane = captured.lanes.entry(LaneId(number(&lanes)?)).or_default();
                let (key, value) = (keys.value(row).to_vec(), values.value(row).to_vec());
                let message = || Message { key: key.clone(), value: value.clone(), headers: Vec::new() };
                match kinds.value(row) {
                    RESULT => lane.results.push(&message())?,
                    CROSSING => {
                        let watch = u8::try_from(number(&watches)?).map_err(|_| strange("watch"))?;
                        lane.crossings.push(TopicId(watch), LaneId(number(&tos)?), &message())?;
                    }
                    HEAD => drop(lane.state.head.insert(key, value)),
                    PANE => {
                        let tier = Tier::ALL.into_iter().find(|tier| tier.name().as_bytes() == key);
                        let place = (tier.ok_or_else(|| strange("tier"))?, Timestamp::from_millis(end));
                        lane.state.panes.insert(place, value);
                    }
                    _ => return Err(strange("kind of row")),
                }
            }
        }
        Ok(())
    }
}

fn counts(told: &CapturedLane) -> [usize; 2] {
    [told.results.count(), told.crossings.count()]
}

fn columns() -> SchemaRef {
    schema(&[
        ("lane", DataType::Int32, false),
        ("kind", DataType::Utf8, false),
        ("watch", DataType::Int32, false),
        ("to", DataType::Int32, false),
        ("end", DataType::Int64, false),
        ("key", DataType::LargeBinary, false),
        ("value", DataType::LargeBinary, false),
    ])
}

/// Rows of one lane.
struct Rows<'a> {
    lane: LaneId,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    kind: &'static str,
    /// Which watch, and which lane of it.
    to: Option<(TopicId, LaneId)>,
    end: Option<Timestamp>,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Rows<'a> {
    fn of(lane: LaneId) -> Self {
        Self { lane, rows: Vec::new() }
    }

    fn push(
        &mut self,
        kind: &'static str,
        to: Option<(TopicId, LaneId)>,
        end: Option<Timestamp>,
        key: &'a [u8],
        value: &'a [u8],
    ) {
        self.rows.push(Row { kind, to, end, key, value });
    }

    fn message(&mut self, kind: &'static str, to: Option<(TopicId, LaneId)>, message: &'a Message) {
        self.push(kind, to, None, &message.key, &message.value);
    }

    fn batch(self) -> Result<RecordBatch> {
        let rows = || self.rows.iter();
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let watch = |row: &Row<'_>| row.to.map_or(0, |(watch, _)| i32::from(watch.0));
        let to = |row: &Row<'_>| row.to.map_or(0, |(_, to)| number(to.0));
        let columns_of: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![number(self.lane.0); self.rows.len()])),
            Arc::new(StringArray::from_iter_values(rows().map(|row| row.kind))),
            Arc::new(Int32Array::from_iter_values(rows().map(watch))),
            Arc::new(Int32Array::from_iter_values(rows().map(to))),
            Arc::new(Int64Array::from_iter_values(rows().map(|row| row.end.map_or(0, Timestamp::millis)))),
            Arc::new(LargeBinaryArray::from_iter_values(rows().map(|row| row.key))),
            Arc::new(LargeBinaryArray::from_iter_values(rows().map(|row| row.value))),
        ];
        Ok(RecordBatch::try_new(columns(), columns_of)?)
    }
}
