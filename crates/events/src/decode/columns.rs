//! Rows become Arrow columns: ids leave as pseudonyms, texts leave clean and within their limit.
//!
//! The order of the arrays is that of `schema.rs`; `finish` builds the batch against that schema, so a slip here
//! cannot pass its first test. A hostile text never costs an event: it is cut or cleaned, not refused.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMillisecondBuilder,
};
use base::{Digest, Timestamp};
use sha2::{Digest as _, Sha256};

use super::identity::{IdKind, Identities};
use super::row::{AccessRow, AuthRow, Common};
use crate::limits::{BYTES_MAX, EVENT_ID_BYTES_MAX, TEXT_BYTES_MAX};
use crate::{Offset, Stream};

/// Where an event came from and when it happened: judged, and sure to become a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'t> {
    pub(crate) offset: Offset,
    pub(crate) part: i32,
    pub(crate) append_time: Timestamp,
    pub(crate) event_time: Timestamp,
    /// The bytes of the part, for its digest.
    pub(crate) text: &'t str,
}

/// The columns of a batch under construction.
pub(crate) struct Columns {
    envelope: Envelope,
    outcome: StringBuilder,
    outcome_raw: StringBuilder,
    workstation: StringBuilder,
    workstation_key: StringBuilder,
    network: StringBuilder,
    address_key: StringBuilder,
    session_key: StringBuilder,
    actor_kind: StringBuilder,
    application: StringBuilder,
    stream: StreamColumns,
}

#[derive(Default)]
struct Envelope {
    offset: Int64Builder,
    part: Int32Builder,
    append_time: TimestampMillisecondBuilder,
    event_time: TimestampMillisecondBuilder,
    event_id: StringBuilder,
    user_key: StringBuilder,
}

enum StreamColumns {
    Access(Box<AccessColumns>),
    Auth(Box<AuthColumns>),
}

#[derive(Default)]
struct AccessColumns {
    patient_key: StringBuilder,
    action: StringBuilder,
    action_raw: StringBuilder,
    resource: StringBuilder,
    purpose: StringBuilder,
    break_glass: BooleanBuilder,
    reason_token: StringBuilder,
    search_token: StringBuilder,
    result_count: Int32Builder,
    byte_count: Int64Builder,
    unit: StringBuilder,
    encounter_key: StringBuilder,
    sensitive: BooleanBuilder,
}

#[derive(Default)]
struct AuthColumns {
    activity: StringBuilder,
    activity_raw: StringBuilder,
    factor: StringBuilder,
    mfa: BooleanBuilder,
    country: StringBuilder,
    latitude: Float64Builder,
    longitude: Float64Builder,
    device_key: StringBuilder,
    proxy: BooleanBuilder,
    remote: BooleanBuilder,
    sign_count: Int64Builder,
    match_score: Float64Builder,
    liveness_score: Float64Builder,
}

