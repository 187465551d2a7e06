//! What a copy is asked for, whom it asks, and what it tells. Read next: `rekey.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Millis, Timestamp};
use events::Record;

use crate::config::Config;
use crate::error::{Result, invalid};
use crate::limits::{REKEY_RECORDS_MAX, REKEY_RENEW_EVERY};

/// What is copied, where to, and how.
#[derive(Clone, Debug)]
pub struct RekeyOptions {
    /// Topics to read; they may have any numbers of partitions.
    pub sources: Vec<String>,
    /// Topic to write; it decides how many lanes there are.
    pub target: String,
    /// How far one source partition may run ahead of another in event time.
    pub skew_max: Millis,
    /// A partition that has been read to its end holds the others back for so long.
    pub idle_after: Duration,
    /// Records of one transaction.
    pub records_max: usize,
    /// End once every partition has been read to its end.
    pub until_end: bool,
    /// Where the log starts above the committed offset, go on there instead of ending with an error.
    pub skip_deleted: bool,
    /// Where the group has no offsets although the target holds copies, copy everything again instead of ending with an
    /// error.
    pub copy_again: bool,
    /// How often offsets are committed that have not moved.
    pub renew_every: Duration,
}

impl RekeyOptions {
    /// A copy that goes on for ever and stops where something is missing.
    pub fn new(sources: Vec<String>, target: String, skew_max: Millis, idle_after: Duration) -> Self {
        Self {
            sources,
            target,
            skew_max,
            idle_after,
            records_max: REKEY_RECORDS_MAX,
            until_end: false,
            skip_deleted: false,
            copy_again: false,
            renew_every: REKEY_RENEW_EVERY,
        }
    }
}

/// Where a record belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The user's key; the record keeps the key it has where absent.
    pub key: Option<Vec<u8>>,
    /// When it happened; absent where no decoder would believe it. Such a record holds nobody back.
    pub time: Option<Timestamp>,
    /// What became of it, for the counts.
    pub outcome: &'static str,
}

/// What one committed transaction did, and where the copy stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Records by what became of them.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// How far the newest event times of the source partitions lie apart.
    pub skew: Millis,
    /// Records not yet read, by source topic.
    pub lag: BTreeMap<String, u64>,
}

/// Who knows where records belong.
pub trait Addresser {
    /// Takes in what is new about people; called before records are addressed.
    fn refresh(&mut self) -> Result<()>;
    /// Where a record of a source topic belongs. Called again for records whose transaction failed.
    fn address(&mut self, topic: &str, record: &Record<'_>) -> Address;
    /// Names what the answers rest on, in a few ASCII characters: it is stored with the offsets.
    fn version(&self) -> String;
    /// Called before a transaction begins: what must not be lost with the process is made durable now.
    fn before_commit(&mut self) -> Result<()>;
    /// A transaction is committed.
    fn committed(&mut self, done: &Rekeyed);
}

pub(super) fn check(config: &Config, options: &RekeyOptions) -> Result<()> {
    config.check()?;
    if options.sources.is_empty() {
        return Err(invalid("no source topic is named"));
    }
    if let Some(same) = options.sources.iter().find(|source| **source == options.target) {
        return Err(invalid(format!("topic `{same}` cannot be its own copy: name another target")));
    }
    let mut seen = BTreeSet::new();
    options
        .sources
        .iter()
        .find(|source| !seen.insert(*source))
        .map_or(Ok(()), |twice| Err(invalid(format!("source topic `{twice}` is named twice"))))
}
