//! Raw ids become pseudonyms here, with a bounded memory of those seen lately: the same few thousand people and
//! patients come again and again. What is remembered never changes an answer, only its cost.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use base::FastMap;

use crate::limits::{MEMO_ENTRIES_MAX, MEMO_RAW_BYTES_MAX};
use crate::network::NetworkIndex;
use crate::{Networks, PseudonymKeys};

/// In the place of a network's index: the address is a host name. There are fewer networks than that.
const NO_NETWORK: NetworkIndex = NetworkIndex::MAX;

/// Pseudonyms and networks, remembered.
pub(crate) struct Identities {
    keys: Arc<PseudonymKeys>,
    networks: Networks,
    users: Memo,
    patients: Memo,
    addresses: Memo,
    tokens: Memo,
    sessions: Memo,
    devices: Memo,
    encounters: Memo,
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
        let said = |raw| if matches!(kind, IdKind::Patient) { PseudonymKeys::patient_id(raw) } else { raw };
        let Some(raw) = raw.filter(|raw| !is_blank(said(raw))) else { return take(None) };
        let keys = &self.keys;
        let (memo, name): (_, fn(&PseudonymKeys, &str) -> String) = match kind {
            IdKind::User => (&mut self.users, PseudonymKeys::user),
            IdKind::Patient => (&mut self.patients, PseudonymKeys::patient),
            IdKind::Token => (&mut self.tokens, PseudonymKeys::token),
            IdKind::Session => (&mut self.sessions, PseudonymKeys::session),
            IdKind::Device => (&mut self.devices, PseudonymKeys::device),
            IdKind::Encounter => (&mut self.encounters, PseudonymKeys::encounter),
        };
        memo.with(raw, || (name(keys, raw), 0), |pseudonym, _| take(Some(pseudonym)));
    }

    /// Hands the pseudonym of an address and the name of its network to `take`. A host name has no network.
    pub(crate) fn with_address(&mut self, raw: Option<&Cow<'_, str>>, take: impl FnOnce(Option<&str>, Option<&str>)) {
        let Some(raw) = raw.filter(|raw| !is_blank(raw)) else { return take(None, None) };
        let (keys, networks) = (&self.keys, &self.networks);
        let make = || {
            let address = raw.trim().parse::<IpAddr>().ok();
            (keys.address(raw), address.map_or(NO_NETWORK, |address| networks.index_of(address)))
        };
        self.addresses.with(raw, make, |pseudonym, network| {
            take(Some(pseudonym), (network != NO_NETWORK).then(|| networks.name(network)));
        });
    }
}

/// Whether a raw id says nothing. Nearly all start with a letter or digit, and need no closer look.
fn is_blank(raw: &str) -> bool {
    !raw.starts_with(|first: char| first.is_ascii_graphic()) && raw.trim().is_empty()
}

/// A bounded map from raw ids to pseudonyms, each with a number of the caller's. Full, it is emptied whole: simple,
/// and it soon holds the busy ones again. (A flat table where newcomers take places over was no faster: it misses more.)
#[derive(Default)]
struct Memo {
    known: FastMap<Box<str>, (Box<str>, u16)>,
}

impl Memo {
    fn with(&mut self, raw: &str, make: impl FnOnce() -> (String, u16), take: impl FnOnce(&str, u16)) {
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
