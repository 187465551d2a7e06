//! The tree: every bundle is hashed up to the root, every tile compared with what its entries hash to.
//! Where a bundle and a tile disagree, the hash above them says which of the two is wrong. Memory does not grow with
//! the log. Read next: `beside.rs`.

use std::collections::BTreeMap;

use base::Timestamp;
use tlog_tiles::{Hash, record_hash};

use super::Verifier;
use crate::checkpoint::CHECKPOINT_PATH;
use crate::limits::{BUNDLE_BYTES_MAX, TILE_BYTES_MAX, TILE_WIDTH};
use crate::tree::{Edge, FullTile, subtree, tile_bytes, tile_hashes};
use crate::{Checkpoint, Entry, EntryKind, Resource, Result, bundle, tiles};

/// Roots the log signed for, by size: the file that says so, and the root.
pub(super) type Promises = BTreeMap<u64, Vec<(String, Hash)>>;

struct Walk<'a> {
    size: u64,
    root: Hash,
    promises: &'a Promises,
    edge: Edge,
    last_time: Timestamp,
    /// Signed roots that the tree did not have at their sizes.
    broken: Vec<String>,
    /// The tile above the leaves that was read last.
    above: Option<(u64, Vec<Hash>)>,
}

/// The leaves of one bundle, by the entries and by the tile.
struct Leaves {
    bundle: Resource,
    entries: Option<Vec<Vec<u8>>>,
    by_tile: Option<Vec<Hash>>,
}

