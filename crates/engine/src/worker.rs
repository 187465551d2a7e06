//! One lane at work: records in, closed ticks, one transaction out.
//!
//! Everything durable leaves through `commit`: findings, side outputs, panes, case states, journal and positions
//! together. A crash before it leaves the lane where its last committed journal record stands, and the same input
//! is read again; a crash after it leaves nothing to repair. Read next: `worker/due.rs` (which tick closes, and as of
//! what), `worker/open.rs` (a lane taken up), `worker/head.rs` and `worker/messages.rs` (what it stores and tells).

mod due;
mod head;
mod messages;
mod open;

use std::collections::{BTreeMap, VecDeque};

use arrow::array::RecordBatch;
use base::{Millis, Timestamp};
use events::{Decoded, Decoder, Offset, Records, TopicId};
use features::{Crossing, Disposition, JournalRecord, Lane, Tier};
use findings::{Finding, Step};
use reference::Reference;

use crate::error::{Error, Result};
use crate::guide::Guide;
use crate::invariants;
use crate::judge::{Judge, recorded};
use crate::limits::{TRANSACTION_BYTES_MAX, TRANSACTION_TICKS_MAX};
use crate::ports::{DeadLetter, LaneId, LaneStore, Message, StoredPane, Transaction};
use head::{BORN, FACTS};

pub(crate) use due::{Known, Waits};
pub(crate) use head::{CASE, JOURNAL, newest_record, same_definitions, with_prefix};
pub(crate) use messages::{journal_entry, rows_messages, tell_findings};

/// What a lane did since it was last asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) ticks: u64,
    pub(crate) user_rows: u64,
    pub(crate) pair_rows: u64,
    pub(crate) findings: Vec<Finding>,
    pub(crate) scores: Vec<f64>,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    /// By input topic.
    pub(crate) events: Vec<usize>,
    pub(crate) rejects: Vec<&'static str>,
}

/// A lane and everything it owns.
pub(crate) struct Worker {
    id: LaneId,
    /// Lanes there are in all: what crosses them is split among as many.
    lanes: u32,
    lane: Lane,
    judge: Judge,
    decoders: Vec<Decoder>,
    store: Box<dyn LaneStore>,
    letters: VecDeque<DeadLetter>,
    open: Transaction,
    open_ticks: usize,
    last_record: Option<JournalRecord>,
    trimmed: BTreeMap<Tier, Timestamp>,
    /// What a replay must follow.
    guide: Option<Guide>,
    /// It has waited for the shares of some lane for too long, and goes by those of an older day while they are missing.
    settles: bool,
    born: Option<Timestamp>,
    pub(crate) done: Done,
}

impl Worker {
    pub(crate) fn lane(&self) -> &Lane {
        &self.lane
    }

    pub(crate) fn lane_mut(&mut self) -> &mut Lane {
        &mut self.lane
    }

    pub(crate) fn open_cases(&self) -> usize {
        self.judge.open_cases()
    }

    pub(crate) fn waiting_letters(&self) -> usize {
        self.letters.len()
    }

    pub(crate) fn last_record(&self) -> Option<&JournalRecord> {
        self.last_record.as_ref()
    }

    /// Where to read each topic from.
    pub(crate) fn resume(&self) -> Vec<Offset> {
        (0u8..).zip(&self.decoders).map(|(topic, _)| self.lane.walker(TopicId(topic)).next()).collect()
    }

    /// How far each topic has been taken in: what stands below has been sealed, or told.
    pub(crate) fn positions(&self) -> Vec<Offset> {
        (0u8..).zip(&self.decoders).map(|(topic, _)| self.lane.walker(TopicId(topic)).position()).collect()
    }

    /// Decodes and walks records as they came.
    pub(crate) fn take(&mut self, topic: TopicId, records: &Records) {
        let decoded = self.decoders[topic.index()].decode(records);
        self.offer(topic, decoded, Some(records));
    }

