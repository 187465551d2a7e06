//! The topics of a pipeline on the cluster: compared with what they must be, created, mended.
//!
//! Nothing here deletes a topic or a record, takes a partition away, or makes a limit smaller. Settings of topics that
//! others write are changed only where the caller says so. Read next: `topics/wanted.rs`, the table of what must be.

mod wanted;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::thread;

use base::Millis;
use engine::ports::PortError;
use rdkafka::admin::{
    AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::admin::{Admin, wait};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, invalid, told, unavailable};
use crate::limits::{RECORD_BYTES_MAX, RECORD_BYTES_ROUND, RECORD_BYTES_SURE, REQUEST_MAX, VISIBLE_PAUSE};
use wanted::{Bound, Wanted, wanted};

pub use wanted::{Gravity, Role};

/// Which topics may be created or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// State, findings and dead letters: what only this pipeline writes.
    Own,
    /// Input and reference topics as well: for a fresh machine, where nobody else makes them.
    All,
    /// Input and reference topics for a simulated hospital: its own times stand in them, and nothing is too old.
    Simulated,
}

/// What topics need in which the times of a simulated hospital stand. A broker that takes them for old compacts at once,
/// and how things stood on its earlier days would be gone.
const SIMULATED: [(&str, &str); 3] =
    [("message.timestamp.type", "CreateTime"), ("retention.ms", "-1"), ("cleanup.policy", "delete")];

impl Scope {
    fn covers(self, role: Role) -> bool {
        match self {
            Self::Own => !role.is_foreign(),
            Self::All => true,
            Self::Simulated => role.is_foreign(),
        }
    }
}

/// Something about a topic that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The topic.
    pub topic: String,
    /// What the pipeline uses it for.
    pub role: Role,
    /// Whether `run` starts in spite of it.
    pub gravity: Gravity,
    /// What differs.
    pub what: Difference,
    /// What it would cause.
    pub causes: String,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The topic does not exist.
    Missing {
        /// Partitions it is to have.
        partitions: u32,
        /// Settings it is to have.
        settings: Vec<(&'static str, String)>,
    },
    /// A setting has another value than it must have.
    Setting {
        /// Its name.
        key: &'static str,
        /// What it is.
        is: String,
        /// What it is to become.
        want: String,
        /// The demand in words.
        demand: String,
        /// Mending it would take something away.
        shrinks: bool,
    },
    /// It has other partitions than there are lanes.
    Partitions {
        /// How many it has.
        is: u32,
        /// How many it must have.
        want: u32,
        /// Why not.
        text: String,
        /// It holds nothing yet, so partitions may be added.
        empty: bool,
    },
}

/// What can be done about a [`Mismatch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// [`mend_topics`] does it.
    Mend,
    /// The topic is somebody else's: [`mend_topics`] does it with [`Scope::All`].
    Ask,
    /// Nothing here does it, for this reason; the text says what to do instead.
    Refused(String),
}

impl Mismatch {
    /// What differs, in words.
    pub fn differs(&self) -> String {
        let topic = &self.topic;
        match &self.what {
            Difference::Missing { .. } => format!("topic `{topic}` does not exist"),
            Difference::Setting { key, is, demand, .. } => format!("topic `{topic}`: {key} is `{is}`, {demand}"),
            Difference::Partitions { text, .. } => text.clone(),
        }
    }

    /// What would mend it, in a few words.
    pub fn change(&self) -> String {
        match &self.what {
            Difference::Missing { partitions, settings } => {
                let settings: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("create with {partitions} partitions, {}", settings.join(", "))
            }
            Difference::Setting { key, is, want, .. } => format!("set {key} from {is} to {want}"),
            Difference::Partitions { is, want, .. } if want > is => format!("add partitions, from {is} to {want}"),
            Difference::Partitions { is, want, .. } => format!("take partitions away, from {is} to {want}"),
        }
    }

