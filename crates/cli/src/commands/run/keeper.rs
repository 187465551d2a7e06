//! Keeps something beside the main path, life after life, and holds that path up for nothing.
//!
//! What fails is told and counted, and tried again for as long as the process lives: time heals a full disk, a person a
//! damaged file or a folder that can only be read. Each life begins from what is stored. What no mending of the place
//! changes ends the process: settings and rights that a broker refuses, and our bugs. Read next: `beside.rs`, what is kept.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use base::Kind;
use engine::Sink;

use crate::elapsed::Elapsed;
use crate::http::Shown;
use crate::report::{self, Failure};

/// How long one wait may last, so that the end is noticed.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// The first pause after a failure; each further one is twice as long.
pub(super) const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest pause; what has worked for so long has recovered.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Whoever keeps the archive, or the ledger.
pub(super) struct Keeper<'a> {
    pub(super) sink: Sink,
    /// The folder it keeps.
    pub(super) place: &'a Path,
    pub(super) shown: &'a Shown,
    /// The engine has ended.
    pub(super) over: &'a AtomicBool,
    /// The first pause after a failure.
    pub(super) retry_min: Duration,
}

impl Keeper<'_> {
    /// What was opened before lanes join; `None` if time heals what failed, and it is to be opened later.
    ///
    /// # Errors
    /// What a person must mend: whoever starts a process is there to do it, and nothing runs yet.
    pub(super) fn at_start<T>(&self, opened: Result<T>) -> Result<Option<T>> {
        match opened {
            Err(error) if report::kind(&error) == Kind::Unavailable => {
                self.shown.metrics.sink_failure(self.sink);
                self.tell(&error, Duration::ZERO);
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    /// Lives with what is `first` there, then opens it anew and lives again, until a life ends well.
    ///
    /// # Errors
    /// How the last life ended, where the engine has ended as well: who stops a process learns what stands failed. And
    /// at once what nobody can mend while it goes on; then the others are told to stop.
    pub(super) fn keep<T>(
        &self,
        mut first: Option<T>,
        mut open: impl FnMut() -> Result<T>,
        mut live: impl FnMut(&mut T) -> Result<()>,
    ) -> Result<()> {
        let mut pause = self.retry_min;
        loop {
            let lived = Elapsed::start();
            // It is dropped with its locks before the pause: whoever mends it may open it.
            let ended = first.take().map_or_else(&mut open, Ok).and_then(|mut kept| live(&mut kept));
            let Err(error) = ended else { return Ok(()) };
            self.shown.metrics.sink_failure(self.sink);
            if self.over.load(Ordering::Relaxed) || !can_be_mended(&error) {
                self.shown.stop.store(true, Ordering::Relaxed);
                return Err(error);
            }
            pause = if lived.so_far() < RETRY_MAX { pause } else { self.retry_min };
            self.tell(&error, pause);
            rest(pause, self.over);
            pause = longer(pause);
        }
    }

    fn tell(&self, error: &anyhow::Error, again_after: Duration) {
        let (at, hint) = report::own_words(error);
        let at = at.map_or_else(|| self.place.display().to_string(), str::to_owned);
        let hint = hint.unwrap_or(remedy(report::kind(error)));
        let error = report::what(error);
        tracing::error!(at, error, hint, ?again_after, "{} failed; detection goes on", self.sink.name());
    }
}

/// Waits for so long, or until the engine has ended.
pub(super) fn rest(pause: Duration, over: &AtomicBool) {
    let waited = Elapsed::start();
    while waited.so_far() < pause && !over.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK.min(pause));
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(RETRY_MAX)
}

/// Whether time or a person can mend it while the process goes on.
fn can_be_mended(error: &anyhow::Error) -> bool {
    match report::kind(error) {
        Kind::Unavailable | Kind::Corrupt => true,
        Kind::Invalid => is_of_the_place(error),
        Kind::Bug => false,
    }
}

/// Whether the place is to blame: it can only be read, something in it is gone, or it is full.
fn is_of_the_place(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_the_archive = cause.downcast_ref::<archive::Error>();
        cause.is::<Failure>()
            || cause.is::<ledger::Error>()
            || of_the_archive.is_some_and(|error| matches!(error, archive::Error::Disk { .. }))
    })
}

/// What to do, where the error does not say so itself.
fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Unavailable => "nothing is lost: it catches up once it can",
        Kind::Corrupt => {
            "keep a copy of the files as they are, find out who changed them, and put back what was there: it goes on from \
             what is stored"
        }
        Kind::Invalid | Kind::Bug => "mend it: it goes on from what is stored",
    }
}

#[cfg(test)]
mod tests;
