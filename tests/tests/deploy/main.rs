//! Every file of `deploy/` is loaded by the tool that operators load it with, or by its checker.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod kubernetes;
mod machine;
mod monitoring;

/// A file of `deploy/`.
fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn read(name: &str) -> String {
    let path = deploy(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What each file is held against: a file that nobody loads cannot be known to work.
const LOADED: [(&str, &str); 11] = [
    ("Containerfile", "machine.rs"),
    ("chartwarden.service", "machine.rs"),
    ("compose.yaml", "machine.rs"),
    ("grafana/chartwarden.json", "monitoring.rs"),
    ("kafka/rights.sh", "../end_to_end/guarded.rs"),
    ("kubernetes/chartwarden.yaml", "kubernetes.rs"),
    ("kubernetes/monitoring.yaml", "kubernetes.rs"),
    ("kubernetes/rules.yaml", "kubernetes.rs"),
    ("prometheus/compose.yml", "monitoring.rs"),
    ("prometheus/rules.yml", "monitoring.rs"),
    ("prometheus/tests.yml", "monitoring.rs"),
];

#[test]
fn no_file_is_left_out() {
    let root = deploy("");
    let there: BTreeSet<String> = chartwarden_tests::played::files(&root)
        .iter()
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .filter(|name| !name.starts_with("secrets/"))
        .collect();
    let loaded: BTreeSet<String> = LOADED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(there, loaded);
}