    /// What can be done about it.
    pub fn remedy(&self, scope: Scope) -> Remedy {
        let copy = "write a copy with the right number under another name: `chartwarden rekey PIPELINE --from TOPIC \
                    --to COPY`, and name the copy as the input";
        match &self.what {
            Difference::Partitions { .. } if self.role == Role::Input => Remedy::Refused(format!(
                "another number of partitions moves users to lanes that do not have their state, and tears what is \
                 already in the topic apart; {copy}"
            )),
            Difference::Partitions { is, want, .. } if want < is => {
                Remedy::Refused("partitions cannot be taken away; use another state_prefix".to_owned())
            }
            Difference::Partitions { empty: false, .. } => Remedy::Refused(format!(
                "it holds the state of lanes whose users are spread over the old number; {copy}, with as many \
                 partitions as there are lanes in the state; or begin anew under another state_prefix"
            )),
            Difference::Setting { shrinks: true, key, .. } => {
                Remedy::Refused(format!("{key} would become smaller, and refuse what is accepted today"))
            }
            _ if scope.covers(self.role) => Remedy::Mend,
            _ => Remedy::Ask,
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.differs(), self.causes)
    }
}

/// Creates the topics that are missing, with `lanes` partitions (reference topics: one), and returns their names.
/// A topic that is there is left as it is.
pub fn ensure_topics(config: &Config, lanes: u32, scope: Scope) -> Result<Vec<String>> {
    let admin = Admin::new(config)?;
    let mut missing = Vec::new();
    for wanted in wanted(config) {
        if scope.covers(wanted.role) && admin.partitions(&wanted.topic)?.is_none() {
            let mut topic = new_topic(&wanted, lanes);
            if scope == Scope::Simulated {
                SIMULATED.into_iter().for_each(|(key, value)| topic.set(key, value));
            }
            missing.push(topic);
        }
    }
    let names = missing.iter().map(|topic| topic.name.clone()).collect();
    create(&admin, config, &missing)?;
    Ok(names)
}

/// Input and reference topics in which a hospital of another time could not speak, each with the setting that is in its
/// way: the broker would put its own time in place of the simulated one, or delete or compact what it takes for old.
pub fn unfit_for_simulation(config: &Config) -> Result<Vec<String>> {
    let admin = Admin::new(config)?;
    let mut unfit = Vec::new();
    for wanted in wanted(config).iter().filter(|wanted| Scope::Simulated.covers(wanted.role)) {
        let resource = describe(&admin, &wanted.topic)?;
        for (key, value) in SIMULATED {
            let is = resource.get(key).and_then(|entry| entry.value.as_deref()).unwrap_or_default();
            if is != value {
                unfit.push(format!("topic `{}`: {key} is `{is}`, not `{value}`", wanted.topic));
            }
        }
    }
    Ok(unfit)
}

/// Everything about the topics on the cluster that does not fit; empty when all is well.
pub fn check_topics(config: &Config) -> Result<Vec<Mismatch>> {
    compare_topics(config, 0)
}

/// The same, where missing topics are to get `lanes` partitions if no topic that is there says how many.
pub fn compare_topics(config: &Config, lanes: u32) -> Result<Vec<Mismatch>> {
    let admin = Admin::new(config)?;
    let all = wanted(config);
    let mut counts = HashMap::new();
    for wanted in &all {
        counts.insert(wanted.topic.as_str(), admin.partitions(&wanted.topic)?);
    }
    let count = |topic: &String| counts.get(topic.as_str()).copied().flatten();
    let head = config.topics().head;
    let first = config.input_topics.iter().find_map(|topic| Some((topic, count(topic)?)));
    let lanes = first.map(|(_, count)| count).or(count(&head)).unwrap_or(lanes);
    let has_state = match count(&head) {
        Some(partitions) => holds_records(&admin, &head, partitions)?,
        None => false,
    };
    let mut found = Vec::new();
    for wanted in &all {
        let Some(is) = count(&wanted.topic) else {
            found.push(missing(wanted, lanes));
            continue;
        };
        found.extend(partition_fault(wanted, is, lanes, first.map(|(topic, _)| topic), has_state));
        found.extend(setting_faults(&admin, wanted)?);
    }
    Ok(found)
}

