//! One lane followed: what was committed and is not archived yet, and where the next run ends.
//!
//! Input is decoded as it comes and walked only when the run's end is known: by then every idle decision that applies
//! within it has been learnt. Each run starts from the end record of the run before, exactly as a restart does, so a
//! restart changes nothing. Whether all input of a run has come is told by the journal's own counts, since offsets
//! have gaps. Results wait on the disk: those of a run are read when it is written. Read next: `run.rs`, which does.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use base::{Digest, Millis, Timestamp};
use engine::ports::{LaneId, Message};
use engine::{Counts, Disposition, ENGINE, JournalRecord, PipelineSpec, Walker};
use events::{DecodeOptions, Decoded, Decoder, Format, Offset, PseudonymKeys, Records, Reject, Stream, TopicId};
use jiff::tz::TimeZone;

use crate::error::{Error, Late, Result};
use crate::layout;
use crate::limits::{RUN_PARTS_MAX, RUN_RECORDS_MAX};
use crate::spool::Spool;

/// What of a pipeline the archiver needs.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Topics that its lanes read. Of watches there are none: what they are told follows from others' input.
    pub(crate) inputs: Vec<InputSetup>,
    /// Streams of rows among its results.
    pub(crate) rows: Vec<String>,
    pub(crate) tick: Millis,
    pub(crate) decode: DecodeOptions,
    pub(crate) zone: TimeZone,
    pub(crate) reading: Digest,
}

/// One input topic.
#[derive(Clone, Debug)]
pub(crate) struct InputSetup {
    pub(crate) topic: String,
    pub(crate) stream: Stream,
    pub(crate) format: Format,
    pub(crate) lateness: Millis,
}

impl Setup {
    pub(crate) fn of(spec: &PipelineSpec) -> Self {
        let inputs = spec.inputs().iter().map(|input| InputSetup {
            topic: input.topic.clone(),
            stream: input.stream,
            format: input.format,
            lateness: input.lateness,
        });
        Self {
            inputs: inputs.collect(),
            rows: vec![layout::FEATURES.to_owned(), layout::PAIR_FEATURES.to_owned()],
            tick: spec.program().spec().tick,
            decode: spec.decode_options().clone(),
            zone: spec.program().zone().clone(),
            reading: spec.digests().reading,
        }
    }

    /// What it needs of the pipeline's watches.
    pub(crate) fn of_watches(spec: &PipelineSpec) -> Self {
        Self { inputs: Vec::new(), rows: layout::watch_streams(spec), ..Self::of(spec) }
    }

    /// The streams the inputs carry, each once.
    pub(crate) fn streams(&self) -> Vec<Stream> {
        Stream::ALL.into_iter().filter(|stream| self.inputs.iter().any(|input| input.stream == *stream)).collect()
    }
}

/// Decoded records of one topic that are not archived, or are needed to walk what follows.
struct Topic {
    decoder: Decoder,
    pieces: VecDeque<Piece>,
    next: Offset,
}

struct Piece {
    events: RecordBatch,
    rejects: Vec<Reject>,
}

impl Piece {
    /// Rows and rejects that stand below an offset.
    fn below(&self, end: Offset) -> (usize, usize) {
        let offsets = self.events.column(0).as_primitive::<Int64Type>().values();
        let rows = offsets.partition_point(|offset| *offset < end.0);
        (rows, self.rejects.partition_point(|reject| reject.offset < end))
    }

    fn forget_below(&mut self, end: Offset) {
        let (rows, rejects) = self.below(end);
        self.events = self.events.slice(rows, self.events.num_rows() - rows);
        self.rejects.drain(..rejects);
    }

    fn is_empty(&self) -> bool {
        self.events.num_rows() == 0 && self.rejects.is_empty()
    }
}

impl Topic {
    fn parts_within(&self, from: Offset, to: Offset) -> u64 {
        let within = |piece: &Piece| {
            let (before, after) = (piece.below(from), piece.below(to));
            (after.0 - before.0) + (after.1 - before.1)
        };
        self.pieces.iter().map(|piece| within(piece) as u64).sum()
    }
}

/// What one topic adds to a run: accepted rows with what became of them, and rejects.
#[derive(Default)]
pub(crate) struct Span {
    pub(crate) rows: Vec<(RecordBatch, Vec<Disposition>)>,
    pub(crate) rejects: Vec<Reject>,
}

/// A run that is ready to be written.
pub(crate) struct Run {
    pub(crate) lane: LaneId,
    /// The end record of the run before; its own first record where there is none.
    pub(crate) start: JournalRecord,
    pub(crate) records: Vec<(JournalRecord, Vec<u8>)>,
    pub(crate) spans: Vec<Span>,
    /// Stream, tick end and value of each result.
    pub(crate) results: Vec<(String, Timestamp, Vec<u8>)>,
}

impl Run {
    pub(crate) fn end(&self) -> &JournalRecord {
        &self.records.last().expect("a run has a record").0
    }
}

