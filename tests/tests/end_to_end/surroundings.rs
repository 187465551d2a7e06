//! What fails around the product, and not in it: the disk it writes to, the producers it reads from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use base::{Millis, Timestamp};
use engine::JournalRecord;
use kafka::{CommittedRecord, Config, Speaker};

use crate::oracle::{check, say, stage};
use crate::stage::{LANES, Member, Stage, settle, wait_until};

pub(crate) const ACCESS: &str = "ehr.access.v1";
pub(crate) const AUTH: &str = "auth.events.v1";

#[test]
fn a_full_disk_stops_archive_and_ledger_and_nothing_else() {
    let stage = stage();
    stage.ledger("data");
    let mut member = stage.start("full", Some("data"));
    // No file can grow: to a process this is a disk without room, and needs no disk that is full.
    member.process.file_bytes_max(Some(1));
    settle(&mut [&mut member]);
    check(&stage, "a full disk");
    wait_until("archive and ledger have failed", || BOTH.iter().all(|sink| failures(&member, sink) > 0.0));
    assert_eq!(receipts(&stage), 0, "receipts on a full disk");
    member.process.file_bytes_max(None);
    let told = stage.findings().len();
    wait_until("the ledger catches up by itself", || receipts(&stage) == told);
    member.stop();
    say(&stage.proved("pipeline", "data"));
}

/// What is damaged while a process runs stops no lane, and goes on once somebody has mended it. Who starts a process, or
/// stops one, is told.
#[test]
fn a_damaged_ledger_and_archive_stop_no_lane_and_go_on_once_they_are_mended() {
    let stage = stage();
    stage.ledger("data");
    let mut member = stage.start("damaged", Some("data"));
    // Who fails opens again, and finds what became of the files meanwhile.
    member.process.file_bytes_max(Some(1));
    wait_until("archive and ledger have failed", || BOTH.iter().all(|sink| failures(&member, sink) > 0.0));
    let (mut ledger, mut archive) = (DamagedLedger::new(&stage), PlantedRun::new(&stage));
    let before = BOTH.map(|sink| failures(&member, sink));
    member.process.file_bytes_max(None);
    settle(&mut [&mut member]);
    check(&stage, "a damaged ledger and a damaged archive");
    let again = || BOTH.iter().zip(before).all(|(sink, before)| failures(&member, sink) >= before + 2.0);
    wait_until("both are tried again", again);
    let log = member.log();
    let gap = "the archive has a gap";
    for told in ["archive failed; detection goes on", gap, "ledger failed; detection goes on", REFUSED] {
        assert!(log.contains(told), "no `{told}` in\n{log}");
    }
    ledger.mend();
    archive.mend();
    let told = stage.findings().len();
    wait_until("the ledger catches up by itself", || receipts(&stage) == told);
    member.stop();
    say(&stage.proved("pipeline", "data"));

    // Whoever starts a process on damage is told at once, and no lane moves.
    for (damage, what) in
        [(&mut ledger as &mut dyn Damage, "sealing: "), (&mut archive as &mut dyn Damage, "archiving: ")]
    {
        damage.again();
        let mut refused = stage.start("refused", Some("data"));
        let status = refused.process.wait();
        assert_eq!(status.code(), Some(1), "{}", refused.log());
        assert!(refused.log().contains(&format!("error: {what}")), "{}", refused.log());
        assert!(!refused.log().contains("joining the group"), "{}", refused.log());
        damage.mend();
    }

    // The ledger is somebody else's at first, as while a former process ends, and then it is damaged: who stops the
    // process learns it from the exit code.
    let lock = File::options().write(true).open(stage.path("data/openings/lock")).unwrap();
    lock.try_lock().unwrap();
    let mut member = stage.start("stopped", Some("data"));
    wait_until("the ledger is in use", || failures(&member, "ledger") > 0.0);
    ledger.again();
    drop(lock);
    wait_until("the damage is found", || member.log().contains(REFUSED));
    assert!(member.process.ended().is_none(), "it ended by itself:\n{}", member.log());
    member.process.signal("-TERM");
    assert_eq!(member.process.wait().code(), Some(1), "{}", member.log());
    assert!(member.log().contains("error: sealing: "), "{}", member.log());
    ledger.mend();
    stage.proved("pipeline", "data");
}

/// Something that is not as it was, until it is mended.
trait Damage {
    fn again(&mut self);
    fn mend(&mut self);
}

/// A ledger whose checkpoint is not the one that was signed.
struct DamagedLedger {
    checkpoint: PathBuf,
    whole: Vec<u8>,
}

