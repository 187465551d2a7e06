//! What a deployment says about its Kafka cluster, and the client settings that follow from it.
//!
//! Settings that exactly-once and lanes stand on are ours and cannot be passed through. Secrets are read from files
//! and never shown. Read next: `source.rs` and `store.rs`, which build clients from here.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use engine::ports::Tier;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::error::{Result, invalid, unavailable};
use crate::limits::{self, FETCH_WAIT_MAX_MS};

/// How to reach a cluster, and which topics are whose.
#[derive(Clone)]
pub struct Config {
    /// `host:port` of one or more brokers, separated by commas.
    pub bootstrap: String,
    /// Consumer group: one per pipeline.
    pub group: String,
    /// Identity of this member across restarts (static membership): its lanes come straight back to it. One per
    /// process; two processes with the same one throw each other out.
    pub instance_id: Option<String>,
    /// Input topics in the order of `TopicId`; all with the same number of partitions, keyed by user.
    pub input_topics: Vec<String>,
    /// Those input topics that `rekey` writes: their records keep the append times of the source.
    pub rekeyed_topics: Vec<String>,
    /// Reference topics by what they hold: `staff`, `patients` or `relations`.
    pub reference_topics: Vec<(&'static str, String)>,
    /// What is watched beside users, by name: `<p>.by.<name>` carries what lanes tell each watch.
    pub watches: Vec<String>,
    /// Whether these are the settings of the lanes of watches (see [`Config::of_watches`]).
    pub is_of_watches: bool,
    /// `<p>` of the state topics `<p>.head`, `<p>.journal`, ... and of the transactional ids `<p>-lane-<n>`.
    pub prefix: String,
    /// Where findings go.
    pub findings_topic: String,
    /// Where rejects and late records go.
    pub dead_letter_topic: String,
    /// librdkafka properties passed through. A key that ends in `_file` names a file whose content (without the
    /// line end) is the value of the key without `_file`: this is how secrets come in.
    pub properties: BTreeMap<String, String>,
    /// Replication factor of topics that [`crate::ensure_topics`] creates; the broker's default where absent.
    pub replication: Option<i32>,
    /// After this time the broker aborts an open transaction by itself.
    pub transaction_timeout: Duration,
    /// How long half a lane (some of its topics here, some with another member) is waited out before it is an error.
    pub half_lane_max: Duration,
}

/// Names of the topics that hold a pipeline's state, one partition per lane each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Newest journal record, case states, last facts; compacted.
    pub head: String,
    /// Every journal record.
    pub journal: String,
    /// Sealed panes, and last what a lane tells all others, in the order of `Tier::ALL`; of lanes of watches those of the first tier.
    pub panes: Vec<String>,
    /// Feature and score rows.
    pub results: String,
    /// What lanes tell each watch, one partition per lane of the watch.
    pub crossings: Vec<String>,
}

impl Topics {
    /// Every topic that holds state of a lane: only the lane writes to its partition.
    pub(crate) fn state(&self) -> impl Iterator<Item = &String> {
        [&self.head, &self.journal, &self.results].into_iter().chain(&self.panes)
    }

    /// The topic of a tier's panes.
    pub fn panes_of(&self, tier: Tier) -> &str {
        &self.panes[tier as usize]
    }
}

/// Set by us alone, because a guarantee stands on each.
const OURS: [&str; 13] = [
    "bootstrap.servers",
    "group.id",
    "group.instance.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "isolation.level",
    "enable.partition.eof",
    "auto.offset.reset",
    "transactional.id",
    "transaction.timeout.ms",
    "enable.idempotence",
    "acks",
    "statistics.interval.ms",
];

/// Property prefixes that only a member of a group understands.
const OF_MEMBERS: [&str; 6] =
    ["group.", "session.timeout", "heartbeat.interval", "partition.assignment", "max.poll.interval", "coordinator."];

/// Property prefixes that only a consumer understands.
const OF_CONSUMERS: [&str; 5] = ["fetch.", "queued.", "check.crcs", "max.partition.fetch", "consume."];

/// Property prefixes that only a producer understands.
const OF_PRODUCERS: [&str; 8] =
    ["queue.buffering", "linger", "batch.", "compression", "partitioner", "message.timeout", "delivery.", "retries"];

impl Config {
    /// A configuration with every choice at its default: the findings topic is `<prefix>.findings`, the dead-letter
    /// topic `<prefix>.dlq`.
    pub fn new(bootstrap: impl Into<String>, group: impl Into<String>, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        Self {
            bootstrap: bootstrap.into(),
            group: group.into(),
            instance_id: None,
            input_topics: Vec::new(),
            rekeyed_topics: Vec::new(),
            reference_topics: Vec::new(),
            watches: Vec::new(),
            is_of_watches: false,
            findings_topic: format!("{prefix}.findings"),
            dead_letter_topic: format!("{prefix}.dlq"),
            prefix,
            properties: BTreeMap::new(),
            replication: None,
            transaction_timeout: Duration::from_secs(60),
            half_lane_max: Duration::from_secs(30),
        }
    }

