//! Erasure: a public notice first, then the salt and content are destroyed. The entry stays, every proof stays
//! valid, and nothing can be opened any more. Never names a person: a notice holds an index and a code.
//! Read next: `start.rs`, which finishes an erasure that a crash cut short.

use base::Timestamp;

use super::{Appended, Draft, Ledger, check_room};
use crate::limits::BASIS_BYTES_MAX;
use crate::opening::ErasureNotice;
use crate::openings::{IdKey, Record};
use crate::{EntryContent, EntryKind, Error, Result};

impl Ledger {
    /// Erases the opening of an entry on the ground `basis`, a code such as `gdpr-17`. Answers with the notice's
    /// entry; erasing twice answers with the first.
    pub async fn erase(&mut self, id: &str, basis: &str, now: Timestamp) -> Result<Appended> {
        self.check_running()?;
        let index = self.index_of(id).ok_or_else(|| self.unknown(id))?;
        if let Some(notice) = self.ids.get(IdKey::of(EntryKind::Erasure, id)) {
            self.destroy(index, notice).await?;
            return Ok(Appended { id: id.to_owned(), index: notice, is_new: false });
        }
        self.check_erasable(id, index, basis).await?;
        check_room(self.size(), 1)?;
        let body = ErasureNotice { basis: basis.to_owned(), index: index.to_string() };
        let body = serde_json::to_string(&body).map_err(|error| Error::Bug(format!("notice: {error}")))?;
        let entry = self.entry(EntryKind::Erasure, now, EntryContent::Body(body.clone().into_bytes()))?.encode();
        let record =
            Record { id: id.to_owned(), kind: EntryKind::Erasure, opening: None, body: Some(body), erased: None };
        let notice = self.size();
        // A crash after the notice and before the destruction: the start path sees the notice and destroys.
        self.commit(vec![Draft { entry, record }], self.head.source_position.clone()).await?;
        self.destroy(index, notice).await?;
        Ok(Appended { id: id.to_owned(), index: notice, is_new: true })
    }

    async fn destroy(&mut self, index: u64, notice: u64) -> Result<()> {
        self.stopped = true;
        self.openings.erase(index, notice).await?;
        self.stopped = false;
        Ok(())
    }

    async fn check_erasable(&self, id: &str, index: u64, basis: &str) -> Result<()> {
        let bad = |reason: String| Err(Error::Submission { id: id.to_owned(), reason });
        let code = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if basis.is_empty() || basis.len() > BASIS_BYTES_MAX || !basis.chars().all(code) {
            let form = format!("1 to {BASIS_BYTES_MAX} of a-z, 0-9, `-` and `.`");
            return bad(format!("the ground of an erasure is a code of {form}, not a text"));
        }
        let (_, record) = self.record_at(index).await?;
        if record.kind.is_public() {
            return bad(format!("a {} entry is public and cannot be erased", record.kind));
        }
        Ok(())
    }

    pub(super) fn unknown(&self, id: &str) -> Error {
        Error::UnknownId { id: id.chars().take(64).collect(), size: self.size() }
    }
}

#[cfg(test)]
mod tests;
