//! Time as a function of one topic's log: watermark, late, duplicate, frontier, resume.
//!
//! Walks the accepted parts of one topic of one lane in offset order. Nothing here knows how records were polled:
//! the same log and the same idle decisions give the same dispositions, whatever the batches. A record's parts are
//! all judged by the watermark before the record.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMillisecondType};
use base::{FastSet, Millis, Timestamp};
use events::Offset;

use crate::journal::{Decision, TopicPosition};

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// A row of an open pane.
    Kept,
    /// The watermark before its record had passed the end of its tick.
    Late,
    /// The same event already stands in the same open pane: one of that id, user, patient and time.
    Duplicate,
    /// Its pane was sealed before a restart; read again and passed over.
    Sealed,
}

impl Disposition {
    /// The word used in the archive and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Sealed => "sealed",
        }
    }
}

/// One part after the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Offset of its record.
    pub offset: Offset,
    /// Place in its record.
    pub part: i32,
    /// What became of it.
    pub disposition: Disposition,
}

/// A row of an open pane: where its columns are, and the watermark before its record.
#[derive(Clone, Debug)]
pub(crate) struct OpenRow {
    pub(crate) batch: Arc<RecordBatch>,
    pub(crate) row: usize,
    pub(crate) offset: Offset,
    pub(crate) part: i32,
    watermark_before: Timestamp,
}

#[derive(Debug, Default)]
struct OpenPane {
    rows: Vec<OpenRow>,
    /// What stands in it, see [`Identities`].
    events: FastSet<Box<[u8]>>,
}

/// What makes two parts the same event. The id alone does not: two sources of one topic may both count from one, and one
/// of them must not hide what the other saw.
struct Identities<'b> {
    times: &'b TimestampMillisecondArray,
    ids: &'b StringArray,
    users: &'b StringArray,
    patients: Option<&'b StringArray>,
}

impl<'b> Identities<'b> {
    fn of(batch: &'b RecordBatch) -> Self {
        Self {
            times: batch.column(3).as_primitive::<TimestampMillisecondType>(),
            ids: batch.column(4).as_string::<i32>(),
            users: batch.column(5).as_string::<i32>(),
            patients: batch.column_by_name("patient_key").map(|patients| patients.as_string::<i32>()),
        }
    }

    /// Pseudonyms hold no zero byte, so that no two read the same.
    fn at(&self, row: usize) -> Box<[u8]> {
        let time = self.times.value(row).to_le_bytes();
        let patient =
            self.patients.filter(|patients| patients.is_valid(row)).map_or("", |patients| patients.value(row));
        let (user, id) = (self.users.value(row), self.ids.value(row));
        [&time, user.as_bytes(), &[0], patient.as_bytes(), &[0], id.as_bytes()].concat().into()
    }
}

/// A raise of the watermark: to `watermark`, by what stands right before `position`.
#[derive(Clone, Copy, Debug)]
struct Raise {
    watermark: Timestamp,
    position: Offset,
}

/// The state of one topic of one lane.
#[derive(Debug)]
pub struct Walker {
    lateness: Millis,
    tick: Millis,
    watermark: Timestamp,
    /// The newest event time of a record that was walked here; decisions do not move it.
    heard: Option<Timestamp>,
    next: Offset,
    sealed: Timestamp,
    open: BTreeMap<Timestamp, OpenPane>,
    /// Where each open pane begins in the log, and its tick.
    begun: BTreeSet<(Offset, Timestamp)>,
    raises: VecDeque<Raise>,
    /// Decisions known but not yet reached by the walk, by offset.
    ahead: VecDeque<Decision>,
    /// Decisions of the past that a journal record may still have to carry.
    decisions: Vec<Decision>,
    /// Those of them that stand in no journal record yet.
    unrecorded: Vec<Decision>,
    position: Offset,
    open_rows: usize,
}

impl Walker {
    /// A topic read from `start` for the first time.
    pub fn new(tick: Millis, lateness: Millis, start: Offset) -> Self {
        let fresh = TopicPosition { position: start, resume: start, watermark: Timestamp::MIN, decisions: Vec::new() };
        Self::restore(tick, lateness, &fresh, Timestamp::MIN)
    }

