//! `chartwarden record`: runs a pipeline over a simulated hospital in memory and keeps its features and findings, for
//! training and evaluation.
//!
//! No broker, no archive. The same arguments give the same bytes. Read next: `memory.rs`, `train.rs`.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow};
use archive::Captured;
use base::Seed;
use engine::{Engine, Metrics, ModelUse, PipelineSpec, Progress};
use hospital::Hospital;

use crate::keys;
use crate::memory::{MemoryFeed, MemorySource, Play, Standing, topics};
use crate::recorder::Recorder;
use crate::report::{Answer, disk, line, program};
use crate::town::{Town, TruthFiles};
use crate::training::{FINDINGS, RECORDED, Recorded};
use crate::watching;

/// Lanes of the recording.
const LANES: u32 = 2;

/// Which models a recording uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Using {
    /// None: pair and user features without scores.
    None,
    /// The pair model: user features over its scores.
    Pairs,
    /// Both: scores and findings about users too.
    Both,
}

/// Arguments of `record`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline.
    pipeline: PathBuf,
    /// Seed of the hospital.
    #[arg(long, value_name = "S")]
    simulate_seed: u64,
    #[command(flatten)]
    town: Town,
    /// Use the pair model, so that user features hold its scores.
    #[arg(long)]
    pairs_only_model: bool,
    /// Which models to use.
    #[arg(long, value_enum, default_value_t = Using::None, conflicts_with = "pairs_only_model")]
    models: Using,
    /// Folder to write: `features-*.arrow`, `pair_features-*.arrow`, `watch.*.arrow`, `findings.ndjson` (of watches and,
    /// with both models, of users), `truth/`, `keys/`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let using = if arguments.pairs_only_model { Using::Pairs } else { arguments.models };
    let model_use = match using {
        Using::None => ModelUse::Record,
        Using::Pairs => ModelUse::PairOnly,
        Using::Both => ModelUse::Score,
    };
    let spec = PipelineSpec::load(&arguments.pipeline, model_use)?;
    let zone = spec.program().spec().time_zone.clone();
    let config = arguments.town.config(arguments.simulate_seed, &zone)?;
    let (start, days) = (config.start, config.days);
    let hospital = Hospital::new(config)?;
    let out = &arguments.out;
    keys::fresh_folder(out)?;
    std::fs::create_dir(out.join("keys")).map_err(|error| disk(out, &error))?;
    let pseudonyms =
        keys::pseudonyms_or_new(&out.join("keys/pseudonym.key"), "sim", seed_bytes(arguments.simulate_seed))?;
    let recorders: Vec<_> = (0..LANES).map(|lane| Arc::new(Mutex::new(Recorder::new(out, lane)))).collect();
    let truth = TruthFiles::create(&out.join("truth"))?;
    let play = Play::new(hospital, start, topics(&spec)?, LANES, truth);
    let (metrics, progress) = (Metrics::new(&spec)?, Progress::default());
    let mut source = MemorySource::new(Rc::clone(&play), recorders.clone());
    let mut feed = MemoryFeed(Rc::clone(&play));
    let clock = Standing;
    let stop = AtomicBool::new(false);
    let mut engine = Engine::new(&spec, Arc::new(pseudonyms), &mut source, &mut feed, &clock, &metrics, &progress);
    tracing::info!(seed = arguments.simulate_seed, days, "recording");
    let ran = engine.run(&stop);
    drop(engine);
    drop((source, feed));
    for recorder in &recorders {
        recorder.lock().unwrap_or_else(PoisonError::into_inner).check_whole()?;
    }
    ran?;
    let play = Rc::into_inner(play).ok_or_else(|| anyhow!("the hospital is still being played"))?.into_inner();
    let (days, events) = play.progress;
    play.finish()?;
    let mut told = Captured::default();
    for recorder in &recorders {
        told.lanes.extend([recorder.lock().unwrap_or_else(PoisonError::into_inner).take_crossings()]);
    }
    let watched = watching::again(&spec, None, &mut told)?;
    let of_watches = watched.lanes.iter().map(|(lane, told)| Recorder::of(out, *lane, &told.results));
    let of_watches = of_watches.collect::<Result<Vec<_>>>()?.into_iter().map(Mutex::new).map(Arc::new);
    let (mut findings, mut rows) = (Vec::new(), 0);
    for recorder in recorders.into_iter().chain(of_watches) {
        let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.finish()?;
        rows += recorder.rows;
        findings.append(&mut recorder.findings);
    }
    // Stable: at one tick, lanes of users come before those of watches.
    findings.sort_by_key(|(end, _)| *end);
    let lines: Vec<u8> = findings.iter().flat_map(|(_, bytes)| [bytes.as_slice(), b"\n"].concat()).collect();
    let path = out.join(FINDINGS);
    std::fs::write(&path, lines).map_err(|error| disk(&path, &error))?;
    let recorded = Recorded {
        pipeline: spec.name().to_owned(),
        sql: spec.digests().sql,
        site: format!("simulated site {}, seed {}", arguments.town.site, arguments.simulate_seed),
        time_zone: zone,
        meanings: spec.program().meanings().iter().map(|m| (m.name.clone(), m.sentence.clone())).collect(),
    };
    let path = out.join(RECORDED);
    std::fs::write(&path, serde_json::to_vec_pretty(&recorded)?).map_err(|error| disk(&path, &error))?;
    line(format!("recorded {days} days, {events} events, {rows} feature rows, {} findings", findings.len()));
    line(format!("next: {} train pairs --data {} --out pair.cwmodel", program(), out.display()));
    Ok(Answer::Yes)
}

/// Key bytes of a simulated hospital: nothing real stands behind its pseudonyms.
fn seed_bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (index, part) in (0u64..).zip(bytes.chunks_exact_mut(8)) {
        part.copy_from_slice(&Seed(seed).child("pseudonyms").index(index).0.to_le_bytes());
    }
    bytes
}
