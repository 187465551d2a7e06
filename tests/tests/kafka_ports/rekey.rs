//! `chartwarden rekey` as a process on the real broker: killed, overtaken, and reading partitions that lie apart in time.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base::{Clock as _, Millis, Seed, SystemClock};
use chartwarden_tests::binary::{Ended, Process, run};
use chartwarden_tests::broker::Broker;
use engine::ports::{LaneId, PortError, Source as _};
use events::{Offset, PseudonymKeys, Record, TopicId};
use kafka::{
    Address, Addresser, CommittedRecord, Config, KafkaSource, RekeyOptions, Rekeyed, Speaker, create_topic,
    partition_of, read_committed, rekey, rekeyed_to, topic_ends,
};
use tempfile::TempDir;

use crate::support::{holding, pipeline, poll_until};

const LANES: u32 = 4;
/// Kills of the broker under one copy.
const BROKER_KILLS: u32 = 6;
/// Looks, 20 ms apart, within which a process must have got somewhere.
const LOOKS_MAX: u32 = 6_000;

/// A pipeline whose inputs `rekey` writes, with topics of its own on the shared broker.
struct Ward {
    name: &'static str,
    config: Config,
    folder: TempDir,
}

impl Ward {
    fn new(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = folder.path().join("pipeline");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/insider-breach"), &pipeline);
        let file = pipeline.join("pipeline.toml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        for (from, to) in [
            ("ehr.access.v1", format!("{name}.access")),
            ("auth.events.v1", format!("{name}.auth")),
            ("ref.", format!("{name}.ref.")),
            ("chartwarden-insider-breach", format!("{name}.group")),
            ("chartwarden.insider-breach", name.to_owned()),
            ("risk.findings.v1", format!("{name}.findings")),
            ("stream = \"auth\"\nformat = \"native\"", "stream = \"auth\"\nformat = \"ocsf\"".to_owned()),
        ] {
            assert!(text.contains(from), "pipeline.toml no longer says `{from}`");
            text = text.replace(from, &to);
        }
        std::fs::write(file, text).unwrap();
        let config = Config::new(Broker::shared().bootstrap(), format!("{name}.reader"), name);
        let ward = Self { name, config, folder };
        let (access, auth) = (ward.topic("access"), ward.topic("auth"));
        let lanes = LANES.to_string();
        let inputs = ["--apply", "--all", "--lanes", &lanes, "--rekeyed", &access, "--rekeyed", &auth];
        ward.run("topics", &inputs).with(0);
        ward
    }

    fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn arguments<'a>(&self, pipeline: &'a str, command: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
        [&[command, pipeline, "--bootstrap", Broker::shared().bootstrap()], rest].concat()
    }

    fn run(&self, command: &str, rest: &[&str]) -> Ended {
        run(&self.arguments(&self.path("pipeline"), command, rest))
    }

    fn start(&self, rest: &[&str], log: &str) -> Process {
        Process::start(&self.arguments(&self.path("pipeline"), "rekey", rest), &self.folder.path().join(log))
    }

    /// Somebody with several names.
    fn staff(&self, user: &str, names: &[&str]) {
        let row = serde_json::json!({"user": user, "names": names, "valid_from": "2020-01-01"}).to_string();
        let speaker = Speaker::connect(&self.config).unwrap();
        let topic = self.topic("ref.staff.v1");
        speaker.send(&topic, Some(0), user.as_bytes(), Some(row.as_bytes()), &[], None).unwrap();
        speaker.flush().unwrap();
    }

    fn committed(&self, topic: &str) -> Vec<CommittedRecord> {
        read_committed(&self.config, &self.topic(topic)).unwrap()
    }

    /// How many records and markers stand in a topic, those of open transactions included.
    fn high(&self, topic: &str) -> i64 {
        topic_ends(&self.config, &self.topic(topic)).unwrap().iter().map(|(_, high)| high.0).sum()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

/// A source topic whose records the broker stamps.
fn source(config: &Config, topic: &str, partitions: u32) {
    create_topic(config, topic, partitions, &[("message.timestamp.type", "LogAppendTime")]).unwrap();
}

/// What is copied must come from `from`, and carries it there in a header.
fn spoken(speaker: &Speaker, topic: &str, partition: u32, value: &str) {
    let headers = [("from".to_owned(), Some(format!("{topic}/{partition}").into_bytes())), ("empty".to_owned(), None)];
    speaker.send(topic, Some(partition), b"a key of the source", Some(value.as_bytes()), &headers, None).unwrap();
}

/// An access some seconds after six hours ago.
fn access(user: &str, seconds: i64, id: u64) -> String {
    let time = SystemClock.now().millis() / 1_000 * 1_000 - 6 * 3_600_000 + seconds * 1_000;
    format!("{{\"id\":\"{id}\", \"time\":{time},\"user\":\"{user}\",\"patient\":\"p{id}\",\"action\":\"read\"}}")
}

type Content = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<events::Header>, base::Timestamp);

