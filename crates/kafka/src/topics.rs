//! The topics a pipeline needs and how each must be set: created where missing, checked in words where present.
//!
//! A present topic is never changed: its owner may have reasons. Read next: `config.rs` for the names.

use std::thread;

use engine::ports::LaneId;
use rdkafka::admin::{NewTopic, ResourceSpecifier, TopicReplication};

use crate::admin::{Admin, wait};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, told, unavailable};
use crate::limits::{RECORD_BYTES_MAX, REQUEST_MAX, VISIBLE_PAUSE};

/// Which topics [`ensure_topics`] creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// State, findings and dead letters: what only this pipeline writes.
    Own,
    /// Input and reference topics as well: for a fresh machine, where nobody else makes them.
    All,
    /// Input and reference topics for a simulated hospital: its own times stand in them, and nothing is too old.
    Simulated,
}

impl Scope {
    fn holds(self, wanted: &Wanted) -> bool {
        match self {
            Self::Own => !wanted.input,
            Self::All => true,
            Self::Simulated => wanted.input,
        }
    }
}

const DAY_MS: u64 = 86_400_000;
/// Six years, the retention of documentation under 45 CFR 164.316(b)(2)(i).
const SIX_YEARS_MS: u64 = 2_192 * DAY_MS;

/// A topic and the settings it must have.
struct Wanted {
    topic: String,
    partitions: Option<u32>,
    settings: Vec<(&'static str, String)>,
    /// Settings that must be at least as large, where present.
    at_least: Vec<(&'static str, u64)>,
    input: bool,
}

impl Wanted {
    fn new(topic: &str, partitions: Option<u32>, cleanup: &str) -> Self {
        let settings = vec![("cleanup.policy", cleanup.to_owned())];
        Self { topic: topic.to_owned(), partitions, settings, at_least: Vec::new(), input: false }
    }

    fn set(mut self, key: &'static str, value: impl ToString) -> Self {
        self.settings.push((key, value.to_string()));
        self
    }

    fn at_least(mut self, key: &'static str, value: u64) -> Self {
        self.at_least.push((key, value));
        self
    }

    fn input(mut self) -> Self {
        self.input = true;
        self
    }

    /// The producer's times are kept, however old they are.
    fn simulated(mut self) -> Self {
        self.settings.retain(|(key, _)| *key != "message.timestamp.type");
        self.at_least.retain(|(key, _)| *key != "retention.ms");
        self.set("message.timestamp.type", "CreateTime").set("retention.ms", -1)
    }
}

fn wanted(config: &Config, lanes: u32) -> Vec<Wanted> {
    let names = config.topics();
    let large = RECORD_BYTES_MAX as u64 + (1 << 20);
    let own = |topic: &str, cleanup| Wanted::new(topic, Some(lanes), cleanup).at_least("max.message.bytes", large);
    let mut all = Vec::new();
    for topic in &config.input_topics {
        let wanted = Wanted::new(topic, Some(lanes), "delete").set("message.timestamp.type", "LogAppendTime");
        all.push(wanted.at_least("retention.ms", 7 * DAY_MS).input());
    }
    for (_, topic) in &config.reference_topics {
        let wanted = Wanted::new(topic, None, "compact").set("message.timestamp.type", "LogAppendTime");
        // A row may be needed as it stood for as long as a tick that old can still be sealed.
        all.push(wanted.at_least("min.compaction.lag.ms", 7 * DAY_MS).input());
    }
    all.push(own(&names.head, "compact"));
    all.push(own(&names.shared, "compact"));
    all.push(own(&names.journal, "delete").at_least("retention.ms", 30 * DAY_MS));
    all.push(own(&names.results, "delete").at_least("retention.ms", 30 * DAY_MS));
    for topic in &names.panes {
        // Their owner deletes them; a clock would delete what event time still needs.
        all.push(own(topic, "delete").set("retention.ms", -1).set("retention.bytes", -1));
    }
    let mut findings = own(&config.findings_topic, "delete").at_least("retention.ms", SIX_YEARS_MS);
    let mut letters = own(&config.dead_letter_topic, "delete").at_least("retention.ms", 30 * DAY_MS);
    (findings.partitions, letters.partitions) = (None, None);
    all.extend([findings, letters]);
    all
}

/// Creates the topics that are missing, with `lanes` partitions (reference topics: one), and returns their names.
pub fn ensure_topics(config: &Config, lanes: u32, scope: Scope) -> Result<Vec<String>> {
    let admin = Admin::new(config)?;
    let mut missing = Vec::new();
    for wanted in wanted(config, lanes) {
        if scope.holds(&wanted) && admin.partitions(&wanted.topic)?.is_none() {
            missing.push(if scope == Scope::Simulated { wanted.simulated() } else { wanted });
        }
    }
    let replication = config.replication.unwrap_or(-1);
    let settings: Vec<Vec<(&str, String)>> = missing
        .iter()
        .map(|wanted| {
            let at_least = wanted.at_least.iter().map(|(key, value)| (*key, value.to_string()));
            wanted.settings.iter().cloned().chain(at_least).collect()
        })
        .collect();
    let topics: Vec<_> = missing
        .iter()
        .zip(&settings)
        .map(|(wanted, settings)| {
            let reference = config.reference_topics.iter().any(|(_, topic)| *topic == wanted.topic);
            let partitions = i32::try_from(if reference { 1 } else { lanes }).unwrap_or(i32::MAX);
            let topic = NewTopic::new(&wanted.topic, partitions, TopicReplication::Fixed(replication));
            settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let doing = format!("creating topics on `{}`", admin.bootstrap());
    let created = wait(admin.client().create_topics(&topics, &Admin::options())).map_err(|e| told(&doing, &e))?;
    for outcome in created {
        // Another process may have been quicker.
        if let Err((topic, code)) = outcome
            && code != rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists
        {
            return Err(told(&format!("creating topic `{topic}`"), &rdkafka::error::KafkaError::AdminOp(code)));
        }
    }
    let names: Vec<_> = missing.into_iter().map(|wanted| wanted.topic).collect();
    let deadline = Deadline::after(REQUEST_MAX);
    for topic in &names {
        // Created means accepted by the controller; brokers hear of it a moment later.
        while !admin.is_led(topic)? {
            if deadline.passed() {
                let seconds = REQUEST_MAX.as_secs();
                return Err(unavailable(format!("topic `{topic}` was created but has no leaders after {seconds} s")));
            }
            thread::sleep(VISIBLE_PAUSE);
        }
    }
    Ok(names)
}

/// How many lanes the input topics on the cluster make: the number of partitions they agree on.
pub fn lane_count(config: &Config) -> Result<u32> {
    crate::source::lane_count(&Admin::new(config)?, &config.input_topics)
}

/// Everything about the topics on the cluster that does not fit, one sentence each; empty when all is well.
pub fn check_topics(config: &Config) -> Result<Vec<String>> {
    let admin = Admin::new(config)?;
    let mut wrong = Vec::new();
    let mut lanes = None;
    for topic in &config.input_topics {
        match (admin.partitions(topic)?, lanes) {
            (None, _) => {}
            (Some(count), None) => lanes = Some((count, topic)),
            (Some(count), Some((first, other))) if count != first => wrong.push(format!(
                "input topic `{topic}` has {count} partitions, `{other}` has {first}: all need the same number, so that \
                 a user's records of every kind share a lane"
            )),
            _ => {}
        }
    }
    let lane_count = lanes.map_or(0, |(count, _)| count);
    for wanted in wanted(config, lane_count) {
        let Some(count) = admin.partitions(&wanted.topic)? else {
            wrong.push(format!("topic `{}` does not exist", wanted.topic));
            continue;
        };
        if !wanted.input && wanted.partitions.is_some_and(|partitions| count != partitions) && lane_count > 0 {
            wrong.push(format!(
                "state topic `{}` has {count} partitions, but there are {lane_count} lanes (0 to {}): it needs one each",
                wanted.topic,
                LaneId(lane_count.saturating_sub(1))
            ));
        }
        wrong.extend(setting_faults(&admin, &wanted)?);
    }
    Ok(wrong)
}

fn setting_faults(admin: &Admin, wanted: &Wanted) -> Result<Vec<String>> {
    let topic = &wanted.topic;
    let doing = format!("topic `{topic}`: asking for its settings");
    let described = wait(admin.client().describe_configs(&[ResourceSpecifier::Topic(topic)], &Admin::options()));
    let described = described.map_err(|error| told(&doing, &error))?;
    let Some(Ok(resource)) = described.into_iter().next() else {
        return Err(unavailable(format!("{doing}: no answer; check the right to describe configs")));
    };
    let value = |key: &str| resource.get(key).and_then(|entry| entry.value.clone());
    let mut wrong = Vec::new();
    for (key, want) in &wanted.settings {
        let is = value(key).unwrap_or_default();
        if is != *want {
            wrong.push(format!("topic `{topic}`: {key} is `{is}`, must be `{want}`{}", reason(key)));
        }
    }
    for (key, want) in &wanted.at_least {
        let is: i64 = value(key).and_then(|text| text.parse().ok()).unwrap_or(-1);
        let unlimited = is < 0 && key.starts_with("retention");
        if !unlimited && u64::try_from(is).map_or(true, |is| is < *want) {
            wrong.push(format!("topic `{topic}`: {key} is {is}, should be at least {want}{}", reason(key)));
        }
    }
    Ok(wrong)
}

fn reason(key: &str) -> &'static str {
    match key {
        "message.timestamp.type" => ": append times must come from the broker's clock, not the producer's",
        "min.compaction.lag.ms" => ": a tick may need a row as it stood before it was compacted away",
        "max.message.bytes" => ": larger records would be refused",
        "retention.ms" | "retention.bytes" => ": what is still needed would be deleted by the clock",
        _ => "",
    }
}
