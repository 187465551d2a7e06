//! What the cases of a dying world are held against: a clean run of the same input, byte for byte.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use engine::invariants::conservation;

use crate::stage::{LANES, Member, Stage, settle, wait_until};

/// Results of each lane.
type Results = BTreeMap<u32, Vec<(String, Vec<u8>)>>;

/// No topic is declared idle: what ticks hold depends on the input alone.
pub(crate) fn stage() -> Stage {
    stage_on(1)
}

/// The same on a cluster of so many brokers.
pub(crate) fn stage_on(brokers: u32) -> Stage {
    Stage::on(brokers, "30d")
}

/// What one undisturbed process makes of the input.
pub(crate) fn clean() -> &'static Results {
    static CLEAN: OnceLock<Results> = OnceLock::new();
    CLEAN.get_or_init(|| {
        let stage = stage();
        let mut member = stage.start("clean", None);
        settle(&mut [&mut member]);
        member.stop();
        let results = stage.results();
        let count = |stream: &str| results.values().flatten().filter(|(key, _)| key.starts_with(stream)).count();
        assert_eq!(results.len(), LANES as usize, "every lane has results");
        assert!(count("features/") > 500, "{} ticks with feature rows", count("features/"));
        assert!(count("findings/") > 3, "{} findings: the case says nothing", count("findings/"));
        results
    })
}

/// Holds what a stage committed against the clean run, and its journal against the laws.
#[track_caller]
pub(crate) fn check(stage: &Stage, what: &str) {
    let (clean, found) = (clean(), stage.results());
    let mut compared = 0;
    for (lane, expected) in clean {
        let found = found.get(lane).map(Vec::as_slice).unwrap_or_default();
        for (place, (expected, found)) in expected.iter().zip(found).enumerate() {
            assert_eq!(expected.0, found.0, "{what}: lane {lane}, result {place}");
            assert!(expected.1 == found.1, "{what}: lane {lane}, result {place}, `{}` has other bytes", expected.0);
            compared += 1;
        }
        assert_eq!(expected.len(), found.len(), "{what}: lane {lane}, number of results");
    }
    let mut ids = std::collections::BTreeSet::new();
    let told = stage.committed("risk.findings.v1");
    for finding in &told {
        assert!(ids.insert(finding.key.clone()), "{what}: a finding was told twice");
    }
    let findings = clean.values().flatten().filter(|(key, _)| key.starts_with("findings/")).count();
    assert_eq!(told.len(), findings, "{what}: findings on the topic");
    let journal = stage.journal();
    assert_eq!(journal.len(), LANES as usize);
    for record in journal.values() {
        conservation(&record.counts).unwrap_or_else(|broken| panic!("{what}: {broken}"));
    }
    say(&format!("{what}: {compared} results and {findings} findings compared, 0 differences"));
}

/// Seen with `--nocapture`, and when a case fails.
#[expect(clippy::print_stdout, reason = "a chaos run says what it survived, and the seed that repeats it")]
pub(crate) fn say(what: &str) {
    println!("{what}");
}

/// A small generator, so that a printed seed gives the same moments again.
pub(crate) struct Moments(pub(crate) u64);

impl Moments {
    /// A time below `below` milliseconds.
    pub(crate) fn next(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.below(below))
    }

    /// A number below `below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Waits until a member has closed a tick; not for long, because there may be none left.
pub(crate) fn works(member: &Member) -> bool {
    (0..160).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        closed(member) > 0.0
    })
}

fn closed(member: &Member) -> f64 {
    let metrics = member.metrics();
    metrics.iter().filter(|(name, _)| name.starts_with("chartwarden_ticks_closed_total")).map(|(_, n)| n).sum()
}

/// Waits until a member has closed ticks that it had not before.
pub(crate) fn wait_for_ticks(member: &Member) {
    let before = closed(member);
    wait_until("another tick is closed", || closed(member) > before);
}
