//! OCSF Authentication, class 3002, of any 1.x schema: one object, an array, or one a line.
//!
//! Official samples give `time` in seconds where the schema says milliseconds, so the year decides. Fields OCSF
//! lets be absent stay absent. Source: github.com/ocsf/ocsf-schema, events/iam/authentication.json.

use serde::Deserialize;

use crate::decode::row::{AuthRow, Common, OptionText, Word};
use crate::json::{self, Text};
use crate::moment::{NumberUnit, RawTime};
use crate::{Fault, RejectReason};

const AUTHENTICATION: i64 = 3002;

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Event<'a> {
    #[serde(borrow)]
    time: Option<RawTime<'a>>,
    class_uid: Option<i64>,
    activity_id: Option<i64>,
    activity_name: Option<Text<'a>>,
    status_id: Option<i64>,
    status: Option<Text<'a>>,
    status_code: Option<Text<'a>>,
    user: Option<User<'a>>,
    actor: Option<Actor<'a>>,
    src_endpoint: Option<Endpoint<'a>>,
    device: Option<Endpoint<'a>>,
    session: Option<Named<'a>>,
    service: Option<Named<'a>>,
    metadata: Option<Metadata<'a>>,
    is_mfa: Option<bool>,
    is_remote: Option<bool>,
    auth_factors: Option<Vec<Factor>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct User<'a> {
    #[serde(borrow)]
    uid: Option<Text<'a>>,
    name: Option<Text<'a>>,
    email_addr: Option<Text<'a>>,
    type_id: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Actor<'a> {
    #[serde(borrow)]
    user: Option<User<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Endpoint<'a> {
    #[serde(borrow)]
    uid: Option<Text<'a>>,
    ip: Option<Text<'a>>,
    hostname: Option<Text<'a>>,
    name: Option<Text<'a>>,
    location: Option<Location<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Location<'a> {
    #[serde(borrow)]
    country: Option<Text<'a>>,
    lat: Option<f64>,
    long: Option<f64>,
    /// Longitude first, as in GeoJSON (RFC 7946).
    coordinates: Option<Vec<f64>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Named<'a> {
    #[serde(borrow)]
    uid: Option<Text<'a>>,
    name: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Metadata<'a> {
    #[serde(borrow)]
    uid: Option<Text<'a>>,
    product: Option<Named<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Factor {
    factor_type_id: Option<i64>,
}

/// Reads an authentication event.
pub(crate) fn auth(text: &str) -> Result<AuthRow<'_>, Fault> {
    let event: Event<'_> = json::parse(text)?;
    match event.class_uid {
        Some(AUTHENTICATION) => {}
        Some(_) => return Err(Fault::new(RejectReason::UnknownShape, "`class_uid` is not 3002 (authentication)")),
        None => return Err(Fault::missing("class_uid")),
    }
    let user = event.user.or(event.actor.and_then(|actor| actor.user)).unwrap_or_default();
    let source = event.src_endpoint.unwrap_or_default();
    let device = event.device.unwrap_or_default();
    let location = source.location.or(device.location).unwrap_or_default();
    let (latitude, longitude) = match location.coordinates.as_deref() {
        Some([longitude, latitude, ..]) => (Some(*latitude), Some(*longitude)),
        _ => (location.lat, location.long),
    };
    let factors = event.auth_factors.unwrap_or_default();
    let metadata = event.metadata.unwrap_or_default();
    let application = event.service.and_then(|service| service.name.or(service.uid));
    let product = metadata.product.and_then(|product| product.name.or(product.uid));
    Ok(AuthRow {
        common: Common {
            id: plain(metadata.uid),
            time: event.time,
            number_unit: NumberUnit::Plausible,
            actor: actor(user.type_id),
            user: plain(given(user.uid).or(given(user.name)).or(given(user.email_addr))),
            outcome: Word { word: outcome(event.status_id), raw: plain(event.status_code.or(event.status)) },
            workstation: plain(source.hostname.or(source.name).or(device.hostname).or(device.name)),
            address: plain(given(source.ip).or(given(device.ip))),
            network: None,
            session: plain(event.session.and_then(|session| session.uid)),
            application: plain(application.or(product)),
        },
        activity: Word { word: activity(event.activity_id), raw: plain(event.activity_name) },
        factor: main_factor(&factors),
        mfa: event.is_mfa.or((factors.len() > 1).then_some(true)),
        country: plain(location.country),
        latitude,
        longitude,
        device: plain(given(device.uid).or(given(source.uid))),
        proxy: None,
        remote: event.is_remote,
        sign_count: None,
        match_score: None,
        liveness_score: None,
    })
}

fn plain(text: Option<Text<'_>>) -> OptionText<'_> {
    text.map(|Text(text)| text)
}

/// A text that says something: an empty `uid` must not hide a `name`.
fn given(text: Option<Text<'_>>) -> Option<Text<'_>> {
    text.filter(|text| !text.trim().is_empty())
}

fn activity(id: Option<i64>) -> &'static str {
    match id {
        Some(1) => "logon",
        Some(2) => "logoff",
        // Pre-authentication: proof is being asked for.
        Some(6) => "challenge",
        _ => "other",
    }
}

fn outcome(status_id: Option<i64>) -> &'static str {
    match status_id {
        Some(1) => "success",
        Some(2) => "failure",
        _ => "unknown",
    }
}

fn actor(user_type_id: Option<i64>) -> &'static str {
    match user_type_id {
        // User and administrator.
        Some(1 | 2) => "human",
        // System and service.
        Some(3 | 4) => "system",
        _ => "unknown",
    }
}

/// The factor that tells most: the first one that is not a password.
fn main_factor(factors: &[Factor]) -> Option<&'static str> {
    let mut names = factors.iter().filter_map(|factor| factor.factor_type_id).map(factor_name);
    let first = names.next()?;
    Some(if first == "password" { names.find(|name| *name != "password").unwrap_or(first) } else { first })
}

fn factor_name(type_id: i64) -> &'static str {
    match type_id {
        1 => "sms",
        4 => "biometric",
        5 => "push",
        6 => "hardware",
        7 => "otp",
        // U2F is WebAuthn's forerunner and spoken by the same keys.
        9 | 10 => "webauthn",
        11 => "password",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
