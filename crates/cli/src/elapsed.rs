//! Elapsed time, for what is shown and for patience only: no output depends on it.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed(Instant);

impl Elapsed {
    #[expect(clippy::disallowed_methods, reason = "durations are shown and limit patience; they reach no output")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn so_far(&self) -> Duration {
        self.0.elapsed()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.so_far().as_secs_f64()
    }
}
