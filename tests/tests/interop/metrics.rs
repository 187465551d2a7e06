//! Metrics as operators meet them: names and form by `promtool`, values by a real Prometheus that scrapes the real
//! binary, and a number of series that does not grow with the number of people.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use chartwarden_tests::binary::Process;
use chartwarden_tests::played::{Played, SHORT, ask, free_address, get};
use chartwarden_tests::tools::{Prometheus, prometheus};

/// The names that operators are told to expect. `chartwarden_events_rejected_total{reason}` is there from the first
/// reject on, and a healthy house has none.
const NAMES: [&str; 25] = [
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
    "chartwarden_sink_failures_total",
    "chartwarden_model_info",
    "chartwarden_build_info",
    "chartwarden_pseudonym_key_age_seconds",
    "chartwarden_source_last_event_timestamp_seconds",
    "chartwarden_lanes",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
];

/// Looks, 100 ms apart, within which a server must answer.
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
    let text = &watched().played.scraped;
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

    /// Every name it has scraped; `None` while it is starting.
    fn names(&self) -> Option<BTreeSet<String>> {
        let page = get(&self.address, "/api/v1/label/__name__/values")?;
        let page: serde_json::Value = serde_json::from_str(&page).ok()?;
        Some(page["data"].as_array()?.iter().filter_map(|name| name.as_str()).map(str::to_owned).collect())
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The demo of this process, and the names that a real Prometheus had scraped from it when it ended.
pub(crate) struct Watched {
    pub(crate) played: Played,
    names: BTreeSet<String>,
}

/// Played once, for all tests of this process.
pub(crate) fn watched() -> &'static Watched {
    static WATCHED: OnceLock<Watched> = OnceLock::new();
    WATCHED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let target = free_address();
        let scraper = Scraper::start(folder.path(), &target);
        for _ in 0..LOOKS_MAX {
            if scraper.names().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = || fs::read_to_string(folder.path().join("prometheus.log")).unwrap_or_default();
        assert!(scraper.names().is_some(), "Prometheus does not answer:\n{}", log());
        let played = Played::play(&target, &SHORT, 0);
        let names = scraper.names().unwrap_or_else(|| panic!("Prometheus answers no more:\n{}", log()));
        Watched { played, names }
    })
}

#[test]
fn a_real_prometheus_scrapes_every_name() {
    let names = &watched().names;
    let missing: Vec<_> = NAMES.iter().filter(|name| !names.contains(**name)).collect();
    assert!(missing.is_empty(), "never scraped: {missing:?}, but {names:?}");
}

#[test]
fn a_token_is_asked_for_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "a token of some length\n").unwrap();
    let (address, data) = (free_address(), folder.path().join("demo").display().to_string());
    let token = file.display().to_string();
    let demo = ["demo", "--plain", "--data", &data, "--http", &address, "--http-token-file", &token, "--days", "20"];
    let mut demo = Process::start(&demo, &folder.path().join("log"));
    let code = |path: &str, header: &str| {
        let answer = ask(&address, path, header)?;
        answer.split(' ').nth(1).map(str::to_owned)
    };
    for _ in 0..LOOKS_MAX {
        if code("/livez", "").is_some() || demo.ended().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // Probes carry no secret; metrics do not tell strangers anything.
    assert_eq!(code("/livez", "").as_deref(), Some("200"), "{}", demo.log());
    assert_eq!(code("/metrics", "").as_deref(), Some("401"));
    assert_eq!(code("/metrics", "Authorization: Bearer a token of some other").as_deref(), Some("401"));
    assert_eq!(code("/metrics", "Authorization: Bearer a token of some length").as_deref(), Some("200"));
    demo.kill();
}

/// Names and labels of every series, without the values.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

#[test]
fn eight_times_the_people_have_the_same_series() {
    // Three days open no case, so the demo says no; what is compared is who was watched.
    let play =
        |staff: &str| Played::play(&free_address(), &["--staff", staff, "--days", "3", "--first-incident-day", "0"], 1);
    let (few, many) = (play("60"), play("480"));
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
