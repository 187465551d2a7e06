//! A cluster as hospitals have it: it asks who comes (TLS, SCRAM), and lets nobody do what was not granted.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::oracle::{check, say};
use crate::stage::{Stage, settle};

#[test]
fn the_rights_that_deploy_grants_are_enough_and_what_is_missing_is_told() {
    let stage = Stage::guarded("30d");
    let way = stage.brokers[0].guarded();
    let refused = stage.apply_topics(&way.bootstrap).with(2).err;
    assert!(refused.contains("grant this client's principal the right"), "{refused}");
    fs::write(stage.path("password"), "another").unwrap();
    let refused = stage.apply_topics(&way.bootstrap).with(3).err;
    assert!(refused.contains("SASL authentication error"), "{refused}");
    assert!(refused.contains("check security.protocol, sasl.* and ssl.*"), "{refused}");
    fs::write(stage.path("password"), way.password).unwrap();

    let calls = calls_of_rights(&stage, &format!("User:{}", way.user));
    let (written, others): (Vec<_>, Vec<_>) =
        calls.iter().partition(|call| call.contains(&"risk.findings.v1".to_owned()));
    assert_eq!(written.len(), 1, "{calls:?}");
    grant(&stage, &others);
    let refused = stage.apply_topics(&way.bootstrap).with(2).err;
    assert!(refused.contains("risk.findings.v1"), "{refused}");
    grant(&stage, &written);

    stage.apply_topics(&way.bootstrap).with(0);
    stage.ledger("data");
    let mut member = stage.start_at(&way.bootstrap, "pipeline", "guarded", Some("data"), &[]);
    settle(&mut [&mut member]);
    member.stop();
    check(&stage, "a guarded cluster");
    say(&stage.proved("pipeline", "data"));
}

/// The calls of Kafka's own tool that `deploy/kafka/rights.sh` makes, each with its arguments.
fn calls_of_rights(stage: &Stage, principal: &str) -> Vec<Vec<String>> {
    let (tool, calls) = (stage.path("kafka-acls.sh"), stage.path("calls"));
    fs::write(&tool, format!("#!/bin/sh\nprintf '%s\\n' \"$@\" '' >>'{calls}'\n")).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kafka/rights.sh");
    let path = format!("{}:{}", stage.folder.path().display(), std::env::var("PATH").unwrap());
    let ended = Command::new(script).args([&stage.bootstrap(), principal]).env("PATH", path).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let calls = fs::read_to_string(calls).unwrap();
    let call = |call: &str| call.lines().map(str::to_owned).collect();
    calls.split("\n\n").filter(|call| !call.trim().is_empty()).map(call).collect()
}

fn grant(stage: &Stage, calls: &[&Vec<String>]) {
    for call in calls {
        let arguments: Vec<&str> = call.iter().map(String::as_str).collect();
        stage.brokers[0].grant(&arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    }
}
