//! Recorded events without a journal: NDJSON files, one record a line, or Parquet files, one a row, as a source of one lane.
//!
//! `access` and `auth`, each `.ndjson` or `.parquet`, hold what a topic would, in the order it would; `staff`, `patients`
//! and `relations` the reference. Files know no append times: nothing is rejected for its age, and every reference row
//! counts from the time it says it was recorded. No clock decides anything: a file that has ended holds the others back no
//! more, and the ticks that only time would close stay open. Read next: `replay.rs`, the twin that has a journal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Millis, Timestamp};
use engine::PipelineSpec;
use engine::ports::{
    Flow, LaneId, LaneStore, PortError, ReferenceFeed, ReferenceRecord, SharesInMemory, Source, StoredPane, Wake,
};
use events::{DecodeOptions, Decoder, Offset, PseudonymKeys, Record, Records, TopicId};

use crate::error::{Error, Result};
use crate::limits::{CHUNK_BYTES, CHUNK_ROWS, LINE_BYTES_MAX};
use crate::records::RecordRows;
use crate::store::{Captured, CapturingStore, Keep};

/// The one lane of files.
const LANE: LaneId = LaneId(0);

/// A source over files.
pub struct RecordedSource {
    topics: Vec<Topic>,
    captured: Arc<Mutex<Captured>>,
    shares: SharesInMemory,
    assigned: bool,
    exhausted: bool,
}

struct Topic {
    texts: Texts,
    decoder: Decoder,
    flow: Flow,
    /// Behind the last record read.
    next: Offset,
    ended: bool,
}

impl RecordedSource {
    /// Opens the file of each input's stream in `dir`. Two inputs of one stream cannot be told apart in files.
    pub fn open(dir: &Path, spec: &PipelineSpec, keys: &Arc<PseudonymKeys>) -> Result<Self> {
        let mut streams = BTreeMap::new();
        let mut topics = Vec::new();
        for input in spec.inputs() {
            if let Some(other) = streams.insert(input.stream, &input.topic) {
                let (stream, topic) = (input.stream.name(), &input.topic);
                let problem = format!("inputs `{other}` and `{topic}` both carry `{stream}`: files hold one of each");
                return Err(Error::Replay(problem));
            }
            let ages = Millis::days(i64::from(i32::MAX));
            let options = DecodeOptions { max_event_age: ages, max_clock_skew: ages, ..spec.decode_options().clone() };
            topics.push(Topic {
                texts: Texts::open(dir, input.stream.name())?,
                decoder: Decoder::new(input.stream, input.format, Arc::clone(keys), options)?,
                flow: Flow::Read,
                next: Offset(0),
                ended: false,
            });
        }
        let (captured, shares) = (Arc::default(), SharesInMemory::default());
        Ok(Self { topics, captured, shares, assigned: false, exhausted: false })
    }

