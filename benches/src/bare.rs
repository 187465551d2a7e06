//! What a bare loop does with an event: serde_json into a struct of borrowed fields, and nothing more.
//!
//! It has the fields that our own decoder reads, and borrows texts as that does: serde alone would copy every optional
//! text, and the comparison would flatter us.

use events::Text;
use serde::Deserialize;

/// An access or a sign-in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields of the native format, which `events::native` describes")]
pub struct Event<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub time: Option<Text<'a>>,
    #[serde(borrow)]
    pub user: Option<Text<'a>>,
    #[serde(borrow)]
    pub patient: Option<Text<'a>>,
    #[serde(borrow)]
    pub action: Option<Text<'a>>,
    #[serde(borrow)]
    pub activity: Option<Text<'a>>,
    #[serde(borrow)]
    pub outcome: Option<Text<'a>>,
    #[serde(borrow)]
    pub resource: Option<Text<'a>>,
    #[serde(borrow)]
    pub purpose: Option<Text<'a>>,
    pub break_glass: Option<bool>,
    #[serde(borrow)]
    pub reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub search: Option<Text<'a>>,
    pub results: Option<i32>,
    pub bytes: Option<i64>,
    #[serde(borrow)]
    pub unit: Option<Text<'a>>,
    #[serde(borrow)]
    pub workstation: Option<Text<'a>>,
    #[serde(borrow)]
    pub address: Option<Text<'a>>,
    #[serde(borrow)]
    pub network: Option<Text<'a>>,
    #[serde(borrow)]
    pub session: Option<Text<'a>>,
    #[serde(borrow)]
    pub encounter: Option<Text<'a>>,
    #[serde(borrow)]
    pub factor: Option<Text<'a>>,
    pub mfa: Option<bool>,
    #[serde(borrow)]
    pub country: Option<Text<'a>>,
    pub lat: Option<f64>,
    pub lon: Option<f64>,
    #[serde(borrow)]
    pub device: Option<Text<'a>>,
    #[serde(borrow)]
    pub actor: Option<Text<'a>>,
    #[serde(borrow)]
    pub application: Option<Text<'a>>,
}

/// Reads one event.
///
/// # Panics
/// If it is none: a simulated hospital writes nothing else.
pub fn read(bytes: &[u8]) -> Event<'_> {
    serde_json::from_slice(bytes).expect("a simulated hospital writes native events")
}
