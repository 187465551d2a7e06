//! Whatever dies, and when: nothing is lost, nothing doubled, and every byte is that of a clean run.

use crate::oracle::{Moments, check, clean, gets_to, number, say, stage, wait_for_ticks};
use crate::stage::{LANES, Member, settle, try_settle, wait_until};

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
    let findings = clean().finding_count();
    for kill in 0..KILLS {
        let mut member = stage.start("killed", None);
        // One in three dies before it has joined or while it takes lanes up, the others at work: a commit is under way
        // most of the time.
        if kill % 3 == 0 {
            std::thread::sleep(moments.next(4_000));
        } else {
            at_work += u32::from(gets_to(&member, f64::from(kill) / f64::from(KILLS)));
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
    let minutes = kafka::topic_ends(&stage.config, "chartwarden.insider-breach.panes.minute").unwrap();
    assert!(minutes.iter().all(|(start, _)| start.0 > 0), "owners leave all their panes: {minutes:?}");
    check(&stage, &format!("{KILLS} kills, {at_work} at work, {between_findings} between findings, seed {seed}"));
}

#[test]
fn kills_while_archiving_and_sealing_leave_archive_and_ledger_whole() {
    let seed = number("CHARTWARDEN_CHAOS_SEED", 7);
    let stage = stage();
    stage.ledger("data");
    let mut moments = Moments(seed);
    let (mut archiving, mut sealing) = (0, 0);
    let files = |folder: &str| std::fs::read_dir(stage.path(folder)).map_or(0, Iterator::count);
    // A proof and an opening for each finding.
    let sealed = 2 * clean().finding_count();
    for kill in 0..ARCHIVE_KILLS {
        let mut member = stage.start("killed", Some("data"));
        gets_to(&member, f64::from(kill) / f64::from(ARCHIVE_KILLS));
        // Sealing follows the lanes in leaps; every second kill is meant for one.
        let before = files("data/receipts");
        let leaps = kill % 2 == 1 && before < sealed;
        if leaps {
            wait_until("another finding is sealed", || files("data/receipts") > before);
        }
        std::thread::sleep(moments.next(if leaps { 100 } else { 1_500 }));
        assert!(member.process.ended().is_none(), "it ended by itself:\n{}", member.log());
        member.process.kill();
        archiving += u32::from(files("data/archive") > 0);
        sealing += u32::from((1..sealed).contains(&files("data/receipts")));
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
    stage.ledger("data");
    let mut one = stage.start("one", Some("data"));
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
    three.stop();
    one.stop();
    check(&stage, "three members, one leaving");
    say(&stage.proved("pipeline", "data"));
}

/// A member that left stays a member to the broker until its session has ended, which is longer there.
#[test]
fn members_of_the_newer_protocol_hand_lanes_over() {
    let stage = stage();
    stage.let_members_speak("\"group.protocol\" = \"consumer\"\n");
    let mut one = stage.start("one", None);
    wait_for_ticks(&one);
    let mut two = stage.start("two", None);
    wait_for_ticks(&two);
    two.process.kill();
    settle(&mut [&mut one]);
    one.stop();
    check(&stage, "two members of the newer protocol, one dying");
}

/// Changes of a storm, one a second.
const CHANGES: u64 = 20;

#[test]
fn a_storm_of_members_that_join_and_leave_loses_nothing() {
    let (stage, seed) = (stage(), number("CHARTWARDEN_CHAOS_SEED", 7));
    let mut moments = Moments(seed);
    let mut members: [Option<Member>; 3] = [const { None }; 3];
    for _ in 0..number("CHARTWARDEN_CHAOS_ROUNDS", 1) * CHANGES {
        let place = moments.below(members.len() as u64) as usize;
        match members[place].take() {
            Some(member) => leave(member),
            None => members[place] = Some(stage.start(["ann", "ben", "cat"][place], None)),
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    members.into_iter().flatten().for_each(leave);
    let mut last = stage.start("last", None);
    settle(&mut [&mut last]);
    last.stop();
    check(&stage, &format!("a storm of members, seed {seed}"));
}

/// One that does not serve yet has nothing to finish, and ends by the signal.
fn leave(mut member: Member) {
    let serves = !member.metrics().is_empty();
    member.process.signal("-TERM");
    let status = member.process.wait();
    assert!(status.success() || !serves, "{status} after SIGTERM:\n{}", member.log());
}

#[test]
fn a_broker_that_dies_inside_commits_loses_nothing() {
    let stage = stage();
    stage.ledger("data");
    let mut member = stage.start("steady", Some("data"));
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
        member = stage.start("steady", Some("data"));
    }
    member.stop();
    assert!(!member.log().contains("linked without"), "the product is linked around librdkafka#5280");
    check(&stage, "a broker killed twice");
    say(&stage.proved("pipeline", "data"));
}
