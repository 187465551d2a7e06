//! Tidying: partial tiles and bundles of old checkpoints, once the full ones hold the same. Nothing else is ever
//! removed from a log. Read next: `tiles.rs`, which reads the full file where a partial is gone.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;

use super::Ledger;
use crate::limits::TILE_WIDTH;
use crate::{Entry, Error, Resource, Result, tiles};

impl Ledger {
    /// Removes the partial files that only checkpoints from before `before` need, and whose full file is there.
    /// Readers of checkpoints that young should find their partials: leave them a day. Answers with their number.
    pub async fn remove_partials(&self, before: Timestamp) -> Result<u64> {
        let names = self.place.log.list("tile").await?;
        let resources: BTreeSet<Resource> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let mut times = BTreeMap::new();
        let mut removed = 0;
        for resource in resources.iter().filter(|resource| !resource.is_full() && resources.contains(&resource.full()))
        {
            let Some(filled_by) = last_entry(*resource).filter(|index| *index < self.size()) else { continue };
            let time = match times.get(&filled_by) {
                Some(time) => *time,
                None => self.time_of(filled_by).await?,
            };
            times.insert(filled_by, time);
            // Checkpoints that need the partial are older than the entry that filled its tile.
            if time < before {
                self.place.log.remove(&resource.to_string()).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    async fn time_of(&self, index: u64) -> Result<Timestamp> {
        let resource = tiles::bundle_of(index, self.size());
        let entries = tiles::read_entries(&self.place.log, resource).await?;
        let entry = Entry::decode(&entries[(index % TILE_WIDTH as u64) as usize]);
        entry.map(|entry| entry.time).map_err(|error| Error::damaged(resource.to_string(), error.to_string()))
    }
}

/// The last entry under a tile once it is full.
fn last_entry(resource: Resource) -> Option<u64> {
    let level = match resource {
        Resource::Tile { level, .. } => u32::from(level),
        Resource::Entries { .. } => 0,
    };
    let span = 1u64.checked_shl(8 * (level + 1))?;
    resource.index().checked_add(1)?.checked_mul(span)?.checked_sub(1)
}

#[cfg(test)]
mod tests;
