//! The head of a lane: the newest of everything it keeps by key, and where by that it stands.

use std::collections::BTreeMap;

use features::{Digests, JournalRecord};

use crate::error::{Error, Result};
use crate::ports::LaneId;
use crate::spec::{ENGINE, PipelineSpec};

/// Head key of the newest journal record.
pub(crate) const JOURNAL: &[u8] = b"journal";
/// Head key of the first tick a lane ever closed.
pub(super) const BORN: &[u8] = b"born";
/// Prefix of head keys of case states.
pub(crate) const CASE: &[u8] = b"case/";
/// Prefix of head keys of last facts.
pub(super) const FACTS: &[u8] = b"facts/";

/// The journal record a lane stands at; `None` if it never ran.
pub(crate) fn newest_record(lane: LaneId, head: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Option<JournalRecord>> {
    let Some(bytes) = head.get(JOURNAL) else { return Ok(None) };
    serde_json::from_slice(bytes).map(Some).map_err(|error| {
        let record: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        // Another version's records may have other fields: that is no damage.
        match record["digests"]["engine"].as_str() {
            Some(stored) if stored != ENGINE => Error::OtherEngine { lane, stored: stored.to_owned(), now: ENGINE },
            _ => Error::Head { lane, problem: error.to_string() },
        }
    })
}

pub(crate) fn same_definitions(lane: LaneId, stored: &Digests, spec: &PipelineSpec) -> Result<()> {
    let now = spec.digests();
    let pairs = [
        ("specification", stored.spec.to_string(), now.spec.to_string()),
        ("SQL", stored.sql.to_string(), now.sql.to_string()),
        ("model", stored.model.to_string(), now.model.to_string()),
        ("engine", stored.engine.clone(), now.engine.clone()),
    ];
    match pairs.into_iter().find(|(_, stored, now)| stored != now) {
        None => Ok(()),
        Some((what, stored, now)) => Err(Error::OtherDefinitions { lane, what, stored, now }),
    }
}

/// Head entries whose keys begin so, without that beginning.
pub(crate) fn with_prefix<'a>(
    head: &'a BTreeMap<Vec<u8>, Vec<u8>>,
    prefix: &'static [u8],
) -> impl Iterator<Item = (String, Vec<u8>)> + 'a {
    let entries = head.range(prefix.to_vec()..).take_while(move |(key, _)| key.starts_with(prefix));
    entries.map(move |(key, value)| (String::from_utf8_lossy(&key[prefix.len()..]).into_owned(), value.clone()))
}
