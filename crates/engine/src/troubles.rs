//! Lanes that failed for a reason that passes: when they are opened again, and when that is given up.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::limits::{FENCED_PAUSE, REOPEN_PAUSE, REOPENS_MAX, STOP_MAX};
use crate::ports::{LaneId, PortError};
use crate::stopwatch::Stopwatch;

/// Lanes that are to be opened again; gone from here once they have committed again.
#[derive(Default)]
pub(crate) struct Troubles {
    lanes: BTreeMap<LaneId, Trouble>,
    /// Lanes that somebody else was given, or that a coordinator took for dead; if they are still ours after a while, the
    /// latter it was.
    fenced: BTreeMap<LaneId, Stopwatch>,
    /// Since when somebody wants to stop.
    stopping: Option<Stopwatch>,
}

#[derive(Clone, Copy)]
struct Trouble {
    since: Stopwatch,
    times: u32,
}

impl Troubles {
    /// A lane could not be opened or committed. Nothing of what was not committed counts, so it begins again from what
    /// is stored: if another process has it, there; if the trouble passes, here. Says why the lane is given up for now.
    pub(crate) fn note(&mut self, lane: LaneId, error: PortError) -> Result<&'static str> {
        let text = match error {
            PortError::Fenced(_) => {
                tracing::warn!(lane = lane.0, "another owner has the lane, or its transaction took too long");
                // What was not known of its last commit, whoever has the lane has found out.
                self.lanes.remove(&lane);
                self.fenced.insert(lane, Stopwatch::start());
                return Ok("fenced by another owner");
            }
            PortError::Unavailable(text) => text,
            error => return Err(error.into()),
        };
        let times = self.lanes.get(&lane).map_or(0, |trouble| trouble.times) + 1;
        if times > REOPENS_MAX {
            return Err(PortError::Unavailable(text).into());
        }
        tracing::warn!(lane = lane.0, times, problem = text, "the lane will be opened again");
        self.lanes.insert(lane, Trouble { since: Stopwatch::start(), times });
        Ok("its last commit did not get through")
    }

    /// A lane works again, or is no longer ours.
    pub(crate) fn over(&mut self, lane: LaneId) {
        self.lanes.remove(&lane);
        self.fenced.remove(&lane);
    }

    /// Lanes that are not held and have waited for long enough.
    pub(crate) fn due(&self, is_held: impl Fn(LaneId) -> bool) -> BTreeSet<LaneId> {
        let waits = |(lane, trouble): (&LaneId, &Trouble)| {
            (!is_held(*lane) && trouble.since.elapsed() >= REOPEN_PAUSE).then_some(*lane)
        };
        let fenced = |(lane, since): (&LaneId, &Stopwatch)| {
            (!is_held(*lane) && since.elapsed() >= FENCED_PAUSE).then_some(*lane)
        };
        self.lanes.iter().filter_map(waits).chain(self.fenced.iter().filter_map(fenced)).collect()
    }

    /// Whether who is told to stop may: once no lane waits whose last commit may not have got through, or after a while.
    pub(crate) fn may_stop(&mut self, is_held: impl Fn(LaneId) -> bool) -> bool {
        let since = *self.stopping.get_or_insert_with(Stopwatch::start);
        since.elapsed() >= STOP_MAX || self.none_waits(is_held).is_ok()
    }

    /// An error where a lane waits at the end: what it last committed may not have got through.
    pub(crate) fn none_waits(&self, is_held: impl Fn(LaneId) -> bool) -> Result<()> {
        let Some(lane) = self.lanes.keys().find(|lane| !is_held(**lane)) else { return Ok(()) };
        let what =
            format!("stopped while lane {lane} waited to be opened again: its last commit may not have got through");
        Err(PortError::Unavailable(what).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_was_fenced_and_is_still_ours_is_opened_again_after_a_while() {
        let (lane, mut troubles) = (LaneId(3), Troubles::default());
        troubles.note(lane, PortError::Unavailable("its commit got no answer".to_owned())).unwrap();
        std::thread::sleep(REOPEN_PAUSE);
        troubles.note(lane, PortError::Fenced(lane)).unwrap();
        assert!(troubles.due(|_| false).is_empty(), "whoever has it now is left alone first");
        assert!(
            troubles.none_waits(|_| false).is_ok() && troubles.may_stop(|_| false),
            "nothing of it is ours to wait for"
        );
        std::thread::sleep(FENCED_PAUSE);
        assert!(troubles.due(|_| true).is_empty());
        assert_eq!(troubles.due(|_| false), BTreeSet::from([lane]));
        troubles.over(lane);
        assert!(troubles.due(|_| false).is_empty(), "it was given to another");
    }
}
