//! A lane's state under new definitions, from a replay of everything it has read.
//!
//! The replay's state stands where the lane's newest journal record does. What becomes durable is that state, a record
//! with the new digests and a raised epoch, and the cases that were open, in one transaction: before it the lane is what
//! it was, after it a process of the former definitions refuses it. Cases are carried over and not computed anew, so
//! that whatever was told is also followed and closed; they stand in the record as well, where a later replay takes
//! them up. Read next: `worker/open.rs`, which restores what is stored here.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Millis, Timestamp};
use events::{Offset, PseudonymKeys, TopicId};
use features::{Counts, Crossing, JournalRecord, Tier, TopicPosition};
use reference::Pins;

use crate::error::{Error, Result};
use crate::ports::{LaneId, LaneStore, Message, PortError, StoredPane, Transaction};
use crate::spec::PipelineSpec;
use crate::worker::{CASE, JOURNAL, Worker, journal_entry, newest_record, with_prefix};

/// What the commits of one lane amount to, kept in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Head entries.
    pub head: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Sealed panes.
    pub panes: BTreeMap<(Tier, Timestamp), Vec<u8>>,
    /// What watches were told, as far back as any may look, and some time for those that are behind.
    pub crossings: BTreeMap<(Timestamp, TopicId, LaneId, u32), Message>,
}

impl State {
    /// Takes up what a transaction stores.
    pub fn absorb(&mut self, transaction: Transaction) {
        for (key, value) in transaction.head {
            match value {
                Some(value) => self.head.insert(key, value),
                None => self.head.remove(&key),
            };
        }
        self.panes.extend(transaction.panes.into_iter().map(|(tier, pane)| ((tier, pane.end), pane.bytes)));
        self.crossings.extend(transaction.crossings.into_iter().filter_map(|(watch, lane, crossing)| {
            let (end, piece) = (Crossing::end_of(&crossing.key)?, Crossing::piece_of(&crossing.key)?);
            Some(((end, watch, lane, piece), crossing))
        }));
        if let Some(((newest, ..), _)) = self.crossings.last_key_value() {
            let first = *newest - features::limits::WATCH_SIZE_MAX - features::limits::WATCH_SPREAD_MAX;
            self.crossings = self.crossings.split_off(&(first, TopicId(0), LaneId(0), 0));
        }
    }

    /// Forgets panes that are no longer needed.
    pub fn trim(&mut self, tier: Tier, first: Timestamp) {
        self.panes.retain(|(at, end), _| *at != tier || *end >= first);
    }
}

impl LaneStore for State {
    fn head(&mut self) -> std::result::Result<BTreeMap<Vec<u8>, Vec<u8>>, PortError> {
        Ok(self.head.clone())
    }

    fn panes(&mut self, tier: Tier, first: Timestamp) -> std::result::Result<Vec<StoredPane>, PortError> {
        let stored = self.panes.range((tier, first)..).take_while(|((at, _), _)| *at == tier);
        Ok(stored.map(|((_, end), bytes)| StoredPane { end: *end, bytes: bytes.clone() }).collect())
    }

    fn commit(&mut self, transaction: Transaction) -> std::result::Result<(), PortError> {
        self.absorb(transaction);
        Ok(())
    }

    fn trim(&mut self, tier: Tier, first: Timestamp) -> std::result::Result<(), PortError> {
        Self::trim(self, tier, first);
        Ok(())
    }
}

/// What a lane has stored under the definitions that were in force.
#[derive(Clone, Debug)]
pub struct Former {
    lane: LaneId,
    head: BTreeMap<Vec<u8>, Vec<u8>>,
    record: JournalRecord,
}

