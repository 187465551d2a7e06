use super::*;

mod models;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach")
}

#[test]
fn the_shipped_pipeline_compiles_and_has_enough_features() {
    let spec = PipelineSpec::load(&shipped(), ModelUse::Record).unwrap_or_else(|problems| panic!("{problems}"));
    let numeric = spec.program().user_schema().fields().len() - 1 - spec.rules().len();
    assert!(numeric >= 60, "{numeric} user features");
    assert_eq!(spec.digests(), PipelineSpec::load(&shipped(), ModelUse::Record).unwrap().digests());
}

/// A copy of the shipped pipeline with these edits: file, text, other text.
fn edited(name: &str, edits: &[(&str, &str, &str)]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("chartwarden-spec-{}-{name}", std::process::id()));
    copy(&shipped(), &folder);
    for (file, from, to) in edits {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} holds {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }
    folder
}

/// What is said of such a copy.
fn problems_of(name: &str, edits: &[(&str, &str, &str)]) -> String {
    let folder = edited(name, edits);
    let problems = PipelineSpec::load(&folder, ModelUse::Record).unwrap_err().to_string();
    let problems = format!("{problems}\n");
    std::fs::remove_dir_all(&folder).unwrap();
    problems
}

#[test]
fn every_problem_of_the_sql_is_reported_at_once_with_its_place() {
    let problems = problems_of(
        "sql",
        &[
            ("windows/auth.sql", "speed_kmh END", "speed_kph END"),
            ("windows/access.sql", "max(known_days)", "array_agg(known_days)"),
        ],
    );
    for expected in [
        "unknown column `speed_kph`",
        "windows/auth.sql:19",
        "did you mean `speed_kmh`?",
        "`array_agg` over these columns has a state that depends on the order of rows",
        "windows/access.sql:60",
    ] {
        assert!(problems.contains(expected), "{expected:?} in:\n{problems}");
    }
}

#[test]
fn a_grace_that_no_tick_ends_is_refused() {
    for grace in ["0s", "90s"] {
        let edit = ("pipeline.toml", "explain_grace = \"2h\"", format!("explain_grace = \"{grace}\""));
        let told = problems_of(&format!("grace-{grace}"), &[(edit.0, edit.1, &edit.2)]);
        assert!(told.contains("must be a multiple of the tick 1m, and at least one"), "{told}");
    }
}

#[test]
fn every_problem_of_a_watch_is_reported_with_its_place() {
    let file = "pipeline.toml";
    let names = [
        (file, "name = \"patient\"\nentity", "name = \"chart-of\"\nentity"),
        (file, "window = \"24h\"", "window = \"1441m\""),
        (file, "key = \"address_key\"", "key = \"user_key\""),
    ];
    let settings = problems_of("watch-settings", &names);
    for expected in [
        "watch `chart-of`: a name is made of a to z, 0 to 9 and `_`",
        "must be a multiple of the scoring hop 5m, up to 7d",
        "watch `address`: the key `user_key` must be a pseudonym of something else than users",
    ] {
        assert!(settings.contains(expected), "{expected:?} in:\n{settings}");
    }
    let sql = problems_of("watch-sql", &[("watches/address_users.sql", "'failure'", "'failure' AND outcom = 'x'")]);
    assert!(sql.contains("watches/address_users.sql:6") && sql.contains("did you mean `outcome`?"), "{sql}");
    let entities = problems_of("watch-entities", &[("watches/addresses.sql", "sum(failures)", "sum(failing)")]);
    assert!(
        entities.contains("watches/addresses.sql:8") && entities.contains("unknown column `failing`"),
        "{entities}"
    );
    let grouped = problems_of(
        "watch-grouped",
        &[("watches/addresses.sql", "GROUP BY address_key", "GROUP BY address_key, score")],
    );
    assert!(grouped.contains("there must be one row for each `address_key`"), "{grouped}");
    let plain = problems_of("watch-plain", &[(file, "key = \"address_key\"", "key = \"workstation\"")]);
    assert!(plain.contains("the key `workstation` must be a pseudonym"), "{plain}");
    let rule = problems_of("watch-rule", &[(file, "column = \"rule_spraying\"", "column = \"rule_sprayin\"")]);
    assert!(
        rule.contains("rule `password-spraying`: unknown column `rule_sprayin`; did you mean `rule_spraying`?"),
        "{rule}"
    );
}