impl Columns {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            envelope: Envelope::default(),
            outcome: StringBuilder::new(),
            outcome_raw: StringBuilder::new(),
            workstation: StringBuilder::new(),
            workstation_key: StringBuilder::new(),
            network: StringBuilder::new(),
            address_key: StringBuilder::new(),
            session_key: StringBuilder::new(),
            actor_kind: StringBuilder::new(),
            application: StringBuilder::new(),
            stream: match stream {
                Stream::Access => StreamColumns::Access(Box::default()),
                Stream::Auth => StreamColumns::Auth(Box::default()),
            },
        }
    }

    /// Adds an access.
    ///
    /// # Panics
    /// If the columns are those of another stream.
    pub(crate) fn push_access(&mut self, place: Place<'_>, row: &AccessRow<'_>, ids: &mut Identities) {
        self.push_common(place, &row.common, ids);
        let StreamColumns::Access(columns) = &mut self.stream else { panic!("an access for columns of auth") };
        ids.with(IdKind::Patient, row.patient.as_ref(), |key| columns.patient_key.append_option(key));
        columns.action.append_value(row.action.word);
        columns.action_raw.append_option(clean(row.action.raw.as_ref()).as_deref());
        columns.resource.append_option(clean(row.resource.as_ref()).as_deref());
        columns.purpose.append_option(upper(clean(row.purpose.as_ref())).as_deref());
        columns.break_glass.append_value(row.break_glass);
        ids.with(IdKind::Token, row.reason.as_ref(), |key| columns.reason_token.append_option(key));
        ids.with(IdKind::Token, row.search.as_ref(), |key| columns.search_token.append_option(key));
        columns.result_count.append_option(row.result_count);
        columns.byte_count.append_option(row.byte_count.filter(|bytes| (0..=BYTES_MAX).contains(bytes)));
        columns.unit.append_option(clean(row.unit.as_ref()).as_deref());
        ids.with(IdKind::Encounter, row.encounter.as_ref(), |key| columns.encounter_key.append_option(key));
        columns.sensitive.append_value(row.sensitive);
    }

    /// Adds an authentication event.
    ///
    /// # Panics
    /// If the columns are those of another stream.
    pub(crate) fn push_auth(&mut self, place: Place<'_>, row: &AuthRow<'_>, ids: &mut Identities) {
        self.push_common(place, &row.common, ids);
        let StreamColumns::Auth(columns) = &mut self.stream else { panic!("an auth event for columns of access") };
        columns.activity.append_value(row.activity.word);
        columns.activity_raw.append_option(clean(row.activity.raw.as_ref()).as_deref());
        columns.factor.append_option(row.factor);
        columns.mfa.append_option(row.mfa);
        let country = upper(clean(row.country.as_ref())).filter(|code| is_country_code(code));
        columns.country.append_option(country.as_deref());
        // A position is two numbers or none.
        let place = row
            .latitude
            .zip(row.longitude)
            .filter(|(latitude, longitude)| (-90.0..=90.0).contains(latitude) && (-180.0..=180.0).contains(longitude));
        columns.latitude.append_option(place.map(|(latitude, _)| latitude));
        columns.longitude.append_option(place.map(|(_, longitude)| longitude));
        ids.with(IdKind::Device, row.device.as_ref(), |key| columns.device_key.append_option(key));
        columns.proxy.append_option(row.proxy);
        columns.remote.append_option(row.remote);
        columns.sign_count.append_option(row.sign_count);
        let share = |score: Option<f64>| score.filter(|score| (0.0..=1.0).contains(score));
        columns.match_score.append_option(share(row.match_score));
        columns.liveness_score.append_option(share(row.liveness_score));
    }

    fn push_common(&mut self, place: Place<'_>, common: &Common<'_>, ids: &mut Identities) {
        let envelope = &mut self.envelope;
        envelope.offset.append_value(place.offset.0);
        envelope.part.append_value(place.part);
        envelope.append_time.append_value(place.append_time.millis());
        envelope.event_time.append_value(place.event_time.millis());
        match common.id.as_ref().map(|id| id.trim()).filter(|id| is_plain_id(id)) {
            Some(id) => envelope.event_id.append_value(id),
            None => envelope.event_id.append_value(digest_id(place.text)),
        }
        // The decoder has seen to it that there is a user.
        ids.with(IdKind::User, common.user.as_ref(), |key| envelope.user_key.append_value(key.unwrap_or_default()));
        self.outcome.append_value(common.outcome.word);
        self.outcome_raw.append_option(clean(common.outcome.raw.as_ref()).as_deref());
        self.workstation.append_option(clean(common.workstation.as_ref()).as_deref());
        ids.with(IdKind::Device, common.workstation.as_ref(), |key| self.workstation_key.append_option(key));
        let named = clean(common.network.as_ref());
        ids.with_address(common.address.as_ref(), |key, network| {
            self.address_key.append_option(key);
            self.network.append_option(named.as_deref().or(network));
        });
        ids.with(IdKind::Session, common.session.as_ref(), |key| self.session_key.append_option(key));
        self.actor_kind.append_value(common.actor);
        self.application.append_option(clean(common.application.as_ref()).as_deref());
    }

    /// How many rows so far.
    pub(crate) fn len(&self) -> usize {
        arrow::array::ArrayBuilder::len(&self.envelope.offset)
    }

    /// The batch.
    ///
    /// # Panics
    /// If the arrays do not match the stream's schema: a fault of this file.
    pub(crate) fn finish(mut self) -> RecordBatch {
        let utc =
            |mut times: TimestampMillisecondBuilder| -> ArrayRef { Arc::new(times.finish().with_timezone("UTC")) };
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(self.envelope.offset.finish()),
            Arc::new(self.envelope.part.finish()),
            utc(self.envelope.append_time),
            utc(self.envelope.event_time),
            Arc::new(self.envelope.event_id.finish()),
            Arc::new(self.envelope.user_key.finish()),
        ];
        let shared = Shared {
            outcome: Arc::new(self.outcome.finish()),
            outcome_raw: Arc::new(self.outcome_raw.finish()),
            workstation: Arc::new(self.workstation.finish()),
            workstation_key: Arc::new(self.workstation_key.finish()),
            network: Arc::new(self.network.finish()),
            address_key: Arc::new(self.address_key.finish()),
            session_key: Arc::new(self.session_key.finish()),
        };
        let stream = match self.stream {
            StreamColumns::Access(columns) => {
                arrays.extend(columns.finish(shared));
                Stream::Access
            }
            StreamColumns::Auth(columns) => {
                arrays.extend(columns.finish(shared));
                Stream::Auth
            }
        };
        arrays.push(Arc::new(self.actor_kind.finish()));
        arrays.push(Arc::new(self.application.finish()));
        RecordBatch::try_new(stream.schema(), arrays).expect("the columns are those of the schema")
    }
}

