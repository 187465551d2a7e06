//! A pipeline's lanes of watches, in a thread beside its lanes of users.

use std::sync::atomic::Ordering;

use anyhow::Result;
use engine::{PipelineSpec, Watcher};
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
