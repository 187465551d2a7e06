//! `simulate` writes the same house as NDJSON and as Parquet, and the same arguments give the same bytes.

use std::fs;
use std::path::Path;

use chartwarden_tests::binary::run;
use chartwarden_tests::played::files;

fn simulate(out: &Path, format: &str) {
    let out = out.display().to_string();
    run(&[
        "simulate",
        "--staff",
        "60",
        "--days",
        "3",
        "--first-incident-day",
        "0",
        "--seed",
        "5",
        "--out",
        &out,
        "--format",
        format,
    ])
    .with(0);
}

fn names(folder: &Path) -> Vec<String> {
    files(folder).iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect()
}

#[test]
fn the_same_arguments_give_the_same_bytes_in_either_format() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["ndjson", "parquet"] {
        let (first, second) = (folder.path().join(format), folder.path().join(format!("{format}-again")));
        simulate(&first, format);
        simulate(&second, format);
        let kinds = ["access", "auth", "patients", "relations", "staff"].map(|kind| format!("{kind}.{format}"));
        let truth = ["incidents", "oddities", "truth"].map(|name| format!("truth/{name}.ndjson"));
        assert_eq!(names(&first), [&kinds[..], &truth[..]].concat());
        for name in names(&first) {
            assert!(fs::read(first.join(&name)).unwrap() == fs::read(second.join(&name)).unwrap(), "`{name}` differs");
        }
    }
    // One house, two formats: what really happened is the same.
    let truth = |format: &str| fs::read(folder.path().join(format).join("truth/truth.ndjson")).unwrap();
    assert!(truth("ndjson") == truth("parquet"));
    // Parquet begins and ends with its mark; `crates/archive/src/records/tests.rs` reads the rows back.
    let bytes = fs::read(folder.path().join("parquet/access.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn a_folder_that_holds_something_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let out = folder.path().display().to_string();
    let ended = run(&["simulate", "--out", &out]).with(2);
    assert!(ended.err.contains("the output folder is not empty"), "{}", ended.err);
    assert_eq!(names(folder.path()), ["thesis.txt"]);
}

#[test]
fn a_simulation_that_is_refused_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let ended = run(&["simulate", "--out", &out, "--bootstrap", "127.0.0.1:1", "--speed", "0"]).with(2);
    assert!(ended.err.contains("speed 0 is not above 0"), "{}", ended.err);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
