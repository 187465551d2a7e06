//! Live and replay agree to the byte, with everything in it that a clean comparison leaves out: garbage, copies, late
//! records, topics declared idle, reference rows that arrive late. Every finding is sealed once and proved offline.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base::{Millis, Timestamp};
use chartwarden_tests::binary::run;
use chartwarden_tests::side_doors::leak;
use engine::invariants::conservation;

use crate::stage::{LANES, Stage, settle, wait_until};

const ACCESS: &str = "ehr.access.v1";
const DEAD_LETTERS: &str = "risk.findings.v1.dlq";
const GARBAGE: [&[u8]; 4] = [b"{\"id\":\"x\",\"time\":", b"\xff\xfe\x00", b"", b"[[[[[[[[[[[[[[[[[[[["];

#[test]
fn live_equals_the_replay_of_its_archive() {
    let stage = Stage::new("2s");
    // What a lane cannot use: garbage, a copy of its first record (late by days), a copy of its last (the tick is open).
    let mut sent = 0;
    let mut lanes: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for record in stage.committed(ACCESS) {
        lanes.entry(record.partition).or_default().push(record);
    }
    assert_eq!(lanes.len(), LANES as usize);
    for (lane, records) in &lanes {
        let time = records[records.len() - 1].time.millis();
        let garbage = GARBAGE.map(|value| (b"somebody".as_slice(), value, time));
        stage.speak(ACCESS, *lane, &garbage);
        let copy = |record: &kafka::CommittedRecord| (record.key.clone().unwrap(), record.value.clone().unwrap());
        let (late, twice) = (copy(&records[0]), copy(&records[records.len() - 1]));
        stage.speak(ACCESS, *lane, &[(&late.0, &late.1, time), (&twice.0, &twice.1, time)]);
        sent += GARBAGE.len();
    }
    stage.ledger("data");
    let mut member = stage.start("archiving", Some("data"));
    settle(&mut [&mut member]);
    // The last ticks stay open, so what cannot be used goes out by itself after a while.
    let expected = sent + LANES as usize;
    wait_until("dead letters of every lane", || stage.committed(DEAD_LETTERS).len() >= expected);
    member.stop();
    let later = speak_of_a_late_order(&stage, lanes[&0][lanes[&0].len() - 1].time);
    // A restart, in which another topic's silence is decided anew.
    let mut member = stage.start("archiving", Some("data"));
    settle(&mut [&mut member]);
    wait_until("the dead letter of the restarted lane", || stage.committed(DEAD_LETTERS).len() > expected);
    member.stop();
    // The order explains one user's chart as soon as it is known, and nobody else's.
    for (user, explained) in [("with-order", 1.0), ("without-order", 0.0)] {
        let told = stage.feature(0, user, "explained_later_24h");
        assert_eq!(told.values().last(), Some(&explained), "{user}: {told:?}");
        let told = stage.feature(0, user, "unexplained_1h");
        assert_eq!(told.values().next(), Some(&1.0), "{user}: nothing was known when the chart was opened: {told:?}");
        assert_eq!(told.values().last(), Some(&(1.0 - explained)), "{user}, opening it again: {told:?}");
    }

    // Who watches the group's lag sees where lanes stand.
    let stands = kafka::rekeyed_to(&stage.config, &stage.config.input_topics).unwrap();
    for (lane, record) in stage.journal() {
        for (topic, position) in stage.config.input_topics.iter().zip(&record.topics) {
            assert_eq!(stands.get(&(topic.clone(), lane)), Some(&position.position), "{topic}, lane {lane}");
        }
    }

    // Conservation, and each side output once.
    let (mut late, mut duplicates, mut rejects) = (0, 0, 0);
    for (lane, record) in stage.journal() {
        conservation(&record.counts).unwrap();
        let below = lanes[&lane].len() + GARBAGE.len() + 2 + if lane == 0 { later } else { 0 };
        assert_eq!(record.counts[0].read, below as u64, "lane {lane}: everything read is accounted for");
        late += record.counts[0].late;
        duplicates += record.counts[0].duplicates;
        rejects += record.counts[0].rejects;
    }
    assert_eq!(rejects as usize, sent + 1);
    assert!(late >= u64::from(LANES) && duplicates >= u64::from(LANES), "{late} late, {duplicates} duplicates");
    let letters = stage.committed(DEAD_LETTERS);
    assert_eq!(letters.len() as u64, late + rejects, "each late record and each reject once");
    for value in GARBAGE {
        let same = letters.iter().filter(|letter| letter.value.as_deref() == Some(value)).count();
        assert_eq!(same, LANES as usize, "garbage goes on as it came, once for each lane");
    }

    // What a member says of records it cannot use names nobody.
    let ids = ["somebody", "with-order", "without-order", "late-patient", "other-patient"].map(str::to_owned);
    assert_eq!(leak(member.process.log().as_bytes(), &ids.into()), None, "{}", member.process.log());

    // The archive without what is to be computed again.
    let live = stage.findings();
    assert!(live.len() > 3, "{} findings: the case says nothing", live.len());
    let (pipeline, archive, out) = (stage.path("pipeline"), stage.path("data/archive"), stage.path("replayed.ndjson"));
    let verified = run(&["replay", &pipeline, "--archive", &archive, "--out", &out, "--verify"]).with(0);
    assert!(verified.out.contains("equal to the byte"), "{}", verified.out);
    // Without its journal, silence is not decided: what follows from that differs, and is told.
    let alone = ["replay", &pipeline, "--archive", &archive, "--out", &out, "--verify", "--without-journal"];
    let differs = run(&alone).with(1);
    for part in [" differences", "only the archive has", "lane 0: `auth.events.v1` was declared idle"] {
        assert!(differs.out.contains(part), "{part}: {}", differs.out);
    }

    let gone = strip(Path::new(&archive));
    assert!(gone > 3, "{gone} files of results were deleted");
    run(&["replay", &pipeline, "--archive", &archive, "--out", &out]).with(0);
    let mut expected = live.join(&b'\n');
    expected.push(b'\n');
    assert!(fs::read(&out).unwrap() == expected, "the replay tells other findings than the live run");
    told_in_two_halves(&stage, &lanes[&0], &expected);

    // With nothing but the broker, beside whoever archives.
    let (fetched, key, bootstrap) = (stage.path("fetched"), stage.path("key"), stage.bootstrap());
    let from_kafka = ["replay", &pipeline, "--bootstrap", &bootstrap, "--keys", &key, "--archive", &fetched];
    let verified = run(&[&from_kafka[..], &["--out", &out, "--verify"]].concat()).with(0);
    assert!(verified.out.contains("equal to the byte"), "{}", verified.out);
    assert!(fs::read(&out).unwrap() == expected, "a replay from Kafka tells other findings");

    stage.sealed_once("data", &live);
}

