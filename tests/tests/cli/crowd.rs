//! Many who look at one chart are told as one finding about the chart, whatever lanes they are on.

use std::fs;

use chartwarden_tests::played::{Played, free_address};

#[test]
fn a_crowd_at_the_chart_of_a_person_of_note_is_told() {
    let house = ["--staff", "150", "--days", "8", "--seed", "4", "--incidents", "200"];
    let crowds = ["--scenarios", "crowd_curiosity"];
    let played = Played::play(&free_address(), &[&house[..], &crowds].concat(), 0);
    let findings = fs::read_to_string(played.data().join("findings.ndjson")).unwrap();
    let told = findings.lines().find(|finding| finding.contains("crowd-at-a-notable")).expect("a crowd was told");
    let told: serde_json::Value = serde_json::from_str(told).unwrap();
    let users = told["evidences"].as_array().unwrap().iter().filter(|evidence| evidence["actor"].is_object());
    assert!(users.count() >= 7, "{told}");
    // What the simulator knows of those users stands beside the case.
    assert!(played.log().contains("crowd_curiosity ("), "{}", played.log());
}
