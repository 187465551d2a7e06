//! A stage: a broker or cluster of its own, a pipeline, and a small simulated hospital in its topics.
//!
//! The same settings give the same records at the same offsets, so what two stages hold can be compared byte for byte.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::ipc::reader::StreamReader;
use chartwarden_tests::binary::{Ended, Process, run};
use chartwarden_tests::broker::Broker;
use engine::JournalRecord;
use engine::ports::PortError;
use events::PseudonymKeys;
use kafka::{CommittedRecord, Config, read_committed};
use tempfile::TempDir;

/// Lanes of every stage.
pub(crate) const LANES: u32 = 3;
/// The threshold in every stage's `pipeline.toml`: a small hospital has findings early and late.
pub(crate) const OPEN_SCORE: &str = "open_score = 0.02 ";
/// How members and the broker hear of each other, in every stage's `pipeline.toml`.
const MEMBERS: &str = "\"session.timeout.ms\" = \"6000\"\n\"heartbeat.interval.ms\" = \"500\"\n";
/// Looks, 100 ms apart, within which lanes that have not read and computed everything must get on, and what is waited for
/// must come.
const LOOKS_MAX: u32 = 3_000;
/// Looks that must say the same before nothing more is expected: longer than a lane waits for what hangs.
const QUIET_LOOKS: u32 = 40;

pub(crate) struct Stage {
    /// One, or a cluster.
    pub(crate) brokers: Vec<Broker>,
    pub(crate) folder: TempDir,
    pub(crate) config: Config,
}

fn bootstrap(brokers: &[Broker]) -> String {
    brokers.iter().map(Broker::bootstrap).collect::<Vec<_>>().join(",")
}

impl Stage {
    /// Brings the broker up and lets the hospital speak. `idle_after` as in `pipeline.toml`.
    pub(crate) fn new(idle_after: &str) -> Self {
        Self::on(Broker::cluster(1), idle_after, Stage::simulate).ready()
    }

    /// The same on a cluster of so many brokers, and with records among the hospital's that no lane can use.
    pub(crate) fn salted(brokers: u32, idle_after: &str) -> Self {
        Self::on(Broker::cluster(brokers), idle_after, Stage::simulate_salted).ready()
    }

    /// The same on a broker that has a guarded way in, where members come in; the topics of state are not there yet.
    pub(crate) fn guarded(idle_after: &str) -> Self {
        let broker = Broker::start_guarded();
        let stage = Self::on(broker.map(|broker| vec![broker]), idle_after, Stage::simulate_salted);
        let way = stage.brokers[0].guarded();
        let (password, trusted) = (stage.path("password"), way.trusted.display());
        std::fs::write(&password, way.password).unwrap();
        stage.let_members_speak(&format!(
            "{MEMBERS}\"security.protocol\" = \"SASL_SSL\"\n\"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\
             \"sasl.username\" = \"{}\"\n\"sasl.password_file\" = \"{password}\"\n\"ssl.ca.location\" = \"{trusted}\"\n",
            way.user
        ));
        stage
    }

    fn on(brokers: Result<Vec<Broker>, String>, idle_after: &str, speak: impl Fn(&Self)) -> Self {
        let brokers = brokers.unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().unwrap();
        let pipeline = folder.path().join("pipeline");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/insider-breach"), &pipeline);
        let file = pipeline.join("pipeline.toml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        // Members that are killed are missed soon, and a small hospital has cases to tell.
        for (from, to) in [
            ("\n# Input topics", format!("\n[kafka.properties]\n{MEMBERS}\n# Input topics").as_str()),
            ("idle_after = \"60s\"", &format!("idle_after = \"{idle_after}\"")),
            ("learn_days = 14", "learn_days = 1"),
            ("open_score = 0.90 ", OPEN_SCORE),
        ] {
            assert!(text.contains(from), "pipeline.toml no longer says `{from}`");
            text = text.replacen(from, to, 1);
        }
        std::fs::write(file, text).unwrap();
        // Nor do many of so few people open one chart: a few accesses will do.
        let (file, many) = (pipeline.join("watches/patients.sql"), " AS rule_many_viewers");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(many), "patients.sql no longer says `{many}`");
        std::fs::write(file, text.replacen(many, " OR sum(events) >= 3 AS rule_many_viewers", 1)).unwrap();
        let key: String = (1..=32).map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(folder.path().join("key"), format!("chartwarden-pseudonym-key v1\nid 1\nkey {key}\n")).unwrap();
        let mut config = Config::new(bootstrap(&brokers), "chartwarden-insider-breach", "chartwarden.insider-breach");
        config.input_topics = vec!["ehr.access.v1".to_owned(), "auth.events.v1".to_owned()];
        config.reference_topics = vec![("relations", "ref.relations.v1".to_owned())];
        config.findings_topic = "risk.findings.v1".to_owned();
        config.dead_letter_topic = "risk.findings.v1.dlq".to_owned();
        let stage = Self { brokers, folder, config };
        speak(&stage);
        stage
    }

