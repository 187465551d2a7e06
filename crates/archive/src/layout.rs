//! Which files an archive has, and how they are called.
//!
//! `stream=<s>/dt=YYYY-MM-DD/lane=NN-<first>-<last>.parquet` holds one stream of one lane over a run of whole journal
//! records, `first` and `last` being their sequences. The file of stream `journal` is written last: a run without one
//! does not count, and what there is of it is written again or removed. Lanes of watches have the same in the folder
//! `watches`. Reference rows belong to no lane:
//! `stream=reference/dt=YYYY-MM-DD/<kind>=NN-<from>-<last>.parquet` with the offsets of a partition. Whoever writes holds
//! the file `lock`.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base::{Millis, Timestamp};
use engine::PipelineSpec;
use engine::ports::LaneId;
use reference::Kind;

use crate::error::{Error, Result};
use crate::limits::LANES_MAX;

/// Streams of a lane beside those of its inputs, in the order they are written; `journal` seals a run.
pub(crate) const REJECTS: &str = "rejects";
pub(crate) const FEATURES: &str = "features";
pub(crate) const PAIR_FEATURES: &str = "pair_features";
pub(crate) const FINDINGS: &str = "findings";
pub(crate) const JOURNAL: &str = "journal";
const REFERENCE: &str = "reference";

/// Where in an archive the runs of lanes of watches stand, laid out as those of lanes of users.
pub(crate) const WATCHES: &str = "watches";

/// The streams of rows that lanes of watches give.
pub(crate) fn watch_streams(spec: &PipelineSpec) -> Vec<String> {
    spec.watches().iter().map(|watch| format!("{}{}", engine::WATCH_STREAM, watch.name)).collect()
}

/// A run of journal records of a lane: which, and under which day it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunId {
    pub(crate) lane: LaneId,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) day: String,
}

impl RunId {
    pub(crate) fn path(&self, dir: &Path, stream: &str) -> PathBuf {
        let name = format!("lane={:02}-{:012}-{:012}.parquet", self.lane.0, self.first, self.last);
        dir.join(format!("stream={stream}")).join(format!("dt={}", self.day)).join(name)
    }
}

/// A run of reference rows of a partition: offsets `from..=last`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReferenceId {
    pub(crate) kind: Kind,
    pub(crate) partition: u32,
    pub(crate) from: i64,
    pub(crate) last: i64,
    pub(crate) day: String,
}

impl ReferenceId {
    pub(crate) fn path(&self, dir: &Path) -> PathBuf {
        let name = format!("{}={:02}-{:012}-{:012}.parquet", self.kind.name(), self.partition, self.from, self.last);
        dir.join(format!("stream={REFERENCE}")).join(format!("dt={}", self.day)).join(name)
    }
}

