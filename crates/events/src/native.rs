//! Our own format: flat JSON, one object per record, an array of them, or one a line. Keys are column names with raw
//! values; keys that are not listed are ignored, `null` is absent.
//!
//! Access: `id`, `time`, `user`, `patient`, `action`, `action_raw`, `outcome`, `outcome_raw`, `resource`, `purpose`,
//! `break_glass`, `reason` and `search` (texts; only keyed tokens of them are kept), `results`, `bytes`, `unit`,
//! `workstation`, `address` (IP), `network` (its name, where the source knows it), `session`, `encounter`,
//! `sensitive`, `actor` (human, system, patient), `application`.
//!
//! Auth: `id`, `time`, `user`, `activity`, `activity_raw`, `outcome`, `outcome_raw`, `factor`, `mfa`, `address`,
//! `network`, `country`, `lat`, `lon`, `device`, `workstation`, `session`, `proxy`, `remote`, `sign_count`,
//! `match_score`, `liveness_score`, `actor`, `application`.
//!
//! `time` (RFC 3339, or whole milliseconds since the epoch) and `user` must be there. Ids may be numbers. A word
//! that is not canonical (`words.rs`) becomes `other` or `unknown` and is kept as the raw word.

use serde::Deserialize;

use crate::decode::row::{AccessRow, AuthRow, Common, OptionText, Word, acting};
use crate::json::{self, Text};
use crate::moment::{NumberUnit, RawTime};
use crate::{Fault, words};

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Access<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    time: Option<RawTime<'a>>,
    user: Option<Text<'a>>,
    patient: Option<Text<'a>>,
    action: Option<Text<'a>>,
    action_raw: Option<Text<'a>>,
    outcome: Option<Text<'a>>,
    outcome_raw: Option<Text<'a>>,
    resource: Option<Text<'a>>,
    purpose: Option<Text<'a>>,
    break_glass: Option<bool>,
    reason: Option<Text<'a>>,
    search: Option<Text<'a>>,
    results: Option<i32>,
    bytes: Option<i64>,
    unit: Option<Text<'a>>,
    workstation: Option<Text<'a>>,
    address: Option<Text<'a>>,
    network: Option<Text<'a>>,
    session: Option<Text<'a>>,
    encounter: Option<Text<'a>>,
    sensitive: Option<bool>,
    actor: Option<Text<'a>>,
    application: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Auth<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    time: Option<RawTime<'a>>,
    user: Option<Text<'a>>,
    activity: Option<Text<'a>>,
    activity_raw: Option<Text<'a>>,
    outcome: Option<Text<'a>>,
    outcome_raw: Option<Text<'a>>,
    factor: Option<Text<'a>>,
    mfa: Option<bool>,
    address: Option<Text<'a>>,
    network: Option<Text<'a>>,
    country: Option<Text<'a>>,
    lat: Option<f64>,
    lon: Option<f64>,
    device: Option<Text<'a>>,
    workstation: Option<Text<'a>>,
    session: Option<Text<'a>>,
    proxy: Option<bool>,
    remote: Option<bool>,
    sign_count: Option<i64>,
    match_score: Option<f64>,
    liveness_score: Option<f64>,
    actor: Option<Text<'a>>,
    application: Option<Text<'a>>,
}

/// Reads an access.
pub(crate) fn access(text: &str) -> Result<AccessRow<'_>, Fault> {
    let event: Access<'_> = json::parse(text)?;
    let action = word(words::ACTIONS, "other", event.action, event.action_raw);
    let actor = actor(event.actor);
    let overrides = event.purpose.as_ref().is_some_and(|purpose| purpose.trim().eq_ignore_ascii_case("BTG"));
    Ok(AccessRow {
        common: Common {
            id: plain(event.id),
            time: event.time,
            number_unit: NumberUnit::Millis,
            user: acting(plain(event.user), actor),
            outcome: word(words::OUTCOMES, "unknown", event.outcome, event.outcome_raw),
            workstation: plain(event.workstation),
            address: plain(event.address),
            network: plain(event.network),
            session: plain(event.session),
            actor,
            application: plain(event.application),
        },
        patient: plain(event.patient),
        break_glass: event.break_glass.unwrap_or(false) || overrides || action.word == "override",
        action,
        resource: plain(event.resource),
        purpose: plain(event.purpose),
        reason: plain(event.reason),
        search: plain(event.search),
        result_count: event.results,
        byte_count: event.bytes,
        unit: plain(event.unit),
        encounter: plain(event.encounter),
        sensitive: event.sensitive.unwrap_or(false),
    })
}

/// Reads an authentication event.
pub(crate) fn auth(text: &str) -> Result<AuthRow<'_>, Fault> {
    let event: Auth<'_> = json::parse(text)?;
    let factor = |text: Text<'_>| words::canonical(words::FACTORS, &text).unwrap_or("other");
    let actor = actor(event.actor);
    Ok(AuthRow {
        common: Common {
            id: plain(event.id),
            time: event.time,
            number_unit: NumberUnit::Millis,
            user: acting(plain(event.user), actor),
            outcome: word(words::OUTCOMES, "unknown", event.outcome, event.outcome_raw),
            workstation: plain(event.workstation),
            address: plain(event.address),
            network: plain(event.network),
            session: plain(event.session),
            actor,
            application: plain(event.application),
        },
        activity: word(words::ACTIVITIES, "other", event.activity, event.activity_raw),
        factor: event.factor.filter(|text| !text.trim().is_empty()).map(factor),
        mfa: event.mfa,
        country: plain(event.country),
        latitude: event.lat,
        longitude: event.lon,
        device: plain(event.device),
        proxy: event.proxy,
        remote: event.remote,
        sign_count: event.sign_count,
        match_score: event.match_score,
        liveness_score: event.liveness_score,
    })
}

fn plain(text: Option<Text<'_>>) -> OptionText<'_> {
    text.map(|Text(text)| text)
}

/// The canonical word; the raw one is what the source gave as such, or the word that is not canonical.
fn word<'a>(
    known: &[&'static str],
    otherwise: &'static str,
    given: Option<Text<'a>>,
    raw: Option<Text<'a>>,
) -> Word<'a> {
    let canonical = given.as_ref().and_then(|given| words::canonical(known, given));
    let raw = plain(raw).or_else(|| if canonical.is_none() { plain(given) } else { None });
    Word { word: canonical.unwrap_or(otherwise), raw }
}

fn actor(given: Option<Text<'_>>) -> &'static str {
    given.and_then(|given| words::canonical(words::ACTORS, &given)).unwrap_or("unknown")
}

#[cfg(test)]
mod tests;