    /// With all topics that members write to.
    fn ready(self) -> Self {
        // What lanes have replaced in their heads is compacted away while they run, not an hour later.
        let eager = [("cleanup.policy", "compact"), ("segment.ms", "1000"), ("min.cleanable.dirty.ratio", "0.01")];
        kafka::create_topic(&self.config, &self.config.topics().head, LANES, &eager).unwrap();
        self.apply_topics(&self.bootstrap()).with(0);
        self
    }

    /// Makes the topics that are missing, as the way in at `bootstrap` lets it.
    pub(crate) fn apply_topics(&self, bootstrap: &str) -> Ended {
        let (pipeline, lanes) = (self.path("pipeline"), LANES.to_string());
        run(&["topics", &pipeline, "--bootstrap", bootstrap, "--apply", "--lanes", &lanes])
    }

    /// Gives members other properties than [`MEMBERS`].
    pub(crate) fn let_members_speak(&self, properties: &str) {
        let file = self.path("pipeline/pipeline.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(MEMBERS), "{text}");
        std::fs::write(file, text.replacen(MEMBERS, properties, 1)).unwrap();
    }

    /// Addresses of the brokers.
    pub(crate) fn bootstrap(&self) -> String {
        bootstrap(&self.brokers)
    }

    /// A path in the stage's folder, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// Records that the heads of all lanes hold, and offsets that they ever had.
    pub(crate) fn compacted(&self) -> (usize, usize) {
        let head = self.config.topics().head;
        let ends = kafka::topic_ends(&self.config, &head).unwrap();
        let ever = ends.iter().map(|(_, end)| usize::try_from(end.0).unwrap()).sum();
        (self.committed(&head).len(), ever)
    }

    /// Begins a ledger in `data`.
    pub(crate) fn ledger(&self, data: &str) {
        run(&["ledger", "init", "--data", &self.path(data), "--origin", "chartwarden.test/log"]).with(0);
    }

    /// Holds that the ledger in `data` has one entry for each finding, and that each receipt is proved offline.
    pub(crate) fn sealed_once(&self, data: &str, findings: &[Vec<u8>]) {
        let at = |name: &str| self.path(&format!("{data}/{name}"));
        let (log, vkey) = (at("ledger"), at("log.vkey"));
        let report = run(&["ledger", "verify", &log, "--vkey", &vkey, "--json"]).with(0).out;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["size"], findings.len() as u64 + 1, "the genesis entry and one for each finding");
        for finding in findings {
            let finding: serde_json::Value = serde_json::from_slice(finding).unwrap();
            let id = finding["metadata"]["uid"].as_str().unwrap();
            let receipt = |end: &str| at(&format!("receipts/{id}.{end}"));
            let (proof, opening) = (receipt("tlog-proof"), receipt("opening.json"));
            run(&["ledger", "prove", &proof, "--opening", &opening, "--vkey", &vkey]).with(0);
        }
    }

    /// Holds that every finding is sealed once in `data`, and that the archive there, replayed under a pipeline of the stage,
    /// gives the same bytes; says what was compared.
    pub(crate) fn proved(&self, pipeline: &str, data: &str) -> String {
        let live = self.findings();
        self.sealed_once(data, &live);
        let (pipeline, archive) = (self.path(pipeline), self.path(&format!("{data}/archive")));
        let out = self.path("proved.ndjson");
        let verified = run(&["replay", &pipeline, "--archive", &archive, "--out", &out, "--verify"]).with(0);
        assert!(verified.out.contains("equal to the byte"), "{}", verified.out);
        format!("{} findings sealed once each, {}", live.len(), verified.out.trim())
    }

    /// Starts a consumer of the group; with `data` it archives and seals.
    pub(crate) fn start(&self, name: &str, data: Option<&str>) -> Member {
        self.start_with(name, data, &[])
    }

    /// The same with further arguments.
    pub(crate) fn start_with(&self, name: &str, data: Option<&str>, further: &[&str]) -> Member {
        self.start_at(&self.bootstrap(), "pipeline", name, data, further)
    }