/// Creates and sets what [`Mismatch::remedy`] says can be; returns what was done.
pub fn mend_topics(config: &Config, mismatches: &[Mismatch], scope: Scope) -> Result<Vec<Mismatch>> {
    let admin = Admin::new(config)?;
    let mended: Vec<_> = mismatches.iter().filter(|one| one.remedy(scope) == Remedy::Mend).cloned().collect();
    let mut create_all = Vec::new();
    let mut set: BTreeMap<&str, Vec<(&str, String)>> = BTreeMap::new();
    for one in &mended {
        match &one.what {
            Difference::Missing { partitions: 0, .. } => {
                return Err(invalid(format!(
                    "topic `{}`: nothing says how many partitions it is to have; name them with --lanes",
                    one.topic
                )));
            }
            Difference::Missing { partitions, settings } => {
                let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
                create_all.push(Fresh { name: one.topic.clone(), partitions: *partitions, settings });
            }
            Difference::Setting { key, want, .. } => set.entry(&one.topic).or_default().push((key, want.clone())),
            Difference::Partitions { want, .. } => grow(&admin, &one.topic, *want)?,
        }
    }
    create(&admin, config, &create_all)?;
    for (topic, settings) in set {
        alter(&admin, topic, &settings)?;
    }
    Ok(mended)
}

/// Creates one topic with exactly these settings; an error if it is there.
pub fn create_topic(config: &Config, topic: &str, partitions: u32, settings: &[(&str, &str)]) -> Result<()> {
    let admin = Admin::new(config)?;
    if admin.partitions(topic)?.is_some() {
        return Err(invalid(format!("topic `{topic}` is there already")));
    }
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    create(&admin, config, &[Fresh { name: topic.to_owned(), partitions, settings }])
}

/// Adds partitions to a topic, up to `partitions`. Keys move: never do this to a topic that lanes read.
pub fn add_partitions(config: &Config, topic: &str, partitions: u32) -> Result<()> {
    grow(&Admin::new(config)?, topic, partitions)
}

/// How many lanes the input topics on the cluster make: the number of partitions they agree on.
pub fn lane_count(config: &Config) -> Result<u32> {
    crate::source::lane_count(&Admin::new(config)?, &config.input_topics)
}

/// The first offset and the high watermark of each partition of a topic.
pub fn topic_ends(config: &Config, topic: &str) -> Result<Vec<(events::Offset, events::Offset)>> {
    let admin = Admin::new(config)?;
    let partitions = 0..i32::try_from(admin.partitions_of(topic)?).unwrap_or(i32::MAX);
    let ends = partitions.map(|partition| admin.watermarks(topic, partition));
    ends.map(|ends| ends.map(|(low, high)| (events::Offset(low), events::Offset(high)))).collect()
}

/// A topic to be created.
struct Fresh {
    name: String,
    partitions: u32,
    settings: Vec<(String, String)>,
}

impl Fresh {
    fn set(&mut self, key: &str, value: &str) {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_owned()));
    }
}