#[test]
fn an_input_whose_ticks_would_close_before_their_reference_is_known_is_refused() {
    let edit = ("pipeline.toml", "lateness = \"5m\"", "lateness = \"1m\"");
    let told = problems_of("lateness", &[edit]);
    for part in ["pipeline.toml:19", "lateness 1m is below max_clock_skew 2m", "raise `lateness`"] {
        assert!(told.contains(part), "{told}");
    }
}

/// What is said of a copy with this edit of one line of `pipeline.toml`: of that line, with a hint.
#[track_caller]
fn check_line(name: &str, from: &str, to: &str, expected: &str) {
    let file = "pipeline.toml";
    let text = std::fs::read_to_string(shipped().join(file)).unwrap();
    let line = text[..text.find(from).unwrap() + from.len()].matches('\n').count() + 1;
    let told = problems_of(name, &[(file, from, to)]);
    let mut lines = told.lines().skip_while(|line| !line.contains(expected)).skip(1);
    let (at, hint) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    assert!(at.ends_with(&format!("{file}:{line}")) && hint.starts_with(" hint: "), "{expected:?}, {line} in:\n{told}");
}

/// A dead-letter topic that is read makes dead letters of dead letters for ever.
#[test]
fn topics_that_coincide_are_refused() {
    let (findings, dead) = ("findings_topic = \"risk.findings.v1\"", "dead_letter_topic = \"risk.findings.v1.dlq\"");
    let (input, staff) = ("topic = \"auth.events.v1\"", "staff = \"ref.staff.v1\"");
    for (from, setting, topic, expected) in [
        (dead, "dead_letter_topic", "auth.events.v1", "is the dead-letter topic and an input at once"),
        (dead, "dead_letter_topic", "risk.findings.v1", "is the dead-letter topic and the findings topic at once"),
        (findings, "findings_topic", "ehr.access.v1", "is the findings topic and an input at once"),
        (input, "topic", "ehr.access.v1", "is an input twice"),
        (staff, "staff", "auth.events.v1", "is a reference topic and an input at once"),
        (staff, "staff", "ref.patients.v1", "is a reference topic twice"),
        (
            findings,
            "findings_topic",
            "chartwarden.insider-breach.results",
            "is the findings topic and, by `state_prefix`, one of the state topics",
        ),
        (
            input,
            "topic",
            "chartwarden.insider-breach.watch.panes.day",
            "is an input and, by `state_prefix`, one of the state topics",
        ),
    ] {
        check_line("coincide", from, &format!("{setting} = \"{topic}\""), &format!("`{topic}` {expected}"));
    }
    // What stands beside the state is none of it.
    let beside = "findings_topic = \"chartwarden.insider-breach.findings\"";
    let folder = edited("beside", &[("pipeline.toml", findings, beside)]);
    let spec = PipelineSpec::load(&folder, ModelUse::Record);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(spec.is_ok(), "{}", spec.unwrap_err());
}

#[test]
fn names_that_kafka_does_not_take_are_refused() {
    let (input, prefix) = ("topic = \"auth.events.v1\"", "state_prefix = \"chartwarden.insider-breach\"");
    let long = "x".repeat(250);
    for name in ["", ".", "..", "ehr access", "zugriffe-\u{e4}", "ehr/access", long.as_str()] {
        let told = format!("`{name}` is no name that Kafka takes for topic");
        check_line("names", input, &format!("topic = \"{name}\""), &told);
    }
    // It would be one itself, but those of state topics are longer.
    let long = "x".repeat(240);
    let told = format!("`{long}` is no name that Kafka takes for state_prefix");
    check_line("names", prefix, &format!("state_prefix = \"{long}\""), &told);
}

#[test]
fn lengths_of_time_that_leave_nothing_are_refused() {
    for (from, to, expected) in [
        ("max_event_age = \"7d\"", "max_event_age = \"0d\"", "every event would be rejected as too old"),
        (
            "column = \"device_key\"\nhorizon = \"180d\"",
            "column = \"device_key\"\nhorizon = \"0d\"",
            "seen `device`: horizon 0ms is below a day",
        ),
        (
            "sql = \"baselines/slow.sql\"\ndays = 30",
            "sql = \"baselines/slow.sql\"\ndays = 0",
            "baseline `slow`: it looks back over 0 days",
        ),
    ] {
        check_line("lengths", from, to, expected);
    }
}