    /// Takes what the replay has committed so far.
    pub fn take_captured(&self) -> Captured {
        std::mem::take(&mut *self.captured.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Topic {
    fn next(&mut self) -> Result<Option<events::Decoded>> {
        let mut records = Records::default();
        while records.len() < CHUNK_ROWS && records.byte_count() < CHUNK_BYTES {
            let Some((number, line)) = self.texts.next()? else {
                self.ended = true;
                break;
            };
            self.next = Offset(number + 1);
            let value = Some(line);
            records.push(Record {
                offset: Offset(number),
                append_time: Timestamp::from_millis(0),
                key: None,
                value,
                headers: &[],
            });
        }
        Ok((!records.is_empty()).then(|| self.decoder.decode(&records)))
    }
}

impl Source for RecordedSource {
    fn poll(&mut self, wait: Duration) -> std::result::Result<Vec<Wake>, PortError> {
        if !std::mem::replace(&mut self.assigned, true) {
            return Ok(vec![Wake::Assigned(vec![LANE])]);
        }
        // When only topics on hold are left and no tick is due, nothing can wait for the others any more.
        let due = wait.is_zero();
        let any = self.topics.iter().any(|topic| topic.flow == Flow::Read && !topic.ended);
        let mut wakes = Vec::new();
        for (id, topic) in (0u8..).map(TopicId).zip(&mut self.topics) {
            if !topic.ended && (topic.flow == Flow::Read || !(any || due)) {
                wakes.extend(topic.next()?.map(|decoded| Wake::Decoded { lane: LANE, topic: id, decoded }));
            }
        }
        if wakes.is_empty() && !due && !std::mem::replace(&mut self.exhausted, true) {
            wakes.push(Wake::Exhausted);
        }
        Ok(wakes)
    }

    fn open(&mut self, lane: LaneId) -> std::result::Result<Box<dyn LaneStore>, PortError> {
        let (captured, shares) = (Arc::clone(&self.captured), self.shares.clone());
        Ok(Box::new(CapturingStore { lane, captured, keep: Keep::Results, shares }))
    }

    fn log_start(&mut self, _lane: LaneId) -> std::result::Result<Vec<Offset>, PortError> {
        Ok(vec![Offset(0); self.topics.len()])
    }

    fn start(&mut self, lane: LaneId, from: &[Offset]) -> std::result::Result<(), PortError> {
        match from.iter().all(|offset| *offset == Offset(0)) {
            true => Ok(()),
            false => {
                Err(PortError::Invalid(format!("lane {lane}: files are read from their beginnings, not {from:?}")))
            }
        }
    }

    fn set_flow(&mut self, _lane: LaneId, topic: TopicId, flow: Flow) -> std::result::Result<(), PortError> {
        if let Some(topic) = self.topics.get_mut(topic.index()) {
            topic.flow = flow;
        }
        Ok(())
    }

    fn shares(&mut self) -> std::result::Result<Vec<(LaneId, StoredPane)>, PortError> {
        Ok(self.shares.take())
    }

    fn lane_count(&self) -> u32 {
        1
    }

    fn at_end(&self, _lane: LaneId, topic: TopicId) -> Option<Offset> {
        self.topics.get(topic.index()).filter(|topic| topic.ended).map(|topic| topic.next)
    }

    fn is_over(&self, _lane: LaneId, topic: TopicId) -> bool {
        self.topics.get(topic.index()).is_some_and(|topic| topic.ended)
    }

    fn lag(&self, _lane: LaneId, topic: TopicId) -> Option<u64> {
        self.topics.get(topic.index()).filter(|topic| topic.ended).map(|_| 0)
    }
}

/// The reference beside recorded events: all of it is known from the beginning, each row from its own time on.
pub struct RecordedFeed {
    rows: Vec<ReferenceRecord>,
    ends: Vec<(&'static str, u32, Offset)>,
}

impl RecordedFeed {
    /// Reads the file of every kind of reference that the pipeline names.
    pub fn open(dir: &Path, spec: &PipelineSpec) -> Result<Self> {
        let (mut rows, mut ends) = (Vec::new(), Vec::new());
        for kind in spec.reference().keys() {
            let mut texts = Texts::open(dir, kind)?;
            let mut next = 0;
            while let Some((number, line)) = texts.next()? {
                rows.push(ReferenceRecord {
                    kind,
                    partition: 0,
                    offset: Offset(number),
                    append_time: Timestamp::from_millis(0),
                    value: Some(line.to_vec()),
                });
                next = number + 1;
            }
            ends.push((*kind, 0, Offset(next)));
        }
        Ok(Self { rows, ends })
    }
}

impl ReferenceFeed for RecordedFeed {
    fn poll(&mut self, _through: Option<Timestamp>) -> std::result::Result<Vec<ReferenceRecord>, PortError> {
        Ok(std::mem::take(&mut self.rows))
    }

    fn known_through(&self) -> Timestamp {
        Timestamp::MAX
    }

    fn ends(&mut self) -> std::result::Result<Vec<(&'static str, u32, Offset)>, PortError> {
        Ok(self.ends.clone())
    }
}

/// The texts of one file, with their numbers from 0.
enum Texts {
    Ndjson(Lines),
    Parquet(Box<RecordRows>),
}

impl Texts {
    /// Opens the one file of this name, whichever form it has.
    fn open(dir: &Path, name: &str) -> Result<Self> {
        let [ndjson, parquet] = ["ndjson", "parquet"].map(|end| dir.join(format!("{name}.{end}")));
        match (ndjson.exists(), parquet.exists()) {
            (true, true) => Err(Error::Replay(format!(
                "`{}` holds both `{name}.ndjson` and `{name}.parquet`: leave the one that is meant",
                dir.display()
            ))),
            (_, true) => Ok(Self::Parquet(Box::new(RecordRows::open(parquet)?))),
            _ => Lines::open(ndjson).map(Self::Ndjson),
        }
    }

    fn next(&mut self) -> Result<Option<(i64, &[u8])>> {
        match self {
            Self::Ndjson(lines) => lines.next(),
            Self::Parquet(rows) => rows.next(),
        }
    }
}

/// A file's lines with their numbers from 0; empty ones are passed over but counted.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: i64,
}

impl Lines {
    fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::disk(&path, "opening it"))?;
        Ok(Self { path, reader: BufReader::with_capacity(1 << 20, file), line: Vec::new(), number: -1 })
    }

    fn next(&mut self) -> Result<Option<(i64, &[u8])>> {
        loop {
            self.line.clear();
            let read = std::io::Read::take(&mut self.reader, LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
            let count = read.map_err(Error::disk(&self.path, "reading it"))? as u64;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            if count == LINE_BYTES_MAX && self.line.last() != Some(&b'\n') {
                let problem = format!("line {} has more than {LINE_BYTES_MAX} bytes", self.number + 1);
                return Err(Error::file(&self.path, problem));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, self.line.trim_ascii_end())));
            }
        }
    }
}

#[cfg(test)]
mod tests;
