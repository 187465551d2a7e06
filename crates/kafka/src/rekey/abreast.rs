//! How close behind its source a copy is, told without anybody's clock but ours.
//!
//! The end of a partition is noted; once the copy has come that far, everything that was there at that moment is copied.

use crate::deadline::Stopwatch;
use crate::limits::REKEY_BEHIND_MAX;

/// Of one source partition.
#[derive(Debug, Default)]
pub(super) struct Abreast {
    /// An end that is not reached yet, and since when it stands there.
    ahead: Option<(i64, Stopwatch)>,
    /// Since what is copied was all there was.
    whole: Option<Stopwatch>,
}

impl Abreast {
    /// Notes whether everything was copied just now, else up to where, and where the source ends.
    pub(super) fn look(&mut self, ended: bool, copied: Option<i64>, high: Option<i64>) {
        if ended {
            (self.ahead, self.whole) = (None, Some(Stopwatch::start()));
            return;
        }
        if let Some((_, since)) = self.ahead.take_if(|(end, _)| copied >= Some(*end)) {
            self.whole = Some(since);
        }
        if self.ahead.is_none() {
            self.ahead = high.map(|end| (end, Stopwatch::start()));
        }
    }

    /// Whether what is copied was all there was a short while ago.
    pub(super) fn is_close(&self) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.elapsed() < REKEY_BEHIND_MAX)
    }
}

#[cfg(test)]
mod tests;
