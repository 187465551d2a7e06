//! Faults in an order nobody chose: members, the broker and the network between them fail, one after the other.

use std::thread::sleep;
use std::time::Duration;

use chartwarden_tests::broker::Network;

use crate::oracle::{Moments, check, clean, number, say, stage_on, works};
use crate::stage::{Member, Stage, try_settle};

/// Faults of one round; `CHARTWARDEN_CHAOS_ROUNDS` asks for more rounds, `CHARTWARDEN_CHAOS_SEED` for others.
const FAULTS: u32 = 12;
/// Longer than the session of a member.
const PAST_SESSION: Duration = Duration::from_secs(8);
/// How long a lane may wait for a coordinator that has left: until idle connections are closed, and a little.
const STALL_MAX: Duration = Duration::from_secs(20);
/// How long a broker of a cluster may be away, in milliseconds.
const AWAY_MAX_MS: u64 = 6_000;
/// Members that may be at work together.
const MEMBERS_MAX: usize = 3;
/// Names they may have; one that comes back under the name of one that died is taken for it.
const NAMES: [&str; 4] = ["ann", "ben", "cat", "dan"];
/// Where the one of them archives and seals that is told to.
const DATA: &str = "data";
/// Times a member may find its world gone and be started again, as by any supervisor.
const RESTARTS_MAX: u32 = 20;

#[derive(Clone, Copy, Debug)]
enum Fault {
    KillMember,
    /// Stopped past its session, and continued when another has its lanes.
    StopMember,
    LeaveMember,
    JoinMember,
    KillBroker,
    RestartBroker,
    CutNetwork,
    /// Held past the session, then given on.
    SilentNetwork,
    SlowNetwork,
}

const ALL: [Fault; 9] = [
    Fault::KillMember,
    Fault::StopMember,
    Fault::LeaveMember,
    Fault::JoinMember,
    Fault::KillBroker,
    Fault::RestartBroker,
    Fault::CutNetwork,
    Fault::SilentNetwork,
    Fault::SlowNetwork,
];

#[test]
fn faults_in_any_order_leave_the_bytes_of_a_clean_run() {
    rounds(1);
}

/// Leaders, coordinators and the controller move, and a broker that comes back follows those that went on.
#[test]
fn faults_in_a_cluster_leave_the_bytes_of_a_clean_run() {
    rounds(3);
}

fn rounds(brokers: u32) {
    let seed = number("CHARTWARDEN_CHAOS_SEED", 7);
    for round in 0..number("CHARTWARDEN_CHAOS_ROUNDS", 1) {
        Round::new(seed + round, brokers).play();
    }
}

/// A member under its name; one at a time archives and seals beside its lanes.
struct Named {
    name: &'static str,
    archives: bool,
    member: Member,
}

/// One run of an input, disturbed until little is left of it.
struct Round {
    seed: u64,
    moments: Moments,
    stage: Stage,
    members: Vec<Named>,
    /// What has happened, after how many results, to be told with a difference.
    told: Vec<(Fault, usize)>,
    started: u32,
    restarts: u32,
}

impl Round {
    fn new(seed: u64, brokers: u32) -> Self {
        let (moments, stage) = (Moments(seed), stage_on(brokers));
        stage.ledger(DATA);
        Self { seed, moments, stage, members: Vec::new(), told: Vec::new(), started: 0, restarts: 0 }
    }

    fn play(mut self) {
        let mut at_work = 0;
        let all: usize = clean().results[0].values().map(Vec::len).sum();
        for _ in 0..FAULTS {
            self.tend();
            self.members.iter().any(|named| works(&named.member));
            sleep(self.moments.next(700));
            let done: usize = self.stage.results().values().map(Vec::len).sum();
            at_work += u32::from(done < all);
            let fault = ALL[self.moments.below(ALL.len() as u64) as usize];
            self.told.push((fault, done));
            self.strike(fault);
        }
        self.tend();
        while !self.settled() {
            self.tend();
        }
        // Who archives ends last, with all that the others have left.
        self.members.sort_by_key(|named| named.archives);
        self.members.iter_mut().for_each(|named| named.member.stop());
        assert!(at_work >= FAULTS / 3, "{}: only {at_work} faults met a member at work", self.name());
        check(&self.stage, &self.name());
        say(&self.stage.proved("pipeline", DATA));
        let (left, ever) = self.stage.compacted();
        assert!(left < ever / 2, "{left} of {ever} records of the heads are left: too many for a compaction");
        say(&format!("{}: {} starts, {at_work} faults at work", self.name(), self.started));
    }

