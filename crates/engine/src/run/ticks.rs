//! Ticks that are due: closed side by side, and committed lane by lane.

use base::Timestamp;
use reference::Reference;

use super::{Engine, Owned, known};
use crate::error::{Error, Result};
use crate::limits::{COMMIT_BUDGET, DEAD_LETTERS_MAX, DEAD_LETTERS_WAIT};
use crate::metrics::Stage;
use crate::stopwatch::Stopwatch;
use crate::worker::Known;

impl Engine<'_> {
    /// Closes what is due in every lane, as much as fits one commit, and commits it.
    pub(super) fn close_ticks(&mut self, now: Timestamp) -> Result<()> {
        let known = known(self.feed, &self.shared);
        let reference = &self.reference;
        let timer = self.metrics.time(Stage::Ticks);
        let work: Vec<_> = self.lanes.iter_mut().collect();
        let failed = self.crew.each(work, |(lane, owned)| match close_and_commit(owned, reference, known, now) {
            Err(Error::Port(error)) => Ok(Some((*lane, error))),
            other => other.map(|()| None),
        })?;
        drop(timer);
        failed.into_iter().flatten().try_for_each(|(lane, error)| self.lost(lane, error))
    }

    /// Rejects and late records leave although no tick closes.
    pub(super) fn commit_letters(&mut self, now: Timestamp) -> Result<()> {
        let mut failed = Vec::new();
        for (lane, owned) in &mut self.lanes {
            let waiting = owned.worker.waiting_letters();
            let waited = now - owned.committed_at;
            if waiting >= DEAD_LETTERS_MAX || (waiting > 0 && waited >= DEAD_LETTERS_WAIT) {
                match owned.worker.commit_without_tick() {
                    Err(Error::Port(error)) => failed.push((*lane, error)),
                    other => {
                        other?;
                        owned.committed_at = now;
                    }
                }
            }
        }
        failed.into_iter().try_for_each(|(lane, error)| self.lost(lane, error))
    }
}

fn close_and_commit(owned: &mut Owned, reference: &Reference, known: Known<'_>, now: Timestamp) -> Result<()> {
    let watch = Stopwatch::start();
    while let Ok(Some(due)) = owned.worker.next_tick(known) {
        if !owned.worker.close(due, reference, known)? {
            break;
        }
        owned.closed_by_record |= !owned.decided.holds(due);
        if owned.worker.is_full() || watch.elapsed() >= COMMIT_BUDGET {
            break;
        }
    }
    if owned.worker.has_open() {
        owned.worker.commit()?;
        owned.committed_at = now;
    }
    Ok(())
}
