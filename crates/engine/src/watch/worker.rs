//! One lane of watches at work: what lanes of users said in, closed steps, one transaction out.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use base::Timestamp;
use events::{Offset, Records, TopicId};
use features::{Crossing, JournalRecord, Tier, WatchLane};
use findings::{Cases, Finding, Step, Tick};

use crate::error::{Error, Result};
use crate::invariants;
use crate::judge::{evidence, recorded};
use crate::limits::{TRANSACTION_TICKS_MAX, WATCH_TRANSACTION_BYTES_MAX};
use crate::ports::{LaneId, LaneStore, Message, PortError, StoredPane, Transaction};
use crate::progress::WatchProgress;
use crate::spec::PipelineSpec;
use crate::worker::{
    CASE, JOURNAL, journal_entry, newest_record, rows_messages, same_definitions, tell_findings, with_prefix,
};

/// A lane of watches and everything it owns.
pub(super) struct WatchWorker {
    id: LaneId,
    lane: WatchLane,
    /// Of each watch.
    cases: Vec<Cases>,
    names: Vec<String>,
    /// Of a replay: the last step that its archive holds. What follows was not told yet.
    until: Option<Timestamp>,
    /// Cases that a replay is to take up, after which step.
    carried: VecDeque<(Option<Timestamp>, BTreeMap<String, String>)>,
    store: Box<dyn LaneStore>,
    open: Transaction,
    steps: usize,
    last_record: Option<JournalRecord>,
    /// Findings since it was last asked.
    pub(super) found: Vec<Finding>,
}

impl WatchWorker {
    /// Takes a lane up where it stands: its newest journal record if there is one, else the start of its logs.
    pub(super) fn open(
        id: LaneId,
        spec: &PipelineSpec,
        mut store: Box<dyn LaneStore>,
        lanes: u32,
        log_start: &[Offset],
        journal: Option<Vec<JournalRecord>>,
    ) -> Result<Self> {
        let head = store.head()?;
        let record = newest_record(id, &head)?;
        let (program, digests) = (Arc::clone(spec.program()), spec.digests().clone());
        let lane = match &record {
            None => {
                // Reading the empty tier tells the store where it begins, so that it can trim it later.
                store.panes(Tier::Minute, Timestamp::MIN)?;
                WatchLane::new(program, digests, lanes, log_start)?
            }
            Some(record) => {
                same_definitions(id, &record.digests, spec)?;
                let first = record.tiers.get(Tier::Minute.name()).map_or(Timestamp::MIN, |needed| needed.first);
                let panes = store.panes(Tier::Minute, first)?;
                let panes: Vec<_> = panes.into_iter().map(|pane| (pane.end, pane.bytes)).collect();
                match WatchLane::restore(program, digests, lanes, record, &panes) {
                    // Whoever was stopped while it read has read of two times; what is stored is whole.
                    Err(_) if store.head()?.get(JOURNAL) != head.get(JOURNAL) => {
                        return Err(PortError::Fenced(id).into());
                    }
                    restored => restored?,
                }
            }
        };
        let cases =
            (0..spec.watches().len()).map(|place| spec.watch_cases(place)).collect::<findings::Result<Vec<_>>>()?;
        let names: Vec<_> = spec.watches().iter().map(|watch| watch.name.clone()).collect();
        let until =
            journal.as_ref().map(|records| records.last().and_then(|record| record.tick_end).unwrap_or(Timestamp::MIN));
        // Cases that upgrades carried over count from the step after the one they stand at.
        let carried = |record: JournalRecord| Some((record.tick_end, record.carried?));
        let ours = journal.into_iter().flatten().filter(|record| record.digests == *spec.digests());
        let (open, found, carried) = (Transaction::default(), Vec::new(), ours.filter_map(carried).collect());
        let mut worker =
            Self { id, lane, cases, names, until, carried, store, open, steps: 0, last_record: record, found };
        with_prefix(&head, CASE).try_for_each(|(key, case)| worker.restore(&key, &case))?;
        Ok(worker)
    }

    /// Takes up a stored case by its name, `<watch>/<entity>`.
    fn restore(&mut self, key: &str, case: &[u8]) -> Result<()> {
        let named = key.split_once('/');
        let named = named.and_then(|(name, entity)| Some((self.names.iter().position(|known| known == name)?, entity)));
        match named {
            Some((watch, entity)) => Ok(self.cases[watch].restore(entity, case)?),
            None => {
                let problem = format!("the case `{key}` is of no watch that the pipeline has");
                Err(Error::Head { lane: self.id, problem })
            }
        }
    }

    /// Where an upgrade before this step carried cases over, goes on with those and no others.
    fn take_over_cases(&mut self, end: Timestamp) -> Result<()> {
        while let Some((_, cases)) = self.carried.pop_front_if(|(at, _)| at.is_none_or(|at| at < end)) {
            self.cases.iter_mut().for_each(|cases| drop(cases.clear()));
            cases.iter().try_for_each(|(key, case)| self.restore(key, case.as_bytes()))?;
        }
        Ok(())
    }