    /// A topic taken up again where a journal record left it, its ticks sealed up to `sealed`.
    pub fn restore(tick: Millis, lateness: Millis, at: &TopicPosition, sealed: Timestamp) -> Self {
        let mut walker = Self {
            lateness,
            tick,
            watermark: at.watermark,
            heard: None,
            next: at.resume,
            sealed,
            open: BTreeMap::new(),
            begun: BTreeSet::new(),
            raises: VecDeque::from([Raise { watermark: at.watermark, position: at.resume }]),
            ahead: at.decisions.iter().copied().collect(),
            decisions: at.decisions.clone(),
            unrecorded: Vec::new(),
            position: at.position,
            open_rows: 0,
        };
        walker.apply_decisions(at.resume);
        walker
    }

    /// Adds decisions taken by others (a journal that is followed); those already known are passed over.
    pub fn learn(&mut self, decisions: &[Decision]) {
        for decision in decisions {
            if !self.decisions.contains(decision) {
                self.decisions.push(*decision);
                self.ahead.push_back(*decision);
            }
        }
        self.ahead.make_contiguous().sort();
    }

    /// Walks the rows of a batch in (offset, part) order; `next` is the offset after the last record read, rejects
    /// included.
    pub fn walk(&mut self, batch: &Arc<RecordBatch>, next: Option<Offset>) -> Vec<Walked> {
        let offsets = batch.column(0).as_primitive::<Int64Type>();
        let parts = batch.column(1).as_primitive::<Int32Type>();
        let events = Identities::of(batch);
        let mut walked = Vec::with_capacity(batch.num_rows());
        let mut row = 0;
        while row < offsets.len() {
            let offset = Offset(offsets.value(row));
            self.apply_decisions(offset);
            let before = self.watermark;
            let mut newest = Timestamp::MIN;
            while row < offsets.len() && offsets.value(row) == offset.0 {
                let time = Timestamp::from_millis(events.times.value(row));
                newest = newest.max(time);
                let place =
                    OpenRow { batch: Arc::clone(batch), row, offset, part: parts.value(row), watermark_before: before };
                let disposition = self.place(time, events.at(row), place);
                walked.push(Walked { offset, part: parts.value(row), disposition });
                row += 1;
            }
            self.next = offset.next();
            if newest > Timestamp::MIN {
                self.heard = self.heard.max(Some(newest));
                self.raise(newest - self.lateness, offset.next());
            }
        }
        // Rejects move no watermark, but they are read.
        self.next = self.next.max(next.unwrap_or(self.next));
        self.apply_decisions(self.next);
        walked
    }

    fn place(&mut self, time: Timestamp, event: Box<[u8]>, row: OpenRow) -> Disposition {
        let end = self.tick_end(time);
        if end <= row.watermark_before {
            return Disposition::Late;
        }
        if end <= self.sealed {
            return Disposition::Sealed;
        }
        let pane = self.open.entry(end).or_default();
        if !pane.events.insert(event) {
            return Disposition::Duplicate;
        }
        if pane.rows.is_empty() {
            // Rows are walked in the order of their offsets: the first of a pane is its lowest.
            self.begun.insert((row.offset, end));
        }
        pane.rows.push(row);
        self.open_rows += 1;
        Disposition::Kept
    }

    /// The end of the tick that an event time falls in; ticks are half-open.
    pub fn tick_end(&self, time: Timestamp) -> Timestamp {
        time.floor(self.tick) + self.tick
    }

    fn raise(&mut self, to: Timestamp, position: Offset) {
        if to > self.watermark {
            self.watermark = to;
            self.raises.push_back(Raise { watermark: to, position });
        }
    }

    fn apply_decisions(&mut self, up_to: Offset) {
        while let Some(decision) = self.ahead.front().copied().filter(|decision| decision.offset <= up_to) {
            self.ahead.pop_front();
            self.raise(decision.watermark, decision.offset);
        }
    }

    /// The topic has been read to its end, which is `end`: decisions recorded there take effect.
    pub fn reached_end(&mut self, end: Offset) {
        self.apply_decisions(end);
    }