/// What is told before a record was read, and what is told since, is what is told in all.
fn told_in_two_halves(stage: &Stage, read: &[kafka::CommittedRecord], whole: &[u8]) {
    let (pipeline, archive, out) = (stage.path("pipeline"), stage.path("data/archive"), stage.path("half.ndjson"));
    let half = |bound: &str, record: &str| {
        run(&["replay", &pipeline, "--archive", &archive, "--out", &out, bound, record]).with(0);
        fs::read(&out).unwrap()
    };
    let offset = read[read.len() / 2].offset;
    let record = format!("{ACCESS}:0:{offset}");
    let (before, since) = (half("--to", &record), half("--from", &record));
    assert!(!before.is_empty() && !since.is_empty(), "{record}: {} and {} bytes", before.len(), since.len());
    assert!([before, since].concat() == whole, "{record}");
}

/// Two users open a chart each, and again three hours later; an order that one of them has for it becomes known in between.
/// Says how many records that is on the access topic of lane 0; the last of them is garbage.
fn speak_of_a_late_order(stage: &Stage, newest: Timestamp) -> usize {
    let hour = Millis::hours(1);
    let opened = newest.floor(hour) + hour + Millis::minutes(5);
    let known = opened + hour;
    let from = (opened - Millis::days(1)).millis();
    let order = format!(
        r#"{{"id":"late","kind":"order","user":"with-order","patient":"late-patient","from":{from},"recorded_at":{}}}"#,
        known.millis()
    );
    stage.speak("ref.relations.v1", 0, &[(b"late", order.as_bytes(), known.millis())]);
    let again = opened + Millis::hours(3);
    let mut records = Vec::new();
    for (time, users) in [
        (opened, &["with-order", "without-order"][..]),
        (again, &["with-order", "without-order"]),
        (again + Millis::minutes(20), &["closer"]),
    ] {
        for user in users {
            let millis = time.millis();
            let patient = if *user == "with-order" { "late-patient" } else { "other-patient" };
            let event = format!(
                r#"{{"id":"{user}-{millis}","time":{millis},"user":"{user}","patient":"{patient}","action":"read","outcome":"success"}}"#
            );
            records.push((user.as_bytes(), event.into_bytes(), millis));
        }
    }
    records.push((b"somebody", b"[late garbage".to_vec(), (again + Millis::minutes(20)).millis()));
    let spoken: Vec<_> = records.iter().map(|(key, value, time)| (*key, value.as_slice(), *time)).collect();
    stage.speak(ACCESS, 0, &spoken);
    spoken.len()
}

/// Deletes features, scores and findings; says how many files that were.
fn strip(folder: &Path) -> usize {
    let mut gone = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let computed = ["stream=features", "stream=pair_features", "stream=findings"].contains(&name.as_str());
        if !entry.file_type().unwrap().is_dir() {
            continue;
        } else if computed {
            gone += files(&entry.path());
            fs::remove_dir_all(entry.path()).unwrap();
        } else {
            gone += strip(&entry.path());
        }
    }
    gone
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| if entry.file_type().unwrap().is_dir() { files(&entry.path()) } else { 1 }).sum()
}
