//! Where each record belongs: who acted in it, and which user that is.
//!
//! Read next: `events::acts`, `reference::Directory`.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Clock as _, SystemClock};
use engine::ports::{PortError, ReferenceFeed as _};
use engine::{Input, Metrics, PipelineSpec};
use events::{DecodeOptions, Record, normalise_id};
use kafka::{Address, Addresser, Config, KafkaReferenceFeed, Rekeyed};
use reference::Directory;

use super::unknown::UnknownNames;

/// What becomes of a record, and what that means.
pub(super) const OUTCOMES: [(&str, &str); 5] = [
    (KNOWN, "of known users"),
    (UNKNOWN, "of names that nobody knows: each has a key of its own"),
    (PATIENT, "of patients"),
    (MIXED, "of several users in one record: in the lane of the first"),
    (UNREADABLE, "without a readable user: with the key they had; the pipeline's dead-letter topic will tell why"),
];
const KNOWN: &str = "known";
const UNKNOWN: &str = "unknown";
const PATIENT: &str = "patient";
const MIXED: &str = "mixed";
const UNREADABLE: &str = "unreadable";

/// Gives records their addresses.
pub(super) struct Desk<'a> {
    feed: KafkaReferenceFeed,
    directory: Directory,
    input: &'a Input,
    options: &'a DecodeOptions,
    metrics: &'a Metrics,
    pub(super) names: UnknownNames,
    pub(super) outcomes: BTreeMap<&'static str, u64>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        config: &Config,
        spec: &'a PipelineSpec,
        input: &'a Input,
        names: UnknownNames,
        metrics: &'a Metrics,
    ) -> Result<Self, PortError> {
        let feed = KafkaReferenceFeed::connect(config, Arc::new(SystemClock))?;
        let (directory, options) = (Directory::new(spec.program().zone().clone()), spec.decode_options());
        Ok(Self { feed, directory, input, options, metrics, names, outcomes: BTreeMap::new() })
    }

    /// Reads the directory to its present end: nobody is a stranger only because we have just started.
    pub(super) fn read_directory(&mut self) -> Result<usize, PortError> {
        let rows = self.feed.poll(Some(SystemClock.now()))?;
        self.take(rows);
        Ok(self.directory.user_count())
    }

    pub(super) fn directory_version(&self) -> String {
        self.directory.version().to_string()
    }

    pub(super) fn directory_rejects(&self) -> usize {
        self.directory.reject_count()
    }

    fn take(&mut self, rows: Vec<engine::ports::ReferenceRecord>) {
        for row in rows {
            if let Err(reject) = self.directory.apply(row.partition, row.offset, row.value.as_deref()) {
                tracing::warn!(partition = row.partition, offset = %row.offset, %reject, "row of the staff directory");
            }
        }
    }

    /// The key of one act, and whether it is a known user's.
    fn key(&self, act: &events::Act, record: &Record<'_>) -> (Vec<u8>, &'static str) {
        let at = act.time.unwrap_or(record.append_time);
        if act.is_patient {
            return (normalise_id(&act.user).as_bytes().to_vec(), PATIENT);
        }
        match self.directory.user_of(&act.user, at) {
            Some(user) => (user.as_bytes().to_vec(), KNOWN),
            None => (normalise_id(&act.user).as_bytes().to_vec(), UNKNOWN),
        }
    }
}

impl Addresser for Desk<'_> {
    fn refresh(&mut self) -> Result<(), PortError> {
        let rows = self.feed.poll(None)?;
        self.take(rows);
        Ok(())
    }

    fn address(&mut self, topic: &str, record: &Record<'_>) -> Address {
        let parts = events::acts(self.input.stream, self.input.format, record, self.options);
        // A name that no decoder takes either is no name, and would make a key of any size.
        let named = |act: &events::Act| act.user.len() <= events::limits::TEXT_BYTES_MAX;
        let acts: Vec<_> = parts.into_iter().flatten().filter(named).collect();
        let Some(first) = acts.first() else { return Address { key: None, time: None, outcome: UNREADABLE } };
        let (key, mut outcome) = self.key(first, record);
        for act in &acts {
            let (other, kind) = self.key(act, record);
            if kind == UNKNOWN {
                self.names.note(&normalise_id(&act.user), topic, act.time.unwrap_or(record.append_time));
            }
            if other != key {
                outcome = MIXED;
            }
        }
        let time = acts.iter().filter_map(|act| act.time).max();
        Address { key: Some(key), time, outcome }
    }

    fn version(&self) -> String {
        self.directory_version()
    }

    fn before_commit(&mut self) -> Result<(), PortError> {
        self.names.write()
    }

    fn committed(&mut self, done: &Rekeyed) {
        for (outcome, count) in &done.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.metrics.rekeyed(&done.outcomes, &done.lag, done.skew, self.names.count());
    }
}
