//! The one door to the wall clock. Everything else takes `now` as an argument or a `Clock`.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// Where the present time comes from; tests and replays bring their own.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;

    /// The time of day as it is known by now, if this clock knows it: others' clocks are held against it. Unlike `now` it
    /// may be set right at any time, and nothing that is computed depends on it.
    fn time_of_day(&self) -> Option<Timestamp>;
}

/// The machine's clock as it stood when it was first asked, and the time that has passed since. A clock that is set in
/// between moves nothing: a step forward would declare topics idle that only just spoke.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let (began, passed) = &*STARTED;
        since_epoch(*began + passed.elapsed())
    }

    fn time_of_day(&self) -> Option<Timestamp> {
        Some(since_epoch(wall()))
    }
}

fn since_epoch(passed: Duration) -> Timestamp {
    Timestamp::from_millis(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
static STARTED: LazyLock<(Duration, Instant)> = LazyLock::new(|| (wall(), Instant::now()));
