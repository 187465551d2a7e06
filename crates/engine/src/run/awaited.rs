//! What lanes wait for and do not own: the reference, and what other lanes share. Read as far as a lane needs it.

use base::Timestamp;

use super::{Engine, WaitsForShares, known};
use crate::error::Result;
use crate::limits::{REFERENCE_POLL, SHARES_WARN};
use crate::when::when;
use crate::worker::Waits;

impl Engine<'_> {
    /// Reads the reference on; as far as a lane that waits for it needs.
    pub(super) fn read_reference(&mut self, now: Timestamp) -> Result<()> {
        let known = known(self.feed, &self.shared);
        let mut wanted = None;
        for owned in self.lanes.values_mut() {
            owned.blocked_until = match owned.worker.next_tick(known) {
                Err(Waits::ForReference(through)) => Some(through),
                _ => None,
            };
            // Everything appended by now is as cheap to wait for as what one tick needs.
            let broker = owned.quiet.broker.at(now);
            wanted = wanted.max(owned.blocked_until.map(|due| broker.unwrap_or(due).max(due)));
        }
        if wanted.is_some() || now - self.reference_asked >= REFERENCE_POLL {
            self.reference_asked = now;
            self.take_reference(wanted)?;
        }
        Ok(())
    }

    pub(super) fn take_reference(&mut self, through: Option<Timestamp>) -> Result<()> {
        let now = self.clock.now();
        let latest = self.latest();
        for row in self.feed.poll(through)? {
            self.broker.saw(std::iter::once(row.append_time), latest, now);
            if let Err(problem) = crate::reference_rows::apply(&mut self.reference, &row, &self.keys) {
                self.metrics.reference_reject(row.kind);
                tracing::warn!(
                    kind = row.kind,
                    partition = row.partition,
                    offset = row.offset.0,
                    %problem,
                    "reference row passed over"
                );
            }
        }
        Ok(())
    }

    /// Takes what lanes, here and elsewhere, have told all others.
    pub(super) fn read_shares(&mut self, now: Timestamp) -> Result<()> {
        self.wait_for_shares(now);
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let told = self.source.shares()?;
        for (lane, share) in &told {
            shared.take(lane.0, share.end, &share.bytes)?;
            // A day that has ended somewhere has ended for the broker: where all lanes are empty, nothing else tells the time.
            self.broker.is_past(share.end, now);
        }
        if !told.is_empty() {
            self.metrics.shares_held(shared.byte_count());
        }
        Ok(())
    }

    /// Notes which lanes wait for what others share, and since when; says so when that was long ago.
    fn wait_for_shares(&mut self, now: Timestamp) {
        let known = known(self.feed, &self.shared);
        for (lane, owned) in &mut self.lanes {
            let Err(Waits::ForShares(day)) = owned.worker.next_tick(known) else {
                owned.waits_for_shares = None;
                continue;
            };
            let waits = owned.waits_for_shares.filter(|waits| waits.day == day);
            let waits = owned.waits_for_shares.insert(waits.unwrap_or(WaitsForShares { day, since: now, told: false }));
            let silent = || known.shared.map(|shared| shared.silent(day)).unwrap_or_default();
            let waited = now - waits.since;
            if waited >= SHARES_WARN && !std::mem::replace(&mut waits.told, true) {
                let (day_end, silent) = (when(day), silent());
                tracing::warn!(lane = lane.0, day_end, ?silent, "waits for what lanes share that are behind or down");
            }
            if self.shares_timeout.is_some_and(|timeout| waited >= timeout) && owned.worker.settle(known) {
                let (day_end, silent) = (when(day), silent());
                tracing::warn!(lane = lane.0, day_end, ?silent, "goes by what lanes shared earlier");
            }
        }
    }
}
