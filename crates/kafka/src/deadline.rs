//! The one door to elapsed time in this crate: waits and their ends. Nothing read here reaches an output.

use std::time::{Duration, Instant};

/// A moment at which waiting ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// `wait` from now.
    pub(crate) fn after(wait: Duration) -> Self {
        Self(now() + wait)
    }

    /// What is left, zero once it has passed.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// Whether nothing is left.
    pub(crate) fn passed(self) -> bool {
        self.left().is_zero()
    }
}

/// Measures how long something has lasted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self(now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        now().saturating_duration_since(self.0)
    }
}

#[expect(clippy::disallowed_methods, reason = "bounds a wait for the network; no output depends on it")]
fn now() -> Instant {
    Instant::now()
}
