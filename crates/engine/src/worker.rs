//! One lane at work: records in, closed ticks, one transaction out.
//!
//! Everything durable leaves through `commit`: findings, side outputs, panes, case states, journal and positions
//! together. A crash before it leaves the lane where its last committed journal record stands, and the same input
//! is read again; a crash after it leaves nothing to repair.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;
use base::{Millis, Timestamp};
use events::{Decoded, Decoder, Offset, PseudonymKeys, Records, TopicId};
use features::{Crossing, Disposition, JournalRecord, Lane, LaneConfig, SharedFacts, StoredPanes, Tier};
use findings::{Finding, Step};
use reference::{Pins, Reference};

use crate::error::{Error, Result};
use crate::guide::Guide;
use crate::invariants;
use crate::judge::{Judge, recorded};
use crate::limits::{RESULT_BYTES_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_TICKS_MAX};
use crate::ports::{DeadLetter, LaneId, LaneStore, Message, PortError, StoredPane, Transaction};
use crate::spec::{ENGINE, PipelineSpec};

/// Head key of the newest journal record.
pub(crate) const JOURNAL: &[u8] = b"journal";
/// Head key of the first tick a lane ever closed.
const BORN: &[u8] = b"born";
/// Prefix of head keys of case states.
pub(crate) const CASE: &[u8] = b"case/";
/// Prefix of head keys of last facts.
const FACTS: &[u8] = b"facts/";

/// What is known of what lanes do not own.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Reference rows appended before this time.
    pub(crate) reference_through: Timestamp,
    /// What lanes have told all others.
    pub(crate) shared: Option<&'a SharedFacts>,
}

impl Known<'_> {
    fn facts(&self, day_end: Timestamp) -> Option<&[RecordBatch]> {
        self.shared.and_then(|shared| shared.of(day_end))
    }
}

