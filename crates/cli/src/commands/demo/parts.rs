//! What each thread of a demo does, and what they share.
//!
//! The embedded broker silently drops what exceeds its room, so the hospital waits for the lanes and for the archiver.
//! Read next: `voice.rs`, `anchor.rs`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use archive::Archiver;
use base::{Millis, Timestamp};
use engine::ports::LaneId;
use engine::{Engine, PipelineSpec, Snapshot};
use events::PseudonymKeys;
use hospital::Hospital;
use kafka::{Config, KafkaFollower, KafkaReferenceFeed, KafkaSource};

use super::own_topics;
use crate::anchor::{Anchor, Places};
use crate::elapsed::Elapsed;
use crate::http::Shown;
use crate::memory::Standing;
use crate::town::TruthFiles;
use crate::voice::{Said, Voice};

/// How far the hospital may be ahead of a lane's watermark.
const AHEAD_MAX: Millis = Millis::hours(6);
/// Records of one topic and lane that may wait to be read.
const UNREAD_MAX: u64 = 8_000;
/// Ticks the archiver may be behind.
const ARCHIVE_BEHIND_MAX: u64 = 400;
/// Without any progress for so long the hospital goes on: a lane may wait for a topic that is silent for hours.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nothing more is closed after so long without progress: what is left is not due.
const QUIET: Duration = Duration::from_millis(1_500);
/// How often a waiting thread looks again.
const LOOK: Duration = Duration::from_millis(2);
/// How often the sequencer looks for findings.
const ANCHOR_EVERY: Duration = Duration::from_millis(1_000);

/// What the threads share.
pub(super) struct Stage<'a> {
    pub(super) spec: &'a PipelineSpec,
    pub(super) config: &'a Config,
    pub(super) keys: Arc<PseudonymKeys>,
    pub(super) shown: &'a Arc<Shown>,
    pub(super) lanes: u32,
    pub(super) is_embedded: bool,
    pub(super) start: Timestamp,
    pub(super) said: Mutex<Said>,
    /// Journal records the archiver has followed, over all lanes.
    pub(super) archived: Mutex<archive::Progress>,
    pub(super) ledger_entries: AtomicU64,
    /// Every topic exists.
    pub(super) topics_there: AtomicBool,
    pub(super) engine_done: AtomicBool,
    pub(super) all_done: AtomicBool,
}

/// Sets flags when a thread ends, however it ends: the others must not wait for it.
struct Ends<'a>(&'a [&'a AtomicBool]);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|flag| flag.store(true, Ordering::Relaxed));
    }
}

