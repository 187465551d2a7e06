//! Whether a replay gives what the archive holds, byte for byte; where not, the first differing row of each tick.
//!
//! What was told before an upgrade was told under other definitions, and says nothing about these.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use base::Timestamp;
use engine::ports::LaneId;
use engine::{Digests, PipelineSpec, when};

use crate::error::{Error, Result};
use crate::findings::{ArchivedFinding, findings_of};
use crate::layout::{FEATURES, PAIR_FEATURES, RunId, watch_streams};
use crate::limits::DIFFERENCES_MAX;
use crate::listing::{Lanes, Listing};
use crate::read;
use crate::results::Results;
use crate::run::decode_ipc;
use crate::store::Captured;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Scoring ticks with rows.
    pub ticks: u64,
    /// Feature rows of users.
    pub user_rows: u64,
    /// Feature rows of pairs.
    pub pair_rows: u64,
    /// Rows of entities that are watched.
    pub entity_rows: u64,
    /// Scores, of users and of pairs.
    pub scores: u64,
    /// Findings.
    pub findings: u64,
    /// Runs of files that were told under these definitions.
    pub runs: u64,
    /// Runs that were told under others, and are not compared.
    pub foreign_runs: u64,
    /// Differences in all.
    pub difference_count: u64,
    /// The first of them, in sentences.
    pub differences: Vec<String>,
}

impl Report {
    /// Whether everything is the same.
    pub fn is_equal(&self) -> bool {
        self.difference_count == 0
    }

    pub(crate) fn differ(&mut self, sentence: String) {
        self.difference_count += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(sentence);
        }
    }
}

/// Compares what a replay under these definitions committed with what the archive held that it came from; lanes that were
/// not replayed are left out.
pub fn compare(archive: &Listing, captured: &Captured, now: &Digests) -> Result<Report> {
    let mut report = Report::default();
    let streams = [PAIR_FEATURES.to_owned(), FEATURES.to_owned()];
    compare_lanes(&mut report, &archive.users, captured, &streams, now, Timestamp::MAX)?;
    if report.runs == 0 {
        let problem = "nothing to compare: the archive holds nothing that was told under this pipeline's definitions";
        return Err(Error::Replay(problem.to_owned()));
    }
    Ok(report)
}

/// Adds to a report what a replay of the watches committed, compared with the archive as far as all lanes of users are
/// archived: what follows rests on input that is not there.
pub fn compare_watches(report: &mut Report, archive: &Listing, spec: &PipelineSpec, captured: &Captured) -> Result<()> {
    if captured.lanes.is_empty() {
        return Ok(());
    }
    let newest = archive.newest_records()?;
    let all = newest.len() == archive.lane_count() as usize;
    let ends = newest.into_values().map(|record| record.tick_end).filter(|_| all);
    let until = ends.min().flatten().unwrap_or(Timestamp::MIN);
    compare_lanes(report, &archive.watches, captured, &watch_streams(spec), spec.digests(), until)
}

fn compare_lanes(
    report: &mut Report,
    archived: &Lanes,
    captured: &Captured,
    streams: &[String],
    now: &Digests,
    until: Timestamp,
) -> Result<()> {
    let dir = &archived.dir;
    if let Some(absent) = captured.lanes.keys().find(|lane| !archived.runs.contains_key(lane)) {
        return Err(Error::Replay(format!("the archive `{}` holds nothing of lane {absent}", dir.display())));
    }
    let mut foreign: BTreeMap<LaneId, Foreign> = BTreeMap::new();
    for (&lane, runs) in &archived.runs {
        let Some(replayed) = captured.lanes.get(&lane) else { continue };
        let (elsewhere, runs) = Foreign::of(dir, runs, now)?;
        report.runs += runs.len() as u64;
        report.foreign_runs += elsewhere.0.len() as u64;
        for stream in streams {
            let mut waiting = replayed.results.by_tick(stream);
            waiting.retain(|end, _| !elsewhere.holds(*end));
            for run in &runs {
                let Some(table) = read::stream(dir, run, stream)? else { continue };
                for (end, batches) in split(&table.batches).into_iter().filter(|(end, _)| *end <= until) {
                    let place = Place { lane, stream, end };
                    let now = rows(&replayed.results, &waiting.remove(&end).unwrap_or_default())?;
                    compare_tick(report, place, &batches, &now)?;
                }
            }
            for (end, places) in waiting {
                if !rows(&replayed.results, &places)?.is_empty() {
                    report.differ(format!("{}: only the replay has rows", Place { lane, stream, end }));
                }
            }
        }
        foreign.insert(lane, elsewhere);
    }
    let ours = |finding: &ArchivedFinding| foreign.get(&finding.lane).is_some_and(|f| !f.holds(finding.tick_end));
    let archived = findings_of(archived)?.into_iter().filter(|told| told.tick_end <= until && ours(told)).collect();
    compare_findings(report, archived, captured.findings()?.into_iter().filter(ours).collect());
    Ok(())
}

/// The spans of a lane's ticks that were told under other definitions: after the first time, up to the second.
struct Foreign(Vec<(Timestamp, Timestamp)>);