    /// Whether everybody has come to an end. In a cluster a lane may stand still for longer than that is looked for.
    fn settled(&mut self) -> bool {
        let looks = if self.stage.brokers.len() > 1 { 2 } else { 1 };
        (0..looks).all(|look| {
            sleep(STALL_MAX * look);
            let mut members: Vec<_> = self.members.iter_mut().map(|named| &mut named.member).collect();
            try_settle(&mut members).is_ok()
        })
    }

    fn name(&self) -> String {
        format!("seed {}, {} brokers, {:?}", self.seed, self.stage.brokers.len(), self.told)
    }

    /// Starts again who ended because its world was gone, and sees that somebody is there who archives.
    fn tend(&mut self) {
        for place in (0..self.members.len()).rev() {
            if let Some(status) = self.members[place].member.process.ended() {
                let Named { member, .. } = self.members.swap_remove(place);
                self.restarts += 1;
                let healthy = status.code() == Some(3) && self.restarts <= RESTARTS_MAX;
                assert!(healthy, "{}: {status} for the {}. time:\n{}", self.name(), self.restarts, member.log());
            }
        }
        if !self.archives() {
            self.join();
        }
    }

    fn archives(&self) -> bool {
        self.members.iter().any(|named| named.archives)
    }

    fn join(&mut self) {
        self.started += 1;
        let free: Vec<_> =
            NAMES.into_iter().filter(|name| self.members.iter().all(|taken| taken.name != *name)).collect();
        let name = free[self.moments.below(free.len() as u64) as usize];
        let archives = !self.archives();
        let member = self.stage.start_wired(name, archives.then_some(DATA));
        self.members.push(Named { name, archives, member });
    }

    fn any(&mut self) -> usize {
        self.moments.below(self.members.len() as u64) as usize
    }

    fn leaves(&mut self) -> Member {
        let place = self.any();
        self.members.swap_remove(place).member
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::KillMember => self.leaves().process.kill(),
            Fault::StopMember => {
                let place = self.any();
                self.members[place].member.process.signal("-STOP");
                if self.members.len() < MEMBERS_MAX {
                    self.join();
                }
                sleep(PAST_SESSION + self.moments.next(1_000));
                self.members[place].member.process.signal("-CONT");
            }
            Fault::LeaveMember => {
                let mut member = self.leaves();
                // One that does not serve yet has nothing to finish, and ends by the signal.
                if member.metrics().is_empty() {
                    member.process.kill();
                } else {
                    member.process.signal("-TERM");
                    let status = member.process.wait();
                    // In a cluster, a lane may have been without a leader just then, and it says so.
                    let waited = status.code() == Some(3) && member.log().contains("waited to be opened again");
                    let left = status.success() || (self.stage.brokers.len() > 1 && waited);
                    assert!(left, "{}: {status} after SIGTERM:\n{}", self.name(), member.log());
                }
            }
            Fault::JoinMember if self.members.len() < MEMBERS_MAX => self.join(),
            Fault::JoinMember => {}
            Fault::KillBroker => {
                let broker = self.broker();
                self.stage.brokers[broker].kill().unwrap();
                self.comes_back(broker);
            }
            Fault::RestartBroker => {
                let broker = self.broker();
                self.stage.brokers[broker].stop().unwrap();
                self.comes_back(broker);
            }
            Fault::CutNetwork => self.disturb(Network::Cut, Duration::ZERO, 3_000),
            Fault::SilentNetwork => self.disturb(Network::Silent, PAST_SESSION, 2_000),
            Fault::SlowNetwork => {
                let delay = Duration::from_millis(20) + self.moments.next(150);
                self.disturb(Network::Slow(delay), Duration::from_secs(2), 3_000);
            }
        }
    }

    fn broker(&mut self) -> usize {
        self.moments.below(self.stage.brokers.len() as u64) as usize
    }

    /// Others may do without it for a while.
    fn comes_back(&mut self, broker: usize) {
        if self.stage.brokers.len() > 1 {
            sleep(self.moments.next(AWAY_MAX_MS));
        }
        self.stage.brokers[broker].restart().unwrap();
    }

    fn disturb(&mut self, network: Network, least: Duration, more: u64) {
        let broker = self.broker();
        self.stage.brokers[broker].network(network);
        sleep(least + self.moments.next(more));
        self.stage.brokers[broker].network(Network::Sound);
    }
}
