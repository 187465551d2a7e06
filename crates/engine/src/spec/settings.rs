//! What is wrong with single settings that parse: names of topics, lengths of time that leave nothing, models that are not
//! named.
//!
//! Computes only; `check.rs` and `models.rs` report. Which state topics there are: `kafka::Config::topics`.

use base::Millis;

use super::raw::RawSpec;
use super::{Input, ModelUse};

/// Where a setting stands: in the section of this header, the `nth` (from 0) of its kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) section: &'static str,
    pub(super) nth: usize,
    pub(super) setting: &'static str,
}

impl Place {
    /// Its line in the text of `pipeline.toml`, from 1.
    pub(super) fn line(self, text: &str) -> usize {
        let lines = || text.lines().map(str::trim_start).enumerate();
        let header = lines().filter(|(_, line)| line.starts_with(self.section)).nth(self.nth);
        let Some((header, _)) = header else { return 1 };
        let mut within = lines().skip(header + 1).take_while(|(_, line)| !line.starts_with('['));
        let sets = |line: &str| line.strip_prefix(self.setting).is_some_and(|rest| rest.trim_start().starts_with('='));
        within.find(|(_, line)| sets(line)).map_or(header, |(at, _)| at) + 1
    }
}

/// A setting that cannot be meant.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) place: Place,
    pub(super) what: String,
    pub(super) hint: String,
}

/// Longest name that Kafka takes for a topic.
const TOPIC_CHARS_MAX: usize = 249;
/// The longest that state topics have behind their prefix, but for names of watches.
const STATE_CHARS_MAX: usize = 32;
/// State topics behind the prefix: whole names, and beginnings of names.
const STATE: [&str; 4] = ["head", "journal", "results", "shared"];
const STATE_FAMILIES: [&str; 2] = ["panes.", "by."];

/// Everything that is wrong with them.
pub(super) fn misfits(raw: &RawSpec, inputs: &[Input]) -> Vec<Misfit> {
    let mut misfits = topics(raw, inputs);
    let mut misfit = |section, nth, setting, what: String, hint: &str| {
        misfits.push(Misfit { place: Place { section, nth, setting }, what, hint: hint.to_owned() });
    };
    if raw.limits.max_event_age <= Millis(0) {
        let what = format!("max_event_age is {}: every event would be rejected as too old", raw.limits.max_event_age);
        misfit("[limits]", 0, "max_event_age", what, "say how old an event may be when it comes, as in `7d`");
    }
    for (nth, seen) in raw.seen.iter().enumerate() {
        if seen.horizon < Millis::days(1) {
            let (name, horizon) = (&seen.name, seen.horizon);
            let what = format!("seen `{name}`: horizon {horizon} is below a day: what was seen is remembered by day");
            misfit("[[seen]]", nth, "horizon", what, "say for how many days it is remembered, as in `180d`");
        }
    }
    for (nth, baseline) in raw.baseline.iter().enumerate() {
        if baseline.days == 0 {
            let what = format!("baseline `{}`: it looks back over 0 days", baseline.name);
            misfit("[[baseline]]", nth, "days", what, "say over how many days it looks back, as in `days = 30`");
        }
    }
    misfits
}

/// A model that is not named, where what is to be done needs it. Rules without any model are a pipeline; one model without
/// the other would run, tell nobody of anything, and look well.
pub(super) fn unnamed_model(raw: &RawSpec, models: ModelUse) -> Option<Misfit> {
    let misfit =
        |setting, what, hint| Some(Misfit { place: Place { section: "[scoring]", nth: 0, setting }, what, hint });
    let alone = |given: &'static str, missing: &str| {
        let what = format!("`{given}` is given and `{missing}` is not: no case about users would open");
        misfit(given, what, format!("name both in [scoring]; `chartwarden train` makes what `{missing}` names"))
    };
    let (pair, user) = ("pair_model", "user_model");
    match (models, raw.scoring.pair_model.is_some(), raw.scoring.user_model.is_some()) {
        (ModelUse::Score, true, false) => alone(pair, user),
        (ModelUse::Score, false, true) => alone(user, pair),
        (ModelUse::PairOnly, false, _) => {
            let what = format!("`{pair}` is not given: features of users would hold no scores of pairs");
            misfit(pair, what, format!("name it in [scoring]; `chartwarden train` makes what `{pair}` names"))
        }
        _ => None,
    }
}

/// Names that Kafka does not take, and topics that are two things at once: what reads its own writing never ends.
fn topics(raw: &RawSpec, inputs: &[Input]) -> Vec<Misfit> {
    let place = |section, nth, setting| Place { section, nth, setting };
    let kafka = |setting| place("[kafka]", 0, setting);
    let of_inputs = inputs.iter().enumerate();
    let mut named: Vec<(Place, &str, String)> =
        of_inputs.map(|(nth, input)| (place("[[input]]", nth, "topic"), "an input", input.topic.clone())).collect();
    let reference = raw.reference.by_kind().into_iter();
    named.extend(reference.map(|(kind, topic)| (place("[reference]", 0, kind), "a reference topic", topic)));
    named.push((kafka("findings_topic"), "the findings topic", raw.kafka.findings_topic.clone()));
    named.push((kafka("dead_letter_topic"), "the dead-letter topic", raw.kafka.dead_letter_topic.clone()));

    let mut misfits = Vec::new();
    let mut misfit = |place, what: String, hint: &str| misfits.push(Misfit { place, what, hint: hint.to_owned() });
    let prefix = raw.kafka.state_prefix.as_str();
    let watches = raw.watch.iter().map(|watch| "by.".len() + watch.name.len());
    let behind = 1 + watches.max().unwrap_or(0).max(STATE_CHARS_MAX);
    let of_state = (kafka("state_prefix"), prefix, TOPIC_CHARS_MAX.saturating_sub(behind));
    let of_topics = named.iter().map(|(place, _, topic)| (*place, topic.as_str(), TOPIC_CHARS_MAX));
    for (place, name, chars_max) in of_topics.chain([of_state]) {
        if !is_name(name, chars_max) {
            let what = format!("`{name}` is no name that Kafka takes for {}", place.setting);
            let hint = format!("1 to {chars_max} of a to z, A to Z, 0 to 9, `.`, `_` and `-`; not `.` or `..` alone");
            misfit(place, what, &hint);
        }
    }
    for (number, (place, role, topic)) in named.iter().enumerate() {
        if let Some((_, other, _)) = named[..number].iter().find(|(_, _, earlier)| earlier == topic) {
            let what = if other == role {
                format!("topic `{topic}` is {role} twice")
            } else {
                format!("topic `{topic}` is {role} and {other} at once")
            };
            misfit(*place, what, "give each a topic of its own");
        }
        if is_of_state(topic, prefix) {
            let what = format!("topic `{topic}` is {role} and, by `state_prefix`, one of the state topics");
            misfit(*place, what, "give it another name, or change `state_prefix`");
        }
    }
    misfits
}

fn is_name(name: &str, chars_max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=chars_max).contains(&name.len()) && name.bytes().all(plain) && !matches!(name, "." | "..")
}

/// Whether state is kept in a topic of that name, of users or of watches.
fn is_of_state(topic: &str, prefix: &str) -> bool {
    let Some(part) = topic.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) else { return false };
    let part = part.strip_prefix("watch.").unwrap_or(part);
    STATE.contains(&part) || STATE_FAMILIES.iter().any(|family| part.starts_with(family))
}
