//! The staff directory by raw names: which user an EHR id, a login, a badge or an e-mail address stands for.
//!
//! For `rekey` alone, which must give one person's records one key before anything is pseudonymised. Everywhere else
//! names are pseudonyms (`store.rs`). Raw ids are held here: nothing of this type is printed, logged or counted by name.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use base::Timestamp;
use events::{Offset, RawTime, Text, normalise_id};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::limits::NAMES_MAX;
use crate::rows::{given, needed, start, text};
use crate::{Kind, Pins, RowReject};

/// Names to users, all versions. Keys are ids as ids are compared: case, space and leading zeros do not count.
pub struct Directory {
    /// Of times that name none.
    zone: TimeZone,
    /// Users by their own id, as the directory first spelled it.
    users: HashMap<String, (Place, Arc<str>)>,
    names: HashMap<String, Vec<Version>>,
    /// Right after the last row read, per partition.
    ends: BTreeMap<u32, Offset>,
    rejects: usize,
}

type Place = (Offset, u32);

struct Version {
    valid_from: Timestamp,
    place: Place,
    user: Arc<str>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct RawNames<'a> {
    #[serde(borrow)]
    user: Option<Text<'a>>,
    names: Option<Vec<Text<'a>>>,
    valid_from: Option<RawTime<'a>>,
}

impl Directory {
    /// A directory that knows nobody. `zone` is that of the house: times that name none are local.
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, users: HashMap::new(), names: HashMap::new(), ends: BTreeMap::new(), rejects: 0 }
    }

    /// Takes a record of the staff topic. A tombstone forgets nothing; a row read before is skipped.
    pub fn apply(&mut self, partition: u32, offset: Offset, value: Option<&[u8]>) -> Result<(), RowReject> {
        let end = self.ends.entry(partition).or_insert(Offset(0));
        if offset < *end {
            return Ok(());
        }
        *end = offset.next();
        let Some(value) = value.filter(|value| !value.trim_ascii().is_empty()) else { return Ok(()) };
        let taken = self.take((offset, partition), value);
        self.rejects += usize::from(taken.is_err());
        taken
    }

    fn take(&mut self, place: Place, value: &[u8]) -> Result<(), RowReject> {
        let raw: RawNames<'_> = events::parse_json(text(value)?)?;
        let user = needed("user", raw.user)?;
        let valid_from =
            start("valid_from", raw.valid_from, &self.zone)?.ok_or_else(|| events::Fault::missing("valid_from"))?;
        let spelled: Arc<str> = user.as_str().into();
        let known = self.users.entry(normalise_id(&user).into_owned()).or_insert_with(|| (place, Arc::clone(&spelled)));
        if place < known.0 {
            *known = (place, spelled);
        }
        let user: Arc<str> = normalise_id(&user).into();
        for name in raw.names.unwrap_or_default().into_iter().take(NAMES_MAX).filter_map(|name| given(Some(name))) {
            let versions = self.names.entry(normalise_id(&name).into_owned()).or_default();
            let at = versions.partition_point(|known| (known.valid_from, known.place) < (valid_from, place));
            versions.insert(at, Version { valid_from, place, user: Arc::clone(&user) });
        }
        Ok(())
    }

    /// The user id of the person who goes by this name at `at`, as the directory spells it; `None` where nobody does.
    /// A user id stands for itself. Before a name's first row its first bearer is meant: whose else would it be.
    pub fn user_of(&self, name: &str, at: Timestamp) -> Option<&str> {
        let name = normalise_id(name);
        let own = |name: &str| self.users.get(name).map(|(_, spelled)| &**spelled);
        own(&name).or_else(|| {
            let versions = self.names.get(&*name)?;
            let begun = versions.partition_point(|version| version.valid_from <= at);
            own(&versions.get(begun.saturating_sub(1))?.user)
        })
    }

    /// How many users are known.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// How many rows could not be taken.
    pub fn reject_count(&self) -> usize {
        self.rejects
    }

    /// The version of the directory: where each partition has been read to.
    pub fn version(&self) -> Pins {
        let mut pins = Pins::default();
        self.ends.iter().for_each(|(partition, end)| pins.set(Kind::Staff, *partition, *end));
        pins
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
