//! The fields of AuditEvent that are read, by name and not by version: STU3, R4, R4B, R5 and the R6 ballot give the
//! same facts under different names, and no two uses of one name contradict each other.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::codes::Codes;
use crate::json::Text;
use crate::moment::RawTime;

/// An AuditEvent, borrowed from its text.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object", rename_all = "camelCase")]
pub(crate) struct AuditEvent<'a> {
    #[serde(borrow)]
    pub(super) resource_type: Option<Text<'a>>,
    pub(super) id: Option<Text<'a>>,
    pub(super) meta: Option<Meta<'a>>,
    #[serde(rename = "type")]
    pub(super) family: Codes<'a>,
    pub(super) subtype: Codes<'a>,
    pub(super) category: Codes<'a>,
    pub(super) code: Codes<'a>,
    pub(super) action: Option<Text<'a>>,
    pub(super) recorded: Option<RawTime<'a>>,
    pub(super) occurred_date_time: Option<RawTime<'a>>,
    pub(super) outcome: Codes<'a>,
    pub(super) purpose_of_event: Codes<'a>,
    pub(super) authorization: Codes<'a>,
    pub(super) agent: Option<Vec<Agent<'a>>>,
    pub(super) patient: Option<Reference<'a>>,
    pub(super) encounter: Option<Reference<'a>>,
    pub(super) source: Option<Source<'a>>,
    pub(super) entity: Option<Vec<Entity<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Meta<'a> {
    #[serde(borrow)]
    pub(super) security: Codes<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object", rename_all = "camelCase")]
pub(super) struct Agent<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Codes<'a>,
    pub(super) role: Codes<'a>,
    pub(super) who: Option<Reference<'a>>,
    pub(super) alt_id: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    pub(super) requestor: Option<bool>,
    pub(super) policy: Option<Vec<Text<'a>>>,
    pub(super) network: Option<Network<'a>>,
    pub(super) network_string: Option<Text<'a>>,
    pub(super) purpose_of_use: Codes<'a>,
    pub(super) authorization: Codes<'a>,
    /// STU3.
    pub(super) user_id: Option<Identifier<'a>>,
    /// STU3.
    pub(super) reference: Option<Reference<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Network<'a> {
    #[serde(borrow)]
    pub(super) address: Option<Text<'a>>,
    #[serde(rename = "type")]
    pub(super) kind: Codes<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Identifier<'a> {
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Reference<'a> {
    #[serde(borrow)]
    pub(super) reference: Option<Text<'a>>,
    pub(super) identifier: Option<Identifier<'a>>,
    pub(super) display: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) observer: Option<Reference<'a>>,
    /// STU3.
    pub(super) identifier: Option<Identifier<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object", rename_all = "camelCase")]
pub(super) struct Entity<'a> {
    #[serde(borrow)]
    pub(super) what: Option<Reference<'a>>,
    /// STU3.
    pub(super) reference: Option<Reference<'a>>,
    /// STU3.
    pub(super) identifier: Option<Identifier<'a>>,
    #[serde(rename = "type")]
    pub(super) kind: Codes<'a>,
    pub(super) role: Codes<'a>,
    pub(super) lifecycle: Codes<'a>,
    pub(super) security_label: Codes<'a>,
    pub(super) query: Option<Text<'a>>,
}

/// What a document says it is.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object", rename_all = "camelCase")]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    pub(super) resource_type: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Bundle<'a> {
    #[serde(borrow)]
    pub(super) entry: Option<Vec<&'a RawValue>>,
}

/// An entry of a Bundle.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object", rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    pub(super) full_url: Option<Text<'a>>,
    pub(super) resource: Option<&'a RawValue>,
}

/// A literal reference taken apart: `https://server/fhir/Patient/7/_history/2` is (`Patient`, `7`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<'e> {
    pub(super) kind: &'e str,
    pub(super) id: &'e str,
}

impl<'a> Reference<'a> {
    /// Type and id, where the reference names both. A `#` reference points into the event itself and names nobody.
    pub(super) fn target(&self) -> Option<Target<'_>> {
        let text = self.reference.as_deref()?.trim();
        let text = text.split(['?', '|']).next()?;
        let text = text.split_once("/_history").map_or(text, |(before, _)| before);
        let (before, id) = text.rsplit_once('/')?;
        let kind = before.rsplit('/').next()?;
        let is_type = kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_type && !id.is_empty()).then_some(Target { kind, id })
    }

    /// Whether it points to a resource of this type.
    pub(super) fn is_to(&self, kind: &str) -> bool {
        self.target().is_some_and(|target| target.kind == kind)
    }

    /// What is referred to, by the steadiest name there is: its business identifier, else the reference (of which
    /// `home`, the expected type, is left out), else its display.
    pub(super) fn name(&self, home: &str) -> Option<Cow<'_, str>> {
        self.identifier_value().or_else(|| self.link(home)).or_else(|| given(self.display.as_ref()).map(Cow::Borrowed))
    }

    /// The literal reference, shortened.
    pub(super) fn link(&self, home: &str) -> Option<Cow<'_, str>> {
        match self.target() {
            Some(target) if target.kind == home => Some(Cow::Borrowed(target.id)),
            Some(target) => Some(Cow::Owned(format!("{}/{}", target.kind, target.id))),
            None => given(self.reference.as_ref()).filter(|text| !text.starts_with('#')).map(Cow::Borrowed),
        }
    }

    /// The business identifier.
    pub(super) fn identifier_value(&self) -> Option<Cow<'_, str>> {
        given(self.identifier.as_ref()?.value.as_ref()).map(Cow::Borrowed)
    }
}

/// The text, if it says something.
pub(super) fn given<'e>(text: Option<&'e Text<'_>>) -> Option<&'e str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}