impl Stage<'_> {
    /// The main path.
    pub(super) fn engine(&self) -> Result<()> {
        let _ends = Ends(&[&self.engine_done, &self.shown.stop]);
        if !self.wait_for_topics() {
            return Ok(());
        }
        // The simulated hospital's own stamps are the time: the clock stands, so that runs are alike.
        let clock = Standing;
        let mut source = KafkaSource::connect(self.config)?;
        let mut feed = KafkaReferenceFeed::connect(self.config, Arc::new(clock))?;
        let keys = Arc::clone(&self.keys);
        let (metrics, progress) = (&self.shown.metrics, &self.shown.progress);
        Engine::new(self.spec, keys, &mut source, &mut feed, &clock, metrics, progress).run(&self.shown.stop)?;
        Ok(())
    }

    /// The hospital; stops the engine when everything it said has been read and closed.
    pub(super) fn speak(&self, hospital: Hospital, mut truth: TruthFiles) -> Result<Hospital> {
        let _ends = Ends(&[&self.shown.stop]);
        let mut voice = Voice::new(hospital, self.spec, self.config, self.lanes, &self.said)?;
        voice.introduce()?;
        if self.is_embedded && !self.wait_for_lanes() {
            return Ok(voice.into_hospital());
        }
        let finished = voice.speak(self.start, &mut truth, &|hour| self.may_go_on(hour))?;
        if finished {
            self.wait_until_drained();
        }
        let hospital = voice.into_hospital();
        truth.finish(&hospital)?;
        Ok(hospital)
    }

    /// The archiver; ends when the engine has and nothing is left.
    pub(super) fn archive(&self, folder: &Path) -> Result<()> {
        let _ends = Ends(&[&self.shown.stop]);
        if !self.wait_for_topics() {
            return Ok(());
        }
        std::fs::create_dir_all(folder).map_err(|error| crate::report::disk(folder, &error))?;
        let follower = Box::new(KafkaFollower::connect(self.config)?);
        let lanes: Vec<LaneId> = (0..self.lanes).map(LaneId).collect();
        let mut archiver = Archiver::new(folder, self.spec, Arc::clone(&self.keys), follower, &lanes)?;
        while !self.engine_done.load(Ordering::Relaxed) {
            archiver.step(Duration::from_millis(50))?;
            *self.archived.lock().unwrap_or_else(PoisonError::into_inner) = archiver.progress();
        }
        archiver.finish()?;
        *self.archived.lock().unwrap_or_else(PoisonError::into_inner) = archiver.progress();
        Ok(())
    }

    /// The ledger's sequencer; ends with the receipts when the engine has ended.
    pub(super) fn anchor(&self, places: &Places, receipts: &Path) -> Result<Vec<(String, Vec<u8>)>> {
        let _ends = Ends(&[&self.shown.stop]);
        if !self.wait_for_topics() {
            return Ok(Vec::new());
        }
        let mut anchor = Anchor::open(places, self.config)?;
        loop {
            let last = self.engine_done.load(Ordering::Relaxed);
            let entries = anchor.step()?;
            self.ledger_entries.store(entries, Ordering::Relaxed);
            self.shown.metrics.ledger(entries, base::Clock::now(&base::SystemClock));
            if last {
                break;
            }
            let waited = Elapsed::start();
            while waited.so_far() < ANCHOR_EVERY && !self.engine_done.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK * 10);
            }
        }
        anchor.write_receipts(receipts)?;
        Ok(anchor.sealed)
    }

    fn wait_for_topics(&self) -> bool {
        while !self.topics_there.load(Ordering::Relaxed) && !self.shown.is_stopping() {
            std::thread::sleep(LOOK);
        }
        !self.shown.is_stopping()
    }

    fn wait_for_lanes(&self) -> bool {
        while self.shown.progress.snapshot().lanes.len() < self.lanes as usize && !self.shown.is_stopping() {
            std::thread::sleep(LOOK);
        }
        !self.shown.is_stopping()
    }

    /// Waits until everybody has followed closely enough; `false` when the demo is to end.
    fn may_go_on(&self, hour: Timestamp) -> bool {
        if !self.topics_there.load(Ordering::Relaxed) {
            // The first hour made the broker create the input topics.
            if let Err(error) = own_topics(self.config, self.lanes) {
                tracing::error!(%error, "topics cannot be created");
                return false;
            }
            self.topics_there.store(true, Ordering::Relaxed);
        }
        let mut quiet = Elapsed::start();
        let mut known = None;
        loop {
            if self.shown.is_stopping() {
                return false;
            }
            let snapshot = self.shown.progress.snapshot();
            let archived = self.followed();
            if !self.is_embedded || (self.is_close(&snapshot, hour) && self.is_archived(&snapshot, archived)) {
                return true;
            }
            let now = (snapshot.events, snapshot.ticks, archived);
            if known != Some(now) {
                (known, quiet) = (Some(now), Elapsed::start());
            } else if quiet.so_far() > PATIENCE {
                return true;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn is_close(&self, snapshot: &Snapshot, hour: Timestamp) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let early = hour - self.start <= AHEAD_MAX;
        let behind = |lane: &engine::LaneProgress| match lane.watermark {
            Some(watermark) => hour - watermark > AHEAD_MAX,
            None => !early,
        };
        let unread = said.events.iter().any(|((lane, topic), events)| {
            let next = snapshot.lanes.get(&LaneId(*lane)).and_then(|lane| lane.next.get(topic.index()));
            let read = next.map_or(0, |next| u64::try_from(*next).unwrap_or(0));
            events.saturating_sub(read) > UNREAD_MAX
        });
        !snapshot.lanes.values().any(behind) && !unread
    }

    /// Journal records followed: every tick has one, and each lane began with one.
    fn followed(&self) -> u64 {
        let archived = self.archived.lock().unwrap_or_else(PoisonError::into_inner);
        archived.lanes.values().filter_map(|lane| lane.followed).sum()
    }

    fn is_archived(&self, snapshot: &Snapshot, followed: u64) -> bool {
        snapshot.ticks.saturating_sub(followed) <= ARCHIVE_BEHIND_MAX
    }

    fn wait_until_drained(&self) {
        let mut quiet = Elapsed::start();
        let mut known = None;
        while !self.shown.is_stopping() {
            let snapshot = self.shown.progress.snapshot();
            let now = (snapshot.events, snapshot.ticks);
            if known != Some(now) {
                (known, quiet) = (Some(now), Elapsed::start());
            } else if quiet.so_far() > QUIET && (self.is_read(&snapshot) || quiet.so_far() > QUIET * 10) {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn is_read(&self, snapshot: &Snapshot) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.events.iter().all(|((lane, topic), events)| {
            let next = snapshot.lanes.get(&LaneId(*lane)).and_then(|lane| lane.next.get(topic.index()));
            next.is_some_and(|next| u64::try_from(*next).is_ok_and(|next| next >= *events))
        })
    }
}
