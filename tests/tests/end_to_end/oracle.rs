//! What the cases of a dying world are held against: a clean run of the same input, byte for byte.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use engine::invariants::conservation;

use crate::stage::{LANES, Letter, Member, Stage, settle, wait_until};

/// Results of each lane.
type Results = BTreeMap<u32, Vec<(String, Vec<u8>)>>;

/// No topic is declared idle: what ticks hold depends on the input alone.
pub(crate) fn stage() -> Stage {
    stage_on(1)
}

/// The same on a cluster of so many brokers.
pub(crate) fn stage_on(brokers: u32) -> Stage {
    Stage::salted(brokers, "30d")
}

/// What one undisturbed process makes of the input.
pub(crate) struct Clean {
    /// Of lanes of users, and of lanes of watches.
    pub(crate) results: [Results; 2],
    letters: Vec<Letter>,
}

impl Clean {
    pub(crate) fn finding_count(&self) -> usize {
        let all = self.results.iter().flat_map(Results::values).flatten();
        all.filter(|(key, _)| key.starts_with("findings/")).count()
    }
}

pub(crate) fn clean() -> &'static Clean {
    static CLEAN: OnceLock<Clean> = OnceLock::new();
    CLEAN.get_or_init(|| {
        let stage = stage();
        let mut member = stage.start("clean", None);
        settle(&mut [&mut member]);
        member.stop();
        let all = Clean { results: [stage.results(), stage.watched()], letters: stage.letters() };
        let count = |results: &Results, stream: &str| {
            results.values().flatten().filter(|(key, _)| key.starts_with(stream)).count()
        };
        let [results, watched] = &all.results;
        assert_eq!([results.len(), watched.len()], [LANES as usize; 2], "every lane has results");
        for (results, stream, least) in [
            (results, "features/", 500),
            (results, "findings/", 3),
            (watched, "watch.", 100),
            (watched, "findings/", 0),
        ] {
            let found = count(results, stream);
            say(&format!("a clean run has {found} results `{stream}`"));
            assert!(found > least, "{found} results `{stream}`: the case says nothing");
        }
        for reason in ["not_json", "late"] {
            let is_such = |(name, value): &events::Header| {
                name == "x-chartwarden-reason" && value.as_deref() == Some(reason.as_bytes())
            };
            let found = all.letters.iter().filter(|(_, _, headers)| headers.iter().any(is_such)).count();
            assert!(found > 50, "{found} dead letters of what is {reason}: the case says nothing");
        }
        all
    })
}

/// Holds what a stage committed against the clean run, and its journal against the laws.
#[track_caller]
pub(crate) fn check(stage: &Stage, what: &str) {
    let mut compared = 0;
    for (kind, clean, found) in
        [("lane", &clean().results[0], stage.results()), ("watches of lane", &clean().results[1], stage.watched())]
    {
        for (lane, expected) in clean {
            let what = format!("{what}: {kind} {lane}");
            let found = found.get(lane).map(Vec::as_slice).unwrap_or_default();
            for (place, (expected, found)) in expected.iter().zip(found).enumerate() {
                assert_eq!(expected.0, found.0, "{what}, result {place}");
                assert!(expected.1 == found.1, "{what}, result {place}, `{}` has other bytes", expected.0);
                compared += 1;
            }
            assert_eq!(expected.len(), found.len(), "{what}, number of results");
        }
    }
    let mut ids = std::collections::BTreeSet::new();
    let told = stage.committed("risk.findings.v1");
    for finding in &told {
        assert!(ids.insert(finding.key.clone()), "{what}: a finding was told twice");
    }
    let findings = clean().finding_count();
    assert_eq!(told.len(), findings, "{what}: findings on the topic");
    let (letters, expected) = (stage.letters(), &clean().letters);
    assert_eq!(letters.len(), expected.len(), "{what}: dead letters");
    let differs = letters.iter().zip(expected).find(|(found, expected)| found != expected);
    assert!(differs.is_none(), "{what}: another dead letter: {differs:?}");
    let journal = stage.journal();
    assert_eq!(journal.len(), LANES as usize);
    for record in journal.values() {
        conservation(&record.counts).unwrap_or_else(|broken| panic!("{what}: {broken}"));
    }
    let letters = letters.len();
    say(&format!("{what}: {compared} results, {findings} findings and {letters} dead letters compared, 0 differences"));
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

/// Waits until a member has closed a tick and stands at this part of the way, 0 to 1, or has nothing left to do; says which.
/// It must hold every lane.
pub(crate) fn gets_to(member: &Member, part: f64) -> bool {
    let mut way = 0.0;
    wait_until(&format!("{part} of the way"), || {
        let metrics = member.metrics();
        let walked = |(lane, results): (&u32, &Vec<(String, Vec<u8>)>)| {
            let ends = results.iter().filter_map(|(key, _)| key.strip_prefix("features/")?.parse().ok());
            let (first, last) = ends.fold((f64::MAX, 0.0), |(first, last), end: f64| (end.min(first), end.max(last)));
            let stands = metrics.get(&format!("chartwarden_last_tick_timestamp_seconds{{lane=\"{lane}\"}}"));
            stands.map_or(0.0, |seconds| ((seconds * 1_000.0 - first) / (last - first)).clamp(0.0, 1.0))
        };
        way = clean().results[0].iter().map(walked).sum::<f64>() / f64::from(LANES);
        way >= 1.0 || (way >= part && closed(member) > 0.0)
    });
    way < 1.0
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
