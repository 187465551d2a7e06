//! One machine: the systemd unit, the image file and what it takes in, and the compose file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chartwarden_tests::binary::{chartwarden, run};
use chartwarden_tests::tools::{ask, python};

use super::{deploy, read};

const SYSTEMD: &str = "the tests need systemd-analyze: `apt-get install systemd`";

fn analyze(arguments: &[&str], unit: &Path) -> (bool, String) {
    let here = Command::new("systemd-analyze").arg("--version").output();
    assert!(here.is_ok_and(|output| output.status.success()), "{SYSTEMD}");
    ask(Command::new("systemd-analyze").args(arguments).arg(unit))
}

/// The unit in a folder of its own, spoilt if asked; its program is the real binary, which `verify` looks for.
fn unit(from: &str, to: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let text = read("chartwarden.service");
    assert!(text.contains(from), "the unit no longer says `{from}`");
    let binary = chartwarden().display().to_string();
    let file = folder.path().join("chartwarden.service");
    fs::write(&file, text.replace(from, to).replace("/usr/local/bin/chartwarden", &binary)).unwrap();
    (folder, file)
}

#[test]
fn the_unit_is_well_formed() {
    let (_folder, file) = unit("[Unit]", "[Unit]");
    let (yes, told) = analyze(&["verify"], &file);
    assert!(yes && !told.contains("chartwarden.service:"), "{told}");
    let (_folder, file) = unit("TimeoutStopSec=60s", "TimeoutStopSecs=60s");
    let (_, told) = analyze(&["verify"], &file);
    assert!(told.contains("TimeoutStopSecs"), "a misspelt setting was accepted: {told}");
}

#[test]
fn the_unit_is_closed_up() {
    // 2.0 is what systemd itself calls OK; a unit without any of it scores 9.6.
    let security = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    let (_folder, file) = unit("[Unit]", "[Unit]");
    let (yes, told) = analyze(&security, &file);
    assert!(yes, "{told}");
    let (_folder, file) = unit("SystemCallFilter=", "#");
    let (yes, told) = analyze(&security, &file);
    assert!(!yes, "a unit without a filter of system calls passed: {told}");
}

#[test]
fn the_image_file_passes_its_linter() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/container");
    let linter = python(&folder.join("requirements.txt")).with_file_name("hadolint");
    let (yes, told) = ask(Command::new(&linter).arg("--no-color").arg(deploy("Containerfile")));
    assert!(yes, "{told}");
    let spoilt = tempfile::tempdir().unwrap();
    let file = spoilt.path().join("Containerfile");
    fs::write(&file, read("Containerfile").replace("USER 65532:65532", "USER root")).unwrap();
    let (yes, told) = ask(Command::new(&linter).arg("--no-color").arg(&file));
    assert!(!yes && told.contains("DL3002"), "an image that runs as root passed: {told}");
}

#[test]
fn the_build_takes_no_secrets() {
    let ignored = read("../.dockerignore");
    let place = |wanted: &str| ignored.lines().position(|line| line == wanted);
    // `COPY . .` takes what is named, and of that nothing secret: the last line that matches decides.
    assert!(read("Containerfile").contains("COPY . ."));
    assert_eq!(ignored.lines().find(|line| !line.starts_with('#')), Some("*"), "what is not named is taken");
    let taken = ["!Cargo.lock", "!Cargo.toml", "!benches", "!crates", "!pipelines", "!tests"].map(place);
    assert!(taken.iter().all(Option::is_some), "the build lacks something");
    for never in ["deploy/secrets", ".git", "**/target", "**/*.key", "**/*.token"] {
        assert!(place(never) > taken.into_iter().max().flatten(), "`{never}` is taken, or may be");
    }
    // What the compose file tells people to put there is not for the repository either.
    assert!(read("compose.yaml").contains("file: ./secrets/"));
    assert!(read("../.gitignore").lines().any(|line| line == "/deploy/secrets/"));
}

#[test]
fn commands_in_the_files_are_commands_of_the_binary() {
    let help = run(&["run", "--help"]).with(0).out;
    let known: BTreeSet<&str> = help.split_whitespace().filter(|word| word.starts_with("--")).collect();
    let files = ["chartwarden.service", "compose.yaml", "kubernetes/chartwarden.yaml"].map(read);
    let lines = files.iter().flat_map(|text| text.lines()).map(str::trim_start);
    let passed = lines.filter(|line| line.starts_with("ExecStart=") || line.starts_with("- --"));
    let passed: BTreeSet<&str> =
        passed.flat_map(|line| line.split([' ', '='])).filter(|word| word.starts_with("--")).collect();
    assert!(passed.is_subset(&known), "`run` knows {known:?}, and is given {passed:?}");
    for flag in ["--keys", "--http", "--http-token-file", "--instance-id", "--create-topics", "--bootstrap"] {
        assert!(passed.contains(flag), "no file uses `{flag}` any more");
    }
}

#[test]
fn the_compose_file_loads() {
    // The validator of manifests brings a YAML reader; a key that Compose does not know is a slip.
    let python = python(&Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/kubernetes/requirements.txt"));
    let script = "\
import sys, yaml
known = {'image','build','command','depends_on','environment','volumes','healthcheck','read_only','cap_drop',
         'security_opt','secrets','stop_grace_period','restart','ports','group_add'}
file = yaml.safe_load(open(sys.argv[1]))
assert set(file) == {'name','services','volumes','secrets'}, set(file)
for name, service in file['services'].items():
    assert set(service) <= known, (name, set(service) - known)
    assert ('image' in service) != ('build' in service), name
    for secret in service.get('secrets', []):
        assert secret in file['secrets'], secret
    for needed in service.get('depends_on', []):
        assert needed in file['services'], needed
broker, watcher = file['services']['kafka'], file['services']['prometheus']
kept = [volume.split(':')[1] for volume in broker['volumes']]
assert broker['environment'].get('KAFKA_LOG_DIRS') in kept, 'the broker does not write to its volume'
# The token's mode lets its group read it, and nobody else.
assert watcher['secrets'] == ['http-token'] and watcher['group_add'] == ['65532'], 'a scrape has no token'
";
    let (yes, told) = ask(Command::new(python).args(["-c", script]).arg(deploy("compose.yaml")));
    assert!(yes, "{told}");
}
