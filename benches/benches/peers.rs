//! The window job beside Flink SQL: accesses and different patients of a user within an hour, every 5 minutes, from and
//! to Apache Kafka exactly once.
//!
//! `cargo bench --workspace --bench peers`. Both read the same topic, each in one process; the jars of Flink
//! (`peers/pom.xml`) are fetched once with Maven. Before anything is measured the rows of both are compared: ours are those
//! of users who were active in the last 5 minutes, Flink's those of all windows.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use arrow::ipc::reader::StreamReader;
use base::{Millis, Timestamp};
use chartwarden_benches::harness::{Bench, Mode, Outcome, say};
use chartwarden_benches::place::{Place, Running};
use chartwarden_benches::world::{Raw, World};
use chartwarden_tests::jars::jars;
use engine::{ModelUse, PipelineSpec};
use events::PseudonymKeys;
use kafka::Config;
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LANES: u32 = 4;
/// 2026-01-05T00:00:00Z.
const START_MS: i64 = 1_767_571_200_000;
const HOP: Millis = Millis::minutes(5);

/// (accesses, different patients) by end of the hour and pseudonym of the user.
type Rows = HashMap<(i64, String), (i64, i64)>;

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Accesses of `users` people within a day, in the order of time: each returns to the same few charts.
fn world(users: u64, events: u64) -> World {
    let spec = PipelineSpec::load(&peers().join("pipeline"), ModelUse::Record);
    let mut lanes: Vec<[Vec<Raw>; 2]> = (0..LANES).map(|_| [Vec::new(), Vec::new()]).collect();
    let step = Millis::days(1).0 as f64 / events as f64;
    for number in 0..events {
        let drawn = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (user, chart) = ((drawn >> 32) % users, (drawn >> 16) % 40);
        let time = START_MS + (number as f64 * step) as i64;
        let name: Arc<str> = format!("user-{user}").into();
        let json = format!(
            r#"{{"id":"event-{number}","time":{time},"user":"{name}","patient":"patient-{}","action":"read","outcome":"success","resource":"Observation","workstation":"ward-{}-desk-{}","session":"session-{user}-{}","network":"internal","application":"electronic health record"}}"#,
            (user * 7 + chart * 977) % 60_000,
            user % 30,
            user % 7,
            number / 100_000,
        );
        let lane = kafka::partition_of(name.as_bytes(), LANES) as usize;
        let time = Timestamp::from_millis(time);
        lanes[lane][0].push(Raw { time, user: name, json: json.into_bytes() });
    }
    World {
        spec: spec.unwrap_or_else(|problems| panic!("{problems}")),
        keys: Arc::new(PseudonymKeys::generate("bench", std::array::from_fn(|at| at as u8)).expect("a fixed key")),
        lanes,
        reference: Vec::new(),
        before: [("staff", 0), ("patients", 0), ("relations", 0)],
        events,
    }
}

/// What we wrote.
fn ours(config: &Config) -> Rows {
    let mut rows = Rows::new();
    for record in kafka::read_committed(config, &config.topics().results).expect("results") {
        let value = record.value.unwrap_or_default();
        for batch in StreamReader::try_new(value.as_slice(), None).expect("an Arrow stream") {
            let batch = batch.expect("a batch");
            let column = |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("no column `{name}`"));
            let ends = column("tick_end").as_primitive::<TimestampMillisecondType>();
            let (users, numbers) = (column("user_key").as_string::<i32>(), ["events", "patients"].map(column));
            let [events, patients] = numbers.map(|numbers| numbers.as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let key = (ends.value(row), users.value(row).to_owned());
                let known = rows.insert(key, (events.value(row), patients.value(row)));
                assert!(known.is_none() && events.is_valid(row), "a row was written twice");
            }
        }
    }
    rows
}

#[derive(Deserialize)]
struct FlinkRow {
    end: i64,
    user: String,
    events: i64,
    patients: i64,
}

