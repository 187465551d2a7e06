//! `chartwarden upgrade`: a changed pipeline goes on where the former one stood.
//!
//! SQL, rules, models or the engine have changed, or panes are damaged, so the state of lanes has to be computed anew: from
//! the archive, up to the newest journal record of each lane. Lanes are read, then computed without being held, then taken
//! and renewed one by one; dying in between leaves each lane whole, under the former definitions or under these, and the
//! same command goes on. Read next: `engine::Former`, which puts the new state together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use archive::{Keep, Listing};
use base::Timestamp;
use engine::ports::{LaneId, LaneStore, Source, Tier, Wake};
use engine::{Former, JournalRecord, ModelUse, PipelineSpec, State};
use kafka::{Config, KafkaSource};

use super::replay::{again, stand_in};
use crate::cluster::{Cluster, stored};
use crate::elapsed::Elapsed;
use crate::report::{Answer, Failure, line, note};
use crate::view::grouped;

/// How long lanes may stay with members of the group that are gone: the default session, and some time to give them out.
const HOLD_MAX: Duration = Duration::from_secs(75);
/// After so long a person is told what is waited for.
const NOTE_AFTER: Duration = Duration::from_secs(5);
/// How long one wait for them lasts.
const LOOK: Duration = Duration::from_millis(200);

/// Arguments of `upgrade`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the changed pipeline.
    pipeline: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    /// The archive, complete up to where the former pipeline was stopped.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// Compute every lane anew, also where nothing has changed: panes are damaged or lost.
    #[arg(long)]
    rebuild: bool,
    /// Compute and tell, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Score)?;
    let config = arguments.cluster.config(&spec)?;
    let mut former = stored(&config)?;
    let watches = config.of_watches();
    let mut former_watches = watches.as_ref().map(stored).transpose()?.unwrap_or_default();
    let watched_to = match former_watches.len() == former.len() {
        true => former_watches.values().map(|former| former.record().tick_end).min().flatten(),
        // One of them has never closed a step: it needs everything.
        false => None,
    };
    former.retain(|_, former| arguments.rebuild || !former.is_of(&spec));
    former_watches.retain(|_, former| !former.is_of(&spec));
    if former.is_empty() && former_watches.is_empty() {
        line("nothing to do: every lane with state is of this pipeline");
        return Ok(Answer::Yes);
    }
    former.values().chain(former_watches.values()).try_for_each(|former| former.fits(&spec))?;
    if former.is_empty() {
        // Lanes of users are renewed already: the watches are all that is left.
        watches.map_or(Ok(()), |config| renew_watches(&config, &spec, &former_watches, Said::Again))?;
        return Ok(Answer::Yes);
    }
    let lanes: Vec<LaneId> = former.keys().copied().collect();
    line(format!("{} to be computed anew", told(&lanes)));
    let archive = Listing::open(&arguments.archive)?;
    is_complete(&archive, &arguments.archive, &former)?;
    // All of them: what lanes share, each needs.
    let mut again = again(&archive, &spec, Keep::State, None)?;
    line(format!("computed anew: {} events, {} ticks", grouped(again.events), grouped(again.ticks)));
    let mut states = lanes.iter().map(|lane| (*lane, again.captured.lanes.remove(lane).unwrap_or_default().state));
    if arguments.dry_run {
        states.try_for_each(|(lane, state)| renewal(&spec, &former[&lane], state, watched_to).map(drop))?;
        line("it fits; nothing was changed");
        return Ok(Answer::Yes);
    }
    // Watches first: one of the former definitions would pass over what lanes repeat under these.
    if let Some(config) = watches.filter(|_| !former_watches.is_empty()) {
        renew_watches(&config, &spec, &former_watches, Said::Before)?;
    }
    let mut source = hold(&config, &lanes)?;
    states.try_for_each(|(lane, state)| renew(&mut source, &spec, lane, &former[&lane], state, watched_to))?;
    line(format!("{} of this pipeline now: start it with `chartwarden run`", told(&lanes)));
    Ok(Answer::Yes)
}

fn told(lanes: &[LaneId]) -> String {
    let names: Vec<_> = lanes.iter().map(ToString::to_string).collect();
    if names.len() == 1 { format!("lane {} is", names[0]) } else { format!("lanes {} are", names.join(", ")) }
}

/// An error where the archive does not reach as far as a lane.
fn is_complete(archive: &Listing, folder: &Path, former: &BTreeMap<LaneId, Former>) -> Result<()> {
    let newest = archive.newest_records()?;
    for (lane, former) in former {
        // A renewal repeats where the lane stands, so what it has renewed already needs no newer archive.
        let stands = |record: &JournalRecord| {
            (record.tick_end, record.topics.iter().map(|topic| topic.position).collect::<Vec<_>>())
        };
        let archived = newest.get(lane);
        if archived.map(stands) != Some(stands(former.record())) {
            let archived = archived.map_or("nothing".to_owned(), |record| format!("record {}", record.sequence));
            let stored = former.record().sequence;
            let what = format!("lane {lane} stands at journal record {stored}, its archive at {archived}");
            let hint = "run the former pipeline with --data and stop it with SIGTERM: it archives what is left";
            return Err(Failure::invalid(what).at(folder.display()).hint(hint).into());
        }
    }
    Ok(())
}

