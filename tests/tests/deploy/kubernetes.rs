//! Manifests: schemas offline, and the promises that no schema knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chartwarden_tests::tools::{ask, python};

use super::{deploy, read};

fn validate(files: &[PathBuf]) -> (bool, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/kubernetes");
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
    fs::write(&other, read("prometheus/rules.yml").replacen("14.4", "14.5", 1)).unwrap();
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
        fs::write(&file, read(name).replacen(from, to, 1)).unwrap();
        let (yes, told) = validate(&[file]);
        assert!(!yes, "`{to}` was accepted: {told}");
    }
}

#[test]
fn no_monitor_reads_the_secret_of_the_pseudonym_key() {
    // A right to read a secret is one to read all of it, so the key's is one that no monitor names, and holds no token.
    let script = "\
import sys, yaml
def below(part):
    yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else []:
        yield from below(inner)
pods, monitors = {}, set()
for file in sys.argv[1:]:
    for resource in yaml.safe_load_all(open(file)):
        if resource['kind'].endswith('Monitor'):
            # A reference to a key of a secret, whatever it is for.
            monitors |= {part['name'] for part in below(resource) if isinstance(part, dict) and {'name', 'key'} <= set(part)}
        else:
            for part in below(resource):
                secret = part.get('secret') if isinstance(part, dict) else None
                if secret:
                    name = secret.get('name') or secret['secretName']
                    pods.setdefault(name, set()).update(item['key'] for item in secret['items'])
holding = {name for name, keys in pods.items() if 'pseudonym.key' in keys}
assert holding and monitors, (pods, monitors)
assert all(pods[name] == {'pseudonym.key'} for name in holding), f'the secret of the key holds more: {pods}'
assert monitors <= set(pods), f'no pod has what monitors read: {monitors}'
assert not holding & monitors, f'monitors read {holding & monitors}'
";
    let python = python(&Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/kubernetes/requirements.txt"));
    let read_by = |monitoring: &Path| {
        ask(Command::new(&python).args(["-c", script]).arg(deploy("kubernetes/chartwarden.yaml")).arg(monitoring))
    };
    let (yes, told) = read_by(&deploy("kubernetes/monitoring.yaml"));
    assert!(yes, "{told}");
    let folder = tempfile::tempdir().unwrap();
    let spoilt = folder.path().join("monitoring.yaml");
    let text = read("kubernetes/monitoring.yaml");
    fs::write(&spoilt, text.replace("name: chartwarden-http-token", "name: chartwarden-pseudonym-key")).unwrap();
    let (yes, told) = read_by(&spoilt);
    assert!(!yes && told.contains("monitors read"), "a monitor that reads the key's secret passed: {told}");
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
