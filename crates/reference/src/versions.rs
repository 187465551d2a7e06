//! All versions of one entity. Key of a version is (entity, valid-from): a new valid-from adds to the past and never
//! erases it; the same one again corrects it, for those who know the correction.

use base::Timestamp;
use events::Offset;

use crate::pins::Sight;

/// Where a row stands in the log and in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) valid_from: Timestamp,
    pub(crate) offset: Offset,
    pub(crate) partition: u32,
    pub(crate) append_time: Timestamp,
    pub(crate) recorded_at: Option<Timestamp>,
}

impl Stamp {
    /// The order of versions: by when they begin to hold, then by which corrects which.
    pub(crate) fn order(&self) -> (Timestamp, Offset, u32) {
        (self.valid_from, self.offset, self.partition)
    }
}

/// Versions in order.
#[derive(Debug)]
pub(crate) struct Versions<T>(Vec<(Stamp, T)>);

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Versions<T> {
    pub(crate) fn add(&mut self, stamp: Stamp, version: T) {
        let place = self.0.partition_point(|(known, _)| known.order() < stamp.order());
        if self.0.is_empty() {
            // Most entities never change: do not reserve for those that do.
            self.0.reserve_exact(1);
        }
        self.0.insert(place, (stamp, version));
    }

    /// The version that holds at `at`, of those that are seen.
    pub(crate) fn at(&self, at: Timestamp, sight: &mut Sight<'_>) -> Option<(&Stamp, &T)> {
        let begun = self.0.partition_point(|(stamp, _)| stamp.valid_from <= at);
        let newest_first = self.0[..begun].iter().rev();
        newest_first.map(|(stamp, version)| (stamp, version)).find(|(stamp, _)| sight.sees(stamp))
    }

    /// Whether any version is seen, whenever it holds.
    pub(crate) fn any_seen(&self, sight: &mut Sight<'_>) -> bool {
        self.0.iter().any(|(stamp, _)| sight.sees(stamp))
    }
}