    /// Where to read the topic of each watch from.
    pub(super) fn resume(&self) -> Vec<Offset> {
        self.lane.resume()
    }

    /// How far the topic of each watch has been taken in.
    pub(super) fn positions(&self) -> Vec<Offset> {
        self.lane.positions()
    }

    /// Where to read from again, once there is room for what was left out.
    pub(super) fn read_again(&mut self) -> Option<Vec<Offset>> {
        self.lane.read_again()
    }

    pub(super) fn last_step(&self) -> Option<Timestamp> {
        self.lane.last_step()
    }

    /// Where it stands.
    pub(super) fn progress(&self) -> WatchProgress {
        WatchProgress {
            watermark: Some(self.lane.watermark()).filter(|watermark| *watermark > Timestamp::MIN),
            open_cases: self.cases.iter().map(Cases::open_count).sum(),
            waiting: self.lane.waiting_steps(),
            lag: None,
        }
    }

    pub(super) fn take(&mut self, watch: TopicId, records: &Records) -> Result<()> {
        for record in records.iter() {
            let crossing = Crossing::decode(record.key.unwrap_or_default(), record.value.unwrap_or_default())?;
            self.lane.take(watch, crossing, record.offset)?;
        }
        Ok(())
    }

    /// Closes what every lane has spoken of, as much as fits one commit, and commits it; says whether anything was.
    pub(super) fn close_and_commit(&mut self) -> Result<bool> {
        // Steps that refill are committed with the first one that is told, however many bytes that makes.
        while self.steps == 0
            || (self.steps < TRANSACTION_TICKS_MAX && self.open.byte_count() < WATCH_TRANSACTION_BYTES_MAX)
        {
            let timer = self.cases.iter().filter_map(Cases::next_close).min();
            let due = self.lane.next_due(timer).filter(|due| self.until.is_none_or(|until| *due <= until));
            let Some(due) = due else { break };
            self.close(due)?;
        }
        if self.steps == 0 {
            return Ok(false);
        }
        self.steps = 0;
        self.store.commit(std::mem::take(&mut self.open))?;
        if let Some(needed) = self.last_record.as_ref().and_then(|record| record.tiers.get(Tier::Minute.name())) {
            self.store.trim(Tier::Minute, needed.first)?;
        }
        Ok(true)
    }

    fn close(&mut self, end: Timestamp) -> Result<()> {
        let refills = self.lane.refills(end);
        if !refills {
            self.take_over_cases(end)?;
        }
        for (watch, rows) in self.lane.close(end)?.into_iter().enumerate() {
            if refills {
                continue;
            }
            if let Some(rows) = rows {
                let key = format!("{}{}", super::STREAM, self.names[watch]);
                self.open.results.extend(rows_messages(&key, end, &recorded(&rows, end, None)?)?);
                let step = self.judge(watch, end, &rows)?;
                self.tell(watch, step)?;
            }
            let step = self.cases[watch].close_quiet(end)?;
            self.tell(watch, step)?;
        }
        let output = self.lane.end()?;
        if let Some(bytes) = output.pane {
            self.open.panes.push((Tier::Minute, StoredPane { end, bytes }));
        }
        let Some(record) = output.record else { return Ok(()) };
        invariants::succession(self.last_record.as_ref(), &record).map_err(Error::Law)?;
        let (key, value) = journal_entry(&record)?;
        self.open.head.insert(JOURNAL.to_vec(), Some(value.clone()));
        self.open.journal.push(Message { key, value, headers: Vec::new() });
        self.open.positions = record.topics.iter().map(|topic| topic.position).collect();
        self.last_record = Some(record);
        self.steps += 1;
        Ok(())
    }

    fn judge(&mut self, watch: usize, end: Timestamp, rows: &RecordBatch) -> Result<Step> {
        let failed = RefCell::new(None);
        let lane = &self.lane;
        let users = |entity: &str| match lane.users(watch, entity) {
            Ok(rows) => rows.map(|rows| evidence(&rows)).unwrap_or_default(),
            Err(error) => {
                failed.borrow_mut().get_or_insert(Error::from(error));
                Vec::new()
            }
        };
        let scores = vec![0.0; rows.num_rows()];
        let tick = Tick { end, features: rows, scores: &scores, explain: &|_| Vec::new(), evidence: &users };
        let step = self.cases[watch].step(&tick)?;
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(step),
        }
    }

    fn tell(&mut self, watch: usize, step: Step) -> Result<()> {
        for (entity, case) in step.touched {
            let key = format!("{}/{entity}", self.names[watch]);
            self.open.head.insert([CASE, key.as_bytes()].concat(), case);
        }
        tell_findings(&step.findings, &mut self.open)?;
        self.found.extend(step.findings);
        Ok(())
    }
}