/// Columns that both streams have, but not in the same places.
struct Shared {
    outcome: ArrayRef,
    outcome_raw: ArrayRef,
    workstation: ArrayRef,
    workstation_key: ArrayRef,
    network: ArrayRef,
    address_key: ArrayRef,
    session_key: ArrayRef,
}

impl AccessColumns {
    fn finish(mut self, shared: Shared) -> [ArrayRef; 20] {
        [
            Arc::new(self.patient_key.finish()),
            Arc::new(self.action.finish()),
            Arc::new(self.action_raw.finish()),
            shared.outcome,
            shared.outcome_raw,
            Arc::new(self.resource.finish()),
            Arc::new(self.purpose.finish()),
            Arc::new(self.break_glass.finish()),
            Arc::new(self.reason_token.finish()),
            Arc::new(self.search_token.finish()),
            Arc::new(self.result_count.finish()),
            Arc::new(self.byte_count.finish()),
            Arc::new(self.unit.finish()),
            shared.workstation,
            shared.workstation_key,
            shared.network,
            shared.address_key,
            shared.session_key,
            Arc::new(self.encounter_key.finish()),
            Arc::new(self.sensitive.finish()),
        ]
    }
}

impl AuthColumns {
    fn finish(mut self, shared: Shared) -> [ArrayRef; 20] {
        [
            Arc::new(self.activity.finish()),
            Arc::new(self.activity_raw.finish()),
            shared.outcome,
            shared.outcome_raw,
            Arc::new(self.factor.finish()),
            Arc::new(self.mfa.finish()),
            shared.address_key,
            shared.network,
            Arc::new(self.country.finish()),
            Arc::new(self.latitude.finish()),
            Arc::new(self.longitude.finish()),
            Arc::new(self.device_key.finish()),
            shared.workstation,
            shared.workstation_key,
            shared.session_key,
            Arc::new(self.proxy.finish()),
            Arc::new(self.remote.finish()),
            Arc::new(self.sign_count.finish()),
            Arc::new(self.match_score.finish()),
            Arc::new(self.liveness_score.finish()),
        ]
    }
}

/// An id that can be kept as it came: printable and short. Anything else is named by its digest.
fn is_plain_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= EVENT_ID_BYTES_MAX && !id.chars().any(char::is_control)
}

/// The id of an event that brought none: the first 128 bits of the SHA-256 of its text.
fn digest_id(text: &str) -> String {
    let digest = Digest(Sha256::digest(text.as_bytes()).into());
    format!("sha256:{}", &digest.to_string()[..32])
}

fn is_country_code(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn upper(text: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    let is_upper = |text: &str| !text.bytes().any(|byte| byte.is_ascii_lowercase());
    text.map(|text| if is_upper(&text) { text } else { Cow::Owned(text.to_ascii_uppercase()) })
}

/// Trimmed, cut to the limit, control characters replaced: these texts are shown to people and to terminals.
fn clean<'t>(text: Option<&'t Cow<'_, str>>) -> Option<Cow<'t, str>> {
    let text = text?;
    let needs_trim = |byte: Option<u8>| byte.is_none_or(|byte| !byte.is_ascii_graphic());
    let text = match needs_trim(text.bytes().next()) || needs_trim(text.bytes().next_back()) {
        true => text.trim(),
        false => text,
    };
    if text.is_empty() {
        return None;
    }
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) || !text.chars().any(char::is_control) {
        return Some(Cow::Borrowed(text));
    }
    Some(Cow::Owned(text.replace(char::is_control, "\u{fffd}")))
}
