//! The one door to the wall clock. Everything else takes `now` as an argument or a `Clock`.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// Where the present time comes from; tests and replays bring their own.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;

    /// Whether that is the time of day, so that others' clocks can be held against it.
    fn tells_time(&self) -> bool {
        true
    }
}

/// The machine's clock as it stood when it was first asked, and the time that has passed since. A clock that is set in
/// between moves nothing: a step forward would declare topics idle that only just spoke.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let (began, passed) = &*STARTED;
        let since = *began + passed.elapsed();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
static STARTED: LazyLock<(Duration, Instant)> =
    LazyLock::new(|| (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), Instant::now()));
