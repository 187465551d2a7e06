//! A changed pipeline goes on where the former one stood, as if it had always been there.

use std::collections::BTreeMap;
use std::path::Path;

use chartwarden_tests::binary::{Process, run};

use crate::oracle::{Moments, check, number, say, stage};
use crate::stage::{LANES, OPEN_SCORE, Stage, copy, settle, wait_until};

/// Kills of one upgrade.
const KILLS: u32 = 4;
/// Results after which the former pipeline is stopped.
const STOP_AT: usize = 1_500;

/// Makes `changed`: another threshold, ticks that close at other times, and a feature more; and `mistaken`, which differs
/// in the threshold alone.
fn change(stage: &Stage) {
    for to in ["changed", "mistaken"] {
        copy(Path::new(&stage.path("pipeline")), Path::new(&stage.path(to)));
    }
    edit(&stage.path("mistaken/pipeline.toml"), OPEN_SCORE, "open_score = 0.9 ");
    for (file, from, to) in [
        ("pipeline.toml", OPEN_SCORE, "open_score = 0.2 "),
        ("pipeline.toml", "explain_grace = \"2h\"", "explain_grace = \"1h\""),
        (
            "windows/access.sql",
            "  max(known_days) AS known_days\n",
            "  max(known_days) AS known_days,\n  count(*) FILTER (WHERE action = 'read' AND off_shift) AS late_reads\n",
        ),
        (
            "features/users.sql",
            "  -- how widely\n",
            "  coalesce(access_24h_late_reads, 0) AS late_reads_24h, -- read {value|charts} outside the shift\n  -- how widely\n",
        ),
    ] {
        edit(&format!("{}/{file}", stage.path("changed")), from, to);
    }
}

