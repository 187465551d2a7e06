//! Two independent OCSF validators over the golden findings and over those of a real run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chartwarden_tests::tools::{ask, python};

use crate::metrics::watched;

fn validate(file: &Path) -> (bool, String) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop/ocsf");
    let python = python(&folder.join("requirements.txt"));
    ask(Command::new(python).arg(folder.join("validate.py")).arg(file))
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/findings/golden/findings.ndjson")
}

fn check_valid(file: &Path) {
    let lines = fs::read_to_string(file).unwrap().lines().count();
    let (yes, told) = validate(file);
    assert!(yes, "{told}");
    assert!(lines > 0 && told.contains(&format!("{lines} findings, 0 problems")), "{told}");
}

#[test]
fn golden_findings_pass_both_validators() {
    check_valid(&golden());
}

#[test]
fn findings_of_a_real_run_pass_both_validators() {
    check_valid(&watched().played.data().join("findings.ndjson"));
}

#[test]
fn a_spoilt_finding_fails() {
    let text = fs::read_to_string(golden()).unwrap();
    let first = text.lines().next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // What each validator alone sees: an unknown field by the schema, a class by both, a caption by the other.
    for (validator, from, to) in [
        ("ocsf-json-schema", "{\"activity_id\"", "{\"activity\":1,\"activity_id\""),
        ("pydantic-ocsf", "\"class_uid\":2004", "\"class_uid\":2005"),
        ("by hand", "\"class_name\":\"Detection Finding\"", "\"class_name\":\"Detection Findings\""),
    ] {
        assert!(first.contains(from), "the golden finding no longer says `{from}`");
        let file = folder.path().join("spoilt.ndjson");
        fs::write(&file, first.replacen(from, to, 1)).unwrap();
        let (yes, told) = validate(&file);
        assert!(!yes && told.contains(validator), "`{to}` was not refused by {validator}:\n{told}");
    }
}
