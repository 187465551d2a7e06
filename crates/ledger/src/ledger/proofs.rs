//! Receipts from the writer's side: the proof that an entry is in the signed tree, and what opens it.
//! Whatever is read back is checked against the signed root before it is handed out. Read next: `receipt.rs`.

use tlog_tiles::{check_record, prove_record, record_hash};

use super::Ledger;
use crate::limits::TILE_WIDTH;
use crate::opening::Tombstone;
use crate::openings::{IdKey, Record};
use crate::{Entry, EntryContent, EntryKind, Erasure, Error, Opening, Receipt, Result, TlogProof, commitment, tiles};

impl Ledger {
    /// The receipt of an entry: the shareable proof under the present checkpoint, and the confidential opening.
    pub async fn receipt(&self, id: &str) -> Result<Receipt> {
        let index = self.index_of(id).ok_or_else(|| self.unknown(id))?;
        let (entry, record) = self.record_at(index).await?;
        let opening = match (record.opening, entry.content) {
            (Some(opening), _) => opening,
            (None, EntryContent::Body(content)) => Opening { salt: [0; 32], content },
            (None, EntryContent::Commitment(_)) => {
                return Err(Error::Erased { id: id.to_owned(), notice: record.erased.unwrap_or_default() });
            }
        };
        Ok(Receipt { proof: self.prove(index).await?.0, opening })
    }

    /// The proof that an entry was erased: its own receipt, and in place of the opening the notice's.
    pub async fn erasure(&self, id: &str) -> Result<Erasure> {
        let index = self.index_of(id).ok_or_else(|| self.unknown(id))?;
        let notice = self.ids.get(IdKey::of(EntryKind::Erasure, id)).ok_or_else(|| self.unknown(id))?;
        let tombstone = Tombstone { erased: self.prove(notice).await?.0 };
        let opening_file = serde_json::to_string(&tombstone).map_err(|error| Error::Bug(format!("notice: {error}")))?;
        Ok(Erasure { proof: self.prove(index).await?.0, opening_file })
    }

    /// The entry at `index` and what is kept about it.
    pub(super) async fn record_at(&self, index: u64) -> Result<(Entry, Record)> {
        let (_, bytes) = self.prove(index).await?;
        let entry =
            Entry::decode(&bytes).map_err(|error| Error::damaged(format!("entry {index}"), error.to_string()))?;
        let fits = |record: &Record| match (&entry.content, &record.opening) {
            (EntryContent::Commitment(held), Some(opening)) => commitment(&opening.salt, &opening.content) == *held,
            (EntryContent::Commitment(_), None) => record.erased.is_some(),
            (EntryContent::Body(body), _) => record.body.as_deref().map(str::as_bytes) == Some(body),
        };
        let (_, record) = self.openings.find(index, fits).await?;
        Ok((entry, record))
    }

    /// The proof text and the entry's bytes.
    async fn prove(&self, index: u64) -> Result<(String, Vec<u8>)> {
        let size = self.committed.size;
        let resource = tiles::bundle_of(index, size);
        let mut entries = tiles::read_entries(&self.place.log, resource).await?;
        let entry = entries.swap_remove((index % TILE_WIDTH as u64) as usize);
        let proof =
            tiles::authenticated(&self.place.log, &self.committed, |reader| prove_record(size, index, reader)).await?;
        check_record(&proof, size, self.committed.hash(), index, record_hash(&entry)).map_err(|_| {
            Error::damaged(resource.to_string(), format!("entry {index} does not hash to its leaf in the signed tree"))
        })?;
        let hashes = proof.iter().map(|hash| hash.0).collect();
        let checkpoint = self.head.note.clone().into_bytes();
        Ok((TlogProof { extra: Some(entry.clone()), index, hashes, checkpoint }.to_string(), entry))
    }
}
