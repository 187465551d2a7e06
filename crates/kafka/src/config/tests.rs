use engine::ports::PortError;

use super::Config;

fn with(key: &str, value: &str) -> Config {
    let mut config = Config::new("127.0.0.1:1", "g", "p");
    config.properties.insert(key.to_owned(), value.to_owned());
    config
}

fn refused(config: &Config) -> String {
    match config.check() {
        Err(PortError::Invalid(text)) => text,
        other => panic!("expected an Invalid error, got {other:?}"),
    }
}

#[test]
fn properties_are_checked_without_a_broker() {
    with("session.timeout.ms", "6000").check().unwrap();
    with("compression.type", "zstd").check().unwrap();
    assert!(refused(&with("sesion.timeout.ms", "6000")).contains("`sesion.timeout.ms`"));
    assert!(refused(&with("session.timeout.ms", "soon")).contains("`session.timeout.ms`"));
    with("fetch.wait.max.ms", "500").check().unwrap();
    assert!(refused(&with("fetch.wait.max.ms", "30000")).contains("at most 2500"));
}

#[test]
fn what_guarantees_stand_on_is_not_passed_through() {
    for key in ["enable.auto.commit", "isolation.level", "transactional.id", "group.id"] {
        assert!(refused(&with(key, "x")).contains(key));
    }
}

#[test]
fn an_assignor_that_splits_lanes_is_refused() {
    assert!(refused(&with("partition.assignment.strategy", "cooperative-sticky")).contains("range"));
    assert!(refused(&with("group.remote.assignor", "uniform")).contains("range"));
    let mut modern = with("group.protocol", "consumer");
    modern.properties.insert("group.remote.assignor".to_owned(), "range".to_owned());
    modern.check().unwrap();
}

#[test]
fn secrets_come_from_files_and_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    let config = with("sasl.password_file", file.to_str().unwrap());
    assert_eq!(config.member().unwrap().get("sasl.password"), Some("s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
    let missing = with("sasl.password_file", "/nowhere/password");
    assert!(matches!(missing.check(), Err(PortError::Unavailable(text)) if text.contains("sasl.password_file")));
}

#[test]
fn a_lanes_producer_gives_up_idle_connections_unless_told_otherwise() {
    let idle = |config: &Config, lane| config.producer(lane).unwrap().get("connections.max.idle.ms").map(str::to_owned);
    let shipped = Config::new("127.0.0.1:1", "g", "p");
    assert_eq!(idle(&shipped, Some("p-lane-0")).as_deref(), Some("10000"));
    assert_eq!(idle(&shipped, None), None, "the library's own");
    assert_eq!(idle(&with("connections.max.idle.ms", "60000"), Some("p-lane-0")).as_deref(), Some("60000"));
}

#[test]
fn silence_is_heard_from_leaders() {
    let config = with("client.rack", "one");
    for reader in [config.reader(100, "error"), config.whole_reader(100), config.uncommitted_reader()] {
        assert_eq!(reader.unwrap().get("client.rack"), None);
    }
    assert_eq!(config.member().unwrap().get("client.rack"), Some("one"), "the group's assignor may go by it");
}
