//! Whatever dies, and when: nothing is lost, nothing doubled, and every byte is that of a clean run.

use crate::oracle::{Moments, check, clean, number, say, stage, wait_for_ticks, works};
use crate::stage::{LANES, settle, try_settle};

/// Kills of one round; `CHARTWARDEN_CHAOS_ROUNDS` asks for more rounds, `CHARTWARDEN_CHAOS_SEED` for other moments.
const KILLS: u32 = 12;

/// Kills of the run that archives and seals beside it.
const ARCHIVE_KILLS: u32 = 6;

#[test]
fn kills_at_any_moment_leave_the_bytes_of_a_clean_run() {
    let seed = number("CHARTWARDEN_CHAOS_SEED", 7);
    for round in 0..number("CHARTWARDEN_CHAOS_ROUNDS", 1) {
        kill_and_compare(seed + round);
    }
}

/// One run of an input, killed again and again until little is left of it.
fn kill_and_compare(seed: u64) {
    let stage = stage();
    let mut moments = Moments(seed);
    let (mut at_work, mut between_findings) = (0, 0);
    let findings = clean()
        .iter()
        .flat_map(|results| results.values())
        .flatten()
        .filter(|(key, _)| key.starts_with("findings/"))
        .count();
    for kill in 0..KILLS {
        let mut member = stage.start("killed", None);
        // One in three dies before it has joined or while it takes lanes up, the others at work: a commit is under way
        // most of the time.
        if kill % 3 == 0 {
            std::thread::sleep(moments.next(4_000));
        } else {
            at_work += u32::from(works(&member));
            std::thread::sleep(moments.next(300));
        }
        assert!(member.process.ended().is_none(), "seed {seed}: it ended by itself:\n{}", member.log());
        member.process.kill();
        let told = stage.committed("risk.findings.v1").len();
        between_findings += u32::from((1..findings).contains(&told));
    }
    let mut member = stage.start("killed", None);
    settle(&mut [&mut member]);
    member.stop();
    assert!(at_work >= KILLS / 3, "seed {seed}: only {at_work} of {KILLS} kills met a member at work");
    assert!(between_findings > 0, "seed {seed}: no kill fell between the first finding and the last");
    check(&stage, &format!("{KILLS} kills, {at_work} at work, {between_findings} between findings, seed {seed}"));
}

#[test]
fn kills_while_archiving_and_sealing_leave_archive_and_ledger_whole() {
    let seed = number("CHARTWARDEN_CHAOS_SEED", 7);
    let stage = stage();
    stage.ledger("data");
    let mut moments = Moments(seed);
    let (mut archiving, mut sealing) = (0, 0);
    for _ in 0..ARCHIVE_KILLS {
        let mut member = stage.start("killed", Some("data"));
        works(&member);
        std::thread::sleep(moments.next(1_500));
        assert!(member.process.ended().is_none(), "it ended by itself:\n{}", member.log());
        member.process.kill();
        let receipts = std::fs::read_dir(stage.path("data/receipts")).map_or(0, Iterator::count);
        let archived = std::fs::read_dir(stage.path("data/archive")).map_or(0, Iterator::count);
        archiving += u32::from(archived > 0);
        sealing += u32::from(receipts > 0);
    }
    let mut member = stage.start("killed", Some("data"));
    settle(&mut [&mut member]);
    member.stop();
    assert!(archiving > 0 && sealing > 0, "{archiving} kills met an archive under way, {sealing} a ledger");
    check(&stage, &format!("{ARCHIVE_KILLS} kills while archiving and sealing, seed {seed}"));
    say(&stage.proved("pipeline", "data"));
}

#[test]
fn a_member_taken_for_dead_is_fenced() {
    let stage = stage();
    let mut zombie = stage.start("zombie", None);
    wait_for_ticks(&zombie);
    zombie.process.signal("-STOP");
    // The other gets every lane once the session of the first has ended.
    let mut other = stage.start("other", None);
    settle(&mut [&mut other]);
    zombie.process.signal("-CONT");
    // It may find work again as a member that joins anew, or end; it must not add anything.
    settle(&mut [&mut other, &mut zombie]);
    let given_up = zombie.log().matches("lane given up").count();
    assert!(given_up >= LANES as usize, "it went on with lanes it had lost:\n{}", zombie.log());
    zombie.stop();
    other.stop();
    check(&stage, "a stopped and continued member");
}

#[test]
fn members_that_come_and_go_hand_lanes_over() {
    let stage = stage();
    let mut one = stage.start("one", None);
    wait_for_ticks(&one);
    let mut two = stage.start("two", None);
    wait_for_ticks(&two);
    let mut three = stage.start("three", None);
    wait_for_ticks(&three);
    two.stop();
    settle(&mut [&mut one, &mut three]);
    for member in [&one, &two, &three] {
        assert!(!member.log().contains("is split"), "half a lane was held:\n{}", member.log());
    }
    one.stop();
    three.stop();
    check(&stage, "three members, one leaving");
}

#[test]
fn a_broker_that_dies_inside_commits_loses_nothing() {
    let stage = stage();
    let mut member = stage.start("steady", None);
    wait_for_ticks(&member);
    let mut moments = Moments(3);
    for _ in 0..2 {
        stage.brokers[0].kill().unwrap();
        stage.brokers[0].restart().unwrap();
        std::thread::sleep(moments.next(3_000));
    }
    // A broker that forgot its group may refuse the member for good; it ends with 3 and is started again, as any
    // supervisor would.
    let mut ends = 0;
    while let Err((status, log)) = try_settle(&mut [&mut member]) {
        ends += 1;
        assert!(status.code() == Some(3) && ends <= 5, "{status} for the {ends}. time:\n{log}");
        member = stage.start("steady", None);
    }
    member.stop();
    assert!(!member.log().contains("linked without"), "the product is linked around librdkafka#5280");
    check(&stage, "a broker killed twice");
}