    /// The names of the state topics.
    pub fn topics(&self) -> Topics {
        let name = |part: &str| format!("{}.{part}", self.prefix);
        let pane_topic = |tier: &Tier| match tier {
            // Of interest to others as well.
            Tier::Shared => name("shared"),
            tier => name(&format!("panes.{}", tier.name())),
        };
        let tiers = if self.is_of_watches { &Tier::ALL[..1] } else { &Tier::ALL };
        Topics {
            head: name("head"),
            journal: name("journal"),
            panes: tiers.iter().map(pane_topic).collect(),
            results: name("results"),
            crossings: self.watches.iter().map(|watch| name(&format!("by.{watch}"))).collect(),
        }
    }

    /// The settings of the pipeline's lanes of watches: they read what lanes tell them, in a group of their own, and keep
    /// state of their own under `<p>.watch`. `None` where nothing is watched.
    pub fn of_watches(&self) -> Option<Self> {
        (!self.watches.is_empty()).then(|| Self {
            group: format!("{}-watch", self.group),
            input_topics: self.topics().crossings,
            rekeyed_topics: Vec::new(),
            reference_topics: Vec::new(),
            watches: Vec::new(),
            is_of_watches: true,
            prefix: format!("{}.watch", self.prefix),
            ..self.clone()
        })
    }

