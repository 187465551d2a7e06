//! Which topics a pipeline reads and writes, how each must be set, and what happens where it is not.
//!
//! Data only: no broker is asked here. Read next: `topics.rs`, which compares and mends.

use crate::config::{Config, Topics};
use crate::limits::RECORD_BYTES_MAX;

const DAY_MS: u64 = 86_400_000;
/// Six years, the retention of documentation under 45 CFR 164.316(b)(2)(i).
const SIX_YEARS_MS: u64 = 2_192 * DAY_MS;
/// How long a lane may be down, and how long a reference row is kept as it stood for it.
const OUTAGE_MS: u64 = 7 * DAY_MS;
/// How long, and up to how many bytes, a segment of a state topic is written to.
const SEGMENT_MS: u64 = 3_600_000;
const SEGMENT_BYTES: u64 = 64 << 20;
/// Our largest record and its frame.
const LARGE_BYTES: u64 = RECORD_BYTES_MAX as u64 + (1 << 20);

/// What a pipeline uses a topic for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Events; written by others, keyed by user.
    Input,
    /// Rows about staff, patients, relations; written by others.
    Reference,
    /// What lanes keep for themselves, one partition each.
    State,
    /// Findings.
    Findings,
    /// Rejects and late records.
    DeadLetters,
}

impl Role {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Reference => "reference",
            Self::State => "state",
            Self::Findings => "findings",
            Self::DeadLetters => "dead letters",
        }
    }

    /// Whether others write the topic, so that its settings are theirs to change.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::Input | Self::Reference)
    }
}

/// How bad a mismatch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// `run` goes on and says so.
    Warning,
    /// `run` does not start.
    Fatal,
}

impl Gravity {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Fatal => "fatal",
        }
    }
}

/// What a setting must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Equal(&'static str),
    AtLeast(u64),
    AtMost(u64),
    /// At most, and left alone: others may rely on what is accepted today.
    Limit(u64),
}

impl Bound {
    /// Whether `is` will do. A negative retention is without limit.
    pub(super) fn holds(&self, is: &str) -> bool {
        let number: Option<i128> = is.parse().ok();
        match self {
            Self::Equal(want) => is == *want,
            Self::AtLeast(least) => number.is_some_and(|number| number < 0 || number >= i128::from(*least)),
            Self::AtMost(most) | Self::Limit(most) => number.is_some_and(|number| number <= i128::from(*most)),
        }
    }

    /// The value to set.
    pub(super) fn value(&self) -> String {
        match self {
            Self::Equal(want) => (*want).to_owned(),
            Self::AtLeast(bound) | Self::AtMost(bound) | Self::Limit(bound) => bound.to_string(),
        }
    }

    /// The demand in words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Equal(want) => format!("must be `{want}`"),
            Self::AtLeast(least) => format!("must be at least {least}"),
            Self::AtMost(most) | Self::Limit(most) => format!("must be at most {most}"),
        }
    }
}

/// One setting of a topic: what it must be, and what anything else would cause.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) key: &'static str,
    pub(super) bound: Bound,
    pub(super) gravity: Gravity,
    pub(super) causes: &'static str,
}

/// A topic and the settings it must have.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) topic: String,
    pub(super) role: Role,
    pub(super) rules: Vec<Rule>,
}

impl Wanted {
    fn new(topic: &str, role: Role) -> Self {
        Self { topic: topic.to_owned(), role, rules: Vec::new() }
    }

    fn fatal(mut self, key: &'static str, bound: Bound, causes: &'static str) -> Self {
        self.rules.push(Rule { key, bound, gravity: Gravity::Fatal, causes });
        self
    }

    fn warning(mut self, key: &'static str, bound: Bound, causes: &'static str) -> Self {
        self.rules.push(Rule { key, bound, gravity: Gravity::Warning, causes });
        self
    }
}

/// Every topic of a pipeline.
pub(super) fn wanted(config: &Config) -> Vec<Wanted> {
    let names = config.topics();
    let rekeyed = |topic: &String| config.rekeyed_topics.contains(topic);
    let mut all: Vec<Wanted> = config.input_topics.iter().map(|topic| input(topic, rekeyed(topic))).collect();
    all.extend(config.reference_topics.iter().map(|(_, topic)| reference(topic)));
    all.extend(state(&names));
    all.extend(names.crossings.iter().map(|topic| {
        let causes = "compaction would take out what lanes of watches have not read";
        let own = own(topic, Role::State).fatal("cleanup.policy", Bound::Equal("delete"), causes);
        kept(own, OUTAGE_MS, "a lane of watches that was down for longer would find its records deleted, and stop")
    }));
    all.extend(config.of_watches().iter().flat_map(|watches| state(&watches.topics())));
    let findings = own(&config.findings_topic, Role::Findings).warning(
        "cleanup.policy",
        Bound::Equal("delete"),
        "compaction would take out earlier states of a case",
    );
    all.push(kept(findings, SIX_YEARS_MS, "findings would be gone before the six years that records must be kept"));
    let letters = own(&config.dead_letter_topic, Role::DeadLetters).fatal(
        "cleanup.policy",
        Bound::Equal("delete"),
        "a compacted topic refuses records without a key, so a commit with such a reject would fail for ever",
    );
    all.push(kept(letters, 30 * DAY_MS, "rejects would be gone before somebody has looked at them"));
    all
}

