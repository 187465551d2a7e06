//! What a FHIR search was for: the resource type, and the name that was searched, if any.
//!
//! The text of a query never leaves this file except as the name, which becomes a keyed token.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::limits::QUERY_BYTES_MAX;

/// Parameters that hold a name; chained (`patient.family`) and modified (`name:contains`) ones count too.
const NAME_PARAMETERS: [&str; 4] = ["family", "given", "name", "phonetic"];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A decoded query.
pub(super) struct Query {
    text: String,
}

impl Query {
    /// From the base64 of `entity.query`: a URL, a request line with headers, or the body of a POST.
    pub(super) fn decode(encoded: &str) -> Option<Self> {
        if encoded.len() > QUERY_BYTES_MAX / 3 * 4 {
            return None;
        }
        let compact: String = encoded.split_ascii_whitespace().collect();
        let text = String::from_utf8(BASE64.decode(compact).ok()?).ok()?;
        Some(Self { text })
    }

    /// `Observation` of `GET https://server/fhir/Observation?patient=7`.
    pub(super) fn resource(&self) -> Option<String> {
        let line = self.text.lines().next()?;
        let url = line.split_whitespace().find(|word| word.contains('/'))?;
        let path = url.split('?').next()?;
        let is_type = |segment: &&str| {
            segment.starts_with(|first: char| first.is_ascii_uppercase())
                && segment.bytes().all(|byte| byte.is_ascii_alphabetic())
        };
        let mut segments = path.trim_end_matches("/_search").rsplit('/');
        segments.next().filter(is_type).map(str::to_owned)
    }

    /// The name that was searched for, its parts in a fixed order.
    pub(super) fn name(&self) -> Option<String> {
        let parameters = match self.text.split_once('?') {
            Some((_, after)) => after.split_whitespace().next().unwrap_or_default(),
            // The body of a POST is its last line.
            None => self.text.lines().rfind(|line| line.contains('=') && !line.contains(": "))?.trim(),
        };
        let mut parts = parameters
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter_map(|(key, value)| {
                let plain = key.split(':').next()?.rsplit('.').next()?;
                let rank = NAME_PARAMETERS.iter().position(|name| *name == plain)?;
                Some((rank, percent_decoded(value)))
            })
            .filter(|(_, value)| !value.trim().is_empty())
            .collect::<Vec<_>>();
        parts.sort();
        let words = parts.into_iter().map(|(_, value)| value).collect::<Vec<_>>();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// `application/x-www-form-urlencoded` text; a broken escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let escape = escape.and_then(|pair| std::str::from_utf8(pair).ok());
        match escape.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
