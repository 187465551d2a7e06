//! The archiver: follows what lanes committed, and writes it run by run.
//!
//! It belongs to no group and holds no lane up. Its own position is the archive itself: the end record of each lane's
//! newest run. Read next: `follow.rs` (when a run ends), `run.rs` (what is written).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use engine::PipelineSpec;
use engine::ports::{Followed, Follower, LaneId, PortError};
use events::PseudonymKeys;

use crate::error::{Late, Result};
use crate::follow::{LaneFollow, Run, Setup};
use crate::layout;
use crate::limits::{FINISH_QUIET, FINISH_STEPS_MAX, FINISH_WAIT, LANES_MAX};
use crate::read;
use crate::reference_rows::ReferenceRows;
use crate::run;

/// Where one lane stands in the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneArchived {
    /// The newest journal record in the archive.
    pub archived: Option<u64>,
    /// The newest journal record that was followed.
    pub followed: Option<u64>,
    /// The end of the newest tick in the archive.
    pub tick_end: Option<Timestamp>,
}

/// What an archiver has done since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Lanes.
    pub lanes: BTreeMap<LaneId, LaneArchived>,
    /// Runs written.
    pub runs: u64,
    /// Files of reference rows written.
    pub reference_files: u64,
}

/// Follows lanes into a folder.
///
/// Its follower must hand over a journal record only after every result of the record's tick and every reference row
/// that the record pins.
pub struct Archiver {
    dir: PathBuf,
    /// Nobody else writes into the folder meanwhile.
    _lock: File,
    setup: Setup,
    follower: Box<dyn Follower>,
    lanes: BTreeMap<LaneId, LaneFollow>,
    reference: ReferenceRows,
    runs: u64,
    reference_files: u64,
}

impl Archiver {
    /// An archiver of the given lanes that goes on where `dir` ends, and is the only one there. What a crash left unfinished
    /// is removed.
    pub fn new(
        dir: &Path,
        spec: &PipelineSpec,
        keys: Arc<PseudonymKeys>,
        follower: Box<dyn Follower>,
        lanes: &[LaneId],
    ) -> Result<Self> {
        Self::with(dir, Setup::of(spec), keys, follower, lanes)
    }

    /// An archiver of the pipeline's lanes of watches, beside the lanes of users that are archived in `dir`.
    pub fn of_watches(
        dir: &Path,
        spec: &PipelineSpec,
        keys: Arc<PseudonymKeys>,
        follower: Box<dyn Follower>,
        lanes: &[LaneId],
    ) -> Result<Self> {
        Self::with(&dir.join(layout::WATCHES), Setup::of_watches(spec), keys, follower, lanes)
    }

    pub(crate) fn with(
        dir: &Path,
        setup: Setup,
        keys: Arc<PseudonymKeys>,
        mut follower: Box<dyn Follower>,
        lanes: &[LaneId],
    ) -> Result<Self> {
        if let Some(lane) = lanes.iter().find(|lane| lane.0 >= LANES_MAX) {
            let problem = format!("the pipeline has a lane {lane}, and an archive at most {LANES_MAX} lanes");
            return Err(PortError::Invalid(problem).into());
        }
        let lock = layout::claim(dir)?;
        let runs = layout::runs(dir)?;
        layout::sweep(dir, &runs, &run::streams(&setup))?;
        let reference = ReferenceRows::new(dir, Arc::clone(&keys), setup.zone.clone())?;
        let mut followed = BTreeMap::new();
        for lane in lanes {
            let newest = runs.iter().rfind(|run| run.lane == *lane);
            let base = newest.map(|run| read::end_record(dir, run)).transpose()?;
            let follow = LaneFollow::new(dir, *lane, &setup, &keys, base)?;
            follower.start(*lane, &follow.resume(), None)?;
            followed.insert(*lane, follow);
        }
        let dir = dir.to_path_buf();
        Ok(Self { dir, _lock: lock, setup, follower, lanes: followed, reference, runs: 0, reference_files: 0 })
    }

    /// Takes what was committed since, waiting at most `wait`, and writes the runs whose ends are settled. Says
    /// whether anything was new.
    pub fn step(&mut self, wait: Duration) -> Result<bool> {
        let followed = self.follower.poll(wait)?;
        let new = !followed.is_empty();
        for followed in followed {
            self.take(followed)?;
        }
        if self.reference.is_full() {
            self.reference_files += self.reference.flush(&self.dir)?;
        }
        for lane in self.lanes.keys().copied().collect::<Vec<_>>() {
            while let Some(run) = self.lanes.get_mut(&lane).map(|lane| lane.due(&self.setup)).transpose()?.flatten() {
                self.write(&run)?;
            }
        }
        Ok(new)
    }

    /// Follows until nothing new comes, or for so many steps where others go on committing, then writes what is left
    /// as last, shorter runs. The chain goes on from there.
    pub fn finish(&mut self) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..FINISH_STEPS_MAX {
            quiet = if self.step(FINISH_WAIT)? { 0 } else { quiet + 1 };
            if quiet == FINISH_QUIET {
                break;
            }
        }
        for lane in self.lanes.keys().copied().collect::<Vec<_>>() {
            if let Some(run) = self.lanes.get_mut(&lane).map(|lane| lane.rest(&self.setup)).transpose()?.flatten() {
                self.write(&run)?;
            }
        }
        self.reference_files += self.reference.flush(&self.dir)?;
        Ok(())
    }

    /// An error if the archive still lacks what came too late for an earlier archiver of this folder, which is as long as
    /// the lane's files reach to its tick: this one would take it for archived. What came late elsewhere is not judged.
    pub fn check_holds(&self, late: &Late) -> Result<()> {
        let base = self.lanes.get(&late.lane).and_then(|lane| lane.base.as_ref());
        let reaches = base.and_then(|base| base.tick_end).is_some_and(|end| end >= late.tick_end);
        if late.folder == self.dir && reaches { Err(late.clone().into()) } else { Ok(()) }
    }

    /// Where every lane stands.
    pub fn progress(&self) -> Progress {
        let lanes = self.lanes.iter().map(|(id, lane)| {
            let base = lane.base.as_ref();
            let archived = LaneArchived {
                archived: base.map(|record| record.sequence),
                followed: lane.newest().map(|record| record.sequence),
                tick_end: base.and_then(|record| record.tick_end),
            };
            (*id, archived)
        });
        Progress { lanes: lanes.collect(), runs: self.runs, reference_files: self.reference_files }
    }

    fn take(&mut self, followed: Followed) -> Result<()> {
        match followed {
            Followed::Reference(rows) => rows.iter().for_each(|row| self.reference.take(row)),
            Followed::Input { lane, topic, records } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.take_input(topic, &records);
                }
            }
            Followed::Journal { lane, records } => {
                let Some(lane) = self.lanes.get_mut(&lane) else { return Ok(()) };
                for record in records {
                    lane.take_journal(record, &self.setup)?;
                }
            }
            Followed::Results { lane, messages } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.take_results(messages)?;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, run: &Run) -> Result<()> {
        self.reference_files += self.reference.flush(&self.dir)?;
        let id = run::write(&self.dir, run, &self.setup)?;
        self.runs += 1;
        tracing::info!(lane = id.lane.0, first = id.first, last = id.last, day = id.day, "run archived");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
