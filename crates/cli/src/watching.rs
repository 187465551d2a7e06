//! A pipeline's lanes of watches: in a thread beside its lanes of users, or after them, over what those told.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use archive::{Captured, Listing, WatchSource};
use engine::{Metrics, PipelineSpec, Progress, Watcher};
use kafka::{Config, KafkaSource};

use crate::http::Shown;

/// Runs the watches until told to stop. Who computes beside them must not go on without them: where they fail, all end.
pub(crate) fn watch(spec: &PipelineSpec, config: &Config, shown: &Shown) -> Result<()> {
    let Some(config) = config.of_watches() else { return Ok(()) };
    let watched = KafkaSource::connect(&config)
        .map_err(anyhow::Error::from)
        .and_then(|mut source| Ok(Watcher::new(spec, &mut source, &shown.metrics, &shown.progress).run(&shown.stop)?));
    shown.stop.store(shown.is_stopping() || watched.is_err(), Ordering::Relaxed);
    watched
}

/// Computes the watches from what lanes of users told them, which is taken out of `told`; as far as the archive holds
/// watches, if there is one.
pub(crate) fn again(spec: &PipelineSpec, archive: Option<&Listing>, told: &mut Captured) -> Result<Captured> {
    if spec.watches().is_empty() {
        return Ok(Captured::default());
    }
    let mut source = WatchSource::new(archive, told, spec.watches().len());
    let (metrics, progress) = (Metrics::new(spec)?, Progress::default());
    Watcher::new(spec, &mut source, &metrics, &progress).run(&AtomicBool::new(false))?;
    Ok(source.take_captured())
}