/// What a tick that is due still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Everything in the reference that was appended before this time.
    ForReference(Timestamp),
    /// What every lane shares of the day that ended then.
    ForShares(Timestamp),
}

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
    /// Takes a lane up where it stands: its newest journal record if there is one, else the start of its logs with
    /// `genesis` as the reference's beginning. The first record of a lane is committed before anything is read.
    #[expect(clippy::too_many_arguments, reason = "a lane is made of all these")]
    pub(crate) fn open(
        id: LaneId,
        spec: &PipelineSpec,
        keys: &Arc<PseudonymKeys>,
        mut store: Box<dyn LaneStore>,
        lanes: u32,
        log_start: &[Offset],
        genesis: Pins,
        guide: Option<Vec<JournalRecord>>,
    ) -> Result<Self> {
        let mut judge = Judge::new(spec)?;
        let head = store.head()?;
        let program = Arc::clone(spec.program());
        // A replay begins where its journal did, whatever the reference holds by now.
        let first = guide.as_ref().and_then(|records| records.first());
        let genesis = first.map_or(genesis, |record| record.genesis.clone());
        let record = newest_record(id, &head)?;
        let config = LaneConfig {
            topics: spec.inputs().iter().map(|input| (input.stream, input.lateness)).collect(),
            digests: spec.digests().clone(),
            epoch: record.as_ref().map_or(0, |record| record.epoch),
        };
        let lane = match &record {
            None => {
                // Reading the empty tiers tells the store where they begin, so that it can trim them later.
                for tier in Tier::ALL {
                    store.panes(tier, Timestamp::MIN)?;
                }
                Lane::new(program, config, log_start, genesis)?
            }
            Some(record) => {
                same_definitions(id, &record.digests, spec)?;
                let facts = with_prefix(&head, FACTS).collect();
                let restored = stored_panes(store.as_mut(), record)
                    .and_then(|panes| Ok(Lane::restore(program, config, record, &panes, &facts)?));
                match restored {
                    // Whoever was stopped while it read has read of two times; what is stored is whole.
                    Err(_) if store.head()?.get(JOURNAL) != head.get(JOURNAL) => {
                        return Err(PortError::Fenced(id).into());
                    }
                    restored => restored?,
                }
            }
        };
        for (user, case) in with_prefix(&head, CASE) {
            judge.restore(&user, &case)?;
        }
        let born = head.get(BORN).and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok());
        let decoders = spec
            .inputs()
            .iter()
            .map(|input| Decoder::new(input.stream, input.format, Arc::clone(keys), spec.decode_options().clone()));
        let stands = record.as_ref().and_then(|record| record.tick_end);
        let mut worker = Self {
            id,
            lanes,
            lane,
            judge,
            decoders: decoders.collect::<std::result::Result<_, _>>()?,
            store,
            letters: VecDeque::new(),
            open: Transaction::default(),
            open_ticks: 0,
            settles: record.as_ref().is_some_and(|record| record.shared.is_some()),
            last_record: record,
            trimmed: BTreeMap::new(),
            guide: guide.map(|records| Guide::new(records, stands, spec.digests().clone())),
            born: born.map(Timestamp::from_millis),
            done: Done::default(),
        };
        worker.learn_decisions();
        worker.take_over_cases()?;
        if worker.last_record.is_none() {
            // The genesis record: a crash after it leaves a lane that starts again from the same reference and logs.
            worker.take_journal(None)?;
            worker.commit()?;
        }
        Ok(worker)
    }

    fn learn_decisions(&mut self) {
        for record in self.guide.iter().flat_map(Guide::records) {
            for (topic, at) in (0u8..).zip(&record.topics) {
                self.lane.learn_decisions(TopicId(topic), &at.decisions);
            }
        }
    }

    /// Where the journal says that cases were carried over, goes on with those.
    fn take_over_cases(&mut self) -> Result<()> {
        let Some(cases) = self.guide.as_mut().and_then(Guide::carried) else { return Ok(()) };
        let stored = self.judge.carry(cases)?.into_iter();
        self.open.head.extend(stored.map(|(user, case)| ([CASE, user.as_bytes()].concat(), case)));
        Ok(())
    }

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

    /// The next tick, if it can close: the lane's watermark has passed it, and what it needs of the reference and of other
    /// lanes is known. `Err` names what is not.
    pub(crate) fn next_tick(&mut self, known: Known<'_>) -> std::result::Result<Option<Timestamp>, Waits> {
        let timer = self.judge.next_close();
        let due = match self.guide.as_ref().map(Guide::next) {
            None => self.lane.next_due(timer),
            // A replay ends with its journal, whatever its input would still close.
            Some(None) => None,
            Some(Some(next)) if next.foreign => self.lane.next_due(None).into_iter().chain(next.end).min(),
            // A lane that began while it was idle closed a tick that its rows do not ask for.
            Some(Some(next)) if self.lane.last_tick().is_none() => {
                self.lane.next_due(timer).into_iter().chain(next.end).min()
            }
            Some(Some(_)) => self.lane.next_due(timer),
        };
        let Some(due) = due.filter(|due| *due <= self.lane.watermark()) else { return Ok(None) };
        if self.guide.is_none() && due > known.reference_through {
            return Err(Waits::ForReference(due));
        }
        match self.shared_day(due, known).filter(|day| known.facts(*day).is_none()) {
            Some(day) => Err(Waits::ForShares(day)),
            None => Ok(Some(due)),
        }
    }

    /// The day whose shared facts a tick goes by: the one that the rule names, unless that was waited for too long, here
    /// or by whom a replay follows.
    fn shared_day(&mut self, end: Timestamp, known: Known<'_>) -> Option<Timestamp> {
        let day = self.lane.shared_day(end)?;
        let guided = self.guide.as_ref().and_then(Guide::next).filter(|next| next.end == Some(end));
        let older = match guided {
            Some(next) => next.shared,
            None if self.settles && known.facts(day).is_none() => self.older_day(known),
            None => None,
        };
        Some(older.unwrap_or(day))
    }

    /// The days whose shared facts the journal names that this lane replays.
    pub(crate) fn named_days(&self) -> impl Iterator<Item = Timestamp> {
        self.guide.iter().flat_map(Guide::older_days)
    }

    /// Goes on without the shares that it has waited for, if there is anything older.
    pub(crate) fn settle(&mut self, known: Known<'_>) -> bool {
        self.settles = self.older_day(known).is_some();
        self.settles
    }

    /// The newest day that all lanes have shared, no older than the one gone by so far: of what lies before it, a part may
    /// have been deleted.
    fn older_day(&self, known: Known<'_>) -> Option<Timestamp> {
        let newest = known.shared.and_then(SharedFacts::newest_of_all)?;
        Some(newest).filter(|newest| Some(*newest) >= self.lane.shared_in_use())
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

    /// Goes by what lanes have shared; says of which day, where that is not the one the rule names.
    fn go_by_shared(&mut self, end: Timestamp, known: Known<'_>) -> Option<Timestamp> {
        let day = self.shared_day(end, known)?;
        self.lane.put_shared(day, known.facts(day)?);
        let older = (Some(day) != self.lane.shared_day(end)).then_some(day);
        self.settles &= older.is_some();
        older
    }

    /// The reference version of a tick: from the journal in a replay, else where the reference stands at its end.
    fn pins(&mut self, end: Timestamp, reference: &Reference) -> Result<Option<Pins>> {
        let Some(guide) = &mut self.guide else { return Ok(Some(reference.pin_at(end, self.lane.genesis()))) };
        let Some(next) = guide.next() else { return Ok(None) };
        if next.foreign && Some(end) < next.end {
            return Ok(Some(reference.pin_at(end, self.lane.genesis())));
        }
        if next.end != Some(end) {
            let named = |tick: Option<Timestamp>| tick.map_or("no tick".to_owned(), |tick| tick.millis().to_string());
            let (journal, input) = (named(next.end), named(Some(end)));
            return Err(Error::Journal { lane: self.id, journal, input });
        }
        Ok(guide.take())
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

/// Rows as results records: a batch account touches more charts within a step than one record can hold. They are cut by
/// the number of columns alone, so that everybody cuts alike.
pub(crate) fn rows_messages(stream: &str, end: Timestamp, rows: &RecordBatch) -> Result<Vec<Message>> {
    /// Two pseudonyms, and a number in each column, roughly.
    const KEYS: usize = 200;
    const NUMBER: usize = 9;
    let most = (RESULT_BYTES_MAX / (KEYS + rows.num_columns() * NUMBER)).max(1);
    let pieces = (0..rows.num_rows()).step_by(most).map(|from| rows.slice(from, most.min(rows.num_rows() - from)));
    let message = |piece: RecordBatch| {
        let mut value = Vec::new();
        let mut writer = StreamWriter::try_new(&mut value, &piece.schema())?;
        writer.write(&piece)?;
        writer.finish()?;
        drop(writer);
        Ok(Message { key: result_key(stream, end), value, headers: Vec::new() })
    };
    pieces.map(message).collect()
}

/// Puts findings into a transaction: for those who read findings, and among the results.
pub(crate) fn tell_findings(findings: &[Finding], open: &mut Transaction) -> Result<()> {
    for finding in findings {
        invariants::pseudonymous(&finding.subject).map_err(Error::Law)?;
        let (id, value) = (finding.id.clone().into_bytes(), finding.bytes.clone());
        let key = result_key("findings", finding.tick_end);
        open.results.push(Message { key, value: value.clone(), headers: Vec::new() });
        open.findings.push(Message { key: id, value, headers: Vec::new() });
    }
    Ok(())
}

/// Key of a results record: what it holds and for which tick.
fn result_key(stream: &str, end: Timestamp) -> Vec<u8> {
    format!("{stream}/{}", end.millis()).into_bytes()
}

/// Key and value of a journal record.
pub(crate) fn journal_entry(record: &JournalRecord) -> Result<(Vec<u8>, Vec<u8>)> {
    let value = serde_json::to_vec(record).map_err(|error| Error::Law(format!("journal: {error}")))?;
    Ok((record.sequence.to_string().into_bytes(), value))
}

/// The journal record a lane stands at; `None` if it never ran.
pub(crate) fn newest_record(lane: LaneId, head: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Option<JournalRecord>> {
    let Some(bytes) = head.get(JOURNAL) else { return Ok(None) };
    serde_json::from_slice(bytes).map(Some).map_err(|error| {
        let record: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        // Another version's records may have other fields: that is no damage.
        match record["digests"]["engine"].as_str() {
            Some(stored) if stored != ENGINE => Error::OtherEngine { lane, stored: stored.to_owned(), now: ENGINE },
            _ => Error::Head { lane, problem: error.to_string() },
        }
    })
}

pub(crate) fn same_definitions(lane: LaneId, stored: &features::Digests, spec: &PipelineSpec) -> Result<()> {
    let now = spec.digests();
    let pairs = [
        ("specification", stored.spec.to_string(), now.spec.to_string()),
        ("SQL", stored.sql.to_string(), now.sql.to_string()),
        ("model", stored.model.to_string(), now.model.to_string()),
        ("engine", stored.engine.clone(), now.engine.clone()),
    ];
    match pairs.into_iter().find(|(_, stored, now)| stored != now) {
        None => Ok(()),
        Some((what, stored, now)) => Err(Error::OtherDefinitions { lane, what, stored, now }),
    }
}

fn stored_panes(store: &mut dyn LaneStore, record: &JournalRecord) -> Result<StoredPanes> {
    let mut panes = StoredPanes::default();
    for tier in Tier::ALL {
        if let Some(needed) = record.tiers.get(tier.name()) {
            let read = store.panes(tier, needed.first)?;
            // Panes of a tick that never committed are invisible; what is read is what the journal counts.
            panes.0.insert(tier, read.into_iter().map(|pane| (pane.end, pane.bytes)).collect());
        }
    }
    Ok(panes)
}

/// Head entries whose keys begin so, without that beginning.
pub(crate) fn with_prefix<'a>(
    head: &'a BTreeMap<Vec<u8>, Vec<u8>>,
    prefix: &'static [u8],
) -> impl Iterator<Item = (String, Vec<u8>)> + 'a {
    let entries = head.range(prefix.to_vec()..).take_while(move |(key, _)| key.starts_with(prefix));
    entries.map(move |(key, value)| (String::from_utf8_lossy(&key[prefix.len()..]).into_owned(), value.clone()))
}
