//! The index from ids to entries, in memory and in blocks on disk. It is what makes a second delivery harmless.
//! Never the truth: batches are, and it is rebuilt from them. Read next: `ledger.rs`, which asks it.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::{OpeningStore, Record};
use crate::limits::ID_BLOCK_ENTRIES;
use crate::seal::{seal, unseal};
use crate::{EntryKind, Error, Result};

const KEY_BYTES: usize = 16;
const BLOCK_BYTES_MAX: usize = ID_BLOCK_ENTRIES as usize * KEY_BYTES + 128;

/// Half a SHA-256 of an id. Erasure notices carry the id they erase, so they count apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct IdKey([u8; KEY_BYTES]);

impl IdKey {
    /// The genesis entry, which no one submitted.
    const NOBODY: Self = Self([0; KEY_BYTES]);

    pub(crate) fn of(kind: EntryKind, id: &str) -> Self {
        let notice = u8::from(kind == EntryKind::Erasure);
        let hash: [u8; 32] = Sha256::new().chain_update([notice]).chain_update(id).finalize().into();
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(&hash[..KEY_BYTES]);
        Self(key)
    }
}

/// Every id of the ledger and its entry.
#[derive(Debug, Default)]
pub(crate) struct IdIndex {
    by_key: HashMap<IdKey, u64>,
    /// Keys of the block that is not full yet.
    tail: Vec<IdKey>,
    /// Full blocks.
    blocks: u64,
}

impl IdIndex {
    /// The entry of an id.
    pub(crate) fn get(&self, key: IdKey) -> Option<u64> {
        self.by_key.get(&key).copied()
    }

    /// Entries covered.
    fn len(&self) -> u64 {
        self.blocks * ID_BLOCK_ENTRIES + self.tail.len() as u64
    }

    /// Adds the next entry; answers with a block, its number and bytes, when one is full.
    pub(crate) fn push(&mut self, key: IdKey) -> Option<(u64, Vec<u8>)> {
        if key != IdKey::NOBODY {
            self.by_key.insert(key, self.len());
        }
        self.tail.push(key);
        if (self.tail.len() as u64) < ID_BLOCK_ENTRIES {
            return None;
        }
        let bytes = self.tail.drain(..).flat_map(|key| key.0).collect();
        self.blocks += 1;
        Some((self.blocks - 1, seal(bytes)))
    }

    /// Reads the index of a ledger of `size` entries whose last commit is called `last`: full blocks from disk, the
    /// rest by walking the batches back. Answers with the names of the batches walked, newest first.
    pub(crate) async fn load(openings: &OpeningStore, size: u64, last: &str) -> Result<(Self, Vec<String>)> {
        let mut index = Self::default();
        for block in 0..size / ID_BLOCK_ENTRIES {
            let Some(keys) = openings.read_ids(block).await? else { break };
            keys.into_iter().for_each(|key| drop(index.push(key)));
        }
        let mut missing = Vec::new();
        let mut names = Vec::new();
        let mut next = (size > 1 && index.len() < size).then(|| last.to_owned());
        let mut end = size;
        while let Some(name) = next {
            let batch = openings.read(&name).await?;
            if batch.first + batch.records.len() as u64 != end {
                return Err(Error::damaged(name, format!("its openings do not reach up to entry {end}")));
            }
            end = batch.first;
            next = batch.previous.filter(|_| end > index.len());
            missing.push((end, batch.records.iter().map(Record::key).collect::<Vec<_>>()));
            names.push(name);
        }
        if index.len() == 0 {
            index.push(IdKey::NOBODY);
        }
        for (first, keys) in missing.into_iter().rev() {
            let known = index.len().saturating_sub(first) as usize;
            for key in keys.into_iter().skip(known) {
                openings.write_ids(index.push(key)).await?;
            }
        }
        if index.len() != size {
            return Err(Error::damaged("batches", format!("openings reach {} of {size} entries", index.len())));
        }
        Ok((index, names))
    }
}

impl Record {
    /// The key of its id.
    pub(crate) fn key(&self) -> IdKey {
        IdKey::of(self.kind, &self.id)
    }
}

impl OpeningStore {
    /// Keeps a block that has become full. Losing it costs a walk over batches at the next start, nothing else.
    pub(crate) async fn write_ids(&self, block: Option<(u64, Vec<u8>)>) -> Result<()> {
        match block {
            Some((number, bytes)) => self.store.replace(&block_path(number), bytes).await,
            None => Ok(()),
        }
    }

    /// A block, unless it is missing or damaged.
    async fn read_ids(&self, number: u64) -> Result<Option<Vec<IdKey>>> {
        let bytes = match self.store.read(&block_path(number), BLOCK_BYTES_MAX).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) | Err(Error::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let keys = unseal(&bytes).map(|body| body.as_chunks::<KEY_BYTES>().0);
        let whole = keys.filter(|keys| keys.len() as u64 == ID_BLOCK_ENTRIES);
        Ok(whole.map(|keys| keys.iter().copied().map(IdKey).collect()))
    }
}

fn block_path(number: u64) -> String {
    format!("ids/{number:012}")
}