/// Joins the group and waits until it holds the lanes: then nobody else does.
fn hold(config: &Config, lanes: &[LaneId]) -> Result<KafkaSource> {
    let mut source = KafkaSource::connect(config)?;
    let (waited, mut noted) = (Elapsed::start(), false);
    let mut missing: BTreeSet<LaneId> = lanes.iter().copied().collect();
    while !missing.is_empty() {
        for wake in source.poll(LOOK)? {
            match wake {
                Wake::Assigned(given) => missing.retain(|lane| !given.contains(lane)),
                Wake::Revoked(taken) => missing.extend(taken.into_iter().filter(|lane| lanes.contains(lane))),
                Wake::Records { .. } | Wake::Decoded { .. } | Wake::Exhausted => {}
            }
        }
        if waited.so_far() > HOLD_MAX {
            let missing: Vec<_> = missing.into_iter().collect();
            let what = format!("{} held by other members of the group `{}`", told(&missing), config.group);
            return Err(Failure::unavailable(what).hint("stop every `chartwarden run` of this pipeline").into());
        }
        if !noted && waited.so_far() > NOTE_AFTER {
            noted = true;
            note(
                "waiting for the lanes: a member that was stopped is missed once its session has ended; one that runs \
                 must be stopped",
            );
        }
    }
    Ok(source)
}

fn renewal(
    spec: &PipelineSpec,
    former: &Former,
    state: State,
    watched_to: Option<Timestamp>,
) -> Result<engine::ports::Transaction> {
    Ok(former.renewed(spec, &stand_in("upgrade")?, state, watched_to)?)
}

/// What lanes of users have told watches so far.
#[derive(Clone, Copy)]
enum Said {
    /// Nothing but what the former definitions make of it. Whoever read it from the start could come too late: it is deleted
    /// when its time has come.
    Before,
    /// Some of it again, under these.
    Again,
}

/// Lets lanes of watches go on under these definitions.
fn renew_watches(config: &Config, spec: &PipelineSpec, expected: &BTreeMap<LaneId, Former>, said: Said) -> Result<()> {
    let lanes: Vec<LaneId> = expected.keys().copied().collect();
    let mut source = hold(config, &lanes)?;
    for (lane, expected) in expected {
        let (mut store, former) = open(&mut source, *lane, expected)?;
        let from = match said {
            Said::Before => source.log_end(*lane)?,
            Said::Again => source.log_start(*lane)?,
        };
        let transaction = former.renewed_watches(spec, &from)?;
        let dropped = transaction.head.values().filter(|value| value.is_none()).count();
        store.commit(transaction)?;
        store.trim(Tier::Minute, Timestamp::MIN)?;
        let carried = former.open_cases() - dropped;
        let gone = if dropped == 0 { String::new() } else { format!(", {dropped} of watches that are gone dropped") };
        line(format!("watches of lane {lane}: renewed, {carried} open cases carried over{gone}"));
    }
    Ok(())
}

/// Takes a lane, and sees that it stands where it stood.
fn open(source: &mut KafkaSource, lane: LaneId, expected: &Former) -> Result<(Box<dyn LaneStore>, Former)> {
    let mut store = source.open(lane)?;
    let found = Former::read(lane, store.head()?)?;
    let Some(former) = found.filter(|found| found.record() == expected.record()) else {
        let failure = Failure::invalid(format!("lane {lane} went on while its state was computed"));
        return Err(failure.hint("stop every `chartwarden run` of this pipeline, and begin again").into());
    };
    Ok((store, former))
}

/// Puts the new state of one lane in the place of what it has stored.
fn renew(
    source: &mut KafkaSource,
    spec: &PipelineSpec,
    lane: LaneId,
    expected: &Former,
    state: State,
    watched_to: Option<Timestamp>,
) -> Result<()> {
    let (mut store, former) = open(source, lane, expected)?;
    let transaction = renewal(spec, &former, state, watched_to)?;
    let (panes, kibibytes) = (transaction.panes.len(), transaction.byte_count() / 1_024);
    store.commit(transaction)?;
    // Waits until the transaction can be read, and deletes what stands before the first pane that counts.
    Tier::ALL.into_iter().try_for_each(|tier| store.trim(tier, Timestamp::MIN))?;
    let tick = former.record().tick_end.map(engine::when);
    let tick = tick.map_or("before its first tick".to_owned(), |tick| format!("after the tick of {tick}"));
    let cases = former.open_cases();
    let kibibytes = grouped(kibibytes as u64);
    line(format!("lane {lane}: renewed {tick}, {panes} panes, {kibibytes} KiB, {cases} open cases carried over"));
    Ok(())
}