/// What Flink wrote.
fn flinks(config: &Config, topic: &str, keys: &PseudonymKeys) -> Rows {
    let mut rows = Rows::new();
    for record in kafka::read_committed(config, topic).expect("Flink's results") {
        let row: FlinkRow = serde_json::from_slice(&record.value.unwrap_or_default()).expect("a row of Flink's");
        let known = rows.insert((row.end, keys.user(&row.user)), (row.events, row.patients));
        assert!(known.is_none(), "Flink wrote a row twice");
    }
    rows
}

/// Holds our rows against Flink's, and that there is one for each user in each 5 minutes, up to our last tick.
fn compare(world: &World, ours: &Rows, flinks: &Rows) {
    let last = ours.keys().map(|(end, _)| *end).max().expect("rows");
    let mut active: HashSet<(i64, &str)> = HashSet::new();
    for raw in world.lanes.iter().flat_map(|lane| &lane[0]) {
        let end = (raw.time.floor(HOP) + HOP).millis();
        if end <= last {
            active.insert((end, &raw.user));
        }
    }
    // Lanes come to their last ticks at slightly different times.
    let missing = active.iter().filter(|(end, user)| !ours.contains_key(&(*end, world.keys.user(user)))).count();
    let late = active.iter().filter(|(end, _)| *end > last - 2 * HOP.0).count();
    assert!(missing <= late, "{missing} rows are missing");
    for (key, row) in ours {
        assert_eq!(flinks.get(key), Some(row), "user {} in the hour up to {}", key.1, key.0);
    }
    say(&format!("{} rows compared, 0 differences; Flink has {} in all", ours.len(), flinks.len()));
}

/// Runs Flink's job over everything in the topic.
fn flink(world: &World, config: &Config, jars: &Path, sink: &str) -> Outcome {
    kafka::create_topic(config, sink, LANES, &[]).expect("a topic for Flink's results");
    let cores = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let checkpoints = tempfile::tempdir().expect("a directory for Flink's checkpoints");
    let output = Command::new("java")
        .args([
            "-Xmx3g",
            "--add-opens",
            "java.base/java.lang=ALL-UNNAMED",
            "--add-opens",
            "java.base/java.util=ALL-UNNAMED",
        ])
        .arg("-cp")
        .arg(jars.join("*"))
        .arg(peers().join("WindowJob.java"))
        .args([&config.bootstrap, &config.input_topics[0], sink, &cores])
        .arg(format!("file://{}", checkpoints.path().display()))
        .output()
        .expect("java, version 17 or newer");
    assert!(output.status.success(), "Flink: {}", String::from_utf8_lossy(&output.stderr));
    Outcome::of(world.events, ())
}

fn main() {
    let mode = Mode::from_arguments();
    let world = world(mode.pick(300, 10_000), mode.pick(20_000, 2_000_000));
    let jars = jars(&peers().join("pom.xml"), "flink-2.3.0").unwrap_or_else(|error| panic!("{error}"));
    let place = Place::real(LANES);
    let first = place.config(&world, 0);
    place.create(&first, true);
    place.speak(&world, &first);

    let (run, flink_run) = (Cell::new(0), Cell::new(0));
    let sink = |run: u32| format!("{}.flink-{run}", first.prefix);
    let chartwarden = || {
        let config = place.config(&world, run.get());
        if run.get() > 0 {
            place.create(&config, false);
        }
        run.set(run.get() + 1);
        drop(Running::new(&world, &config).until_quiet());
        Outcome::of(world.events, ())
    };
    let peer = || {
        flink_run.set(flink_run.get() + 1);
        flink(&world, &first, &jars, &sink(flink_run.get()))
    };

    chartwarden();
    peer();
    compare(&world, &ours(&first), &flinks(&first, &sink(flink_run.get()), &world.keys));
    Bench::new("window job, 1 h every 5 min", "events", mode)
        .with("Flink SQL 2.3", peer)
        .with("chartwarden", chartwarden)
        .run();
}
