//! Raw ids become pseudonyms here, with a bounded memory of those seen lately: the same few thousand people and
//! patients come again and again. What is remembered never changes an answer, only its cost.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::limits::{MEMO_ENTRIES_MAX, MEMO_RAW_BYTES_MAX};
use crate::network::NetworkIndex;
use crate::{Networks, PseudonymKeys};

/// Pseudonyms and networks, remembered.
pub(crate) struct Identities {
    keys: Arc<PseudonymKeys>,
    networks: Networks,
    users: Memo<()>,
    patients: Memo<()>,
    addresses: Memo<Option<NetworkIndex>>,
    tokens: Memo<()>,
    sessions: Memo<()>,
    devices: Memo<()>,
    encounters: Memo<()>,
}

/// Which memory and key a raw id belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IdKind {
    User,
    Patient,
    Token,
    Session,
    Device,
    Encounter,
}

impl Identities {
    pub(crate) fn new(keys: Arc<PseudonymKeys>, networks: Networks) -> Self {
        Self {
            keys,
            networks,
            users: Memo::default(),
            patients: Memo::default(),
            addresses: Memo::default(),
            tokens: Memo::default(),
            sessions: Memo::default(),
            devices: Memo::default(),
            encounters: Memo::default(),
        }
    }

    /// Hands the pseudonym of `raw` to `take`; nothing if `raw` is blank.
    pub(crate) fn with(&mut self, kind: IdKind, raw: Option<&Cow<'_, str>>, take: impl FnOnce(Option<&str>)) {
        let Some(raw) = raw.filter(|raw| !raw.trim().is_empty()) else { return take(None) };
        let keys = &self.keys;
        let (memo, name): (_, fn(&PseudonymKeys, &str) -> String) = match kind {
            IdKind::User => (&mut self.users, PseudonymKeys::user),
            IdKind::Patient => (&mut self.patients, PseudonymKeys::patient),
            IdKind::Token => (&mut self.tokens, PseudonymKeys::token),
            IdKind::Session => (&mut self.sessions, PseudonymKeys::session),
            IdKind::Device => (&mut self.devices, PseudonymKeys::device),
            IdKind::Encounter => (&mut self.encounters, PseudonymKeys::encounter),
        };
        memo.with(raw, || (name(keys, raw), ()), |pseudonym, ()| take(Some(pseudonym)));
    }

    /// Hands the pseudonym of an address and the name of its network to `take`. A host name has no network.
    pub(crate) fn with_address(&mut self, raw: Option<&Cow<'_, str>>, take: impl FnOnce(Option<&str>, Option<&str>)) {
        let Some(raw) = raw.filter(|raw| !raw.trim().is_empty()) else { return take(None, None) };
        let (keys, networks) = (&self.keys, &self.networks);
        let make = || {
            let address = raw.trim().parse::<IpAddr>().ok();
            (keys.address(raw), address.map(|address| networks.index_of(address)))
        };
        self.addresses.with(raw, make, |pseudonym, network| {
            take(Some(pseudonym), network.map(|index| networks.name(index)));
        });
    }
}

/// A bounded map from raw ids to pseudonyms. Full, it is emptied whole: simple, and it soon holds the busy ones again.
#[derive(Default)]
struct Memo<E> {
    known: HashMap<Box<str>, (Box<str>, E)>,
}

impl<E: Copy> Memo<E> {
    fn with(&mut self, raw: &str, make: impl FnOnce() -> (String, E), take: impl FnOnce(&str, E)) {
        if let Some((pseudonym, extra)) = self.known.get(raw) {
            return take(pseudonym, *extra);
        }
        let (pseudonym, extra) = make();
        take(&pseudonym, extra);
        if raw.len() > MEMO_RAW_BYTES_MAX {
            return;
        }
        if self.known.len() >= MEMO_ENTRIES_MAX {
            self.known.clear();
        }
        self.known.insert(raw.into(), (pseudonym.into_boxed_str(), extra));
    }
}
