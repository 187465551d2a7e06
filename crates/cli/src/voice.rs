//! A simulated hospital speaking into Kafka topics, hour by hour: reference rows first, then events.
//!
//! It may be told to wait for the lanes: an embedded broker drops what nobody has read. Read next:
//! `commands/demo.rs`, `commands/simulate.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use base::{Millis, Timestamp};
use engine::PipelineSpec;
use events::TopicId;
use hospital::{Hospital, Item, ReferenceRow, Stream};
use kafka::{Config, Speaker, partition_of};

use crate::town::TruthFiles;

/// What has been said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// Local days begun.
    pub(crate) days: u32,
    /// Everything before it is in the topics.
    pub(crate) until: Option<Timestamp>,
    /// Events by lane and topic.
    pub(crate) events: BTreeMap<(u32, TopicId), u64>,
    /// Raw ids of everybody who did anything.
    pub(crate) users: BTreeSet<String>,
    /// Reference rows.
    pub(crate) rows: u64,
    /// Nothing more will come.
    pub(crate) over: bool,
}

impl Said {
    /// All events.
    pub(crate) fn total(&self) -> u64 {
        self.events.values().sum()
    }
}

/// A hospital and the topics it speaks into.
pub(crate) struct Voice<'a> {
    hospital: Hospital,
    speaker: Speaker,
    config: &'a Config,
    topics: BTreeMap<Stream, TopicId>,
    lanes: u32,
    said: &'a Mutex<Said>,
}

impl<'a> Voice<'a> {
    pub(crate) fn new(
        hospital: Hospital,
        spec: &PipelineSpec,
        config: &'a Config,
        lanes: u32,
        said: &'a Mutex<Said>,
    ) -> Result<Self> {
        let topics = crate::memory::topics(spec)?;
        let speaker = Speaker::connect(config)?;
        Ok(Self { hospital, speaker, config, topics, lanes, said })
    }

    /// Writes the rows recorded before the first event.
    pub(crate) fn introduce(&self) -> Result<u64> {
        let rows = self.hospital.reference();
        rows.iter().try_for_each(|row| self.row(row))?;
        self.speaker.flush()?;
        self.note(|said| said.rows += rows.len() as u64);
        Ok(rows.len() as u64)
    }

    /// Speaks day by day. After each hour `carry_on` is asked with the end of the hour; it waits as long as it likes,
    /// and ends the story by answering `false`.
    pub(crate) fn speak(
        &mut self,
        start: Timestamp,
        truth: &mut TruthFiles,
        carry_on: &dyn Fn(Timestamp) -> bool,
    ) -> Result<bool> {
        let mut hour = start;
        while let Some(day) = self.hospital.next_day() {
            truth.add(&day.truth)?;
            self.note(|said| said.days += 1);
            let (mut items, mut rows) = (VecDeque::from(day.items), VecDeque::from(day.reference));
            while !items.is_empty() || !rows.is_empty() {
                hour = hour + Millis::hours(1);
                self.hour(hour, &mut rows, &mut items)?;
                if !carry_on(hour) {
                    return Ok(false);
                }
            }
        }
        self.note(|said| said.over = true);
        Ok(true)
    }

    /// The hospital, to be asked what happened.
    pub(crate) fn into_hospital(self) -> Hospital {
        self.hospital
    }

    fn hour(&self, end: Timestamp, rows: &mut VecDeque<ReferenceRow>, items: &mut VecDeque<Item>) -> Result<()> {
        let count = rows.iter().take_while(|row| row.time < end).count();
        rows.drain(..count).try_for_each(|row| self.row(&row))?;
        // A tick must find the rows recorded before its end: they go first, and are delivered first.
        self.speaker.flush()?;
        let mut events: BTreeMap<(u32, TopicId), u64> = BTreeMap::new();
        let mut users = BTreeSet::new();
        let spoken = items.iter().take_while(|item| item.time < end).count();
        for item in items.drain(..spoken) {
            let Some(topic) = self.topics.get(&item.stream) else { continue };
            let key = item.user.as_bytes();
            let lane = partition_of(key, self.lanes);
            let name = &self.config.input_topics[topic.index()];
            self.speaker.send(name, Some(lane), key, Some(&item.json), &[], Some(item.time))?;
            *events.entry((lane, *topic)).or_default() += 1;
            users.insert(item.user.to_string());
        }
        self.speaker.flush()?;
        self.note(|said| {
            said.rows += count as u64;
            said.until = Some(end);
            said.users.extend(users);
            events.into_iter().for_each(|(place, more)| *said.events.entry(place).or_default() += more);
        });
        Ok(())
    }

    fn row(&self, row: &ReferenceRow) -> Result<()> {
        let Some((_, topic)) = self.config.reference_topics.iter().find(|(kind, _)| *kind == row.kind) else {
            return Ok(());
        };
        Ok(self.speaker.send(topic, Some(0), row.key.as_bytes(), Some(&row.json), &[], Some(row.time))?)
    }

    fn note(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