    /// Reports everything that cannot work, without asking a broker: properties that are ours or unknown to the
    /// library, assignors that split lanes, unreadable secret files.
    pub fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        for key in self.properties.keys().filter(|key| OURS.contains(&key.trim_end_matches("_file"))) {
            wrong.push(format!("property `{key}` is set by this program and cannot be passed through"));
        }
        for key in ["partition.assignment.strategy", "group.remote.assignor"] {
            if let Some(value) = self.properties.get(key).filter(|value| value.as_str() != "range") {
                wrong.push(format!(
                    "property `{key}` is `{value}`, but only `range` keeps the topics of a lane together"
                ));
            }
        }
        let waits = self.properties.get("fetch.wait.max.ms").and_then(|wait| wait.parse::<i64>().ok());
        if let Some(wait) = waits.filter(|wait| *wait > FETCH_WAIT_MAX_MS) {
            wrong.push(format!(
                "property `fetch.wait.max.ms` is {wait}, at most {FETCH_WAIT_MAX_MS}: a broker that answers so seldom is \
                 taken for one that is away"
            ));
        }
        if self.input_topics.len() > usize::from(u8::MAX) {
            wrong.push(format!("{} input topics, at most {}", self.input_topics.len(), u8::MAX));
        }
        if !wrong.is_empty() {
            return Err(invalid(wrong.join("; ")));
        }
        // Building a client is how the library tells about unknown names and impossible values; it sends nothing.
        let built = self.member()?.create::<rdkafka::consumer::BaseConsumer>().map(drop);
        built.map_err(|error| crate::error::told("kafka configuration", &error))
    }

    fn property(&self, key: &str, value: &str) -> Result<(String, String)> {
        let Some(name) = key.strip_suffix("_file") else { return Ok((key.to_owned(), value.to_owned())) };
        let text = std::fs::read_to_string(value)
            .map_err(|error| unavailable(format!("property `{key}`: cannot read file `{value}`: {error}")))?;
        Ok((name.to_owned(), text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// What all clients share; `foreign` are prefixes of properties this kind of client does not understand.
    fn client(&self, foreign: &[&[&str]]) -> Result<ClientConfig> {
        let mut client = ClientConfig::new();
        client.set("client.id", "chartwarden").set("fetch.queue.backoff.ms", limits::FETCH_BACKOFF_MS.to_string());
        client.set("queued.max.messages.kbytes", limits::PREFETCH_KIB.to_string());
        client.set("fetch.wait.max.ms", limits::INPUT_FETCH_MS.to_string());
        client.set("topic.metadata.refresh.interval.ms", "30000");
        client.set("reconnect.backoff.max.ms", "1000");
        for (key, value) in &self.properties {
            let (key, value) = self.property(key, value)?;
            if !foreign.iter().any(|list| list.iter().any(|prefix| key.starts_with(prefix))) {
                client.set(key, value);
            }
        }
        for prefix in foreign.iter().copied().flatten() {
            for key in ["fetch.queue.backoff.ms", "fetch.wait.max.ms", "queued.max.messages.kbytes"] {
                if key.starts_with(prefix) {
                    client.remove(key);
                }
            }
        }
        client.set("bootstrap.servers", &self.bootstrap);
        client.set_log_level(RDKafkaLogLevel::Warning);
        Ok(client)
    }

    /// The member of the group: it is handed lanes and reads nothing.
    pub(crate) fn member(&self) -> Result<ClientConfig> {
        let mut client = self.client(&[&OF_PRODUCERS])?;
        if !self.properties.contains_key("max.poll.interval.ms") {
            client.set("max.poll.interval.ms", "900000");
        }
        let modern = client.get("group.protocol") == Some("consumer");
        client.set(if modern { "group.remote.assignor" } else { "partition.assignment.strategy" }, "range");
        if let Some(instance) = &self.instance_id {
            client.set("group.instance.id", instance);
        }
        client.set("auto.offset.reset", "latest");
        Ok(self.consumer(client))
    }

    /// A reader of partitions that were given to it; it never joins the group. It reads from leaders only: a follower may not
    /// know the end yet, and what it has not heard of would be taken for silence.
    pub(crate) fn reader(&self, statistics_ms: u32, reset: &str) -> Result<ClientConfig> {
        let mut client = self.client(&[&OF_MEMBERS, &OF_PRODUCERS])?;
        client.remove("client.rack");
        client.set("auto.offset.reset", reset).set("statistics.interval.ms", statistics_ms.to_string());
        Ok(self.consumer(client))
    }

    /// A reader of everything there is.
    pub(crate) fn whole_reader(&self, statistics_ms: u32) -> Result<ClientConfig> {
        self.reader(statistics_ms, "earliest")
    }

    /// The same for somebody who asks neither for ends nor to be quick.
    pub(crate) fn leisurely_reader(&self) -> Result<ClientConfig> {
        let mut client = self.whole_reader(0)?;
        client.set("fetch.wait.max.ms", limits::LEISURELY_FETCH_MS.to_string());
        Ok(client)
    }

    /// The same for somebody who waits for one partition after the other.
    pub(crate) fn waited_reader(&self) -> Result<ClientConfig> {
        let mut client = self.whole_reader(limits::WAITED_STATISTICS_MS)?;
        client.set("fetch.wait.max.ms", limits::WAITED_FETCH_MS.to_string());
        Ok(client)
    }

    /// The same, of what is not committed as well.
    pub(crate) fn uncommitted_reader(&self) -> Result<ClientConfig> {
        let mut client = self.waited_reader()?;
        client.set("isolation.level", "read_uncommitted");
        Ok(client)
    }

    fn consumer(&self, mut client: ClientConfig) -> ClientConfig {
        client.set("group.id", &self.group);
        client.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        client.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        client
    }

    /// The producer of one lane's transactions, or a plain idempotent one.
    pub(crate) fn producer(&self, transactional_id: Option<&str>) -> Result<ClientConfig> {
        let mut client = self.client(&[&OF_MEMBERS, &OF_CONSUMERS])?;
        for (key, value) in [
            // A transaction is waited for as a whole, so its last batch should not wait for more.
            ("linger.ms", if transactional_id.is_some() { "1" } else { "5" }),
            ("compression.type", "lz4"),
            // The partitioner of the Java clients, so that everybody agrees where a key lives.
            ("partitioner", "murmur2_random"),
        ] {
            if !self.properties.contains_key(key) {
                client.set(key, value);
            }
        }
        client.set("message.max.bytes", limits::RECORD_BYTES_MAX.to_string());
        client.set("enable.idempotence", "true");
        if let Some(id) = transactional_id {
            if !self.properties.contains_key("connections.max.idle.ms") {
                client.set("connections.max.idle.ms", limits::PRODUCER_IDLE_MS.to_string());
            }
            client.set("transactional.id", id);
            client.set("transaction.timeout.ms", self.transaction_timeout.as_millis().to_string());
        }
        Ok(client)
    }

    /// Questions to the cluster. Uncommitted isolation makes "the end" the high watermark.
    pub(crate) fn admin(&self) -> Result<ClientConfig> {
        let mut client = self.client(&[&OF_MEMBERS, &OF_CONSUMERS, &OF_PRODUCERS])?;
        client.set("isolation.level", "read_uncommitted");
        Ok(client)
    }
}

impl fmt::Debug for Config {
    /// Names of properties only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("bootstrap", &self.bootstrap)
            .field("group", &self.group)
            .field("instance_id", &self.instance_id)
            .field("input_topics", &self.input_topics)
            .field("reference_topics", &self.reference_topics)
            .field("prefix", &self.prefix)
            .field("findings_topic", &self.findings_topic)
            .field("dead_letter_topic", &self.dead_letter_topic)
            .field("properties", &self.properties.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
