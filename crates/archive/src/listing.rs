//! What an archive holds at one moment: which runs of its lanes, and which files of reference rows.
//!
//! Whoever archives goes on meanwhile. A replay reads these and is compared with these, whatever is sealed behind its back.
//! Read next: `layout.rs`, which finds them; `replay.rs`, which reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::JournalRecord;
use engine::ports::LaneId;

use crate::error::{Error, Result};
use crate::layout::{self, ReferenceId, RunId};
use crate::read;

/// The sealed runs of an archive, and its reference.
#[derive(Clone, Debug)]
pub struct Listing {
    pub(crate) users: Lanes,
    pub(crate) watches: Lanes,
    pub(crate) reference: Vec<ReferenceId>,
}

/// The runs of the lanes whose files stand in a folder, each lane's in order.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    pub(crate) dir: PathBuf,
    pub(crate) runs: BTreeMap<LaneId, Vec<RunId>>,
}

impl Lanes {
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let mut runs: BTreeMap<LaneId, Vec<RunId>> = BTreeMap::new();
        for run in layout::runs(dir)? {
            runs.entry(run.lane).or_default().push(run);
        }
        Ok(Self { dir: dir.to_path_buf(), runs })
    }
}

impl Listing {
    /// Lists an archive that holds a lane. A gap in a chain of files is an error that names it.
    pub fn open(dir: &Path) -> Result<Self> {
        let users = Lanes::of(dir)?;
        if users.runs.is_empty() {
            return Err(Error::Replay(format!("`{}` holds no archived lane", dir.display())));
        }
        let watches = Lanes::of(&dir.join(layout::WATCHES))?;
        // Last: rows are written before the runs that pin them.
        Ok(Self { users, watches, reference: layout::reference_runs(dir)? })
    }

    /// How many lanes the archive is of: those of users and of watches are as many, and some of either may not be there
    /// yet.
    pub(crate) fn lane_count(&self) -> u32 {
        self.users.runs.keys().chain(self.watches.runs.keys()).map(|lane| lane.0 + 1).max().unwrap_or(0)
    }

    /// The newest journal record of each lane of users.
    pub fn newest_records(&self) -> Result<BTreeMap<LaneId, JournalRecord>> {
        let newest = |(lane, runs): (&LaneId, &Vec<RunId>)| {
            let record = runs.last().map(|run| read::end_record(&self.users.dir, run));
            record.map(|record| Ok((*lane, record?)))
        };
        self.users.runs.iter().filter_map(newest).collect()
    }
}