/// What stands in each lane, apart by the source partition it came from, in order. The header that the copy adds is
/// taken off.
fn by_source(records: Vec<CommittedRecord>) -> BTreeMap<(u32, Vec<u8>), Vec<Content>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mut record in records {
        let added = record.headers.pop().unwrap();
        assert_eq!(added.0, "chartwarden-transaction");
        let from = record.headers[0].1.clone().unwrap();
        let content = (record.key, record.value, record.headers, record.time);
        found.entry((record.partition, from)).or_default().push(content);
    }
    found
}

#[test]
fn killed_at_seeded_moments_the_copy_is_that_of_an_undisturbed_run() {
    let (calm, killed) = (Ward::new("rekey.calm"), Ward::new("rekey.killed"));
    for ward in [&calm, &killed] {
        ward.staff("E1", &["jdoe"]);
        ward.staff("E2", &["asmith", "0077"]);
    }
    let sources = ["rekey.raw.a", "rekey.raw.b"];
    source(&calm.config, sources[0], 3);
    source(&calm.config, sources[1], 2);
    let users = ["E1", "jdoe", "asmith", "77", "ghost", "E2", "stranger"];
    let speaker = Speaker::connect(&calm.config).unwrap();
    let count = 12_000_u64;
    for id in 0..count {
        let draw = Seed(7).index(id).0;
        let (topic, partition) =
            if draw.is_multiple_of(5) { (sources[1], draw / 5 % 2) } else { (sources[0], draw / 5 % 3) };
        let value = match id % 50 {
            49 => format!("no json, number {id}"),
            _ => access(users[(draw >> 20) as usize % users.len()], (id / 10) as i64, id),
        };
        spoken(&speaker, topic, partition as u32, &value);
    }
    speaker.flush().unwrap();
    let told = |ward: &Ward| -> Vec<String> {
        let target = ward.topic("access");
        let list = ["--from", sources[0], "--from", sources[1], "--to", &target, "--transaction-records", "100"];
        let rest = ["--until-end", "--idle-after", "1s", "--unknown", &ward.path("unknown")];
        list.iter().chain(&rest).map(|&text| text.to_owned()).collect()
    };
    let arguments = told(&calm);
    let ended = calm.run("rekey", &arguments.iter().map(String::as_str).collect::<Vec<_>>()).with(0);
    assert!(ended.out.starts_with("copied 12,000 records"), "{}", ended.out);

    let arguments = told(&killed);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (mut kills, mut seed) = (0, Seed(20_260_301));
    for round in 0..8 {
        let mut process = killed.start(&arguments, "killed.log");
        seed = seed.index(round);
        let moment = killed.high("access") + 200 + (seed.0 % 1_500) as i64;
        let mut looks = 0;
        while killed.high("access") < moment && process.ended().is_none() {
            looks += 1;
            assert!(looks < LOOKS_MAX, "it does not get on:\n{}", process.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        if process.ended().is_none() {
            process.kill();
            kills += 1;
        }
    }
    assert!(kills >= 4, "only {kills} kills met a running process");
    killed.run("rekey", &arguments).with(0);

    let (calm_copy, killed_copy) = (calm.committed("access"), killed.committed("access"));
    assert_eq!(killed_copy.len(), count as usize, "each record once, after {kills} kills");
    let (calm_copy, killed_copy) = (by_source(calm_copy), by_source(killed_copy));
    assert!(calm_copy == killed_copy, "the copies differ after {kills} kills, seed 20260301");
    // And it is what was said: byte for byte, with the source's times, in the source's order.
    for topic in sources {
        for record in read_committed(&calm.config, topic).unwrap() {
            let from = format!("{topic}/{}", record.partition).into_bytes();
            let same = |content: &&Content| {
                (&content.1, &content.2, content.3) == (&record.value, &record.headers, record.time)
            };
            let found = calm_copy.iter().filter(|((_, source), _)| *source == from);
            assert_eq!(found.flat_map(|(_, list)| list).filter(same).count(), 1, "{record:?}");
        }
    }
    for list in calm_copy.values() {
        let ids: Vec<u64> = list.iter().map(|content| id_of(content.1.as_deref().unwrap())).collect();
        assert!(ids.is_sorted(), "a source partition lost its order");
    }
    // Unknown names are on the list after all kills, each once or where a kill cut in, listed by a line that is whole.
    let list = std::fs::read_to_string(killed.path("unknown")).unwrap();
    for name in ["ghost", "stranger"] {
        assert_eq!(list.matches(&format!("\"name\":\"{name}\"")).count(), 1, "{list}");
    }
}

fn id_of(value: &[u8]) -> u64 {
    let text = String::from_utf8(value.to_vec()).unwrap();
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
    digits(text.strip_prefix("no json, number ").unwrap_or_else(|| text.strip_prefix("{\"id\":\"").unwrap()))
}

fn copying(source: &str, target: &str) -> RekeyOptions {
    RekeyOptions::new(vec![source.to_owned()], target.to_owned(), Millis::hours(1), Duration::from_secs(1))
}

/// Spreads records over the lanes by their values, and does something after each commit.
struct Spread<F>(F);

impl<F: FnMut()> Addresser for Spread<F> {
    fn refresh(&mut self) -> Result<(), PortError> {
        Ok(())
    }

    fn address(&mut self, _: &str, record: &Record<'_>) -> Address {
        Address { key: record.value.map(<[u8]>::to_vec), time: Some(record.append_time), outcome: "copied" }
    }

    fn version(&self) -> String {
        "none".to_owned()
    }

    fn before_commit(&mut self) -> Result<(), PortError> {
        Ok(())
    }

    fn committed(&mut self, _: &Rekeyed) {
        self.0();
    }
}

#[test]
fn a_broker_that_dies_right_after_a_commit_leaves_each_record_copied_once() {
    let broker = Broker::start().unwrap();
    let config = Config::new(broker.bootstrap(), "rekey.markers.group", "rekey.markers");
    source(&config, "rekey.markers.raw", 2);
    source(&config, "rekey.markers.copy", LANES);
    let speaker = Speaker::connect(&config).unwrap();
    let count = 6_000_u32;
    for id in 0..count {
        let value = id.to_string();
        speaker.send("rekey.markers.raw", Some(id % 2), b"key", Some(value.as_bytes()), &[], None).unwrap();
    }
    speaker.flush().unwrap();
    let options = copying("rekey.markers.raw", "rekey.markers.copy");
    let options = RekeyOptions { records_max: 100, until_end: true, ..options };
    let (mut commits, mut kills) = (0_u32, 0);
    let kill_some = || {
        commits += 1;
        if commits.is_multiple_of(5) && kills < BROKER_KILLS {
            // Markers are written within milliseconds: before, among and after them.
            std::thread::sleep(Duration::from_millis(u64::from(kills)));
            broker.kill().unwrap();
            broker.restart().unwrap();
            kills += 1;
        }
    };
    rekey(&config, &options, &mut Spread(kill_some), &AtomicBool::new(false)).unwrap();
    assert_eq!(kills, BROKER_KILLS);
    let copy = read_committed(&config, "rekey.markers.copy").unwrap();
    let mut lanes: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
    let mut ids = Vec::new();
    for record in copy {
        let id: u32 = std::str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse().unwrap();
        lanes.entry((record.partition, id % 2)).or_default().push(id);
        ids.push(id);
    }
    assert!(lanes.values().all(|ids| ids.is_sorted()), "a source partition lost its order");
    ids.sort_unstable();
    let differs = (0..count).zip(&ids).find(|(expected, found)| expected != *found);
    assert_eq!((ids.len(), differs), (count as usize, None), "after {BROKER_KILLS} kills of the broker");
}

#[test]
fn offsets_are_kept_alive_also_of_partitions_that_are_silent() {
    let config = Config::new(Broker::shared().bootstrap(), "rekey.renewed.group", "rekey.renewed");
    let raw = "rekey.renewed.raw".to_owned();
    source(&config, &raw, 3);
    source(&config, "rekey.renewed.copy", LANES);
    // Ten records and the marker of their transaction; an aborted one; nothing.
    let speaker = Speaker::transactional(&config, "rekey.renewed.ehr").unwrap();
    for (partition, committed) in [(0, true), (1, false)] {
        speaker.begin().unwrap();
        for number in 0..10 {
            speaker.send(&raw, Some(partition), b"key", Some(number.to_string().as_bytes()), &[], None).unwrap();
        }
        speaker.end(committed).unwrap();
    }
    let options = |until_end| {
        let renew_every = Duration::from_millis(500);
        RekeyOptions { until_end, renew_every, ..copying(&raw, "rekey.renewed.copy") }
    };
    let copies = || read_committed(&config, "rekey.renewed.copy").unwrap().len();
    // One that goes on says where it stands although nothing comes: behind the markers, and in the empty partition too.
    let stop = AtomicBool::new(false);
    let expected = [(0, 11), (1, 11), (2, 0)].map(|(partition, offset)| ((raw.clone(), partition), Offset(offset)));
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| rekey(&config, &options(false), &mut Spread(|| ()), &stop));
        let stands = |_: u32| {
            std::thread::sleep(Duration::from_millis(20));
            rekeyed_to(&config, std::slice::from_ref(&raw)).unwrap().into_iter().eq(expected.clone())
        };
        let stood = (0..LOOKS_MAX).any(stands);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        copying.join().unwrap().unwrap();
        assert!(stood, "{:?}", rekeyed_to(&config, std::slice::from_ref(&raw)));
    });
    assert_eq!(copies(), 10);
    rekey(&config, &options(true), &mut Spread(|| ()), &AtomicBool::new(false)).unwrap();
    assert_eq!(copies(), 10);
}

