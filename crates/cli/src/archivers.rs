//! The archivers of a pipeline: one follows the lanes of users, one the lanes of watches where anything is watched.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use archive::{Archiver, Late, Progress};
use engine::PipelineSpec;
use engine::ports::LaneId;
use events::PseudonymKeys;
use kafka::{Config, KafkaFollower};

use crate::cluster::stored;
use crate::elapsed::Elapsed;
use crate::report::{Failure, note};

/// How long a fetch waits at a time.
const FETCH_WAIT: Duration = Duration::from_millis(100);
/// How long nothing may come from a cluster before that is an error.
const FETCH_STALL_MAX: Duration = Duration::from_secs(60);

/// Both, into one folder.
pub(crate) struct Archivers {
    users: Archiver,
    watches: Option<Archiver>,
}

impl Archivers {
    /// Goes on where the folder ends.
    pub(crate) fn open(
        folder: &Path,
        spec: &PipelineSpec,
        keys: &Arc<PseudonymKeys>,
        config: &Config,
        lanes: u32,
    ) -> Result<Self> {
        let lanes: Vec<LaneId> = (0..lanes).map(LaneId).collect();
        let follower = Box::new(KafkaFollower::connect(config)?);
        let users = Archiver::new(folder, spec, Arc::clone(keys), follower, &lanes)?;
        let watches = config.of_watches().map(|mut config| {
            // What lanes tell watches follows from their input, and is not archived.
            config.input_topics.clear();
            let follower = Box::new(KafkaFollower::connect(&config)?);
            Ok::<_, anyhow::Error>(Archiver::of_watches(folder, spec, Arc::clone(keys), follower, &lanes)?)
        });
        Ok(Self { users, watches: watches.transpose()? })
    }

    /// An error if the archive still lacks what came too late for those who were here before.
    pub(crate) fn check_holds(&self, late: &Late) -> Result<()> {
        self.users.check_holds(late)?;
        self.watches.iter().try_for_each(|watches| Ok(watches.check_holds(late)?))
    }

    /// Takes what was committed since, waiting at most `wait`.
    pub(crate) fn step(&mut self, wait: Duration) -> Result<()> {
        self.users.step(wait)?;
        if let Some(watches) = &mut self.watches {
            watches.step(Duration::ZERO)?;
        }
        Ok(())
    }

    /// Follows until nothing new comes, and writes what is left.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.users.finish()?;
        self.watches.as_mut().map_or(Ok(()), |watches| Ok(watches.finish()?))
    }

    /// Where the lanes of users stand.
    pub(crate) fn progress(&self) -> Progress {
        self.users.progress()
    }
}

/// Archives what every lane on a cluster has committed by now.
pub(crate) fn fetch(archive: &Path, spec: &PipelineSpec, keys: &Arc<PseudonymKeys>, config: &Config) -> Result<()> {
    let stands = stored(config)?;
    let lanes = kafka::lane_count(config)?;
    note(format!("archiving what {lanes} lanes on {} have committed into {}", config.bootstrap, archive.display()));
    let mut archivers = Archivers::open(archive, spec, keys, config, lanes)?;
    let mut since = Elapsed::start();
    loop {
        let before = archivers.progress();
        archivers.step(FETCH_WAIT)?;
        let now = archivers.progress();
        let followed = |lane: &LaneId| now.lanes.get(lane).and_then(|lane| lane.followed);
        let behind = stands.iter().find(|(lane, former)| followed(lane) < Some(former.record().sequence));
        let Some((lane, former)) = behind else { break };
        if now != before {
            since = Elapsed::start();
        } else if since.so_far() > FETCH_STALL_MAX {
            let (topic, stands, at) = (config.topics().journal, former.record().sequence, followed(lane));
            let at = at.map_or_else(|| "nothing of it".to_owned(), |at| format!("record {at}"));
            let what = format!("`{topic}` partition {lane}: the lane stands at record {stands}, and {at} was read");
            return Err(Failure::unavailable(what).hint("check that the leaders of all its topics are up").into());
        }
    }
    archivers.finish()
}