/// One lane.
pub(crate) struct LaneFollow {
    /// Where its files are.
    folder: PathBuf,
    id: LaneId,
    topics: Vec<Topic>,
    /// The end record of the newest run in the archive.
    pub(crate) base: Option<JournalRecord>,
    records: VecDeque<(JournalRecord, Vec<u8>)>,
    /// Those that came and are not archived, by stream and tick end.
    pub(crate) results: Spool<(String, Timestamp)>,
    /// Where the archive stood when it was opened: results up to there are read again.
    stood_at: Timestamp,
}

impl LaneFollow {
    /// Goes on where the archive in `dir` ends.
    pub(crate) fn new(
        dir: &Path,
        id: LaneId,
        setup: &Setup,
        keys: &Arc<PseudonymKeys>,
        base: Option<JournalRecord>,
    ) -> Result<Self> {
        let topic = |input: &InputSetup| -> Result<Topic> {
            let decoder = Decoder::new(input.stream, input.format, Arc::clone(keys), setup.decode.clone())?;
            Ok(Topic { decoder, pieces: VecDeque::new(), next: Offset(0) })
        };
        let topics = setup.inputs.iter().map(topic).collect::<Result<_>>()?;
        let stood_at = archived_to(base.as_ref());
        let (folder, results) = (dir.to_path_buf(), Spool::within(dir));
        Ok(Self { folder, id, topics, base, records: VecDeque::new(), results, stood_at })
    }

    /// Where each input is to be read from; empty for "from where the log starts".
    pub(crate) fn resume(&self) -> Vec<Offset> {
        self.base.iter().flat_map(|base| base.topics.iter().map(|topic| topic.resume)).collect()
    }

    /// The newest record known.
    pub(crate) fn newest(&self) -> Option<&JournalRecord> {
        self.records.back().map(|(record, _)| record).or(self.base.as_ref())
    }

    pub(crate) fn take_input(&mut self, topic: TopicId, records: &Records) {
        let Some(topic) = self.topics.get_mut(topic.index()) else { return };
        let Decoded { events, rejects, next, .. } = topic.decoder.decode(records);
        topic.next = topic.next.max(next.unwrap_or(topic.next));
        let piece = Piece { events, rejects };
        if !piece.is_empty() {
            topic.pieces.push_back(piece);
        }
    }

    pub(crate) fn take_journal(&mut self, raw: Vec<u8>, setup: &Setup) -> Result<()> {
        let lane = self.id;
        let unread = |problem: String| Error::Committed { lane, what: "journal record", problem };
        let record: JournalRecord = serde_json::from_slice(&raw).map_err(|error| unread(error.to_string()))?;
        let expected = self.newest().map_or(0, |newest| newest.sequence + 1);
        if record.sequence < expected {
            return Ok(()); // in the archive already
        }
        if record.sequence > expected {
            return Err(Error::Gap { lane, expected, found: record.sequence });
        }
        if record.digests.reading != setup.reading {
            return Err(Error::Replay(format!(
                "lane {lane}: journal record {} was written by a pipeline that reads its input otherwise (topics, formats, \
                 lateness, limits, networks or time zone differ): archive with that one",
                record.sequence
            )));
        }
        // Watches come and go with upgrades, and what was told of former ones is archived like the rest.
        let (stored, now) = (record.topics.len(), setup.inputs.len());
        if now > 0 && (stored != now || record.counts.len() != now) {
            return Err(unread(format!("it knows {stored} input topics and the pipeline has {now}")));
        }
        self.records.push_back((record, raw));
        Ok(())
    }

    pub(crate) fn take_results(&mut self, messages: Vec<Message>) -> Result<()> {
        let archived = archived_to(self.base.as_ref());
        for message in messages {
            let (stream, end) = result_key(&message.key).ok_or_else(|| Error::Committed {
                lane: self.id,
                what: "result",
                problem: "its key is not `<stream>/<tick end>`".to_owned(),
            })?;
            if end > archived {
                self.results.push((stream, end), &message.value)?;
            } else if end > self.stood_at {
                return Err(Late { folder: self.folder.clone(), lane: self.id, stream, tick_end: end }.into());
            }
        }
        Ok(())
    }

    /// The next run whose end is settled, if all of its input has come.
    pub(crate) fn due(&mut self, setup: &Setup) -> Result<Option<Run>> {
        match self.settled_end() {
            Some(end) if self.is_complete(end, setup)? => self.run(end, setup).map(Some),
            _ => Ok(None),
        }
    }

    /// A last run up to the newest record whose input has come; for an archiver that stops.
    pub(crate) fn rest(&mut self, setup: &Setup) -> Result<Option<Run>> {
        for end in (0..self.records.len()).rev() {
            if self.is_complete(end, setup)? {
                return self.run(end, setup).map(Some);
            }
        }
        Ok(None)
    }

    /// The place of the last record of the next run, once nothing that comes can change it.
    fn settled_end(&self) -> Option<usize> {
        let base = self.base.as_ref();
        let parts = |record: &JournalRecord| record.counts.iter().map(|counts| counts.read).sum::<u64>();
        let mut day = None;
        for (place, (record, _)) in self.records.iter().enumerate() {
            let today = record.tick_end.map(layout::day_of_tick);
            let other = place > 0 && record.digests != self.records[place - 1].0.digests;
            if place > 0 && (other || (day.is_some() && today != day)) {
                return Some(place - 1);
            }
            day = day.or(today);
            if place + 1 >= RUN_RECORDS_MAX || parts(record) - base.map_or(0, parts) >= RUN_PARTS_MAX {
                return Some(place);
            }
        }
        None
    }

