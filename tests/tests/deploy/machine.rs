//! One machine: the systemd unit, the image file, and the compose file.

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
fn commands_in_the_files_are_commands_of_the_binary() {
    let help = run(&["run", "--help"]).with(0).out;
    let files = ["chartwarden.service", "compose.yaml", "kubernetes/chartwarden.yaml"].map(read);
    for flag in ["--keys", "--http", "--http-token-file", "--instance-id", "--create-topics", "--bootstrap"] {
        assert!(files.iter().any(|text| text.contains(flag)), "no file uses `{flag}` any more");
        assert!(help.contains(flag), "`run` has no `{flag}`");
    }
}

#[test]
fn the_compose_file_loads() {
    // The validator of manifests brings a YAML reader; a key that Compose does not know is a slip.
    let python = python(&Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/kubernetes/requirements.txt"));
    let script = "\
import sys, yaml
known = {'image','build','command','depends_on','environment','volumes','healthcheck','read_only','cap_drop',
         'security_opt','secrets','stop_grace_period','restart','ports'}
file = yaml.safe_load(open(sys.argv[1]))
assert set(file) == {'name','services','volumes','secrets'}, set(file)
for name, service in file['services'].items():
    assert set(service) <= known, (name, set(service) - known)
    assert ('image' in service) != ('build' in service), name
    for secret in service.get('secrets', []):
        assert secret in file['secrets'], secret
    for needed in service.get('depends_on', []):
        assert needed in file['services'], needed
";
    let (yes, told) = ask(Command::new(python).args(["-c", script]).arg(deploy("compose.yaml")));
    assert!(yes, "{told}");
}