#[test]
fn a_topic_that_is_copied_is_silent_only_while_the_copy_keeps_up() {
    let mut config = pipeline(Broker::shared().bootstrap(), "rekey.away", 1);
    let target = config.input_topics[0].clone();
    config.rekeyed_topics = vec![target.clone()];
    source(&config, "rekey.away.raw", 1);
    let copier = Config { group: "rekey.away.copy".to_owned(), ..config.clone() };
    let options = copying("rekey.away.raw", &target);
    let mut lanes = holding(&config, 1);
    lanes.start(LaneId(0), &[Offset(0); 2]).unwrap();
    let both = [TopicId(0), TopicId(1)];
    let answers = |lanes: &KafkaSource| both.map(|topic| lanes.answers(LaneId(0), topic));
    // The other topic is nobody's copy.
    poll_until(&mut lanes, |lanes, _| answers(lanes) == [false, true]);
    for _ in 0..2 {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let copying = scope.spawn(|| rekey(&copier, &options, &mut Spread(|| ()), &stop));
            poll_until(&mut lanes, |lanes, wakes| {
                assert!(wakes.is_empty(), "what the copy says of itself is no record");
                answers(lanes) == [true, true] && lanes.at_end(LaneId(0), TopicId(0)).is_some()
            });
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            copying.join().unwrap().unwrap();
        });
        poll_until(&mut lanes, |lanes, _| answers(lanes) == [false, true]);
    }
}