impl Former {
    /// Understands the head of a lane; `None` if it never ran.
    pub fn read(lane: LaneId, head: BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Option<Self>> {
        let record = newest_record(lane, &head)?;
        Ok(record.map(|record| Self { lane, head, record }))
    }

    /// Its newest journal record.
    pub fn record(&self) -> &JournalRecord {
        &self.record
    }

    /// Whether it is of these definitions already.
    pub fn is_of(&self, spec: &PipelineSpec) -> bool {
        self.record.digests == *spec.digests()
    }

    /// An error where a pipeline would have read otherwise than was read: then its state cannot be computed from what was.
    pub fn fits(&self, spec: &PipelineSpec) -> Result<()> {
        if self.record.digests.reading == spec.digests().reading {
            return Ok(());
        }
        let problem = "it was read under other inputs, formats, lateness, limits, networks, time zone, tick or scoring step; \
                       a pipeline that changes these begins anew under another `state_prefix`";
        Err(Error::Renewal { lane: self.lane, problem: problem.to_owned() })
    }

    /// Cases that are open.
    pub fn open_cases(&self) -> usize {
        with_prefix(&self.head, CASE).count()
    }

    /// The transaction after which a lane of watches is of `spec`: its cases are carried over, and its windows are filled
    /// again by what lanes repeat when they are renewed. Watches may have come, gone or changed places, so their topics are
    /// read `from` a place before which nothing was said under these definitions; cases of watches that are gone are gone
    /// with them.
    pub fn renewed_watches(&self, spec: &PipelineSpec, from: &[Offset]) -> Result<Transaction> {
        self.fits(spec)?;
        let raised = self.raised(spec);
        let stays = |key: &String| {
            key.split_once('/').is_some_and(|(name, _)| spec.watches().iter().any(|watch| watch.name == name))
        };
        let (carried, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            raised.carried.unwrap_or_default().into_iter().partition(|(key, _)| stays(key));
        let topic = |start: &Offset| TopicPosition {
            position: *start,
            resume: *start,
            watermark: self.record.tick_end.unwrap_or(Timestamp::MIN),
            decisions: Vec::new(),
        };
        let record = JournalRecord {
            topics: from.iter().map(topic).collect(),
            counts: vec![Counts::default(); from.len()],
            tiers: BTreeMap::new(),
            carried: Some(carried),
            ..raised
        };
        let (key, value) = journal_entry(&record)?;
        let mut head = BTreeMap::from([(JOURNAL.to_vec(), Some(value.clone()))]);
        head.extend(gone.into_keys().map(|key| ([CASE, key.as_bytes()].concat(), None)));
        Ok(Transaction {
            head,
            positions: record.topics.iter().map(|topic| topic.position).collect(),
            journal: vec![Message { key, value, headers: Vec::new() }],
            renewed: true,
            ..Transaction::default()
        })
    }

    /// Its newest record under other definitions, with a raised epoch and the cases that are open.
    fn raised(&self, spec: &PipelineSpec) -> JournalRecord {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        JournalRecord {
            sequence: self.record.sequence + 1,
            pins: None,
            shared: None,
            digests: spec.digests().clone(),
            epoch: self.record.epoch + 1,
            carried: Some(with_prefix(&self.head, CASE).map(|(key, case)| (key, text(case))).collect()),
            ..self.record.clone()
        }
    }

    /// The transaction that puts `computed`, which a replay under `spec` came to, in the place of what is stored. It has
    /// been restored from once when this returns. Every lane of watches has closed the steps up to `watched_to`.
    pub fn renewed(
        &self,
        spec: &PipelineSpec,
        keys: &Arc<PseudonymKeys>,
        computed: State,
        watched_to: Option<Timestamp>,
    ) -> Result<Transaction> {
        self.fits(spec)?;
        let refused = |problem: String| Error::Renewal { lane: self.lane, problem };
        let bytes = computed.head.get(JOURNAL).ok_or_else(|| refused("the replay closed no tick".to_owned()))?;
        let replayed: JournalRecord = serde_json::from_slice(bytes)
            .map_err(|error| Error::Head { lane: self.lane, problem: error.to_string() })?;
        if (replayed.tick_end, &replayed.genesis) != (self.record.tick_end, &self.record.genesis) {
            let at = |end: Option<Timestamp>| end.map_or_else(|| "none".to_owned(), |end| end.millis().to_string());
            let (stored, now) = (at(self.record.tick_end), at(replayed.tick_end));
            return Err(refused(format!("its last tick is {stored}, the replay's is {now}")));
        }
        let cases: BTreeMap<String, Vec<u8>> = with_prefix(&self.head, CASE).collect();
        let record = JournalRecord { tiers: replayed.tiers, ..self.raised(spec) };
        let (key, value) = journal_entry(&record)?;
        let mut state = computed;
        state.head.retain(|key, _| !key.starts_with(CASE));
        state.head.extend(cases.into_iter().map(|(user, case)| ([CASE, user.as_bytes()].concat(), case)));
        state.head.insert(JOURNAL.to_vec(), value.clone());
        for tier in Tier::ALL {
            state.trim(tier, record.tiers.get(tier.name()).map_or(Timestamp::MAX, |needed| needed.first));
        }
        Worker::open(self.lane, spec, keys, Box::new(state.clone()), 1, &[], Pins::default(), None)?;
        let gone = self.head.keys().filter(|key| !state.head.contains_key(*key)).map(|key| (key.clone(), None));
        let mut head: BTreeMap<_, _> = gone.collect();
        head.extend(state.head.into_iter().map(|(key, value)| (key, Some(value))));
        let panes = state.panes.into_iter().map(|((tier, end), bytes)| (tier, StoredPane { end, bytes }));
        // Under other definitions, watches are told again what their windows hold and what they have not looked at.
        let size = spec.program().spec().watches.iter().map(|watch| watch.size).max().unwrap_or(Millis(0));
        let first = watched_to.map_or(Timestamp::MIN, |step| step - size);
        let repeats = |end: Timestamp| !self.is_of(spec) && end > first;
        let crossings = state.crossings.into_iter().filter(|((end, ..), _)| repeats(*end));
        Ok(Transaction {
            panes: panes.collect(),
            crossings: crossings.map(|((_, watch, lane, _), crossing)| (watch, lane, crossing)).collect(),
            head,
            positions: record.topics.iter().map(|topic| topic.position).collect(),
            journal: vec![Message { key, value, headers: Vec::new() }],
            renewed: true,
            ..Transaction::default()
        })
    }
}