    /// Whether every part that the journal counts up to a record has come; an error if one never will.
    fn is_complete(&self, end: usize, setup: &Setup) -> Result<bool> {
        let end = &self.records[end].0;
        let start = self.base.as_ref().unwrap_or(&self.records[0].0);
        for (place, topic) in self.topics.iter().enumerate() {
            let (from, to) = (start.topics[place].position, end.topics[place].position);
            let expected = end.counts[place].read - start.counts[place].read;
            let found = topic.parts_within(from, to);
            if found > expected || (found < expected && topic.next >= to) {
                let problem = format!(
                    "the journal counts {expected} parts in offsets {from} to {to}, the log holds {found}: records are \
                     gone, or the topic was written anew"
                );
                let (topic, sequence) = (setup.inputs[place].topic.clone(), end.sequence);
                return Err(Error::Counts { lane: self.id, topic, sequence, problem });
            }
            if found < expected {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn run(&mut self, end: usize, setup: &Setup) -> Result<Run> {
        let start = self.base.clone().unwrap_or_else(|| self.records[0].0.clone());
        let mut spans = Vec::new();
        for place in 0..self.topics.len() {
            spans.push(self.walk(place, &start, end, setup)?);
        }
        let records: Vec<_> = self.records.drain(..=end).collect();
        let last = &records[end].0;
        for (topic, at) in self.topics.iter_mut().zip(&last.topics) {
            topic.pieces.iter_mut().for_each(|piece| piece.forget_below(at.resume));
            topic.pieces.retain(|piece| !piece.is_empty());
        }
        let ticked = archived_to(Some(last));
        let results = self.results.take(|(_, tick)| *tick <= ticked)?.into_iter();
        let results = results.map(|((stream, tick), value)| (stream, tick, value)).collect();
        self.base = Some(last.clone());
        Ok(Run { lane: self.id, start, records, spans, results })
    }

    /// Walks one topic from where the run before ended, and checks what became of the parts against the journal.
    fn walk(&self, place: usize, start: &JournalRecord, end: usize, setup: &Setup) -> Result<Span> {
        let input = &setup.inputs[place];
        let sealed = archived_to(Some(start));
        let mut walker = Walker::restore(setup.tick, input.lateness, &start.topics[place], sealed);
        for (record, _) in self.records.iter().take(end + 1) {
            walker.learn(&record.topics[place].decisions);
        }
        let last = &self.records[end].0;
        let (from, to) = (start.topics[place].position, last.topics[place].position);
        let mut span = Span::default();
        let mut counts = Counts::default();
        for piece in &self.topics[place].pieces {
            let (rows, rejects) = piece.below(to);
            let (muted_rows, muted_rejects) = piece.below(from);
            let events = Arc::new(piece.events.slice(0, rows));
            let walked = walker.walk(&events, None);
            let new: Vec<_> = walked[muted_rows..].iter().map(|part| part.disposition).collect();
            for disposition in &new {
                match disposition {
                    Disposition::Kept => counts.kept += 1,
                    Disposition::Late => counts.late += 1,
                    Disposition::Duplicate => counts.duplicates += 1,
                    Disposition::Sealed => {}
                }
            }
            counts.read += (new.len() + rejects - muted_rejects) as u64;
            counts.rejects += (rejects - muted_rejects) as u64;
            if !new.is_empty() {
                span.rows.push((piece.events.slice(muted_rows, rows - muted_rows), new));
            }
            span.rejects.extend(piece.rejects[muted_rejects..rejects].iter().cloned());
        }
        let (now, before) = (&last.counts[place], &start.counts[place]);
        let expected = Counts {
            read: now.read - before.read,
            kept: now.kept - before.kept,
            late: now.late - before.late,
            duplicates: now.duplicates - before.duplicates,
            rejects: now.rejects - before.rejects,
        };
        // Another engine may have taken other parts for the same event, but it cannot have read others.
        let other_engine =
            last.digests.engine != ENGINE && (counts.read, counts.rejects) == (expected.read, expected.rejects);
        if counts != expected && !other_engine {
            let problem = format!("the journal counts {expected:?}, the walk gives {counts:?}");
            return Err(Error::Counts { lane: self.id, topic: input.topic.clone(), sequence: last.sequence, problem });
        }
        Ok(span)
    }
}

/// The end of the newest tick in an archive that ends with this record.
fn archived_to(end: Option<&JournalRecord>) -> Timestamp {
    end.and_then(|end| end.tick_end).unwrap_or(Timestamp::MIN)
}

/// `<stream>/<tick end>` of a result's key.
pub(crate) fn result_key(key: &[u8]) -> Option<(String, Timestamp)> {
    let (stream, end) = std::str::from_utf8(key).ok()?.split_once('/')?;
    Some((stream.to_owned(), Timestamp::from_millis(end.parse().ok()?)))
}
