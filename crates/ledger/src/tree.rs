//! The right edge of the tree: all that an append needs, so that appending reads nothing.
//! Owns the growing tiles of every level and the growing bundle. Never does I/O. Read next: `ledger/commit.rs`.

use tlog_tiles::{EMPTY_HASH, Hash, node_hash, record_hash};

use crate::limits::TILE_WIDTH;
use crate::{Resource, bundle};

/// A file of the log: its name and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) resource: Resource,
    pub(crate) bytes: Vec<u8>,
}

/// A tile that has just become full.
pub(crate) struct FullTile {
    pub(crate) level: u8,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<Hash>,
}

/// The unfinished tiles of a tree of `size` entries, lowest level first, and its unfinished bundle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
    bundle: Vec<u8>,
}

impl Edge {
    /// An edge read back from storage. Its root shows whether it is the right one.
    pub(crate) fn restored(size: u64, levels: Vec<Vec<Hash>>, bundle: Vec<u8>) -> Self {
        Self { size, levels, bundle }
    }

    /// Entries in the tree.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the unfinished tile of a level.
    pub(crate) fn unfinished(&self, level: usize) -> &[Hash] {
        self.levels.get(level).map_or(&[], Vec::as_slice)
    }

    /// Adds an entry; what it completes goes to `full`. The entry must fit a bundle.
    pub(crate) fn push(&mut self, entry: &[u8], full: &mut Vec<Object>) {
        assert!(bundle::push(&mut self.bundle, entry), "entries are bounded where they are encoded");
        let index = self.size / TILE_WIDTH as u64;
        let tiles = self.push_leaf(record_hash(entry));
        if !tiles.is_empty() {
            let bytes = std::mem::take(&mut self.bundle);
            full.push(Object { resource: Resource::Entries { index, width: 256 }, bytes });
        }
        full.extend(tiles.into_iter().map(|tile| Object {
            resource: Resource::Tile { level: tile.level, index: tile.index, width: 256 },
            bytes: tile_bytes(&tile.hashes),
        }));
    }

    /// Adds an entry's hash alone, as a verifier does; answers with the tiles it completes, lowest level first.
    pub(crate) fn push_leaf(&mut self, leaf: Hash) -> Vec<FullTile> {
        self.size += 1;
        let mut full = Vec::new();
        let mut hash = leaf;
        for level in 0u8.. {
            let at = usize::from(level);
            if self.levels.len() <= at {
                self.levels.push(Vec::new());
            }
            self.levels[at].push(hash);
            if self.levels[at].len() < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::take(&mut self.levels[at]);
            hash = subtree(&hashes);
            full.push(FullTile { level, index: (self.size >> (8 * (u32::from(level) + 1))) - 1, hashes });
        }
        full
    }

    /// The unfinished tiles and bundle that are other than they were at `old_size`, ready to publish.
    pub(crate) fn partials(&self, old_size: u64) -> Vec<Object> {
        let mut objects = Vec::new();
        for (level, hashes) in (0u8..).zip(&self.levels) {
            let below = 8 * u32::from(level);
            let Ok(width @ 1..) = u16::try_from(hashes.len()) else { continue };
            if old_size >> below == self.size >> below {
                continue;
            }
            let index = self.size >> (below + 8);
            objects.push(Object { resource: Resource::Tile { level, index, width }, bytes: tile_bytes(hashes) });
            if level == 0 {
                objects.push(Object { resource: Resource::Entries { index, width }, bytes: self.bundle.clone() });
            }
        }
        objects
    }

    /// The tree's root (RFC 6962, section 2.1): the perfect subtrees from left to right, joined from the right.
    pub(crate) fn root(&self) -> Hash {
        let mut subtrees = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let (left, right) = rest.split_at(1 << rest.len().ilog2());
                subtrees.push(subtree(left));
                rest = right;
            }
        }
        subtrees.into_iter().rev().reduce(|right, left| node_hash(left, right)).unwrap_or(EMPTY_HASH)
    }
}

/// The root over a power of two of hashes.
pub(crate) fn subtree(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two());
    match hashes {
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(subtree(left), subtree(right))
        }
    }
}

/// Hashes as a tile stores them.
pub(crate) fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// A tile's hashes; `None` if its length is not a whole number of them.
pub(crate) fn tile_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| hashes.iter().copied().map(Hash).collect())
}

#[cfg(test)]
mod tests;
