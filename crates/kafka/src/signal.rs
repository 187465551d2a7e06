//! Wakes the engine's thread when librdkafka has put something into an empty queue.
//!
//! The library calls back on its own threads while it holds a queue's lock, so setting a signal must never wait.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A flag that can be waited for; setting it twice is setting it once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal(Arc<(Mutex<bool>, Condvar)>);

impl Signal {
    /// Sets the flag and wakes who waits.
    pub(crate) fn set(&self) {
        let (flag, condition) = &*self.0;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        condition.notify_all();
    }

    /// Waits until the flag is set, at most `wait`, and clears it.
    pub(crate) fn wait(&self, wait: Duration) {
        let (flag, condition) = &*self.0;
        let guard = flag.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut guard, _) =
            condition.wait_timeout_while(guard, wait, |set| !*set).unwrap_or_else(PoisonError::into_inner);
        *guard = false;
    }
}
