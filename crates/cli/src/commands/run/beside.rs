//! What runs beside the main path with `--data`: the archive, and the ledger.
//!
//! Neither holds detection up. Both are opened before lanes join, and what a person must mend is refused there; what fails
//! later is tried again from what is durable, and shows in the metrics. Read next: `keeper.rs`.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use archive::Late;
use base::{Clock as _, Kind, SystemClock};
use engine::{PipelineSpec, Sink};
use events::PseudonymKeys;
use kafka::Config;

use super::keeper::{Keeper, LOOK, RETRY_MIN, rest};
use crate::anchor::{Anchor, Places};
use crate::archivers::Archivers;
use crate::http::Shown;
use crate::report::{Failure, disk};

/// How often findings are sealed.
const SEAL_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Beside<'a> {
    pub(super) spec: &'a PipelineSpec,
    pub(super) config: &'a Config,
    pub(super) keys: &'a Arc<PseudonymKeys>,
    pub(super) shown: &'a Shown,
    pub(super) lanes: u32,
    /// The archive's folder.
    pub(super) archive: PathBuf,
    /// Of the ledger.
    pub(super) places: Places,
    /// The engine has ended.
    pub(super) over: &'a AtomicBool,
}

/// Both as they were opened before lanes join; absent what is to be opened later.
pub(super) struct Opened {
    pub(super) archive: Option<Archivers>,
    pub(super) ledger: Option<Anchor>,
}

impl Beside<'_> {
    /// Opens both where they end.
    ///
    /// # Errors
    /// What a person must mend, such as damage; not what passes by itself, such as a full disk.
    pub(super) fn open(&self) -> Result<Opened> {
        let archive = self.keeper(Sink::Archive).at_start(self.open_archive(true, false)).context("archiving")?;
        let ledger = self.keeper(Sink::Ledger).at_start(self.open_ledger()).context("sealing")?;
        Ok(Opened { archive, ledger })
    }

    /// Archives what lanes commit until the engine has ended.
    pub(super) fn archive(&self, opened: Option<Archivers>) -> Result<()> {
        let (mut was_there, holds, mut late) = (opened.is_some(), Cell::new(false), None::<Late>);
        let open = || self.open_archive(!was_there, holds.get()).inspect(|_| was_there = true);
        self.keeper(Sink::Archive).keep(opened, open, |archivers| {
            // Whoever goes on from the archive's end would take it for archived.
            late.iter().try_for_each(|late| archivers.check_holds(late))?;
            let lived = self.follow(archivers);
            holds.set(holds.get() || archivers.progress().lanes.values().any(|lane| lane.tick_end.is_some()));
            late = lived.as_ref().err().and_then(late_in);
            lived
        })
    }

    /// Seals findings until the engine has ended.
    pub(super) fn seal(&self, opened: Option<Anchor>) -> Result<()> {
        let mut had = 0;
        self.keeper(Sink::Ledger).keep(
            opened,
            || self.open_ledger(),
            |anchor| {
                check_not_set_back(had, anchor.entries(), &self.places.log)?;
                let lived = self.seal_on(anchor);
                had = had.max(anchor.entries());
                lived
            },
        )
    }

    fn follow(&self, archivers: &mut Archivers) -> Result<()> {
        while !self.over.load(Ordering::Relaxed) {
            archivers.step(LOOK)?;
            for (lane, archived) in archivers.progress().lanes {
                self.shown.metrics.archived(lane, archived.tick_end);
            }
        }
        archivers.finish()
    }

    fn seal_on(&self, anchor: &mut Anchor) -> Result<()> {
        self.shown.metrics.ledger_found(anchor.entries());
        loop {
            let last = self.over.load(Ordering::Relaxed);
            let stepped = anchor.step();
            (0..std::mem::take(&mut anchor.failures)).for_each(|_| self.shown.metrics.ledger_failure());
            let now = SystemClock.now();
            self.shown.metrics.ledger(stepped?, now);
            if last {
                return Ok(());
            }
            if anchor.is_tidying_due(now) {
                anchor.tidy(now);
            }
            rest(SEAL_EVERY, self.over);
        }
    }

    /// Only the first time its folder is made: where a disk was, nothing is begun anew beside it. Nor in the empty folder that
    /// a disk leaves on which something was archived.
    fn open_archive(&self, is_first: bool, holds: bool) -> Result<Archivers> {
        let folder = &self.archive;
        let is_empty = || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if is_first {
            std::fs::create_dir_all(folder).map_err(|error| disk(folder, &error))?;
        } else if !folder.is_dir() || (holds && is_empty()) {
            let failure = Failure::invalid("the archive's folder is gone or empty").at(folder.display());
            return Err(failure.hint("put it back, or its disk: it goes on from where the archive ends").into());
        }
        Archivers::open(folder, self.spec, self.keys, self.config, self.lanes)
    }

    fn open_ledger(&self) -> Result<Anchor> {
        Anchor::open(&self.places, self.config)
    }

    fn keeper(&self, sink: Sink) -> Keeper<'_> {
        let place = match sink {
            Sink::Archive => &self.archive,
            Sink::Ledger => &self.places.log,
        };
        Keeper { sink, place, shown: self.shown, over: self.over, retry_min: RETRY_MIN }
    }
}

fn late_in(error: &anyhow::Error) -> Option<Late> {
    error.chain().find_map(|cause| match cause.downcast_ref::<archive::Error>() {
        Some(archive::Error::Late(late)) => Some(late.clone()),
        _ => None,
    })
}

/// An error if a log ends before what this process had signed in it: to go on from an older copy would sign a second
/// history, and nobody has decided that.
fn check_not_set_back(had: u64, has: u64, log: &Path) -> Result<()> {
    if has >= had {
        return Ok(());
    }
    let problem = format!("the log has {has} entries, and had {had} when this process last wrote it: it was set back");
    let hint = "put the newer one back; if it is lost, start this process again to go on from the older";
    Err(Failure::new(Kind::Corrupt, problem).at(log.display()).hint(hint).into())
}

#[cfg(test)]
mod tests;