fn edit(file: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{file} no longer says `{from}`");
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_changed_pipeline_goes_on_as_if_it_had_always_been_there() {
    let stage = stage();
    change(&stage);
    // The former pipeline has open cases by the time it is stopped.
    edit(&stage.path("pipeline/pipeline.toml"), OPEN_SCORE, "open_score = 0.01 ");
    stage.ledger("data");
    let mut member = stage.start("former", Some("data"));
    wait_until("the former pipeline has got somewhere", || results(&stage) > STOP_AT);
    member.stop();
    let before = newest(&stage);
    // An upgrade that is regretted before anything ran under it.
    let mistaken = stage.path("mistaken");
    let (archive, bootstrap) = (stage.path("data/archive"), stage.bootstrap());
    run(&["upgrade", &mistaken, "--bootstrap", &bootstrap, "--archive", &archive]).with(0);
    // The changed pipeline refuses the state as it is, and says what to do.
    let (changed, key) = (stage.path("changed"), stage.path("key"));
    let started = ["run", &changed, "--bootstrap", &bootstrap, "--keys", &key, "--http", "127.0.0.1:0"];
    let refused = run(&started).with(2);
    assert!(refused.err.contains("chartwarden upgrade"), "{}", refused.err);
    let upgrade = ["upgrade", &changed, "--bootstrap", &bootstrap, "--archive", &archive];
    let dry = run(&[&upgrade[..], &["--dry-run"]].concat()).with(0);
    assert!(dry.out.contains("nothing was changed"), "{}", dry.out);
    // Killed wherever it stands, it goes on when it is started again.
    let mut moments = Moments(number("CHARTWARDEN_CHAOS_SEED", 7));
    let log = stage.folder.path().join("upgrade.log");
    for _ in 0..KILLS {
        let mut upgrading = Process::start(&upgrade, &log);
        std::thread::sleep(moments.next(16_000));
        if upgrading.ended().is_none() {
            upgrading.kill();
        }
    }
    let told = std::fs::read_to_string(&log).unwrap() + &run(&upgrade).with(0).out;
    let renewed: Vec<&str> = told.lines().filter(|line| line.contains(": renewed after the tick of ")).collect();
    assert_eq!(renewed.len(), LANES as usize, "each lane is renewed once:\n{told}");
    let carried = |line: &&str| line.split(", ").last().unwrap().split(' ').next().unwrap().parse::<u32>().unwrap();
    let carried: u32 = renewed.iter().map(carried).sum();
    assert!(carried > 0, "no case was open:\n{told}");
    let again = run(&upgrade).with(0);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
    assert_eq!(newest(&stage), before, "an upgrade tells nothing");
    let former = stage.path("pipeline");
    let old = ["run", &former, "--bootstrap", &bootstrap, "--keys", &key, "--http", "127.0.0.1:0"];
    run(&old).with(2);
    let mut member = stage.start_under("changed", "changed", Some("data"));
    settle(&mut [&mut member]);
    member.stop();

    // Live and replay agree from the upgrade on, the cases that were carried over included.
    let told = stage.proved("changed", "data");
    assert!(told.contains("told under other definitions"), "{told}");
    let epochs: Vec<u32> = stage.journal().values().map(|record| record.epoch).collect();
    assert_eq!(epochs, vec![2; LANES as usize]);

    // What the changed pipeline computes is what it would have computed from the beginning.
    let always = self::stage();
    change(&always);
    let mut member = always.start_under("changed", "always", None);
    settle(&mut [&mut member]);
    member.stop();
    let (expected, found) = (features(&always, &before), features(&stage, &before));
    let differs = expected.iter().find(|(place, value)| found.get(*place) != Some(*value));
    assert!(differs.is_none(), "{:?}", differs.map(|(place, _)| place));
    assert!(expected.len() == found.len() && expected.len() > 500, "{} results to compare", expected.len());
    let results = expected.len();
    say(&format!(
        "{results} results after an upgrade with {KILLS} kills are those of a run without; {carried} cases went on"
    ));
}

#[test]
fn damaged_state_is_refused_by_name_and_computed_anew_from_the_archive() {
    let stage = stage();
    stage.ledger("data");
    let mut member = stage.start("damaged", Some("data"));
    wait_until("the lanes have got somewhere", || results(&stage) > STOP_AT);
    member.stop();
    // Lanes and watches stop where they are, each elsewhere: what is archived of them is what a replay gives.
    stage.proved("pipeline", "data");
    let panes = "chartwarden.insider-breach.panes.hour";
    stage.speak(panes, 1, &[(b"hour/no number/0/1", b"damage", 0)]);
    let (pipeline, archive, key) = (stage.path("pipeline"), stage.path("data/archive"), stage.path("key"));
    let bootstrap = stage.bootstrap();
    let refused = run(&["run", &pipeline, "--bootstrap", &bootstrap, "--keys", &key, "--http", "127.0.0.1:0"]).with(1);
    assert!(refused.err.contains(panes) && refused.err.contains("upgrade --rebuild"), "{}", refused.err);
    let upgrade = ["upgrade", &pipeline, "--bootstrap", &bootstrap, "--archive", &archive];
    run(&upgrade).with(0);
    // Twice: what has been renewed and not archived since is renewed again, as after an upgrade that was killed.
    run(&[&upgrade[..], &["--rebuild"]].concat()).with(0);
    let rebuilt = run(&[&upgrade[..], &["--rebuild"]].concat()).with(0);
    assert_eq!(rebuilt.out.matches(": renewed after the tick of ").count(), LANES as usize, "{}", rebuilt.out);
    let mut member = stage.start("damaged", Some("data"));
    settle(&mut [&mut member]);
    member.stop();
    check(&stage, "state that was damaged and computed anew");
    let told = stage.proved("pipeline", "data");
    assert!(!told.contains("not compared"), "{told}");
}

fn results(stage: &Stage) -> usize {
    stage.results().values().map(Vec::len).sum()
}

/// The newest tick of each lane that left a result.
fn newest(stage: &Stage) -> BTreeMap<u32, i64> {
    let end = |key: &str| key.rsplit('/').next().unwrap().parse::<i64>().unwrap();
    let newest = |results: &[(String, Vec<u8>)]| results.iter().map(|(key, _)| end(key)).max().unwrap();
    stage.results().iter().map(|(lane, results)| (*lane, newest(results))).collect()
}

/// Feature rows with their scores that came later, by lane and key.
fn features(stage: &Stage, after: &BTreeMap<u32, i64>) -> BTreeMap<(u32, String), Vec<u8>> {
    let mut found = BTreeMap::new();
    for (lane, results) in stage.results() {
        for (key, value) in results {
            let (stream, end) = key.split_once('/').unwrap();
            if stream != "findings" && end.parse::<i64>().unwrap() > after[&lane] {
                found.insert((lane, key), value);
            }
        }
    }
    found
}
