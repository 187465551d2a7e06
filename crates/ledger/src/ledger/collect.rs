//! Tidying: partial tiles and bundles of old checkpoints, once the full ones hold the same, and old checkpoints that
//! say nothing which the newest does not. Nothing else is ever removed from a log.
//! Read next: `tiles.rs`, which reads the full file where a partial is gone.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use tlog_tiles::tree_hash;

use super::Ledger;
use crate::limits::{CHECKPOINT_BYTES_MAX, CHECKPOINTS_REMOVED_MAX, TILE_WIDTH};
use crate::{Checkpoint, Entry, Error, Resource, Result, tiles};

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

    /// Removes kept checkpoints from before `before` that have a later one among those over the same last bundle, the
    /// oldest first. One that the tree does not bear out is evidence, and stays. Answers with their number.
    pub async fn remove_checkpoints(&self, before: Timestamp) -> Result<u64> {
        let names = self.place.log.list("checkpoints").await?;
        let mut sizes: Vec<u64> = names.iter().filter_map(|name| kept_size(name)).collect();
        sizes.sort_unstable();
        let bundle = |size: u64| (size - 1) / TILE_WIDTH as u64;
        let mut removed = 0;
        for pair in sizes.windows(2) {
            let &[size, later] = pair else { continue };
            if bundle(size) != bundle(later) || later > self.size() {
                continue;
            }
            if removed == CHECKPOINTS_REMOVED_MAX || self.time_of(size - 1).await? >= before {
                break;
            }
            let path = kept_path(size);
            if self.bears_out(&path, size).await? {
                self.place.log.remove(&path).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Whether a kept checkpoint is a beginning of the tree that the newest one signs for.
    async fn bears_out(&self, path: &str, size: u64) -> Result<bool> {
        let Some(note) = self.place.log.read(path, CHECKPOINT_BYTES_MAX).await? else { return Ok(false) };
        let Ok(kept) = Checkpoint::open(&note, self.key.verifier()) else { return Ok(false) };
        let root = tiles::authenticated(&self.place.log, &self.committed, |reader| tree_hash(size, reader)).await?;
        Ok(kept.size == size && kept.hash() == root)
    }

    async fn time_of(&self, index: u64) -> Result<Timestamp> {
        let resource = tiles::bundle_of(index, self.size());
        let entries = tiles::read_entries(&self.place.log, resource).await?;
        let entry = Entry::decode(&entries[(index % TILE_WIDTH as u64) as usize]);
        entry.map(|entry| entry.time).map_err(|error| Error::damaged(resource.to_string(), error.to_string()))
    }
}

/// Where the checkpoint of a size is kept.
pub(super) fn kept_path(size: u64) -> String {
    format!("checkpoints/{size}")
}

fn kept_size(path: &str) -> Option<u64> {
    let size = path.rsplit('/').next()?.parse().ok()?;
    (size > 0 && kept_path(size) == path).then_some(size)
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
