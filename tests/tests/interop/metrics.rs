//! Metrics as operators meet them: names and form by `promtool`, values by a real Prometheus that scrapes the real
//! binary, and a number of series that does not grow with the number of people.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chartwarden_tests::binary::Process;
use chartwarden_tests::played::{Played, free_address, get};
use chartwarden_tests::tools::{Prometheus, prometheus};

/// The names that operators are told to expect.
const NAMES: [&str; 24] = [
    "chartwarden_events_received_total",
    "chartwarden_events_late_total",
    "chartwarden_events_duplicate_total",
    "chartwarden_watermark_lag_seconds",
    "chartwarden_stage_duration_seconds_bucket",
    "chartwarden_end_to_end_seconds_bucket",
    "chartwarden_findings_total",
    "chartwarden_score_bucket",
    "chartwarden_dlq_records_total",
    "chartwarden_state_keys",
    "chartwarden_state_bytes",
    "chartwarden_consumer_lag_records",
    "chartwarden_checkpoint_age_seconds",
    "chartwarden_ledger_entries_total",
    "chartwarden_ledger_last_anchor_timestamp_seconds",
    "chartwarden_ledger_verify_failures_total",
    "chartwarden_model_info",
    "chartwarden_build_info",
    "chartwarden_pseudonym_key_age_seconds",
    "chartwarden_source_last_event_timestamp_seconds",
    "chartwarden_lanes",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
];

/// Looks, 100 ms apart, within which Prometheus must have scraped everything.
const LOOKS_MAX: u32 = 1_200;

#[test]
fn promtool_finds_nothing_to_improve() {
    let Prometheus { tool, .. } = prometheus();
    let check = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("metrics");
        fs::write(&file, text).unwrap();
        let output = Command::new(&tool).args(["check", "metrics"]).stdin(File::open(file).unwrap()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let text = &Played::shared().scraped;
    let (yes, told) = check(text);
    assert!(yes && told.is_empty(), "{told}");
    // A counter whose name does not say so is refused: the check is a check.
    let (yes, told) = check(&text.replace("chartwarden_events_received_total", "chartwarden_events_received"));
    assert!(!yes && told.contains("chartwarden_events_received"), "{told}");
}

/// A Prometheus that scrapes one address; ended when dropped.
struct Scraper {
    child: Child,
    address: String,
}

impl Scraper {
    fn start(folder: &Path, target: &str) -> Self {
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: chartwarden\n    static_configs:\n      - \
             targets: [\"{target}\"]\n"
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let address = free_address();
        let log = File::create(folder.join("prometheus.log")).unwrap();
        let child = Command::new(prometheus().server)
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// How many series a selector finds; `None` while Prometheus is starting.
    fn count(&self, selector: &str) -> Option<usize> {
        let page = get(&self.address, &format!("/api/v1/series?match[]={selector}"))?;
        let page: serde_json::Value = serde_json::from_str(&page).ok()?;
        page["data"].as_array().map(Vec::len)
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_prometheus_scrapes_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let target = free_address();
    let scraper = Scraper::start(folder.path(), &target);
    let data = folder.path().join("demo").display().to_string();
    let small = ["demo", "--plain", "--data", &data, "--http", &target, "--staff", "60", "--days", "17"];
    let mut demo = Process::start(&[&small[..], &["--incidents", "400"]].concat(), &folder.path().join("demo.log"));
    let mut missing: Vec<&str> = NAMES.to_vec();
    for _ in 0..LOOKS_MAX {
        missing.retain(|name| scraper.count(name).is_none_or(|count| count == 0));
        // The demo's end is the last moment at which something can be scraped.
        if missing.is_empty() || demo.ended().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = fs::read_to_string(folder.path().join("prometheus.log")).unwrap_or_default();
    assert!(missing.is_empty(), "never scraped: {missing:?}\n{}\n{log}", demo.log());
    // The control: a name that is not there is not found.
    assert_eq!(scraper.count("chartwarden_no_such_metric"), Some(0));
}

/// Names and labels of every series, without the values.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

#[test]
fn eight_times_the_people_have_the_same_series() {
    // Two days open no case, so the demo says no; what is compared is who was watched.
    let play = |staff: &str| Played::play(&["--staff", staff, "--days", "2"], 1);
    let (few, many) = (play("40"), play("320"));
    let (few, many) = (series(&few.scraped), series(&many.scraped));
    // A reason for a late or repeated event may come up in one house only; their number has a bound of its own.
    let by_chance = |name: &&String| !name.contains("reason=") && !name.contains("rule=");
    let grown: Vec<_> = many.difference(&few).filter(by_chance).collect();
    assert!(grown.is_empty(), "series that come with people: {grown:?}");
    assert!(few.len() > NAMES.len());
    // No label says who.
    let people: Vec<_> =
        many.iter().filter(|name| ["u1:", "p1:", "udemo:", "pdemo:"].iter().any(|who| name.contains(who))).collect();
    assert!(people.is_empty(), "{people:?}");
}