impl DamagedLedger {
    fn new(stage: &Stage) -> Self {
        let mut damage = Self { checkpoint: stage.path("data/ledger/checkpoint").into(), whole: Vec::new() };
        damage.again();
        damage
    }
}

impl Damage for DamagedLedger {
    fn again(&mut self) {
        self.whole = fs::read(&self.checkpoint).unwrap();
        let mut spoilt = self.whole.clone();
        let signature = spoilt.len() - 10;
        spoilt[signature] ^= 1;
        fs::write(&self.checkpoint, spoilt).unwrap();
    }

    fn mend(&mut self) {
        fs::write(&self.checkpoint, &self.whole).unwrap();
    }
}

/// An archive with a run before which others are missing.
struct PlantedRun(PathBuf);

impl PlantedRun {
    fn new(stage: &Stage) -> Self {
        let name = "data/archive/stream=journal/dt=2030-01-01/lane=00-000000900000-000000900009.parquet";
        let mut damage = Self(stage.path(name).into());
        damage.again();
        damage
    }
}

impl Damage for PlantedRun {
    fn again(&mut self) {
        fs::create_dir_all(self.0.parent().unwrap()).unwrap();
        fs::write(&self.0, "").unwrap();
    }

    fn mend(&mut self) {
        fs::remove_dir_all(self.0.parent().unwrap()).unwrap();
    }
}

/// How a ledger tells that its checkpoint is damaged.
const REFUSED: &str = "refused to start: checkpoint: ";
/// What is written beside detection.
const BOTH: [&str; 2] = ["archive", "ledger"];

/// How often one of them has failed.
fn failures(member: &Member, sink: &str) -> f64 {
    metric(member, &format!("chartwarden_sink_failures_total{{sink=\"{sink}\"}}"))
}

fn receipts(stage: &Stage) -> usize {
    let files = fs::read_dir(stage.path("data/receipts")).into_iter().flatten();
    files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tlog-proof")).count()
}

/// A producer's open transaction looks like silence to whoever reads committed data. It is none: what stands in it, and
/// behind it, is not late when it comes.
#[test]
fn an_upstream_transaction_held_open_is_not_silence() {
    let stage = Stage::new("2s");
    let upstream = upstream(&stage);
    upstream.begin().unwrap();
    let mut expected = Vec::new();
    for lane in [0, 1] {
        let (access, auth) = (newest(&stage, ACCESS, lane), newest(&stage, AUTH, lane));
        let at = |time: Timestamp, record: &CommittedRecord, id: &str| {
            let (key, event) = copied(record, time, id);
            (key, event.to_string(), time)
        };
        // Would the topic be taken for silent, the sign-in an hour later would close the tick of these two.
        let (held, behind) = (at(access.time, &access, "held"), at(access.time + Millis(1), &access, "behind"));
        let signed_in = at(access.time.max(auth.time) + Millis::hours(1), &auth, "signed-in");
        let record = |(key, value, time): &(Vec<u8>, String, Timestamp)| (key.clone(), value.clone(), *time);
        let (key, value, time) = record(&held);
        upstream.send(ACCESS, Some(lane), &key, Some(value.as_bytes()), &[], Some(time)).unwrap();
        upstream.flush().unwrap();
        for (topic, (key, value, time)) in [(ACCESS, &behind), (AUTH, &signed_in)] {
            stage.speak(topic, lane, &[(key, value.as_bytes(), time.millis())]);
        }
        expected.push(stage.committed(ACCESS).iter().filter(|record| record.partition == lane).count() as u64);
    }
    let mut member = stage.start("patient", None);
    // The third lane is at its end and silent: its last ticks close. The others wait, three times as long.
    let closed = |lane| last_tick(&member, lane);
    let silent = newest(&stage, ACCESS, 2).time.max(newest(&stage, AUTH, 2).time);
    wait_until("the silent lane closes its last tick", || {
        closed(2) * 1_000.0 > (silent - Millis::minutes(6)).millis() as f64
    });
    sleep(Duration::from_secs(8));
    let idle = |lane: u32| stage.journal().get(&lane).map_or(0, |record| record.topics[0].decisions.len());
    assert_eq!((idle(0), idle(1)), (0, 0), "silence was declared over an open transaction");
    upstream.end(true).unwrap();
    settle(&mut [&mut member]);
    member.stop();
    let journal = stage.journal();
    for (lane, before) in [0, 1].into_iter().zip(expected) {
        let counts = &journal[&lane].counts[0];
        // What could be read at first ended before the held record.
        assert_eq!((counts.read, counts.late), (before + 2, 0), "lane {lane}: {counts:?}");
    }
}