/// The UTC day of a moment, as in `dt=2026-03-01`.
pub(crate) fn day(at: Timestamp) -> String {
    let date = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    date.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// The day a tick belongs to: ticks are half-open, so that of midnight belongs to the day before.
pub(crate) fn day_of_tick(end: Timestamp) -> String {
    day(end - Millis(1))
}

/// The sealed runs of each lane, in order; an error where one does not follow on the other, or is of a lane that no archive
/// has.
pub(crate) fn runs(dir: &Path) -> Result<Vec<RunId>> {
    let list = || -> Result<Vec<RunId>> {
        Ok(files(dir, JOURNAL)?.into_iter().filter_map(|(day, name)| run(&day, &name)).collect())
    };
    let gap = |before: Option<&RunId>, run: &RunId| {
        let expected = before.filter(|before| before.lane == run.lane).map_or(0, |before| before.last + 1);
        (run.first != expected).then_some(Error::Gap { lane: run.lane, expected, found: run.first })
    };
    let runs = chain(list, gap)?;
    match runs.last().filter(|run| run.lane.0 >= LANES_MAX) {
        None => Ok(runs),
        Some(run) => {
            let problem = format!("its name says lane {}, and an archive has at most {LANES_MAX} lanes", run.lane);
            Err(Error::file(&run.path(dir, JOURNAL), problem))
        }
    }
}

/// The files of reference rows of each partition, in order; an error where one does not follow on the other.
pub(crate) fn reference_runs(dir: &Path) -> Result<Vec<ReferenceId>> {
    let list = || -> Result<Vec<ReferenceId>> {
        Ok(files(dir, REFERENCE)?.into_iter().filter_map(|(day, name)| reference_run(&day, &name)).collect())
    };
    let gap = |before: Option<&ReferenceId>, run: &ReferenceId| {
        let same = before.filter(|before| (before.kind, before.partition) == (run.kind, run.partition));
        let expected = same.map_or(0, |before| before.last + 1);
        let (kind, partition) = (run.kind.name(), run.partition);
        (run.from != expected).then_some(Error::ReferenceGap { kind, partition, expected, found: run.from })
    };
    chain(list, gap)
}

/// What a listing finds, in order; the error where one does not follow on the one before.
///
/// Days are listed one after the other, and meanwhile somebody may seal two runs: the first in a day that has been listed,
/// the second in one that has not. A listing that begins after a run was seen holds all that were sealed before it, so what
/// is a gap is one twice.
fn chain<R: Ord + Clone>(
    mut list: impl FnMut() -> Result<Vec<R>>,
    gap: impl Fn(Option<&R>, &R) -> Option<Error>,
) -> Result<Vec<R>> {
    let mut seen = None;
    loop {
        let mut found = list()?;
        found.sort();
        let first = (0..found.len()).find_map(|place| Some((place, gap(found[..place].last(), &found[place])?)));
        let Some((place, error)) = first else { return Ok(found) };
        let torn = Some((found[..place].last().cloned(), found[place].clone()));
        if torn == seen {
            return Err(error);
        }
        seen = torn;
    }
}

/// Removes what a crash left: temporary files, and files of runs that were never sealed. What is not named as ours is
/// somebody else's, and stays.
pub(crate) fn sweep(dir: &Path, runs: &[RunId], streams: &[&str]) -> Result<()> {
    for stream in streams.iter().copied().chain([JOURNAL, REFERENCE]) {
        for (day, name) in files(dir, stream)? {
            if is_left(runs, stream, &day, &name) {
                let path = dir.join(format!("stream={stream}")).join(format!("dt={day}")).join(&name);
                fs::remove_file(&path).map_err(Error::disk(&path, "removing what a crash left"))?;
            }
        }
    }
    Ok(())
}

/// Whether a file is one of ours that a crash left. Ours are named to the letter as we name them, in the folder of a day.
fn is_left(runs: &[RunId], stream: &str, day: &str, name: &str) -> bool {
    let whole = name.strip_suffix(TEMPORARY);
    let ours = whole.unwrap_or(name);
    if !day.parse::<jiff::civil::Date>().is_ok_and(|date| date.to_string() == day) {
        return false;
    }
    if stream == REFERENCE {
        let named = reference_run(day, ours).is_some_and(|run| run.path(Path::new("")).ends_with(ours));
        return named && whole.is_some();
    }
    run(day, ours)
        .is_some_and(|run| run.path(Path::new(""), stream).ends_with(ours) && (whole.is_some() || !runs.contains(&run)))
}

/// Makes an archive's folder this process's to write into, as long as the file is open.
pub(crate) fn claim(dir: &Path) -> Result<File> {
    fs::create_dir_all(dir).map_err(Error::disk(dir, "making the folder"))?;
    let path = dir.join(LOCK);
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(Error::disk(&path, "opening it"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Taken { folder: dir.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(Error::disk(&path, "locking it")(source)),
    }
}

/// Whoever writes into an archive holds this file locked.
pub(crate) const LOCK: &str = "lock";

/// How the name of a file ends that is still being written.
pub(crate) const TEMPORARY: &str = ".part";

/// Day and name of every file of a stream.
fn files(dir: &Path, stream: &str) -> Result<Vec<(String, String)>> {
    let folder = dir.join(format!("stream={stream}"));
    let mut found = Vec::new();
    for day in entries(&folder)? {
        let Some(date) = day.strip_prefix("dt=") else { continue };
        found.extend(entries(&folder.join(&day))?.into_iter().map(|name| (date.to_owned(), name)));
    }
    Ok(found)
}

/// The names in a folder; none where there is no folder. Ours are text: a name that is not is somebody else's.
fn entries(folder: &Path) -> Result<Vec<String>> {
    let read = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        read => read.map_err(Error::disk(folder, "listing it"))?,
    };
    let mut names = Vec::new();
    for entry in read {
        let entry = entry.map_err(Error::disk(folder, "listing it"))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn run(day: &str, name: &str) -> Option<RunId> {
    let (lane, first, last) = numbers(name.strip_prefix("lane=")?)?;
    let (first, last) = (u64::try_from(first).ok()?, u64::try_from(last).ok()?);
    (first <= last).then(|| RunId { lane: LaneId(lane), first, last, day: day.to_owned() })
}

fn reference_run(day: &str, name: &str) -> Option<ReferenceId> {
    let (kind, rest) = name.split_once('=')?;
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
    let (partition, from, last) = numbers(rest)?;
    // Behind the largest number there is no next offset.
    (last < i64::MAX).then(|| ReferenceId { kind, partition, from, last, day: day.to_owned() })
}

fn numbers(name: &str) -> Option<(u32, i64, i64)> {
    let mut parts = name.strip_suffix(".parquet")?.split('-');
    let numbers = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests;
