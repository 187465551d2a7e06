//! The archived reference: all versions at once. Which of them a tick may know, its journal record says.

use std::path::Path;

use base::Timestamp;
use engine::ports::{LaneId, PortError, ReferenceFeed, ReferenceRecord};
use events::Offset;

use crate::error::{Error, Result};
use crate::replay::lanes_of;
use crate::{read, reference_rows};

/// Reference rows of an archive, as a replay reads them.
#[derive(Debug)]
pub struct ArchiveFeed {
    rows: Vec<ReferenceRecord>,
    genesis: Vec<(&'static str, u32, Offset)>,
}

impl ArchiveFeed {
    /// Opens the reference of an archive for a replay of the given lanes (all, if none are named). Lanes that were
    /// first started by processes which found the reference at different places cannot be replayed together.
    pub fn open(dir: &Path, lanes: Option<&[LaneId]>) -> Result<Self> {
        let mut first: Option<(LaneId, reference::Pins)> = None;
        for (lane, runs) in lanes_of(dir, lanes)? {
            let Some(record) = runs.first().map(|run| read::records(dir, run)).transpose()? else { continue };
            let Some(genesis) = record.into_iter().next().map(|record| record.genesis) else { continue };
            match &first {
                None => first = Some((lane, genesis)),
                Some((_, same)) if *same == genesis => {}
                Some((other, theirs)) => {
                    return Err(Error::Replay(format!(
                        "lane {other} began with the reference at {theirs}, lane {lane} at {genesis}: replay them one \
                         by one"
                    )));
                }
            }
        }
        let genesis = first.map(|(_, pins)| pins).unwrap_or_default();
        let genesis = genesis.iter().map(|(kind, partition, offset)| (kind.name(), partition, offset)).collect();
        Ok(Self { rows: reference_rows::read(dir)?, genesis })
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
        Ok(self.genesis.clone())
    }
}
