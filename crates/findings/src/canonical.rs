//! Canonical bytes: RFC 8785 JSON out, strict JSON in, digests and identifiers.
//!
//! What is written here is what is hashed, so that a verifier hashes stored bytes and never writes them again. Strict
//! means: no duplicate keys, no number beyond 2^53 - 1, no lone surrogate, bounded size, and the very bytes RFC 8785
//! would write. Read next: `ocsf.rs`.

use base::Digest;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::limits::{FINDING_BYTES_MAX, JSON_INTEGER_MAX, JSON_INTEGER_MIN};
use crate::ocsf;

/// SHA-256.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// The RFC 8785 bytes of a value.
pub(crate) fn bytes<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).map_err(Error::Encode)
}

/// `prefix` and 26 letters and digits (RFC 4648 base32, lower case) of the first 128 bits of a hash over the parts.
/// Each part is preceded by its length, so that no two lists of parts run into the same bytes.
pub(crate) fn identifier(prefix: &str, parts: &[&[u8]]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hash = Sha256::new();
    for part in std::iter::once(&prefix.as_bytes()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut id = String::from(prefix);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in hash.finalize().into_iter().take(16) {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            id.push(char::from(ALPHABET[(buffer >> bits) as usize & 31]));
        }
        buffer &= (1 << bits) - 1;
    }
    id.push(char::from(ALPHABET[(buffer << (5 - bits)) as usize & 31]));
    id
}

/// Whether these bytes are a finding that the ledger takes and an OCSF consumer understands: strict canonical JSON,
/// class, category and type that agree, captions that say what their ids say, a time in milliseconds, and the identifier
/// that this content gives and no other.
pub fn validate(bytes: &[u8]) -> Result<()> {
    let value = strict(bytes)?;
    if self::bytes(&value)? != bytes {
        return Err(Error::Finding("the bytes are not the canonical form of what they say (RFC 8785)".to_owned()));
    }
    ocsf::check(&value)?;
    ocsf::check_identifier(value)
}

/// Strict JSON, canonical or not.
pub(crate) fn strict(bytes: &[u8]) -> Result<Value> {
    if bytes.len() > FINDING_BYTES_MAX {
        return Err(Error::Finding(format!("{} bytes, at most {FINDING_BYTES_MAX} allowed", bytes.len())));
    }
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| Error::Finding(error.to_string()))?;
    Ok(value)
}

/// A JSON value read strictly.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> std::result::Result<Value, E> {
        match number {
            JSON_INTEGER_MIN..=JSON_INTEGER_MAX => Ok(number.into()),
            _ => Err(E::custom(format!("number {number} is beyond 2^53 - 1"))),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> std::result::Result<Value, E> {
        let small = i64::try_from(number).map_err(|_| E::custom(format!("number {number} is beyond 2^53 - 1")))?;
        self.visit_i64(small)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> std::result::Result<Value, E> {
        if number.abs() <= JSON_INTEGER_MAX as f64 {
            Ok(number.into())
        } else {
            Err(E::custom(format!("number {number} is beyond 2^53 - 1")))
        }
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((key, Strict(value))) = map.next_entry::<String, Strict>()? {
            if members.contains_key(&key) {
                return Err(A::Error::custom(format!("key `{key}` stands twice in one object")));
            }
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests;
