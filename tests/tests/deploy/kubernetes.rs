//! Manifests: schemas offline, and the promises that no schema knows.

use std::process::Command;

use chartwarden_tests::tools::{ask, python};

use super::{deploy, read};

fn validate(files: &[std::path::PathBuf]) -> (bool, String) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/kubernetes");
    let python = python(&folder.join("requirements.txt"));
    ask(Command::new(python).arg(folder.join("validate.py")).args(files))
}

#[test]
fn manifests_fit_their_schemas() {
    let files = ["chartwarden.yaml", "monitoring.yaml", "rules.yaml"].map(|name| deploy("kubernetes").join(name));
    let (yes, told) = validate(&files);
    assert!(yes && told.contains("8 resources, 0 problems"), "{told}");
}

#[test]
fn the_operators_rules_are_the_rules() {
    let same = |rules| validate(&["--same".into(), deploy("kubernetes/rules.yaml"), rules]);
    let (yes, told) = same(deploy("prometheus/rules.yml"));
    assert!(yes, "{told}");
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("rules.yml");
    std::fs::write(&other, read("prometheus/rules.yml").replacen("14.4", "14.5", 1)).unwrap();
    let (yes, told) = same(other);
    assert!(!yes, "rules that differ are called the same: {told}");
}

#[test]
fn a_misspelt_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, from, to) in [
        ("kubernetes/chartwarden.yaml", "replicas: 3", "replica: 3"),
        ("kubernetes/monitoring.yaml", "sampleLimit:", "samplesLimit:"),
    ] {
        assert!(read(name).contains(from), "`{name}` no longer says `{from}`");
        let file = folder.path().join("spoilt.yaml");
        std::fs::write(&file, read(name).replacen(from, to, 1)).unwrap();
        let (yes, told) = validate(&[file]);
        assert!(!yes, "`{to}` was accepted: {told}");
    }
}

#[test]
fn pods_are_static_members_and_stop_in_time() {
    let text = read("kubernetes/chartwarden.yaml");
    // A pod's name is the member's identity; probes ask what the binary serves; the grace period is longer than a stop.
    for needed in [
        "--instance-id=$(POD_NAME)",
        "fieldPath: metadata.name",
        "path: /livez",
        "path: /readyz",
        "terminationGracePeriodSeconds: 60",
        "maxUnavailable: 1",
        "readOnlyRootFilesystem: true",
        "automountServiceAccountToken: false",
    ] {
        assert!(text.contains(needed), "`{needed}` is gone");
    }
}
