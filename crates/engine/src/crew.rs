//! The threads that lanes are worked on: as many as the machine has cores, kept from turn to turn.

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::Result;
use crate::limits::WORKERS_MAX;

/// Does the work of several lanes side by side.
pub(crate) struct Crew {
    /// Absent on one core, and where no thread can be started.
    pool: Option<ThreadPool>,
}

impl Crew {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
        let pool = (cores > 1).then(|| {
            let named = ThreadPoolBuilder::new().num_threads(cores).thread_name(|place| format!("lanes-{place}"));
            named.build().inspect_err(|error| tracing::warn!(%error, "lanes are worked on one after the other"))
        });
        Self { pool: pool.and_then(std::result::Result::ok) }
    }

    /// What `each` makes of every item, in the order of the items. A panic in one lane is passed on: going on could
    /// seal a false entry.
    pub(crate) fn each<W: Send, T: Send>(
        &self,
        work: Vec<W>,
        each: impl Fn(W) -> Result<T> + Send + Sync,
    ) -> Result<Vec<T>> {
        match self.pool.as_ref().filter(|_| work.len() > 1) {
            Some(pool) => pool.install(|| work.into_par_iter().map(each).collect()),
            None => work.into_iter().map(each).collect(),
        }
    }
}
