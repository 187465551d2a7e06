//! Rules and dashboard: well-formed by `promtool`, and every metric they name is in a scrape of the real binary.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use chartwarden_tests::played::{Played, free_address};
use chartwarden_tests::tools::{ask, prometheus};

use super::{deploy, read};

/// Metrics of ours and of the process that a text names; what a rule records itself has a colon.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let ours = words.filter(|word| word.starts_with("chartwarden_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// Names that a scrape serves. Three days open no case, so the demo says no; what it serves is the same.
fn served() -> BTreeSet<String> {
    let text = Played::play(&free_address(), &["--staff", "60", "--days", "3", "--first-incident-day", "0"], 1).scraped;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

fn expressions() -> Vec<String> {
    let board: serde_json::Value = serde_json::from_str(&read("grafana/chartwarden.json")).unwrap();
    let panels = board["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn rules_pass_promtool_and_their_tests() {
    let tool = prometheus().tool;
    let (yes, told) =
        ask(Command::new(&tool).args(["check", "rules", "--lint-fatal"]).arg(deploy("prometheus/rules.yml")));
    assert!(yes, "{told}");
    let (yes, told) = ask(Command::new(&tool).args(["test", "rules"]).arg(deploy("prometheus/tests.yml")));
    assert!(yes, "{told}");
    // A threshold that moved shows in the rules' own tests.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yml"), read("prometheus/rules.yml").replace("> 400 * 86400", "> 0")).unwrap();
    fs::copy(deploy("prometheus/tests.yml"), folder.path().join("tests.yml")).unwrap();
    let (yes, told) = ask(Command::new(&tool).args(["test", "rules"]).arg(folder.path().join("tests.yml")));
    assert!(!yes && told.contains("ChartwardenPseudonymKeyOld"), "{told}");
}

#[test]
fn the_compose_prometheus_takes_its_configuration() {
    // The token is a secret of the stack, not of this folder.
    let options = ["check", "config", "--syntax-only"];
    let (yes, told) = ask(Command::new(prometheus().tool).args(options).arg(deploy("prometheus/compose.yml")));
    assert!(yes, "{told}");
}

#[test]
fn every_metric_in_rules_and_dashboard_is_served() {
    let served = served();
    // A counter by reason exists from the first event on that it counts, and three days of a healthy house have none.
    let first = "chartwarden_events_rejected_total";
    let mut wanted = named(&read("prometheus/rules.yml"));
    wanted.extend(expressions().iter().flat_map(|expression| named(expression)));
    wanted.retain(|name| !name.contains(':') && name != first);
    assert!(wanted.len() > 15, "{wanted:?}");
    let missing: Vec<_> = wanted.difference(&served).collect();
    assert!(missing.is_empty(), "named, but not served: {missing:?}");
}

#[test]
fn the_dashboard_is_complete() {
    let board: serde_json::Value = serde_json::from_str(&read("grafana/chartwarden.json")).unwrap();
    let mut ids = BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "`{title}`: its id is taken");
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 20), "`{title}` is not described");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "`{title}` has no unit");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "`{title}` is bound to somebody's data source");
    }
    for expression in expressions() {
        let rated = expression.contains("rate(");
        assert!(!rated || expression.contains("$__rate_interval"), "`{expression}` rates over a fixed time");
        assert!(expression.contains("job=~\"$job\""), "`{expression}` mixes jobs");
    }
    // As rules, with the dashboard's variables filled in, Prometheus can read every one of them.
    let rules =
        expressions().iter().enumerate().fold("groups:\n- name: board\n  rules:\n".to_owned(), |rules, (n, expr)| {
            let expr = expr.replace("$__rate_interval", "5m").replace("$job", ".*");
            format!("{rules}  - record: board:{n}\n    expr: {}\n", serde_json::Value::from(expr))
        });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("board.yml"), rules).unwrap();
    let (yes, told) =
        ask(Command::new(prometheus().tool).args(["check", "rules"]).arg(folder.path().join("board.yml")));
    assert!(yes, "{told}");
}
