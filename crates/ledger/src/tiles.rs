//! Reading tiles and bundles that nothing is trusted about, and handing out only what the signed root covers.
//! The tree code reads synchronously: a first pass notes which tiles it asks for, a second gets them from memory.
//! Read next: `ledger/start.rs` and `receipt.rs`, who use it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tlog_tiles::{Hash, HashReader, Tile, TileHashReader, TileReader, tlog};

use crate::limits::{BUNDLE_BYTES_MAX, TILE_BYTES_MAX, TILE_WIDTH};
use crate::store::Store;
use crate::tree::{subtree, tile_hashes};
use crate::{Checkpoint, Error, Resource, Result, bundle};

/// Runs `ask` over the authenticated tiles of the checkpoint's tree.
pub(crate) async fn authenticated<T>(
    store: &Store,
    checkpoint: &Checkpoint,
    ask: impl Fn(&TileHashReader<'_>) -> Result<T, tlog::Error>,
) -> Result<T> {
    assert!(checkpoint.size > 0, "an empty tree has no tiles");
    let recorder = Recorder::default();
    if let Ok(answer) = ask(&TileHashReader::new(checkpoint.size, checkpoint.hash(), &recorder)) {
        return Ok(answer);
    }
    let wanted = recorder.wanted.into_inner().unwrap_or_default();
    let mut tiles = Preloaded::default();
    for tile in wanted {
        let bytes = read_tile(store, tile).await?;
        tiles.bytes.insert(place(tile), bytes);
    }
    tiles.check_full()?;
    ask(&TileHashReader::new(checkpoint.size, checkpoint.hash(), &tiles)).map_err(|error| {
        let names: Vec<String> = tiles.bytes.keys().map(|place| resource(*place).to_string()).collect();
        let first = names.first().cloned().unwrap_or_default();
        let reason =
            format!("{error}: one of {} tiles does not fit the signed root of size {}", names.len(), checkpoint.size);
        Error::damaged(first, reason)
    })
}

/// The hashes at stored indexes of the checkpoint's tree.
pub(crate) async fn hashes(store: &Store, checkpoint: &Checkpoint, indexes: &[u64]) -> Result<Vec<Hash>> {
    authenticated(store, checkpoint, |reader| reader.read_hashes(indexes)).await
}

/// The entries of a bundle as wide as `resource` says; a partial one may have given way to the full one.
/// Nothing of them is authenticated.
pub(crate) async fn read_entries(store: &Store, resource: Resource) -> Result<Vec<Vec<u8>>> {
    let path = resource.to_string();
    let width = usize::from(resource.width());
    let bytes = read_or_full(store, resource, BUNDLE_BYTES_MAX).await?;
    let entries = bundle::entries(&bytes).map_err(|at| Error::damaged(&path, format!("no entry at byte {at}")))?;
    if entries.len() < width || (entries.len() > width && entries.len() != TILE_WIDTH) {
        return Err(Error::damaged(path, format!("{} entries, expected {width}", entries.len())));
    }
    Ok(entries[..width].iter().map(|entry| entry.to_vec()).collect())
}

/// The bundle that holds an entry of a log of `size` entries.
pub(crate) fn bundle_of(index: u64, size: u64) -> Resource {
    let bundle = index / TILE_WIDTH as u64;
    let width = (size - bundle * TILE_WIDTH as u64).min(TILE_WIDTH as u64);
    Resource::Entries { index: bundle, width: width as u16 }
}

async fn read_tile(store: &Store, tile: Tile) -> Result<Vec<u8>> {
    let resource = resource(place(tile));
    let mut bytes = read_or_full(store, resource, TILE_BYTES_MAX).await?;
    let expected = usize::from(resource.width()) * 32;
    if bytes.len() < expected || (bytes.len() > expected && bytes.len() != TILE_BYTES_MAX) {
        return Err(Error::damaged(resource.to_string(), format!("{} bytes, expected {expected}", bytes.len())));
    }
    bytes.truncate(expected);
    Ok(bytes)
}

/// A partial may be removed once the full one stands, which begins with the same bytes.
async fn read_or_full(store: &Store, resource: Resource, bytes_max: usize) -> Result<Vec<u8>> {
    let path = resource.to_string();
    if let Some(bytes) = store.read(&path, bytes_max).await? {
        return Ok(bytes.to_vec());
    }
    match store.read(&resource.full().to_string(), bytes_max).await? {
        Some(bytes) => Ok(bytes.to_vec()),
        None => Err(Error::damaged(path, "it is missing")),
    }
}

fn place(tile: Tile) -> (u8, u64, u32) {
    (tile.level(), tile.level_index(), tile.width())
}

fn resource((level, index, width): (u8, u64, u32)) -> Resource {
    Resource::Tile { level, index, width: width as u16 }
}

#[derive(Default)]
struct Recorder {
    wanted: Mutex<Vec<Tile>>,
}

impl TileReader for Recorder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        if let Ok(mut wanted) = self.wanted.lock() {
            wanted.extend_from_slice(tiles);
        }
        Err(tlog::Error::InvalidInput("not read yet".to_owned()))
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[derive(Default)]
struct Preloaded {
    /// By level, index and width, so that which damage is named first does not depend on chance.
    bytes: BTreeMap<(u8, u64, u32), Vec<u8>>,
}

impl Preloaded {
    /// Every full tile against its hash in the tile above. `TileHashReader` means to do this and passes over some
    /// where the right edge has fewer tiles than subtrees; then a tile forged together with its bundle would pass.
    /// The tiles that are not full are all part of the root, which it does check.
    fn check_full(&self) -> Result<()> {
        let full = self.bytes.iter().filter(|((_, _, width), _)| *width as usize == TILE_WIDTH);
        for (place @ (level, index, _), bytes) in full {
            let (above, at) = (index / TILE_WIDTH as u64, (index % TILE_WIDTH as u64) as usize);
            let above = self.bytes.range((level + 1, above, 0)..=(level + 1, above, u32::MAX)).next();
            let held = above.and_then(|(_, bytes)| tile_hashes(bytes)).and_then(|hashes| hashes.get(at).copied());
            if held.is_none() || held != tile_hashes(bytes).map(|hashes| subtree(&hashes)) {
                let reason = "it does not hash to what the tile above it holds";
                return Err(Error::damaged(resource(*place).to_string(), reason));
            }
        }
        Ok(())
    }
}

impl TileReader for Preloaded {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        tiles.iter().map(|tile| self.bytes.get(&place(*tile)).cloned().ok_or(tlog::Error::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[cfg(test)]
mod tests;