    /// Walks what was decoded; with the records at hand, what cannot be used is kept as a dead letter.
    pub(crate) fn offer(&mut self, topic: TopicId, decoded: Decoded, records: Option<&Records>) {
        let position = self.lane.walker(topic).position();
        let rejects: Vec<_> = decoded.rejects.iter().map(|reject| (reject.offset, reject.part)).collect();
        let walked = self.lane.offer(topic, decoded.events, &rejects, decoded.next);
        let mut letters = BTreeMap::new();
        for reject in decoded.rejects.into_iter().filter(|reject| reject.offset >= position) {
            self.done.rejects.push(reject.reason.name());
            letters.insert((reject.offset, reject.part), (reject.reason.name(), reject.detail));
        }
        self.done.events.resize(self.decoders.len(), 0);
        self.done.events[topic.index()] += walked.len();
        for part in &walked {
            match part.disposition {
                Disposition::Late => {
                    self.done.late += 1;
                    let detail = "its tick had closed: the watermark before the record was past it".to_owned();
                    letters.insert((part.offset, part.part), ("late", detail));
                }
                Disposition::Duplicate => self.done.duplicates += 1,
                Disposition::Kept | Disposition::Sealed => {}
            }
        }
        let Some(records) = records.filter(|_| !letters.is_empty()) else { return };
        let mut records = records.iter().peekable();
        let mut first: Option<(Offset, i32)> = None;
        for ((offset, part), (reason, detail)) in letters {
            while records.peek().is_some_and(|record| record.offset < offset) {
                records.next();
            }
            let Some(record) = records.peek().filter(|record| record.offset == offset) else { continue };
            // A record of a thousand late parts goes out once, not a thousand times.
            let record_with = first.filter(|(of, _)| *of == offset).map(|(_, part)| part);
            first = if record_with.is_some() { first } else { Some((offset, part)) };
            let is_first = record_with.is_none();
            self.letters.push_back(DeadLetter {
                topic,
                offset,
                part,
                reason,
                detail,
                key: record.key.filter(|_| is_first).map(<[u8]>::to_vec),
                value: record.value.filter(|_| is_first).map(<[u8]>::to_vec),
                headers: if is_first { record.headers.to_vec() } else { Vec::new() },
                record_with,
            });
        }
    }

    /// Whether ticks should be committed before more are closed.
    pub(crate) fn is_full(&self) -> bool {
        self.open_ticks >= TRANSACTION_TICKS_MAX || self.open.byte_count() >= TRANSACTION_BYTES_MAX
    }

    /// Whether anything waits to be committed.
    pub(crate) fn has_open(&self) -> bool {
        !self.open.journal.is_empty()
    }

    /// Closes a tick: seal, score pairs, score users, judge, and put everything into the open transaction.
    pub(crate) fn close(&mut self, end: Timestamp, reference: &Reference, known: Known<'_>) -> Result<bool> {
        let shared = self.go_by_shared(end, known);
        let Some(pins) = self.pins(end, reference)? else { return Ok(false) };
        self.lane.begin_tick(end, reference, &pins)?;
        if let Some(rows) = self.lane.pair_rows(reference, &pins)? {
            self.done.pair_rows += rows.num_rows() as u64;
            let scores = self.judge.pairs(&rows)?;
            let shown: Option<Vec<f64>> =
                scores.as_ref().map(|scores| scores.iter().map(|score| *score as f64 / 1e6).collect());
            self.record_rows("pair_features", end, &rows, shown.as_deref())?;
            if let Some(scores) = scores {
                self.lane.put_pair_scores(&rows, &scores)?;
            }
        }
        if let Some(rows) = self.lane.user_rows(reference, &pins)? {
            let born = *self.born.get_or_insert(end);
            self.done.user_rows += rows.num_rows() as u64;
            let scores = self.judge.users(&rows)?;
            self.record_rows("features", end, &rows, scores.as_deref())?;
            if let Some(scores) = scores.filter(|_| self.judge.speaks(born, end)) {
                let step = self.judge.step(&mut self.lane, end, &rows, &scores, reference, &pins)?;
                self.tell(step)?;
                self.done.scores.extend(scores);
            }
        }
        let step = self.judge.close_quiet(end)?;
        self.tell(step)?;
        if let Some(born) = self.born {
            self.open.head.insert(BORN.to_vec(), Some(born.millis().to_string().into_bytes()));
        }
        let mut output = self.lane.end_tick(&pins)?;
        output.record.shared = shared;
        self.tell_watches(end, &output.crossing)?;
        for (tier, end, bytes) in output.panes {
            self.open.panes.push((tier, StoredPane { end, bytes }));
        }
        for (user, facts) in output.facts {
            self.open.head.insert([FACTS, user.as_bytes()].concat(), facts);
        }
        self.take_journal(Some(output.record))?;
        self.take_over_cases()?;
        self.done.ticks += 1;
        self.open_ticks += 1;
        Ok(true)
    }