impl Foreign {
    /// These spans, and the runs that are left.
    fn of<'r>(dir: &Path, runs: &'r [RunId], now: &Digests) -> Result<(Self, Vec<&'r RunId>)> {
        let (mut spans, mut ours) = (Vec::new(), Vec::new());
        let mut before = Timestamp::MIN;
        for run in runs {
            let record = read::end_record(dir, run)?;
            let end = record.tick_end.unwrap_or(Timestamp::MIN);
            if record.digests == *now {
                ours.push(run);
            } else {
                spans.push((before, end));
            }
            before = end;
        }
        Ok((Self(spans), ours))
    }

    fn holds(&self, tick: Timestamp) -> bool {
        self.0.iter().any(|(after, up_to)| *after < tick && tick <= *up_to)
    }
}

#[derive(Clone, Copy)]
struct Place<'s> {
    lane: LaneId,
    stream: &'s str,
    end: Timestamp,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of lane {}, tick {}", self.stream, self.lane, when(self.end))
    }
}

/// What stands at some places.
fn rows(results: &Results, places: &[usize]) -> Result<Vec<RecordBatch>> {
    let mut rows = Vec::new();
    for place in places {
        rows.extend(decode_ipc(&results.read(*place)?.value)?.into_iter().filter(|batch| batch.num_rows() > 0));
    }
    Ok(rows)
}

/// The rows of each tick; a tick's rows stand together.
fn split(batches: &[RecordBatch]) -> BTreeMap<Timestamp, Vec<RecordBatch>> {
    let mut ticks: BTreeMap<Timestamp, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches {
        let ends = batch
            .column_by_name("tick_end")
            .and_then(|column| column.as_primitive_opt::<arrow::datatypes::TimestampMillisecondType>());
        let ends = ends.map(|ends| ends.values().to_vec()).unwrap_or_default();
        let mut from = 0;
        while from < ends.len() {
            let count = ends[from..].iter().take_while(|end| **end == ends[from]).count();
            let end = Timestamp::from_millis(ends[from]);
            ticks.entry(end).or_default().push(batch.slice(from, count));
            from += count;
        }
    }
    ticks
}

fn compare_tick(
    report: &mut Report,
    place: Place<'_>,
    archived: &[RecordBatch],
    replayed: &[RecordBatch],
) -> Result<()> {
    let (Some(first), Some(second)) = (archived.first(), replayed.first()) else {
        report.differ(format!("{place}: only the archive has rows"));
        return Ok(());
    };
    let archived = concat_batches(&first.schema(), archived)?;
    let replayed = concat_batches(&second.schema(), replayed)?;
    let rows = archived.num_rows() as u64;
    report.ticks += u64::from(place.stream == FEATURES);
    let counted = match place.stream {
        FEATURES => &mut report.user_rows,
        PAIR_FEATURES => &mut report.pair_rows,
        _ => &mut report.entity_rows,
    };
    *counted += rows;
    if let Some(scores) = archived.column_by_name("score") {
        report.scores += (scores.len() - scores.null_count()) as u64;
    }
    let names = |batch: &RecordBatch| {
        let schema = batch.schema();
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
    };
    if names(&archived) != names(&replayed) {
        report.differ(format!("{place}: the columns differ in names or types"));
        return Ok(());
    }
    if archived.num_rows() != replayed.num_rows() {
        let (kept, now) = (archived.num_rows(), replayed.num_rows());
        report.differ(format!("{place}: the archive has {kept} rows, the replay {now}"));
        return Ok(());
    }
    for (column, field) in archived.schema().fields().iter().enumerate() {
        let (kept, now) = (archived.column(column), replayed.column(column));
        if kept.to_data() == now.to_data() {
            continue;
        }
        let differs = |row: &usize| kept.slice(*row, 1).to_data() != now.slice(*row, 1).to_data();
        let row = (0..kept.len()).find(differs).unwrap_or_default();
        // Behind the tick's end stands the key: a user's, or an entity's.
        let key = archived.columns().get(1).and_then(|keys| keys.as_string_opt::<i32>());
        let key = key.map_or("", |keys| keys.value(row));
        let (kept, now) = (array_value_to_string(kept, row)?, array_value_to_string(now, row)?);
        report
            .differ(format!("{place}, {key}, column `{}`: the archive has `{kept}`, the replay `{now}`", field.name()));
        return Ok(());
    }
    Ok(())
}

fn compare_findings(report: &mut Report, archived: Vec<ArchivedFinding>, replayed: Vec<ArchivedFinding>) {
    report.findings += archived.len() as u64;
    let mut replayed: BTreeMap<_, _> = replayed.into_iter().map(|finding| (finding.order(), finding)).collect();
    for finding in archived {
        let place = format!("finding {} of lane {}, tick {}", finding.ordinal, finding.lane, when(finding.tick_end));
        match replayed.remove(&finding.order()) {
            None => report.differ(format!("{place}: only the archive has it ({})", finding.id)),
            Some(now) if now.value != finding.value => {
                let same = finding.value.iter().zip(&now.value).take_while(|(one, other)| one == other).count();
                let (kept, now) = (&finding.id, &now.id);
                report.differ(format!("{place}: the archive has {kept}, the replay {now}; they part at byte {same}"));
            }
            Some(_) => {}
        }
    }
    for finding in replayed.into_values() {
        let (ordinal, lane, end) = (finding.ordinal, finding.lane, when(finding.tick_end));
        report.differ(format!("finding {ordinal} of lane {lane}, tick {end}: only the replay has it ({})", finding.id));
    }
}