/// Where lanes keep their state.
fn state(names: &Topics) -> Vec<Wanted> {
    let mut all = Vec::new();
    let head = own(&names.head, Role::State).fatal(
        "cleanup.policy",
        Bound::Equal("compact"),
        "the clock would delete the newest journal record and open cases, and a restart would begin anew",
    );
    all.push(rolled(head, "a lane that is taken up would first read what has long been replaced"));
    for topic in [&names.journal, &names.results] {
        let own = own(topic, Role::State).fatal(
            "cleanup.policy",
            Bound::Equal("delete"),
            "compaction would take out records that the archive and a replay need",
        );
        all.push(kept(own, 30 * DAY_MS, "an archiver that was down for longer would find a gap"));
    }
    all.extend(names.panes.iter().map(|topic| panes(topic)));
    all
}

/// A topic that only this pipeline writes.
fn own(topic: &str, role: Role) -> Wanted {
    let causes = "a commit with a larger record would be refused, and its lane would stop";
    Wanted::new(topic, role).warning("max.message.bytes", Bound::AtLeast(LARGE_BYTES), causes)
}

/// A topic of which little stays in the segment that is written to: brokers compact and delete none but closed ones.
fn rolled(wanted: Wanted, causes: &'static str) -> Wanted {
    let wanted = wanted.warning("segment.ms", Bound::AtMost(SEGMENT_MS), causes);
    wanted.warning("segment.bytes", Bound::AtMost(SEGMENT_BYTES), causes)
}

/// A topic whose records the clock deletes, but not before a time and never by size.
fn kept(wanted: Wanted, least_ms: u64, causes: &'static str) -> Wanted {
    let wanted = wanted.warning("retention.ms", Bound::AtLeast(least_ms), causes);
    wanted.warning("retention.bytes", Bound::Equal("-1"), causes)
}

fn input(topic: &str, rekeyed: bool) -> Wanted {
    let wanted = Wanted::new(topic, Role::Input).fatal(
        "cleanup.policy",
        Bound::Equal("delete"),
        "compaction would delete all but the newest event of each user",
    );
    let wanted = match rekeyed {
        false => wanted.warning(
            "message.timestamp.type",
            Bound::Equal("LogAppendTime"),
            "what is too old or in the future would be judged by the producers' clocks; right only where \
             `chartwarden rekey` writes the topic (`rekeyed = true` in pipeline.toml, or --rekeyed)",
        ),
        true => wanted.warning(
            "message.timestamp.type",
            Bound::Equal("CreateTime"),
            "records that waited in the source of `rekey` would look as if they had just been written, and old ones \
             be rejected as too old",
        ),
    };
    let wanted = wanted.warning(
        "max.message.bytes",
        Bound::Limit(RECORD_BYTES_MAX as u64),
        "a larger record that is rejected could not be passed on to the dead-letter topic, and its lane would stop",
    );
    kept(wanted, OUTAGE_MS, "a lane that was down or behind for longer would find its records deleted, and stop")
}

fn reference(topic: &str) -> Wanted {
    let wanted = Wanted::new(topic, Role::Reference).warning(
        "cleanup.policy",
        Bound::Equal("compact"),
        "the clock would delete rows that still hold: their people would be strangers after a restart",
    );
    let wanted = wanted.warning(
        "message.timestamp.type",
        Bound::Equal("LogAppendTime"),
        "what was known when would be told by the writer's clock, and a restart could see it otherwise",
    );
    wanted.warning(
        "min.compaction.lag.ms",
        Bound::AtLeast(30 * DAY_MS),
        "a lane that is behind, by as much as its input is kept, may need a row as it stood before it was compacted away",
    )
}

fn panes(topic: &str) -> Wanted {
    // Their owner deletes them.
    let causes = "the broker would delete panes that windows still need, and a restart would stop there";
    let wanted = own(topic, Role::State).fatal("cleanup.policy", Bound::Equal("delete"), causes);
    let wanted = wanted.fatal("retention.ms", Bound::Equal("-1"), causes);
    let wanted = wanted.fatal("retention.bytes", Bound::Equal("-1"), causes);
    rolled(wanted, "panes that were deleted would fill the broker's disk for a long time")
}
