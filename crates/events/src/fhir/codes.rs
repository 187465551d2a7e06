//! Codes: whatever shape FHIR gives them in, and the few code systems we know by heart.
//!
//! `Coding`, `CodeableConcept`, arrays of either, and plain codes all read into one flat list, because the versions
//! of AuditEvent move the same codes between these shapes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::Text;

/// DICOM PS3.16 audit events and roles.
pub(super) mod dicom {
    pub(crate) const APPLICATION: &str = "110150";
    pub(crate) const DESTINATION: &str = "110152";
    pub(crate) const SOURCE: &str = "110153";
    pub(crate) const EXPORT: &str = "110106";
    pub(crate) const IMPORT: &str = "110107";
    pub(crate) const QUERY: &str = "110112";
    pub(crate) const USER_AUTHENTICATION: &str = "110114";
    pub(crate) const LOGIN: &str = "110122";
    pub(crate) const LOGOUT: &str = "110123";
    pub(crate) const OVERRIDE_STARTED: &str = "110127";
    pub(crate) const OVERRIDE_STOPPED: &str = "110138";
}

/// One code.
#[derive(Clone, Debug, Default)]
pub(super) struct Code<'a> {
    pub(super) system: Option<Text<'a>>,
    pub(super) code: Text<'a>,
}

/// Codes in the order they stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Codes<'a>(Vec<Code<'a>>);

impl<'a> Codes<'a> {
    /// The codes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Code<'a>> {
        self.0.iter()
    }

    /// Whether `code` is among them, in any system.
    pub(super) fn has(&self, code: &str) -> bool {
        self.0.iter().any(|known| &*known.code == code)
    }

    /// The first code.
    pub(super) fn first(&self) -> Option<&str> {
        self.0.first().map(|code| &*code.code)
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Coding,
    System,
    Code,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Codes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape)
    }
}

struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = Codes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code, Coding or CodeableConcept, or an array of them")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Codes::default())
    }

    fn visit_borrowed_str<E>(self, code: &'de str) -> Result<Self::Value, E> {
        Ok(Codes(vec![Code { system: None, code: Text(code.into()) }]))
    }

    fn visit_str<E>(self, code: &str) -> Result<Self::Value, E> {
        Ok(Codes(vec![Code { system: None, code: Text(code.to_owned().into()) }]))
    }

    fn visit_u64<E>(self, code: u64) -> Result<Self::Value, E> {
        Ok(Codes(vec![Code { system: None, code: Text(code.to_string().into()) }]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut codes = Vec::new();
        while let Some(Codes(more)) = elements.next_element()? {
            codes.extend(more);
        }
        Ok(Codes(codes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut codes, mut system, mut own) = (Vec::new(), None, Vec::new());
        while let Some(key) = fields.next_key()? {
            match key {
                Key::Coding => codes.extend(fields.next_value::<Codes<'de>>()?.0),
                Key::System => system = fields.next_value::<Option<Text<'de>>>()?,
                // A plain code here; a Coding in `outcome` of R5.
                Key::Code => own.extend(fields.next_value::<Codes<'de>>()?.0),
                Key::Other => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        for mut code in own {
            code.system = code.system.or_else(|| system.clone());
            codes.push(code);
        }
        Ok(Codes(codes))
    }
}
