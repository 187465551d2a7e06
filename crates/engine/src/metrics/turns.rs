//! How long the main path takes: for a stage of a turn, and from a record to what it closed.

use base::Millis;
use prometheus::{Histogram, HistogramTimer, HistogramVec};

use super::Metrics;
use super::registrar::Registrar;
use crate::error::Result;

/// Parts of a turn that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Decoding and walking records.
    Decode,
    /// Closing ticks and committing them.
    Ticks,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Ticks => "ticks",
        }
    }
}

pub(super) struct Turns {
    stages: HistogramVec,
    end_to_end: Histogram,
}

impl Turns {
    pub(super) fn new(registrar: &Registrar<'_>) -> Result<Self> {
        let stages = "Time spent in a stage of one turn of the main path.";
        Ok(Self {
            stages: registrar.histograms("stage_duration_seconds", stages, &["stage"])?,
            end_to_end: registrar.histogram(
                "end_to_end_seconds",
                "From the append time of a lane's newest record to the commit of the ticks it closed; what silence closed is \
                 not counted.",
                &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
            )?,
        })
    }
}

impl Metrics {
    pub(crate) fn time(&self, stage: Stage) -> HistogramTimer {
        self.turns.stages.with_label_values(&[stage.name()]).start_timer()
    }

    /// A lane has committed ticks that a record closed; the newest record was appended so long ago.
    pub(crate) fn committed(&self, newest: Option<Millis>) {
        if let Some(newest) = newest.filter(|newest| *newest >= Millis(0)) {
            self.turns.end_to_end.observe(newest.0 as f64 / 1_000.0);
        }
    }
}
