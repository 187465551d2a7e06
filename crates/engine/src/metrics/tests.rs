use std::path::Path;

use super::judged::SEVERITIES;
use super::*;
use crate::spec::ModelUse;

fn metrics() -> Metrics {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach");
    let spec = PipelineSpec::load(&folder, ModelUse::PairOnly).unwrap_or_else(|problems| panic!("{problems}"));
    Metrics::new(&spec).unwrap()
}

#[test]
fn the_first_finding_of_a_rule_is_an_increase() {
    let text = metrics().text();
    for severity in SEVERITIES {
        let line = format!("chartwarden_findings_total{{rule=\"model\",severity=\"{}\"}} 0", severity.caption());
        assert!(text.lines().any(|known| known == line), "{line}");
    }
}

#[test]
fn a_ledger_that_is_opened_again_has_not_grown() {
    let metrics = metrics();
    let at = Timestamp::from_millis;
    let says = |name: &str, value: u64| {
        let line = format!("chartwarden_ledger_{name} {value}");
        metrics.text().lines().any(|known| known == line)
    };
    metrics.ledger_found(7);
    metrics.ledger(7, at(5_000));
    assert!(says("entries_total", 7) && says("last_anchor_timestamp_seconds", 0), "{}", metrics.text());
    metrics.ledger(8, at(6_000));
    assert!(says("entries_total", 8) && says("last_anchor_timestamp_seconds", 6), "{}", metrics.text());
    // Tried again after a failure, within which it may have grown: what was found first counts.
    metrics.ledger_found(9);
    metrics.ledger(9, at(7_000));
    assert!(says("entries_total", 9) && says("last_anchor_timestamp_seconds", 7), "{}", metrics.text());
}

#[test]
fn lanes_are_counted_here_and_in_all() {
    let metrics = metrics();
    metrics.lanes(0, 3);
    let text = metrics.text();
    assert!(text.contains("\nchartwarden_lanes 0\n") && text.contains("\nchartwarden_lanes_all 3\n"), "{text}");
}