    /// The same under another pipeline of the stage.
    pub(crate) fn start_under(&self, pipeline: &str, name: &str, data: Option<&str>) -> Member {
        self.start_at(&self.bootstrap(), pipeline, name, data, &[])
    }

    /// Starts a consumer of the group that reaches each broker through the network before it.
    pub(crate) fn start_wired(&self, name: &str, data: Option<&str>) -> Member {
        let wired: Vec<_> = self.brokers.iter().map(Broker::wired).collect();
        self.start_at(&wired.join(","), "pipeline", name, data, &[])
    }

    /// Starts a consumer of the group that reaches brokers at `bootstrap`.
    pub(crate) fn start_at(
        &self,
        bootstrap: &str,
        pipeline: &str,
        name: &str,
        data: Option<&str>,
        further: &[&str],
    ) -> Member {
        let (pipeline, key) = (self.path(pipeline), self.path("key"));
        let mut arguments = vec!["run", &pipeline, "--bootstrap", bootstrap, "--keys", &key];
        arguments.extend(["--http", "127.0.0.1:0", "--instance-id", name]);
        arguments.extend(further);
        let data = data.map(|data| self.path(data));
        if let Some(data) = &data {
            arguments.extend(["--data", data]);
        }
        let log = self.folder.path().join(format!("{name}.log"));
        let skip = std::fs::metadata(&log).map_or(0, |log| log.len() as usize);
        Member { process: Process::start(&arguments, &log), skip }
    }

    /// Every committed record of a topic. In the midst of faults a broker may be away for a while.
    pub(crate) fn committed(&self, topic: &str) -> Vec<CommittedRecord> {
        let mut found = Vec::new();
        wait_until(&format!("the records of `{topic}`"), || match read_committed(&self.config, topic) {
            Ok(records) => {
                found = records;
                true
            }
            Err(PortError::Unavailable(_)) => false,
            Err(error) => panic!("`{topic}`: {error}"),
        });
        found
    }

    /// What each lane committed as results, in order: feature rows, scores and findings by stream and tick.
    pub(crate) fn results(&self) -> BTreeMap<u32, Vec<(String, Vec<u8>)>> {
        self.results_in("chartwarden.insider-breach.results")
    }

    /// The same of lanes of watches: rows of entities, and findings about them.
    pub(crate) fn watched(&self) -> BTreeMap<u32, Vec<(String, Vec<u8>)>> {
        self.results_in("chartwarden.insider-breach.watch.results")
    }

    fn results_in(&self, topic: &str) -> BTreeMap<u32, Vec<(String, Vec<u8>)>> {
        let mut lanes: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for record in self.committed(topic) {
            let key = String::from_utf8(record.key.unwrap()).unwrap();
            lanes.entry(record.partition).or_default().push((key, record.value.unwrap()));
        }
        lanes
    }

    /// Dead letters but for the names of their transactions, in the order of their bytes.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        let letter = |record: CommittedRecord| {
            let headers = record.headers.into_iter().filter(|(name, _)| name != "chartwarden-transaction");
            (record.key, record.value, headers.collect())
        };
        let mut letters: Vec<Letter> = self.committed(&self.config.dead_letter_topic).into_iter().map(letter).collect();
        letters.sort();
        letters
    }

    /// The findings of all lanes as the demo and a replay write them: by tick end, lane, ordinal; those of watches last.
    pub(crate) fn findings(&self) -> Vec<Vec<u8>> {
        let mut told = Vec::new();
        for (kind, lanes) in [self.results(), self.watched()].into_iter().enumerate() {
            for (lane, results) in lanes {
                for (place, (key, value)) in results.into_iter().enumerate() {
                    if let Some(end) = key.strip_prefix("findings/") {
                        told.push((end.parse::<i64>().unwrap(), lane, kind, place, value));
                    }
                }
            }
        }
        told.sort();
        told.into_iter().map(|(_, _, _, _, value)| value).collect()
    }

    /// A feature of one user by tick end, as a lane committed it.
    pub(crate) fn feature(&self, lane: u32, user: &str, name: &str) -> BTreeMap<i64, f64> {
        let keys = PseudonymKeys::parse(&std::fs::read_to_string(self.path("key")).unwrap()).unwrap();
        let user = keys.user(user);
        let mut told = BTreeMap::new();
        for (key, value) in self.results().remove(&lane).unwrap_or_default() {
            let Some(end) = key.strip_prefix("features/") else { continue };
            for rows in StreamReader::try_new(value.as_slice(), None).unwrap() {
                let rows = rows.unwrap();
                let users = rows.column_by_name("user_key").unwrap().as_string::<i32>();
                let values = rows.column_by_name(name).unwrap_or_else(|| panic!("no feature `{name}`"));
                let values = cast(values, &DataType::Float64).unwrap();
                let row = users.iter().position(|found| found == Some(&user));
                told.extend(row.map(|row| (end.parse().unwrap(), values.as_primitive::<Float64Type>().value(row))));
            }
        }
        told
    }

    /// The newest journal record of each lane.
    pub(crate) fn journal(&self) -> BTreeMap<u32, JournalRecord> {
        let records = self.committed("chartwarden.insider-breach.journal");
        let read =
            |record: CommittedRecord| (record.partition, serde_json::from_slice(&record.value.unwrap()).unwrap());
        records.into_iter().map(read).collect()
    }
}

