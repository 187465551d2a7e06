//! Whether an archive has lost lanes, or their ends: what is left of it would still be equal to its replay.
//!
//! Every lane of users journals that it begins before it reads anything, and where something is watched, that it has come
//! to the end of each step. A lane of watches closes a step when every lane of users has; of steps in which nothing happened
//! it says so only now and then.

use base::{Millis, Timestamp};
use engine::limits::WATCH_EMPTY_STEPS_MAX;
use engine::ports::LaneId;
use engine::{PipelineSpec, when};

use crate::compare::Report;
use crate::error::Result;
use crate::limits::{LANES_APART_MAX, RUN_SPAN_MAX};
use crate::listing::{Lanes, Listing};
use crate::read;

/// Adds to a report which lanes an archive holds nothing of, and which end long before others. A lane that was down for days
/// looks like one whose last files are gone, and is told as well.
pub fn compare_reach(report: &mut Report, archive: &Listing, spec: &PipelineSpec) -> Result<()> {
    let absent = |lanes: &Lanes| {
        let all = (0..archive.lane_count()).map(LaneId);
        all.filter(|lane| !lanes.runs.contains_key(lane)).collect::<Vec<_>>()
    };
    for lane in absent(&archive.users) {
        report.differ(format!("lane {lane}: the archive holds nothing of it"));
    }
    if spec.watches().is_empty() {
        // Then a lane that is silent need not say so for days.
        return Ok(());
    }
    let step = spec.program().spec().scoring.hop;
    let unsaid = Millis(step.0 * WATCH_EMPTY_STEPS_MAX as i64);
    let (users, watches) = (ends(&archive.users)?, ends(&archive.watches)?);
    let (newest, watched) = (newest(&users), newest(&watches));
    // What was watched was told by all, and is archived a day later at most.
    let expected = (newest - LANES_APART_MAX - step).max(watched - RUN_SPAN_MAX - step);
    tell_ends(report, &users, expected, newest.max(watched), "");
    tell_ends(report, &watches, watched - LANES_APART_MAX - unsaid, watched, " of watches");
    // Until others have begun a second run, the first one of a lane may not be there yet.
    if first_end(&archive.watches)? + unsaid < watched {
        for lane in absent(&archive.watches) {
            report.differ(format!("lane {lane} of watches: the archive holds nothing of it"));
        }
    }
    Ok(())
}

/// Adds the lanes that end before it is expected.
fn tell_ends(report: &mut Report, ends: &[(LaneId, Timestamp)], expected: Timestamp, newest: Timestamp, of: &str) {
    for (lane, end) in ends.iter().filter(|(_, end)| *end < expected) {
        let (end, newest) = (when(*end), when(newest));
        report.differ(format!("lane {lane}{of}: the archive ends at {end}, and at {newest} where it is newest"));
    }
}

/// Where each lane ends that has closed a tick.
fn ends(lanes: &Lanes) -> Result<Vec<(LaneId, Timestamp)>> {
    let mut ends = Vec::new();
    for (lane, runs) in &lanes.runs {
        let Some(run) = runs.last() else { continue };
        ends.extend(read::end_record(&lanes.dir, run)?.tick_end.map(|end| (*lane, end)));
    }
    Ok(ends)
}

fn newest(ends: &[(LaneId, Timestamp)]) -> Timestamp {
    ends.iter().map(|(_, end)| *end).max().unwrap_or(Timestamp::MIN)
}

/// Where the first run of any lane ends.
fn first_end(lanes: &Lanes) -> Result<Timestamp> {
    let mut first = Timestamp::MAX;
    for run in lanes.runs.values().filter_map(|runs| runs.first()) {
        first = first.min(read::end_record(&lanes.dir, run)?.tick_end.unwrap_or(first));
    }
    Ok(first)
}

#[cfg(test)]
mod tests;