#[test]
fn silence_behind_a_rekey_that_died_is_not_decided_by_its_last_word() {
    let (file, rekeyed) = ("pipeline.toml", "stream = \"auth\"\nrekeyed = true");
    let edits = [(file, "stream = \"auth\"", rekeyed), (file, "idle_after = \"60s\"", "idle_after = \"15s\"")];
    let told = problems_of("rekeyed", &edits);
    for part in ["`auth.events.v1` is rekeyed, and idle_after is 15s", "longer than 20s"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn every_problem_of_the_settings_is_reported_at_once_with_its_place() {
    let file = "pipeline.toml";
    let problems = problems_of(
        "settings",
        &[
            (file, "version = \"1\"\n", ""),
            (file, "stream = \"auth\"", "strem = \"auth\""),
            (file, "lateness = \"5m\"", "lateness = 5"),
            (file, "idle_after = \"60s\"", "idle_after = \"soon\""),
            (file, "open_score = 0.90 ", "open_scor = 0.90 "),
            (file, "learn_days = 14", "learn_days = -1"),
            (file, "[networks]", "[network]"),
        ],
    );
    for expected in [
        "missing field `version`\n",
        "pipeline.toml:4\n",
        "unknown field `strem`, expected one of",
        "did you mean `stream`?",
        "pipeline.toml:21\n",
        "invalid type: integer `5`",
        "pipeline.toml:37\n",
        "unknown field `open_scor`",
        "invalid value: integer `-1`",
        "unknown field `network`",
    ] {
        assert!(problems.contains(expected), "{expected:?} in:\n{problems}");
    }
    // What is well written is not told of because something else is not.
    assert!(!problems.contains("unknown field `watch`"), "{problems}");
    let watch = problems_of("watch-settings", &[(file, "entity = \"Network address\"", "entty = \"Network address\"")]);
    assert!(watch.contains("unknown field `entty`") && watch.contains("did you mean `entity`?"), "{watch}");
}

#[test]
fn what_is_wrong_with_a_rule_a_setting_or_a_sentence_is_told_where_it_stands() {
    let (file, sql) = ("pipeline.toml", "features/users.sql");
    let text = std::fs::read_to_string(shipped().join(file)).unwrap();
    let users = std::fs::read_to_string(shipped().join(sql)).unwrap();
    let line = |text: &str, of: &str| text.lines().position(|line| line.contains(of)).unwrap() + 1;
    let problems = problems_of(
        "places",
        &[
            (file, "column = \"rule_after_end\"", "column = \"rule_after_ent\""),
            (file, "open_score = 0.90 ", "open_score = 1.83 "),
            (sql, "opened {value|charts} in 15 minutes", "opened {value:chart} in 15 minutes"),
        ],
    );
    for (place, what) in [
        (format!("{file}:{}", line(&text, "id = \"after-end\"")), "did you mean `rule_after_end`?"),
        (format!("{file}:{}", line(&text, "open_score = ")), "`open_score` is 1.83"),
        (format!("{sql}:{}", line(&users, " AS patients_15m,")), "unknown form `chart`"),
    ] {
        let told =
            problems.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {problems}"));
        let around: Vec<_> = problems.lines().skip(told.saturating_sub(1)).take(3).collect();
        assert!(around.iter().any(|line| line.contains(&place)), "{what} at {place}: {around:?}");
    }
}

#[test]
fn a_file_with_nothing_in_it_is_told_of() {
    let folder = edited("nothing", &[]);
    std::fs::write(folder.join("pipeline.toml"), "").unwrap();
    let problems = PipelineSpec::load(&folder, ModelUse::Record).unwrap_err().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(problems.contains("missing field `pipeline`"), "{problems}");
}

/// A replay computes everything again: what depends on the clock or on chance could not be the same.
#[test]
fn sql_that_does_not_follow_from_its_rows_is_refused() {
    for (file, from, to, function) in [
        ("windows/access.sql", "max(gap_ms)", "max(extract(epoch FROM now()))", "now"),
        ("features/users.sql", "tenure_days AS tenure_days", "random() AS tenure_days", "random"),
        (
            "baselines/own.sql",
            "count(*) AS active_days",
            "sum(date_part('day', current_date())) AS active_days",
            "current_date",
        ),
    ] {
        let problems = problems_of("clock", &[(file, from, to)]);
        assert!(problems.contains(&format!("`{function}` gives another value at every run")), "{problems}");
        assert!(problems.contains(file) && problems.contains("take times from the rows"), "{problems}");
    }
}

#[test]
fn a_window_that_makes_its_key_up_is_refused() {
    let edits = [
        ("windows/auth.sql", "user_key,", "'everybody' AS user_key,"),
        ("windows/auth.sql", "GROUP BY user_key", "GROUP BY 1"),
    ];
    let problems = problems_of("key", &edits);
    assert!(problems.contains("the key `user_key` is not read from `auth`"), "{problems}");
}

#[test]
fn the_cards_are_those_of_the_models() {
    for (model, card) in [
        ("pair", expect_test::expect_file!["../../../../pipelines/insider-breach/model/PAIR.md"]),
        ("user", expect_test::expect_file!["../../../../pipelines/insider-breach/model/USER.md"]),
    ] {
        let bytes = std::fs::read(shipped().join(format!("model/{model}.cwmodel"))).unwrap();
        card.assert_eq(&risk::card(&Model::from_bytes(&bytes).unwrap()));
    }
}

#[test]
fn what_cannot_be_seen_is_named() {
    let file = "pipeline.toml";
    let edits = [
        (file, "column = \"device_key\"", "column = \"device_kee\""),
        (file, "relation = \"access\"\ncolumn", "relation = \"resolved\"\ncolumn"),
    ];
    let problems = problems_of("seen", &edits);
    for expected in ["did you mean `device_key`?", "relation `resolved` is neither `access` nor `auth`"] {
        assert!(problems.contains(expected), "{expected:?} in:\n{problems}");
    }
}

#[test]
fn every_problem_of_the_syntax_is_reported_at_once_with_its_place() {
    let file = "pipeline.toml";
    let edits = [(file, "name = \"insider-breach\"", "name = insider"), (file, "tick = \"1m\"", "tick = ")];
    let problems = problems_of("syntax", &edits);
    for expected in ["pipeline.toml:5\n", "pipeline.toml:46\n"] {
        assert!(problems.contains(expected), "{expected:?} in:\n{problems}");
    }
}

#[test]
fn digests_tell_what_a_change_concerns() {
    let file = "pipeline.toml";
    let digests = |name: &str, edit: (&str, &str)| {
        let folder = edited(name, &[(file, edit.0, edit.1)]);
        let spec = PipelineSpec::load(&folder, ModelUse::Record);
        std::fs::remove_dir_all(&folder).unwrap();
        spec.unwrap_or_else(|problems| panic!("{problems}")).digests().clone()
    };
    let shipped = PipelineSpec::load(&shipped(), ModelUse::Record).unwrap_or_else(|problems| panic!("{problems}"));
    let shipped = shipped.digests();
    for (name, from, to) in [
        ("comment", "# Names of networks", "# Names of our networks"),
        ("group", "group = \"chartwarden-insider-breach\"", "group = \"another\""),
        ("rekeyed", "stream = \"auth\"", "stream = \"auth\"\nrekeyed = true"),
    ] {
        assert_eq!(digests(name, (from, to)), *shipped, "{name}");
    }
    let threshold = digests("threshold", ("open_score = 0.90", "open_score = 0.8"));
    assert!(threshold.spec != shipped.spec && threshold.reading == shipped.reading, "a threshold reads nothing");
    for (name, from, to) in [
        ("lateness", "lateness = \"5m\"", "lateness = \"6m\""),
        ("skew", "max_clock_skew = \"2m\"", "max_clock_skew = \"3m\""),
        ("age", "max_event_age = \"7d\"", "max_event_age = \"8d\""),
        ("network", "\"172.20.0.0/16\"", "\"172.21.0.0/16\""),
        ("zone", "Europe/Vienna", "Europe/Berlin"),
        ("topic", "\"ehr.access.v1\"", "\"ehr.access.v2\""),
    ] {
        assert_ne!(digests(name, (from, to)).reading, shipped.reading, "{name}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