fn settings_of(wanted: &Wanted) -> impl Iterator<Item = (&'static str, String)> + '_ {
    // Limits are left to the broker.
    let set = wanted.rules.iter().filter(|rule| !matches!(rule.bound, Bound::Limit(_)));
    set.map(|rule| (rule.key, rule.bound.value()))
}

fn partitions_for(role: Role, lanes: u32) -> u32 {
    if role == Role::Reference { 1 } else { lanes }
}

fn new_topic(wanted: &Wanted, lanes: u32) -> Fresh {
    let settings = settings_of(wanted).map(|(key, value)| (key.to_owned(), value)).collect();
    Fresh { name: wanted.topic.clone(), partitions: partitions_for(wanted.role, lanes), settings }
}

fn missing(wanted: &Wanted, lanes: u32) -> Mismatch {
    let causes = match wanted.role {
        Role::Input | Role::Reference => "there is nothing to read",
        Role::State | Role::Findings | Role::DeadLetters => "no lane could commit",
    };
    let partitions = partitions_for(wanted.role, lanes);
    let what = Difference::Missing { partitions, settings: settings_of(wanted).collect() };
    let (topic, role) = (wanted.topic.clone(), wanted.role);
    Mismatch { topic, role, gravity: Gravity::Fatal, what, causes: causes.to_owned() }
}

fn partition_fault(wanted: &Wanted, is: u32, lanes: u32, first: Option<&String>, has_state: bool) -> Option<Mismatch> {
    if is == lanes || lanes == 0 || !matches!(wanted.role, Role::Input | Role::State) {
        return None;
    }
    let topic = wanted.topic.clone();
    let (text, causes) = match (wanted.role, first) {
        (Role::Input, Some(first)) => (
            format!("input topic `{topic}` has {is} partitions, `{first}` has {lanes}"),
            "all need the same number, or a user's records of different kinds are in different lanes",
        ),
        _ => (
            format!("state topic `{topic}` has {is} partitions, but the input topics have {lanes}, one lane each"),
            "users would be in lanes that do not have their state, and some lanes could not commit",
        ),
    };
    let what = Difference::Partitions { is, want: lanes, text, empty: !has_state };
    Some(Mismatch { topic, role: wanted.role, gravity: Gravity::Fatal, what, causes: causes.to_owned() })
}

fn setting_faults(admin: &Admin, wanted: &Wanted) -> Result<Vec<Mismatch>> {
    let resource = describe(admin, &wanted.topic)?;
    let mut found = Vec::new();
    for rule in &wanted.rules {
        let is = resource.get(rule.key).and_then(|entry| entry.value.clone()).unwrap_or_default();
        if !rule.bound.holds(&is) {
            let what = Difference::Setting {
                key: rule.key,
                is,
                want: rule.bound.value(),
                demand: rule.bound.words(),
                shrinks: matches!(rule.bound, Bound::Limit(_)),
            };
            let (topic, role) = (wanted.topic.clone(), wanted.role);
            found.push(Mismatch { topic, role, gravity: rule.gravity, what, causes: rule.causes.to_owned() });
        }
    }
    Ok(found)
}

fn holds_records(admin: &Admin, topic: &str, partitions: u32) -> Result<bool> {
    for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
        let deadline = Deadline::after(REQUEST_MAX);
        // A topic that was just created is known before its leader answers.
        let high = loop {
            match admin.watermarks(topic, partition) {
                Ok((_, high)) => break high,
                Err(PortError::Unavailable(_)) if !deadline.passed() => thread::sleep(VISIBLE_PAUSE),
                Err(error) => return Err(error),
            }
        };
        // Compaction and deletion leave the end where it was.
        if high > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Bytes of a record that a topic takes, uncompressed, as far as the cluster says.
pub(crate) fn record_room(admin: &Admin, topic: &str) -> usize {
    let setting = describe(admin, topic).map(|of| of.get("max.message.bytes").and_then(|entry| entry.value.clone()));
    let bytes = setting.ok().flatten().and_then(|bytes| bytes.parse().ok());
    // What surrounds a record in a batch counts as well.
    let room = |bytes: usize| bytes.saturating_sub(RECORD_BYTES_ROUND).min(RECORD_BYTES_MAX - RECORD_BYTES_ROUND);
    bytes.map_or(RECORD_BYTES_SURE, room)
}

fn describe(admin: &Admin, topic: &str) -> Result<ConfigResource> {
    let doing = format!("topic `{topic}`: asking for its settings");
    let described = wait(admin.client().describe_configs(&[ResourceSpecifier::Topic(topic)], &Admin::options()));
    match described.map_err(|error| told(&doing, &error))?.into_iter().next() {
        Some(Ok(resource)) => Ok(resource),
        Some(Err(code)) => Err(told(&doing, &KafkaError::AdminOp(code))),
        None => Err(unavailable(format!("{doing}: no answer; check the right to describe configs"))),
    }
}

/// How long a row stays that another has replaced; none if the topic is not compacted.
pub(crate) fn compaction_lag(admin: &Admin, topic: &str) -> Result<Option<Millis>> {
    let resource = describe(admin, topic)?;
    let is = |key: &str| resource.get(key).and_then(|entry| entry.value.as_deref());
    let is_compacted = is("cleanup.policy").is_some_and(|policy| policy.contains("compact"));
    let lag = is("min.compaction.lag.ms").and_then(|lag| lag.parse().ok()).unwrap_or(0);
    Ok(is_compacted.then_some(Millis(lag)))
}

fn create(admin: &Admin, config: &Config, fresh: &[Fresh]) -> Result<()> {
    if fresh.is_empty() {
        return Ok(());
    }
    let replication = config.replication.unwrap_or(-1);
    let topics: Vec<_> = fresh
        .iter()
        .map(|fresh| {
            let partitions = i32::try_from(fresh.partitions).unwrap_or(i32::MAX);
            let topic = NewTopic::new(&fresh.name, partitions, TopicReplication::Fixed(replication));
            fresh.settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    let doing = format!("creating topics on `{}`", admin.bootstrap());
    let created = wait(admin.client().create_topics(&topics, &Admin::options())).map_err(|e| told(&doing, &e))?;
    for outcome in created {
        // Another process may have been quicker.
        if let Err((topic, code)) = outcome
            && code != Code::TopicAlreadyExists
        {
            return Err(told(&format!("creating topic `{topic}`"), &KafkaError::AdminOp(code)));
        }
    }
    for fresh in fresh {
        // Created means accepted by the controller; brokers hear of it a moment later.
        until(&format!("topic `{}` was created but has no leaders", fresh.name), || admin.is_led(&fresh.name))?;
    }
    Ok(())
}

fn grow(admin: &Admin, topic: &str, partitions: u32) -> Result<()> {
    let doing = format!("adding partitions to topic `{topic}`");
    let count = usize::try_from(partitions).unwrap_or(usize::MAX);
    let added = wait(admin.client().create_partitions(&[NewPartitions::new(topic, count)], &Admin::options()));
    for outcome in added.map_err(|error| told(&doing, &error))? {
        outcome.map_err(|(_, code)| told(&doing, &KafkaError::AdminOp(code)))?;
    }
    until(&format!("topic `{topic}` was given partitions that have no leaders"), || {
        Ok(admin.partitions(topic)? == Some(partitions) && admin.is_led(topic)?)
    })
}

/// Changes settings of one topic. The request replaces all settings that are the topic's own, so those are sent along.
fn alter(admin: &Admin, topic: &str, settings: &[(&str, String)]) -> Result<()> {
    let resource = describe(admin, topic)?;
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    for entry in resource.entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic) {
        let Some(value) = &entry.value else {
            let text =
                format!("topic `{topic}`: {} is hidden, and would be lost; change it with your own tool", entry.name);
            return Err(invalid(text));
        };
        all.insert(&entry.name, value.clone());
    }
    all.extend(settings.iter().cloned());
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic));
    let change = all.iter().fold(change, |change, (key, value)| change.set(key, value));
    let doing = format!("setting topic `{topic}`");
    let altered = wait(admin.client().alter_configs(&[change], &Admin::options()));
    for outcome in altered.map_err(|error| told(&doing, &error))? {
        outcome.map_err(|(_, code)| told(&doing, &KafkaError::AdminOp(code)))?;
    }
    until(&format!("topic `{topic}` was set but still tells its old settings"), || {
        let resource = describe(admin, topic)?;
        let is = |key: &str| resource.get(key).and_then(|entry| entry.value.clone());
        Ok(settings.iter().all(|(key, value)| is(key).as_deref() == Some(value)))
    })
}

/// Waits until the brokers have heard of a change.
fn until(otherwise: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Deadline::after(REQUEST_MAX);
    while !done()? {
        if deadline.passed() {
            return Err(unavailable(format!("{otherwise} after {} s", REQUEST_MAX.as_secs())));
        }
        thread::sleep(VISIBLE_PAUSE);
    }
    Ok(())
}
