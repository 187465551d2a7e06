//! The archived reference: all versions at once. Which of them a tick may know, its journal record says.

use base::Timestamp;
use engine::ports::{PortError, ReferenceFeed, ReferenceRecord};
use events::Offset;

use reference::Pins;

use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::{read, reference_rows};

/// Reference rows of an archive, as a replay reads them.
#[derive(Debug)]
pub struct ArchiveFeed {
    rows: Vec<ReferenceRecord>,
    /// For lanes without a journal.
    genesis: Pins,
}

impl ArchiveFeed {
    /// Opens the reference of an archive. Where it stood when a lane first started, that lane's journal says. An error
    /// where the journal names rows, and the files of all of them are gone.
    pub fn open(archive: &Listing) -> Result<Self> {
        if archive.reference.is_empty() {
            goes_by_none(archive)?;
        }
        let rows = reference_rows::read(&archive.users.dir, &archive.reference)?;
        Ok(Self { rows, genesis: Pins::default() })
    }

    /// Lets lanes that follow no journal begin where the reference stood when the pipeline first started.
    pub fn since_genesis(self, archive: &Listing) -> Result<Self> {
        let genesis = match archive.users.runs.values().flatten().next() {
            Some(run) => read::records(&archive.users.dir, run)?.into_iter().next().map(|record| record.genesis),
            None => None,
        };
        Ok(Self { genesis: genesis.unwrap_or_default(), ..self })
    }
}

impl ArchiveFeed {
    /// The id of the pseudonym keys that the archive was written under: rows pass unchanged under keys of that id.
    pub fn key_id(&self) -> Option<String> {
        let values = self.rows.iter().filter(|row| row.kind == "staff").filter_map(|row| row.value.as_deref());
        let mut users = values.filter_map(|value| {
            let row: serde_json::Value = serde_json::from_slice(value).ok()?;
            let (id, _) = row.get("user")?.as_str()?.strip_prefix('u')?.split_once(':')?;
            Some(id.to_owned())
        });
        users.next()
    }
}

impl ReferenceFeed for ArchiveFeed {
    fn poll(&mut self, _through: Option<Timestamp>) -> std::result::Result<Vec<ReferenceRecord>, PortError> {
        Ok(std::mem::take(&mut self.rows))
    }

    fn known_through(&self) -> Timestamp {
        Timestamp::MAX
    }

    fn ends(&mut self) -> std::result::Result<Vec<(&'static str, u32, Offset)>, PortError> {
        Ok(self.genesis.iter().map(|(kind, partition, offset)| (kind.name(), partition, offset)).collect())
    }
}

/// An error where a lane has gone by any reference row.
fn goes_by_none(archive: &Listing) -> Result<()> {
    for (lane, record) in archive.newest_records()? {
        let mut known = record.pins.iter().chain([&record.genesis]).flat_map(Pins::iter);
        if let Some((kind, partition, end)) = known.find(|(_, _, end)| end.0 > 0) {
            let (folder, kind, end) = (archive.users.dir.clone(), kind.name(), end.0);
            return Err(Error::ReferenceGone { folder, lane, kind, partition, end });
        }
    }
    Ok(())
}