    /// Decides that the topic is idle at its end. The watermark never falls. Returns whether anything changed.
    pub fn decide_idle(&mut self, end: Offset, watermark: Timestamp) -> bool {
        if !self.ahead.is_empty() || watermark <= self.watermark {
            return false;
        }
        // A newer decision at the same offset says all that the older one said, recorded or not.
        self.decisions.retain(|decision| decision.offset != end);
        self.unrecorded.retain(|decision| decision.offset != end);
        let decision = Decision { offset: end, watermark };
        self.decisions.push(decision);
        self.unrecorded.push(decision);
        self.raise(watermark, end);
        // Markers of transactions stand behind the last record: what is read to the end is read up to there, so that
        // nobody resumes below it, where retention may have begun.
        self.next = self.next.max(end);
        true
    }

    /// The watermark after everything walked.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// The newest event time of a record: none until one has come. A restart begins without: the watermark of a journal
    /// record may be that of a decision, which the record does not hold where late records came after it.
    pub fn heard(&self) -> Option<Timestamp> {
        self.heard
    }

    /// The offset to read next.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Side outputs have been handed over up to here.
    pub fn position(&self) -> Offset {
        self.position
    }

    /// Rows of panes not yet sealed.
    pub fn open_row_count(&self) -> usize {
        self.open_rows
    }

    /// The earliest tick that holds rows.
    pub(crate) fn first_open(&self) -> Option<Timestamp> {
        self.open.keys().next().copied()
    }

    /// Takes the rows of a tick that closes and moves the position to its frontier.
    pub(crate) fn close(&mut self, end: Timestamp) -> Vec<OpenRow> {
        debug_assert!(self.watermark >= end, "a tick closes only behind the watermark");
        self.sealed = end;
        let at = self.raises.partition_point(|raise| raise.watermark < end);
        if let Some(raise) = self.raises.get(at) {
            self.position = self.position.max(raise.position);
        }
        let rows = self.open.remove(&end).map_or_else(Vec::new, |pane| pane.rows);
        if let Some(first) = rows.first() {
            self.begun.remove(&(first.offset, end));
        }
        self.open_rows -= rows.len();
        rows
    }

    /// Moves the position to everything walked: a commit without a tick.
    pub(crate) fn catch_up(&mut self) {
        let reached = self.decisions.iter().map(|decision| decision.offset);
        let ahead = self.ahead.front().map(|decision| decision.offset);
        let decided = reached.filter(|offset| ahead.is_none_or(|ahead| *offset < ahead)).max();
        self.position = self.position.max(self.next).max(decided.unwrap_or(self.next));
    }

    /// What a journal record says of this topic; afterwards its decisions count as recorded.
    pub(crate) fn record(&mut self) -> TopicPosition {
        let cap = self.position.min(self.next);
        let lowest = self.begun.first().and_then(|(_, end)| self.open.get(end)?.rows.first());
        let (resume, watermark) = match lowest {
            Some(row) if row.offset <= cap => (row.offset, row.watermark_before),
            _ => (cap, self.watermark_at(cap)),
        };
        self.forget_below(resume);
        let within = |decision: &&Decision| decision.offset <= self.position;
        let mut decisions: Vec<Decision> = self.decisions.iter().filter(within).copied().collect();
        decisions.extend(self.unrecorded.iter().filter(within));
        decisions.sort();
        decisions.dedup();
        self.unrecorded.retain(|decision| decision.offset > self.position);
        TopicPosition { position: self.position, resume, watermark, decisions }
    }

    fn watermark_at(&self, position: Offset) -> Timestamp {
        let after = self.raises.partition_point(|raise| raise.position <= position);
        self.raises.get(after.saturating_sub(1)).map_or(Timestamp::MIN, |raise| raise.watermark)
    }

    /// Drops history that no later record can ask for: resume never goes back.
    fn forget_below(&mut self, resume: Offset) {
        // The first raise kept must still answer `watermark_at(resume)` and the frontier of every tick to come.
        while self.raises.len() > 1 && self.raises[1].position <= resume && self.raises[0].watermark <= self.sealed {
            self.raises.pop_front();
        }
        self.decisions.retain(|decision| decision.offset >= resume);
    }
}

#[cfg(test)]
mod tests;
