//! What runs beside the main path with `--data`: the archive, and the ledger.
//!
//! Neither holds detection up. What time may heal, such as a full disk or a broker that is away, is tried again from
//! what is durable and shows in the metrics; what a person must mend ends the process, because a run that was asked to
//! keep both must not go on without.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use base::{Clock as _, Kind, SystemClock};
use engine::{PipelineSpec, Sink};
use events::PseudonymKeys;
use kafka::Config;

use crate::anchor::{Anchor, Places};
use crate::archivers::Archivers;
use crate::elapsed::Elapsed;
use crate::http::Shown;
use crate::report::{self, disk};

/// How often findings are sealed.
const SEAL_EVERY: Duration = Duration::from_secs(10);
/// How long one wait may last, so that the end is noticed.
const LOOK: Duration = Duration::from_millis(100);
/// The first pause after a failure; each further one is twice as long.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest pause; what has worked for so long has recovered.
const RETRY_MAX: Duration = Duration::from_secs(60);

pub(super) struct Beside<'a> {
    pub(super) spec: &'a PipelineSpec,
    pub(super) config: &'a Config,
    pub(super) keys: &'a Arc<PseudonymKeys>,
    pub(super) shown: &'a Shown,
    pub(super) lanes: u32,
    /// The engine has ended.
    pub(super) over: AtomicBool,
}

impl Beside<'_> {
    /// Archives into a folder until the engine has ended.
    pub(super) fn archive(&self, folder: &Path) -> Result<()> {
        self.keep(Sink::Archive, || {
            std::fs::create_dir_all(folder).map_err(|error| disk(folder, &error))?;
            let mut archiver = Archivers::open(folder, self.spec, self.keys, self.config, self.lanes)?;
            while !self.is_over() {
                archiver.step(LOOK)?;
                for (lane, archived) in archiver.progress().lanes {
                    self.shown.metrics.archived(lane, archived.tick_end);
                }
            }
            archiver.finish()
        })
    }

    /// Seals findings into the ledger of a data folder until the engine has ended.
    pub(super) fn seal(&self, data: &Path) -> Result<()> {
        self.keep(Sink::Ledger, || {
            let mut anchor = Anchor::open(&Places::under(data), self.config)?;
            self.shown.metrics.ledger_found(anchor.entries());
            loop {
                let last = self.is_over();
                let stepped = anchor.step();
                (0..std::mem::take(&mut anchor.failures)).for_each(|_| self.shown.metrics.ledger_failure());
                let now = SystemClock.now();
                self.shown.metrics.ledger(stepped?, now);
                if last {
                    return Ok(());
                }
                if anchor.is_tidying_due(now) {
                    anchor.tidy(now);
                }
                self.pause(SEAL_EVERY);
            }
        })
    }

    /// Lives life after life until one ends well, or in a way that time does not heal, or is the last.
    fn keep(&self, sink: Sink, life: impl Fn() -> Result<()>) -> Result<()> {
        let mut pause = RETRY_MIN;
        loop {
            let lived = Elapsed::start();
            let Err(error) = life() else { return Ok(()) };
            self.shown.metrics.sink_failure(sink);
            if self.is_over() || report::kind(&error) != Kind::Unavailable {
                self.shown.stop.store(true, Ordering::Relaxed);
                return Err(error);
            }
            pause = if lived.so_far() < RETRY_MAX { pause } else { RETRY_MIN };
            tracing::error!(error = report::what(&error), again_after = ?pause, "{} failed; detection goes on", sink.name());
            self.pause(pause);
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn pause(&self, pause: Duration) {
        let waited = Elapsed::start();
        while waited.so_far() < pause && !self.is_over() {
            std::thread::sleep(LOOK);
        }
    }
}