#[test]
fn a_person_with_four_names_has_one_lane_in_both_topics_and_unknown_names_are_listed() {
    let ward = Ward::new("rekey.names");
    ward.staff("E0042", &["jdoe", "0007", "J.Doe@Hospital.org"]);
    let (ehr, directory) = (ward.topic("raw.ehr"), ward.topic("raw.ad"));
    source(&ward.config, &ehr, 3);
    source(&ward.config, &directory, 5);
    let speaker = Speaker::connect(&ward.config).unwrap();
    for (partition, user) in [(0, "E0042"), (1, " 7"), (2, "e0042"), (0, "Ghost"), (1, "ghost")] {
        spoken(&speaker, &ehr, partition, &access(user, 0, 1));
    }
    spoken(&speaker, &ehr, 2, "not json at all");
    let time = SystemClock.now().millis() / 1_000;
    for (partition, user) in
        [(0, r#""uid":"jdoe""#), (4, r#""email_addr":"j.doe@hospital.ORG""#), (3, r#""name":"JDOE""#)]
    {
        let logon = format!("{{\"class_uid\":3002,\"activity_id\":1,\"time\":{time},\"user\":{{{user}}}}}");
        spoken(&speaker, &directory, partition, &logon);
    }
    speaker.flush().unwrap();
    let (access, auth, unknown) = (ward.topic("access"), ward.topic("auth"), ward.path("unknown.ndjson"));
    let ended = ward.run("rekey", &["--from", &ehr, "--to", &access, "--until-end", "--unknown", &unknown]).with(0);
    ward.run("rekey", &["--from", &directory, "--to", &auth, "--until-end"]).with(0);

    let lane = partition_of(b"E0042", LANES);
    let theirs = |record: &&CommittedRecord| record.key.as_deref() == Some(b"E0042");
    for (topic, count) in [("access", 3), ("auth", 3)] {
        let copy = ward.committed(topic);
        let lanes: Vec<u32> = copy.iter().filter(theirs).map(|record| record.partition).collect();
        assert_eq!(lanes, vec![lane; count], "{topic}");
    }
    let copy = ward.committed("access");
    assert_eq!(copy.len(), 6);
    let ghosts: Vec<_> = copy.iter().filter(|record| record.key.as_deref() == Some(b"ghost")).collect();
    assert_eq!(ghosts.len(), 2);
    assert!(ghosts.iter().all(|record| record.partition == partition_of(b"ghost", LANES)));
    let unreadable = copy.iter().find(|record| record.value.as_deref() == Some(b"not json at all")).unwrap();
    assert_eq!(unreadable.key.as_deref(), Some(b"a key of the source".as_slice()), "it keeps its key");

    // With the key, the directory tells who a pseudonym is.
    let keys = PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap();
    std::fs::write(ward.path("key"), keys.to_file_text()).unwrap();
    let (badge, bootstrap) = (keys.user("7"), Broker::shared().bootstrap());
    let pipeline = ward.path("pipeline");
    let ask = ["who", &badge, "--keys", &ward.path("key"), "--pipeline", &pipeline, "--bootstrap", bootstrap];
    assert_eq!(run(&ask).with(0).out, format!("{badge}  0007, E0042, J.Doe@Hospital.org, jdoe\n"));

    let list = std::fs::read_to_string(&unknown).unwrap();
    assert_eq!(list.lines().count(), 1, "{list}");
    assert!(list.starts_with("{\"name\":\"ghost\",\"topic\":\"rekey.names.raw.ehr\""), "{list}");
    let mode = std::fs::metadata(&unknown).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the list is for its owner alone");
    let said = (ended.out + &ended.err).to_lowercase();
    for raw in ["ghost", "e0042", "jdoe", "j.doe"] {
        assert!(!said.contains(raw), "a raw name was printed:\n{said}");
    }
    assert!(said.contains("copied 6 records") && said.contains("of known users"), "{said}");
    // A list that others can read is refused before anything is read.
    std::fs::set_permissions(&unknown, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = ward.run("rekey", &["--from", &ehr, "--to", &access, "--unknown", &unknown]).with(2);
    assert!(refused.err.contains("chmod 600"), "{}", refused.err);
}

#[test]
fn source_partitions_that_lie_hours_apart_are_aligned() {
    let ward = Ward::new("rekey.skewed");
    let raw = ward.topic("raw");
    source(&ward.config, &raw, 3);
    let speaker = Speaker::connect(&ward.config).unwrap();
    // Four hours each: 8,000 records, 800, and 40, so whoever reads as it comes is far ahead in the small ones.
    for (partition, count) in [(0, 8_000), (1, 800), (2, 40)] {
        for number in 0..count {
            let user = format!("u{}", number % 50);
            spoken(&speaker, &raw, partition, &access(&user, i64::from(number) * 14_400 / i64::from(count), 1));
        }
    }
    speaker.flush().unwrap();
    let target = ward.topic("access");
    ward.run("rekey", &["--from", &raw, "--to", &target, "--until-end"]).with(0);
    let copy = ward.committed("access");
    assert_eq!(copy.len(), 8_840);
    let mut newest: BTreeMap<u32, i64> = BTreeMap::new();
    let mut skew = 0;
    for record in &copy {
        let event: serde_json::Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
        let time = event["time"].as_i64().unwrap();
        let newest = newest.entry(record.partition).or_insert(time);
        skew = skew.max(*newest - time);
        *newest = time.max(*newest);
    }
    // The pipeline's lateness is five minutes. The sources are in order, so half of it is all there can be.
    assert!(skew <= 150_000, "an event came {} s after newer ones in its lane", skew / 1_000);
}

#[test]
fn a_zombie_that_is_continued_writes_nothing_and_ends() {
    let ward = Ward::new("rekey.zombie");
    let raw = ward.topic("raw");
    source(&ward.config, &raw, 2);
    let speaker = Speaker::connect(&ward.config).unwrap();
    let say = |ids: std::ops::Range<u64>| {
        ids.for_each(|id| spoken(&speaker, &raw, (id % 2) as u32, &access("u", id as i64, id)));
        speaker.flush().unwrap();
    };
    let target = ward.topic("access");
    let arguments = ["--from", &raw, "--to", &target, "--idle-after", "1s"];
    let until_end = [arguments.as_slice(), &["--until-end"]].concat();
    let mut zombie = ward.start(&arguments, "zombie.log");
    say(0..100);
    let mut looks = 0;
    while ward.committed("access").len() < 100 {
        looks += 1;
        assert!(looks < LOOKS_MAX, "it does not get on:\n{}", zombie.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    zombie.signal("-STOP");
    say(100..200);
    ward.run("rekey", &until_end).with(0);
    zombie.signal("-CONT");
    // It reads these, and has offsets of its own for the hundred before; whatever it tries is refused.
    say(200..300);
    assert_eq!(zombie.wait().code(), Some(3), "{}", zombie.log());
    assert!(zombie.log().contains("another process has taken over"), "{}", zombie.log());
    ward.run("rekey", &until_end).with(0);
    let mut ids: Vec<u64> =
        ward.committed("access").iter().map(|record| id_of(record.value.as_ref().unwrap())).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..300).collect::<Vec<_>>());
}