/// A lane that cannot be read tells nothing of its days. The others wait for it, go on after a while by what all had shared
/// before, and by the right days again once it is back; a replay follows them.
#[test]
fn lanes_go_on_without_one_that_cannot_be_read_and_a_replay_follows() {
    let stage = Stage::new("2s");
    stage.ledger("data");
    let upstream = upstream(&stage);
    upstream.begin().unwrap();
    let last: Vec<_> = (0..LANES).map(|lane| [ACCESS, AUTH].map(|topic| newest(&stage, topic, lane))).collect();
    let end = last.iter().flatten().map(|record| record.time).max().unwrap();
    let held = copied(&last[2][0], end, "held");
    upstream.send(ACCESS, Some(2), &held.0, Some(held.1.to_string().as_bytes()), &[], Some(end)).unwrap();
    upstream.flush().unwrap();
    // Some users of every lane go on for six days.
    let speaker = Speaker::connect(&stage.config).unwrap();
    for (lane, records) in (0..).zip(&last) {
        for (topic, record) in [ACCESS, AUTH].into_iter().zip(records) {
            let times = (1..=6 * 4).map(|quarter| end + Millis::hours(6 * quarter));
            for time in times {
                let (key, event) = copied(record, time, "later");
                speaker.send(topic, Some(lane), &key, Some(event.to_string().as_bytes()), &[], Some(time)).unwrap();
            }
        }
    }
    speaker.flush().unwrap();
    let mut member = stage.start_with("hasty", Some("data"), &["--shares-timeout", "3s"]);
    let closed = |lane| last_tick(&member, lane);
    let far = (end + Millis::days(5)).millis() as f64 / 1_000.0;
    wait_until("two lanes go on without the third", || closed(0) > far && closed(1) > far);
    let behind = closed(2) * 1_000.0;
    assert!(behind < (end + Millis::hours(1)).millis() as f64, "the third lane stands at {behind}");
    assert!(member.log().contains("goes by what lanes shared earlier"), "{}", member.log());
    upstream.end(true).unwrap();
    settle(&mut [&mut member]);
    member.stop();
    let mut older = BTreeMap::new();
    for record in stage.committed("chartwarden.insider-breach.journal") {
        let said: JournalRecord = serde_json::from_slice(&record.value.unwrap()).unwrap();
        *older.entry(record.partition).or_insert(0) += usize::from(said.shared.is_some());
    }
    assert!(older[&0] > 100 && older[&1] > 100 && older[&2] == 0, "ticks that went by an older day: {older:?}");
    say(&stage.proved("pipeline", "data"));
}

/// A producer whose transactions may stay open for as long as a test takes on a slow machine.
fn upstream(stage: &Stage) -> Speaker {
    let patient = Config { transaction_timeout: Duration::from_secs(600), ..stage.config.clone() };
    Speaker::transactional(&patient, "upstream").unwrap()
}

/// Key and value of an event at another time, under another id.
pub(crate) fn copied(record: &CommittedRecord, time: Timestamp, id: &str) -> (Vec<u8>, serde_json::Value) {
    let mut event: serde_json::Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    (event["id"], event["time"]) = (format!("{id}-{}", time.millis()).into(), time.millis().into());
    (record.key.clone().unwrap(), event)
}

pub(crate) fn newest(stage: &Stage, topic: &str, lane: u32) -> CommittedRecord {
    let records = stage.committed(topic).into_iter().filter(|record| record.partition == lane);
    records.max_by_key(|record| record.time).unwrap_or_else(|| panic!("{topic} lane {lane} is empty"))
}

/// Where a lane stands, in seconds; 0 where a member does not hold it.
pub(crate) fn last_tick(member: &Member, lane: u32) -> f64 {
    metric(member, &format!("chartwarden_last_tick_timestamp_seconds{{lane=\"{lane}\"}}"))
}

fn metric(member: &Member, name: &str) -> f64 {
    member.metrics().get(name).copied().unwrap_or_default()
}

/// Whoever may write to an input topic may write what libraries do not read.
#[test]
fn a_header_whose_name_is_no_text_ends_no_process() {
    const VALUE: &[u8] = b"{no event, and such a header";
    let stage = stage();
    let time = stage.committed(ACCESS).iter().map(|record| record.time).max().unwrap();
    stage.brokers[0].produce((ACCESS, 0), VALUE, b"\xff\xfe", time.millis()).unwrap();
    let mut member = stage.start("header", None);
    let told = || stage.letters().iter().filter(|(_, value, _)| value.as_deref() == Some(VALUE)).count();
    wait_until("a dead letter tells of it", || told() > 0);
    settle(&mut [&mut member]);
    member.stop();
    assert_eq!(told(), 1);
}