    fn record_rows(&mut self, stream: &str, end: Timestamp, rows: &RecordBatch, scores: Option<&[f64]>) -> Result<()> {
        self.open.results.extend(rows_messages(stream, end, &recorded(rows, end, scores)?)?);
        Ok(())
    }

    fn tell_watches(&mut self, end: Timestamp, crossing: &[Option<RecordBatch>]) -> Result<()> {
        let under = &self.lane.digests().told_under();
        for (watch, states) in (0u8..).map(TopicId).zip(crossing) {
            let split = Crossing::split(self.id.0, end, under, states.as_ref(), self.lanes)?;
            for (target, pieces) in (0..).map(LaneId).zip(split) {
                for crossing in pieces {
                    let (key, value) = crossing.encode()?;
                    self.open.crossings.push((watch, target, Message { key, value, headers: Vec::new() }));
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, step: Step) -> Result<()> {
        for (user, case) in step.touched {
            self.open.head.insert([CASE, user.as_bytes()].concat(), case);
        }
        tell_findings(&step.findings, &mut self.open)?;
        self.done.findings.extend(step.findings);
        Ok(())
    }

    /// Where the journal says that cases were carried over, goes on with those.
    fn take_over_cases(&mut self) -> Result<()> {
        let Some(cases) = self.guide.as_mut().and_then(Guide::carried) else { return Ok(()) };
        let stored = self.judge.carry(cases)?.into_iter();
        self.open.head.extend(stored.map(|(user, case)| ([CASE, user.as_bytes()].concat(), case)));
        Ok(())
    }

    /// Adds a journal record to the open transaction; without a tick the positions move to everything read.
    fn take_journal(&mut self, record: Option<JournalRecord>) -> Result<()> {
        let record = record.unwrap_or_else(|| self.lane.commit_without_tick());
        invariants::conservation(&record.counts).map_err(Error::Law)?;
        invariants::succession(self.last_record.as_ref(), &record).map_err(Error::Law)?;
        let (key, value) = journal_entry(&record)?;
        self.open.head.insert(JOURNAL.to_vec(), Some(value.clone()));
        self.open.journal.push(Message { key, value, headers: Vec::new() });
        self.open.positions = record.topics.iter().map(|topic| topic.position).collect();
        self.last_record = Some(record);
        Ok(())
    }

    /// Moves positions to everything read, so that rejects and late records get out although no tick closes.
    pub(crate) fn commit_without_tick(&mut self) -> Result<()> {
        self.take_journal(None)?;
        self.commit()
    }

    /// Commits what has been closed. On an error the lane must be opened again: nothing of it counts.
    pub(crate) fn commit(&mut self) -> Result<()> {
        let mut transaction = std::mem::take(&mut self.open);
        self.open_ticks = 0;
        let positions = &transaction.positions;
        let (out, kept) = std::mem::take(&mut self.letters)
            .into_iter()
            .partition::<Vec<_>, _>(|letter| letter.offset < positions[letter.topic.index()]);
        transaction.dead_letters = out;
        self.letters = kept.into();
        self.store.commit(transaction)?;
        self.trim()
    }

    /// Deletes panes that the committed journal no longer needs.
    fn trim(&mut self) -> Result<()> {
        let Some(record) = &self.last_record else { return Ok(()) };
        for tier in Tier::ALL {
            let Some(needed) = record.tiers.get(tier.name()) else { continue };
            // Deleting costs a request: an hour's worth at a time, a day's for the coarser tiers. What former owners left
            // goes at the first commit.
            let step = if tier == Tier::Minute { Millis::hours(1) } else { Millis::days(1) };
            if self.trimmed.get(&tier).is_none_or(|trimmed| needed.first - *trimmed >= step) {
                self.store.trim(tier, needed.first)?;
                self.trimmed.insert(tier, needed.first);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
