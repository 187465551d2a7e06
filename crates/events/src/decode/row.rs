//! One event between its format and its columns: raw ids and texts, borrowed from the record.
//!
//! Every format fills these rows; `columns.rs` writes them. Nothing here outlives the record.

use std::borrow::Cow;

use crate::moment::{NumberUnit, RawTime};

/// A text that may be absent.
pub(crate) type OptionText<'a> = Option<Cow<'a, str>>;

/// What every event has.
#[derive(Debug, Default)]
pub(crate) struct Common<'a> {
    pub(crate) id: OptionText<'a>,
    pub(crate) time: Option<RawTime<'a>>,
    pub(crate) number_unit: NumberUnit,
    pub(crate) user: OptionText<'a>,
    pub(crate) outcome: Word<'a>,
    pub(crate) workstation: OptionText<'a>,
    pub(crate) address: OptionText<'a>,
    pub(crate) network: OptionText<'a>,
    pub(crate) session: OptionText<'a>,
    pub(crate) actor: &'static str,
    pub(crate) application: OptionText<'a>,
}

/// The name an actor goes by: a patient's own id must never meet that of a member of staff.
pub(crate) fn acting<'a>(user: OptionText<'a>, actor: &str) -> OptionText<'a> {
    match actor {
        "patient" => user.filter(|id| !id.trim().is_empty()).map(|id| Cow::Owned(format!("patient/{}", id.trim()))),
        _ => user,
    }
}

/// A canonical word and what the source said.
#[derive(Debug, Default)]
pub(crate) struct Word<'a> {
    pub(crate) word: &'static str,
    pub(crate) raw: OptionText<'a>,
}

/// An access, not yet pseudonymised.
#[derive(Debug, Default)]
pub(crate) struct AccessRow<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) patient: OptionText<'a>,
    pub(crate) action: Word<'a>,
    pub(crate) resource: OptionText<'a>,
    pub(crate) purpose: OptionText<'a>,
    pub(crate) break_glass: bool,
    pub(crate) reason: OptionText<'a>,
    pub(crate) search: OptionText<'a>,
    pub(crate) result_count: Option<i32>,
    pub(crate) byte_count: Option<i64>,
    pub(crate) unit: OptionText<'a>,
    pub(crate) encounter: OptionText<'a>,
    pub(crate) sensitive: bool,
}

/// An authentication event, not yet pseudonymised.
#[derive(Debug, Default)]
pub(crate) struct AuthRow<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) activity: Word<'a>,
    pub(crate) factor: Option<&'static str>,
    pub(crate) mfa: Option<bool>,
    pub(crate) country: OptionText<'a>,
    pub(crate) latitude: Option<f64>,
    pub(crate) longitude: Option<f64>,
    pub(crate) device: OptionText<'a>,
    pub(crate) proxy: Option<bool>,
    pub(crate) remote: Option<bool>,
    pub(crate) sign_count: Option<i64>,
    pub(crate) match_score: Option<f64>,
    pub(crate) liveness_score: Option<f64>,
}