impl Verifier<'_> {
    pub(super) async fn walk(&mut self, checkpoint: &Checkpoint, promises: Promises) -> Result<()> {
        let (size, root) = (checkpoint.size, checkpoint.hash());
        let last_time = Timestamp::from_millis(0);
        let (edge, broken, above) = (Edge::default(), Vec::new(), None);
        let mut walk = Walk { size, root, promises: &promises, edge, last_time, broken, above };
        for index in 0..size.div_ceil(TILE_WIDTH as u64) {
            let leaves = self.leaves(walk.size, index).await?;
            let Some(chosen) = self.choose(&mut walk, &leaves).await? else {
                self.problem(format!(
                    "the walk stops at entry {}: neither bundle nor tile can be read",
                    walk.edge.size()
                ));
                return Ok(());
            };
            self.check_entries(&mut walk, &leaves, &chosen);
            for leaf in chosen {
                let full = walk.edge.push_leaf(leaf);
                walk.check_promises();
                for tile in full.into_iter().skip(1) {
                    self.check_full_tile(tile).await?;
                }
            }
        }
        self.check_partial_tiles(&walk).await?;
        if walk.edge.root() != root {
            self.problem(format!("{CHECKPOINT_PATH}: the {size} entries do not hash to the signed root"));
            // The entries may be damaged; then they say nothing about what was signed earlier.
            std::mem::take(&mut walk.broken).into_iter().for_each(|text| self.problem(text));
        }
        walk.broken.into_iter().for_each(|text| self.divergence(text));
        Ok(())
    }

    async fn leaves(&mut self, size: u64, index: u64) -> Result<Leaves> {
        let bundle = tiles::bundle_of(index * TILE_WIDTH as u64, size);
        let width = usize::from(bundle.width());
        let tile = Resource::Tile { level: 0, index, width: bundle.width() };
        let entries = match self.read_at_width(bundle, BUNDLE_BYTES_MAX).await? {
            Some((path, bytes)) => self.entries(&path, &bytes, width),
            None => None,
        };
        let by_tile = match self.read_at_width(tile, TILE_BYTES_MAX).await? {
            Some((path, bytes)) => self.tile(&path, &bytes, width),
            None => None,
        };
        Ok(Leaves { bundle, entries, by_tile })
    }

    /// A partial file, or the full one it gave way to, at the width the checkpoint needs.
    async fn read_at_width(&mut self, resource: Resource, bytes_max: usize) -> Result<Option<(String, Vec<u8>)>> {
        let path = resource.to_string();
        if let Some(bytes) = self.read(&path, bytes_max).await? {
            return Ok(Some((path, bytes)));
        }
        let width = usize::from(resource.width());
        let full = resource.full().to_string();
        if !resource.is_full()
            && let Some(mut bytes) = self.read(&full, bytes_max).await?
        {
            let length = match resource {
                Resource::Tile { .. } => Some(width * 32),
                Resource::Entries { .. } => bundle::prefix_bytes(&bytes, width),
            };
            bytes.truncate(length.unwrap_or(usize::MAX));
            return Ok(Some((full, bytes)));
        }
        self.problem(format!("{path}: it is missing"));
        Ok(None)
    }

    fn entries(&mut self, path: &str, bytes: &[u8], width: usize) -> Option<Vec<Vec<u8>>> {
        match bundle::entries(bytes) {
            Ok(entries) if entries.len() == width => return Some(entries.iter().map(|entry| entry.to_vec()).collect()),
            Ok(entries) => self.problem(format!("{path}: {} entries, expected {width}", entries.len())),
            Err(at) => self.problem(format!("{path}: byte {at} does not begin an entry that ends within the file")),
        }
        None
    }

    /// Grammar and time of the entries that were signed for; one that was not says nothing about the log.
    fn check_entries(&mut self, walk: &mut Walk<'_>, leaves: &Leaves, chosen: &[Hash]) {
        let first = leaves.bundle.index() * TILE_WIDTH as u64;
        let entries = leaves.entries.iter().flatten().zip(chosen).enumerate();
        for (at, (bytes, _)) in entries.filter(|(_, (bytes, leaf))| record_hash(bytes) == **leaf) {
            let place = format!("{}: entry {}", leaves.bundle, first + at as u64);
            let entry = match Entry::decode(bytes) {
                Ok(entry) => entry,
                Err(error) => {
                    self.problem(format!("{place}: {error}"));
                    continue;
                }
            };
            *self.report.entries.entry(entry.kind).or_default() += 1;
            if (entry.kind == EntryKind::Genesis) != (first + at as u64 == 0) {
                self.problem(format!("{place} is of kind {}: genesis is entry 0", entry.kind));
            }
            if entry.time < walk.last_time {
                let (time, last) = (entry.time.millis(), walk.last_time.millis());
                self.problem(format!("{place} has time {time} ms, before {last} ms of an entry before it"));
            }
            walk.last_time = walk.last_time.max(entry.time);
        }
    }

    fn tile(&mut self, path: &str, bytes: &[u8], width: usize) -> Option<Vec<Hash>> {
        let hashes = tile_hashes(bytes).filter(|hashes| hashes.len() == width);
        if hashes.is_none() {
            self.problem(format!("{path}: {} bytes, expected {}", bytes.len(), width * 32));
        }
        hashes
    }

    /// Which leaves to go on with, and who is to blame if the two sides differ.
    async fn choose(&mut self, walk: &mut Walk<'_>, leaves: &Leaves) -> Result<Option<Vec<Hash>>> {
        let by_entries =
            leaves.entries.as_ref().map(|entries| entries.iter().map(|entry| record_hash(entry)).collect());
        let (entries, tile): (Vec<Hash>, &Vec<Hash>) = match (by_entries, &leaves.by_tile) {
            (Some(entries), Some(tile)) if entries != *tile => (entries, tile),
            (entries, tile) => return Ok(entries.or_else(|| tile.clone())),
        };
        let tile_is_right = if leaves.bundle.is_full() {
            let above = self.hash_above(walk, leaves.bundle.index()).await?;
            above == Some(subtree(tile))
        } else {
            let mut edge = walk.edge.clone();
            tile.iter().for_each(|leaf| drop(edge.push_leaf(*leaf)));
            edge.root() == walk.root
        };
        let differ = entries.iter().zip(tile).enumerate().filter(|(_, (entry, leaf))| entry != leaf);
        let resource = Resource::Tile { level: 0, index: leaves.bundle.index(), width: leaves.bundle.width() };
        for (at, _) in differ {
            let entry = leaves.bundle.index() * TILE_WIDTH as u64 + at as u64;
            self.problem(if tile_is_right {
                format!("{}: entry {entry} is not the one that was signed for", leaves.bundle)
            } else {
                format!("{resource}: bytes {}..{} are not the hash of entry {entry}", at * 32, at * 32 + 32)
            });
        }
        Ok(Some(if tile_is_right { tile.clone() } else { entries }))
    }

    /// The hash of a full leaf tile as the tile above has it.
    async fn hash_above(&mut self, walk: &mut Walk<'_>, index: u64) -> Result<Option<Hash>> {
        let parent = index / TILE_WIDTH as u64;
        if walk.above.as_ref().is_none_or(|(at, _)| *at != parent) {
            let width = (walk.size / TILE_WIDTH as u64 - parent * TILE_WIDTH as u64).min(TILE_WIDTH as u64) as u16;
            let resource = Resource::Tile { level: 1, index: parent, width };
            let bytes = self.store.read(&resource.to_string(), TILE_BYTES_MAX).await.ok().flatten();
            walk.above = Some((parent, bytes.and_then(|bytes| tile_hashes(&bytes)).unwrap_or_default()));
        }
        let hashes = walk.above.as_ref().map(|(_, hashes)| hashes);
        Ok(hashes.and_then(|hashes| hashes.get((index % TILE_WIDTH as u64) as usize)).copied())
    }

    async fn check_full_tile(&mut self, tile: FullTile) -> Result<()> {
        let resource = Resource::Tile { level: tile.level, index: tile.index, width: 256 };
        self.check_tile(resource, &tile.hashes).await
    }

    async fn check_partial_tiles(&mut self, walk: &Walk<'_>) -> Result<()> {
        for level in (1u8..).take_while(|level| walk.size >> (8 * level) > 0) {
            let hashes = walk.edge.unfinished(usize::from(level));
            if !hashes.is_empty() {
                let index = walk.size >> (8 * (u32::from(level) + 1));
                let resource = Resource::Tile { level, index, width: hashes.len() as u16 };
                self.check_tile(resource, hashes).await?;
            }
        }
        Ok(())
    }

    /// A tile above the leaves against what the tiles below it hash to.
    async fn check_tile(&mut self, resource: Resource, hashes: &[Hash]) -> Result<()> {
        let Some((path, bytes)) = self.read_at_width(resource, TILE_BYTES_MAX).await? else { return Ok(()) };
        let expected = tile_bytes(hashes);
        if bytes.len() != expected.len() {
            self.problem(format!("{path}: {} bytes, expected {}", bytes.len(), expected.len()));
        } else if let Some(at) = (0..bytes.len()).find(|at| bytes[*at] != expected[*at]) {
            self.problem(format!("{path}: byte {at} is not what the tiles below hash to"));
        }
        Ok(())
    }
}

impl Walk<'_> {
    /// Older signed roots against the tree as it grows through their sizes.
    fn check_promises(&mut self) {
        let size = self.edge.size();
        let Some(promises) = self.promises.get(&size) else { return };
        let root = self.edge.root();
        for (path, promised) in promises.iter().filter(|(_, promised)| *promised != root) {
            let text = format!("{path}: the log signed root {promised} of size {size}, its entries hash to {root}");
            self.broken.push(text);
        }
    }
}
