//! The crates may know each other only as the code map in README.md says, and each heavy library has one home.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which of our crates each crate may use.
const EDGES: [(&str, &[&str]); 12] = [
    ("base", &[]),
    ("events", &["base"]),
    ("reference", &["base", "events"]),
    ("features", &["base", "events", "reference"]),
    ("risk", &["base"]),
    ("findings", &["base", "events", "risk"]),
    ("ledger", &["base"]),
    ("engine", &["base", "events", "reference", "features", "risk", "findings", "ledger"]),
    ("kafka", &["base", "events", "engine"]),
    ("archive", &["base", "events", "reference", "engine"]),
    ("hospital", &["base", "events", "reference"]),
    (
        "cli",
        &[
            "base",
            "events",
            "reference",
            "features",
            "risk",
            "findings",
            "ledger",
            "engine",
            "kafka",
            "archive",
            "hospital",
        ],
    ),
];

/// Libraries that only one crate may name.
const HOMES: [(&str, &str); 6] = [
    ("datafusion", "features"),
    ("smartcore", "risk"),
    ("rdkafka", "kafka"),
    ("parquet", "archive"),
    ("tlog_tiles", "ledger"),
    ("prometheus", "engine"),
];

type Uses = BTreeMap<String, BTreeSet<String>>;

/// What each workspace crate depends on in its product (not in its tests).
fn uses() -> Uses {
    let metadata = MetadataCommand::new().manifest_path("../Cargo.toml").no_deps().exec().expect("cargo metadata runs");
    let packages = metadata.packages.iter();
    packages
        .map(|package| {
            let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            (package.name.to_string(), normal.map(|dependency| dependency.name.clone()).collect())
        })
        .collect()
}

#[test]
fn no_crate_knows_one_it_should_not() {
    let uses = uses();
    let names: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in EDGES {
        let used = uses.get(name).unwrap_or_else(|| panic!("crate `{name}` is gone"));
        let new: Vec<_> =
            used.iter().filter(|used| names.contains(used.as_str()) && !allowed.contains(&used.as_str())).collect();
        assert!(new.is_empty(), "`{name}` must not use {new:?}");
    }
    let known = |name: &str| names.contains(name) || name.starts_with("chartwarden-");
    let strangers: Vec<_> = uses.keys().filter(|name| !known(name)).collect();
    assert!(strangers.is_empty(), "crates the map does not name: {strangers:?}");
}

#[test]
fn heavy_libraries_stay_at_home() {
    let uses = uses();
    for (library, home) in HOMES {
        let found: Vec<_> = uses.iter().filter(|(_, used)| used.contains(library)).map(|(name, _)| name).collect();
        assert_eq!(found, [home], "`{library}` belongs to `{home}` alone");
    }
}

/// The workspace denies it; whoever allows it has a reason that stands here as well.
#[test]
fn code_that_is_not_safe_stands_in_one_file_only() {
    fn visit(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs" || end == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                if text.contains(&["unsafe", "code"].join("_")) {
                    found.insert(path.strip_prefix("..").unwrap().display().to_string());
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    for folder in ["../crates", "../benches", "../tests"] {
        visit(Path::new(folder), &mut found);
    }
    assert_eq!(found, BTreeSet::from(["crates/kafka/src/leaders.rs".to_owned()]));
}