/// Key, value and headers of a dead letter.
pub(crate) type Letter = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<events::Header>);

/// A running consumer of the group.
pub(crate) struct Member {
    pub(crate) process: Process,
    /// What earlier processes of the name left in the log.
    skip: usize,
}

impl Member {
    /// What this process printed.
    pub(crate) fn log(&self) -> String {
        self.process.log()[self.skip..].to_owned()
    }

    /// Its metrics as (name with labels, value); empty until it serves them.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let log = self.log();
        let Some(address) = log.split("metrics on http://").nth(1).and_then(|rest| rest.split('/').next()) else {
            return BTreeMap::new();
        };
        let mut text = String::new();
        let asked = TcpStream::connect(address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: here\r\n\r\n")?;
            stream.read_to_string(&mut text)
        });
        if asked.is_err() {
            return BTreeMap::new();
        }
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, v)| Some((name.to_owned(), v.parse().ok()?)))
            .collect()
    }

    /// Asks it to end and waits.
    pub(crate) fn stop(&mut self) {
        self.process.signal("-TERM");
        let status = self.process.wait();
        assert!(status.success(), "{status} after SIGTERM:\n{}", self.log());
    }
}

/// Waits until the members together have read and computed everything that is due.
pub(crate) fn settle(members: &mut [&mut Member]) {
    if let Err((status, log)) = try_settle(members) {
        panic!("a member ended ({status}):\n{log}");
    }
}

/// The same; a member that ends meanwhile is told with its log.
pub(crate) fn try_settle(members: &mut [&mut Member]) -> Result<(), (ExitStatus, String)> {
    let (mut before, mut quiet) = (BTreeMap::new(), 0);
    let (mut furthest, mut looks) = (0.0, 0);
    while looks < LOOKS_MAX {
        let mut now: BTreeMap<String, f64> = BTreeMap::new();
        for member in members.iter_mut() {
            if let Some(status) = member.process.ended() {
                return Err((status, member.log()));
            }
            let of = |name: &String| {
                ["consumer_lag_records", "last_tick_timestamp_seconds", "watch_lag_records", "watch_last_step"]
                    .map(|kind| format!("chartwarden_{kind}"))
                    .iter()
                    .any(|kind| name.starts_with(kind.as_str()))
            };
            // A lane that moved on still stands in the metrics of who had it; the newest owner knows most.
            for (name, value) in member.metrics().into_iter().filter(|(name, _)| of(name)) {
                let known = now.entry(name).or_insert(value);
                *known = if *known < value { value } else { *known };
            }
        }
        let ticks = now.keys().filter(|name| name.contains("last_tick")).count();
        let lag: f64 = now.iter().filter(|(name, _)| name.contains("lag_records")).map(|(_, value)| value).sum();
        let settled = ticks == LANES as usize && lag == 0.0 && now == before;
        quiet = if settled { quiet + 1 } else { 0 };
        if quiet == QUIET_LOOKS {
            return Ok(());
        }
        let reached: f64 = now.iter().filter(|(name, _)| name.contains("last_")).map(|(_, value)| value).sum();
        looks = if reached > furthest { 0 } else { looks + 1 };
        furthest = reached.max(furthest);
        before = now;
        std::thread::sleep(Duration::from_millis(100));
    }
    let logs: Vec<_> = members.iter().map(|member| member.log()).collect();
    panic!("lanes do not come to rest; last seen {before:?}; logs:\n{}", logs.join("\n---\n"));
}

/// Waits until something holds; a machine may be slow, and five minutes are for one that hangs.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("not within five minutes: {what}");
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
