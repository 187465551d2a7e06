//! The Arrow schemas of events, column by column. `chartwarden columns` prints these very lines.
//!
//! Every stream starts with the same envelope; a missing field is null, never invented; what the source said is
//! kept beside the canonical value (`action_raw`, `outcome_raw`).

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// What a topic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Accesses to charts in an electronic health record.
    Access,
    /// Sign-ins, sign-outs and authentication challenges.
    Auth,
}

impl Stream {
    /// All streams, in the order rows of equal time and id are sorted.
    pub const ALL: [Self; 2] = [Self::Access, Self::Auth];

    /// The name used in configuration, SQL and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Auth => "auth",
        }
    }

    /// The columns after the envelope, with what they mean.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Access => ACCESS,
            Self::Auth => AUTH,
        }
    }

    /// Envelope and columns as an Arrow schema.
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 2]> = LazyLock::new(|| {
            Stream::ALL.map(|stream| {
                let columns = ENVELOPE.iter().chain(stream.columns());
                Arc::new(Schema::new(columns.map(Column::field).collect::<Vec<_>>()))
            })
        });
        Arc::clone(&SCHEMAS[self as usize])
    }
}

/// A column's name, type and meaning.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in Arrow, SQL and Parquet.
    pub name: &'static str,
    /// Type.
    pub kind: ColumnKind,
    /// Whether the value may be absent.
    pub nullable: bool,
    /// What it means, in a phrase.
    pub meaning: &'static str,
}

/// The Arrow types in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// True or false.
    Flag,
    /// 32-bit signed integer.
    Int,
    /// 64-bit signed integer.
    Long,
    /// 64-bit float.
    Float,
    /// Milliseconds since the epoch, UTC.
    Time,
}

impl Column {
    /// As an Arrow field.
    pub fn field(&self) -> Field {
        Field::new(self.name, self.kind.data_type(), self.nullable)
    }
}

impl ColumnKind {
    /// As an Arrow type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Flag => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        }
    }
}

const fn required(name: &'static str, kind: ColumnKind, meaning: &'static str) -> Column {
    Column { name, kind, nullable: false, meaning }
}

const fn optional(name: &'static str, kind: ColumnKind, meaning: &'static str) -> Column {
    Column { name, kind, nullable: true, meaning }
}

use ColumnKind::{Flag, Float, Int, Long, Text, Time};

/// What every event has, before the columns of its stream.
pub const ENVELOPE: &[Column] = &[
    required("offset", Long, "offset of the record in its lane's partition"),
    required("part", Int, "place of the event within its record, from 0: a record may hold a bundle"),
    required("append_time", Time, "when the broker appended the record"),
    required("event_time", Time, "when the event happened, by the source's clock"),
    required("event_id", Text, "the source's id of the event; a digest of the event's bytes where it gives none"),
    required("user_key", Text, "pseudonym of the person or account that acted"),
];

/// Columns of `access`.
pub const ACCESS: &[Column] = &[
    optional("patient_key", Text, "pseudonym of the patient whose record was touched"),
    required(
        "action",
        Text,
        "search, read, create, update, delete, print, export, override (break the glass), disclose or other",
    ),
    optional("action_raw", Text, "the action in the source's words"),
    required("outcome", Text, "success, failure or unknown"),
    optional("outcome_raw", Text, "the outcome in the source's words"),
    optional("resource", Text, "kind of record touched, as a FHIR resource type where there is one"),
    optional("purpose", Text, "purpose of use: TREAT, ETREAT, BTG, HPAYMT, HOPERAT, HRESCH, ... (HL7 v3 ActReason)"),
    required("break_glass", Flag, "whether access rules were overridden for this event"),
    optional("reason_token", Text, "keyed token of the reason the user typed: equal text, equal token"),
    optional("search_token", Text, "keyed token of the name that was searched for"),
    optional("result_count", Int, "how many results a search gave"),
    optional("byte_count", Long, "bytes exported, printed or disclosed, 0 to 2^50"),
    optional("unit", Text, "unit or department the user worked in, as the source says"),
    optional("workstation", Text, "workstation or device name"),
    optional("workstation_key", Text, "pseudonym of the workstation"),
    optional("network", Text, "configured name of the network the address lies in: internal, vpn, external, ..."),
    optional("address_key", Text, "pseudonym of the network address"),
    optional("session_key", Text, "pseudonym of the session"),
    optional("encounter_key", Text, "pseudonym of the encounter"),
    required("sensitive", Flag, "whether the record is labelled restricted or very restricted"),
    required("actor_kind", Text, "human, system, patient or unknown"),
    optional("application", Text, "the application or source that reports the event"),
];

/// Columns of `auth`.
pub const AUTH: &[Column] = &[
    required("activity", Text, "logon, logoff, challenge (a factor was asked for) or other"),
    optional("activity_raw", Text, "the activity in the source's words"),
    required("outcome", Text, "success, failure or unknown"),
    optional("outcome_raw", Text, "the outcome or error in the source's words"),
    optional("factor", Text, "password, push, otp, hardware, webauthn, biometric, sms or other"),
    optional("mfa", Flag, "whether more than one factor was used"),
    optional("address_key", Text, "pseudonym of the network address"),
    optional("network", Text, "configured name of the network the address lies in: internal, vpn, external, ..."),
    optional("country", Text, "ISO 3166-1 alpha-2 country of the address"),
    optional("latitude", Float, "degrees north, -90 to 90"),
    optional("longitude", Float, "degrees east, -180 to 180"),
    optional("device_key", Text, "pseudonym of the device"),
    optional("workstation", Text, "workstation or device name"),
    optional("workstation_key", Text, "pseudonym of the workstation"),
    optional("session_key", Text, "pseudonym of the session"),
    optional("proxy", Flag, "whether the address is a known proxy or anonymiser"),
    optional("remote", Flag, "whether the sign-in came from outside the house"),
    optional("sign_count", Long, "signature counter of the authenticator (WebAuthn 6.1)"),
    optional("match_score", Float, "biometric match, 0 to 1"),
    optional("liveness_score", Float, "biometric liveness, 0 to 1"),
    required("actor_kind", Text, "human, system, patient or unknown"),
    optional("application", Text, "the application or source that reports the event"),
];
