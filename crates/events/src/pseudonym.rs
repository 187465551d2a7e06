//! Pseudonyms: keyed, one-way names for people, patients, places and texts. The only crate items that see a key.
//!
//! A pseudonym is `<kind><key id>:` and the first 26 characters of base32(HMAC-SHA-256(key of the kind, normalised
//! id)): 130 bits. A plain digest of a record number could be undone by counting; this cannot, without the key.
//! Raw ids are normalised first, so that `0042`, `42` and ` 42` are one person. See `decode/identity.rs` for the
//! memory that spares computing the same one twice.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::limits::{KEY_BYTES, KEY_ID_CHARS_MAX};
use crate::{Error, Result};

/// First line of a key file.
const FILE_HEAD: &str = "chartwarden-pseudonym-key v1";

/// What is being named; each kind has its own key, derived from the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    User,
    Patient,
    Address,
    Token,
    Session,
    Device,
    Encounter,
}

impl Named {
    const ALL: [(Self, &'static str); 7] = [
        (Self::User, "user"),
        (Self::Patient, "patient"),
        (Self::Address, "address"),
        (Self::Token, "token"),
        (Self::Session, "session"),
        (Self::Device, "device"),
        (Self::Encounter, "encounter"),
    ];
}

/// The keys of one key id. `Debug` shows the id alone.
///
/// A key file is text:
/// ```text
/// chartwarden-pseudonym-key v1
/// id 1
/// key <64 hex digits: 32 random bytes>
/// ```
/// Empty lines and lines that start with `#` are skipped. Destroying the file makes its pseudonyms final: nobody
/// can compute them again.
#[derive(Clone)]
pub struct PseudonymKeys {
    id: String,
    master: [u8; KEY_BYTES],
    kinds: [Hmac<Sha256>; 7],
}

impl PseudonymKeys {
    /// Keys from 32 random bytes. The id is 1 to 8 lower-case letters and digits.
    pub fn generate(id: &str, seed: [u8; KEY_BYTES]) -> Result<Self> {
        let bad = |problem| Error::KeyFile { line: 0, problem };
        let fits = (1..=KEY_ID_CHARS_MAX).contains(&id.len());
        if !fits || !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(bad("the key id must be 1 to 8 lower-case letters and digits"));
        }
        if seed.iter().all(|byte| *byte == seed[0]) {
            return Err(bad("the key is one byte repeated: generate a random one"));
        }
        let kinds = Named::ALL.map(|(_, name)| {
            let derived = keyed(&seed).chain_update("chartwarden/pseudonym/v1/").chain_update(name).finalize();
            keyed(&derived.into_bytes().into())
        });
        Ok(Self { id: id.to_owned(), master: seed, kinds })
    }

    /// Keys from the text of a key file.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |line, problem| Error::KeyFile { line, problem };
        let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
        let mut lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        match lines.next() {
            Some((FILE_HEAD, _)) => {}
            Some((_, number)) => return Err(bad(number, "expected `chartwarden-pseudonym-key v1`")),
            None => return Err(bad(0, "the file is empty")),
        }
        let (mut id, mut key) = (None, None);
        for (line, number) in lines {
            let (slot, value) = match line.split_once(char::is_whitespace) {
                Some(("id", value)) => (&mut id, value.trim()),
                Some(("key", value)) => (&mut key, value.trim()),
                _ => return Err(bad(number, "expected `id <id>` or `key <64 hex digits>`")),
            };
            if slot.replace((value, number)).is_some() {
                return Err(bad(number, "stands twice: a file holds one id and one key"));
            }
        }
        let (id, id_line) = id.ok_or(bad(0, "no line `id <id>`"))?;
        let (key, key_line) = key.ok_or(bad(0, "no line `key <64 hex digits>`"))?;
        let digest: base::Digest = key.parse().map_err(|_| bad(key_line, "the key is not 64 hex digits"))?;
        Self::generate(id, digest.0).map_err(|error| match error {
            Error::KeyFile { problem, .. } => bad(id_line, problem),
            other => other,
        })
    }

    /// The key file's text. It is a secret: write it to a file only its owner can read.
    pub fn to_file_text(&self) -> String {
        format!("{FILE_HEAD}\nid {}\nkey {}\n", self.id, base::Digest(self.master))
    }

    /// The id of the key, as it stands in every pseudonym.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A person or account: surrounding space, case and leading zeros do not count.
    pub fn user(&self, raw: &str) -> String {
        self.name(Named::User, 'u', &normalise_id(raw))
    }

    /// A patient. Of an HL7 CX id (`id^^^authority`) the id counts: one pipeline serves one patient index.
    pub fn patient(&self, raw: &str) -> String {
        self.name(Named::Patient, 'p', &normalise_id(Self::patient_id(raw)))
    }

    /// The id in an HL7 CX id; blank where there is none.
    pub fn patient_id(raw: &str) -> &str {
        raw.split('^').next().unwrap_or(raw)
    }

    /// An IP address in its canonical spelling, or a host name in lower case.
    pub fn address(&self, raw: &str) -> String {
        self.name(Named::Address, 'a', &normalise_address(raw))
    }

    /// A text (a name searched for, a reason typed): case and the amount of white space do not count.
    pub fn token(&self, raw: &str) -> String {
        let words = raw.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
        self.name(Named::Token, 't', &words.join(" "))
    }

    /// A session; session ids are kept to the letter.
    pub fn session(&self, raw: &str) -> String {
        self.name(Named::Session, 's', raw.trim())
    }

    /// A device.
    pub fn device(&self, raw: &str) -> String {
        self.name(Named::Device, 'd', &raw.trim().to_lowercase())
    }

    /// An encounter.
    pub fn encounter(&self, raw: &str) -> String {
        self.name(Named::Encounter, 'e', &normalise_id(raw))
    }

    fn name(&self, named: Named, prefix: char, normalised: &str) -> String {
        let mac = self.kinds[named as usize].clone().chain_update(normalised).finalize().into_bytes();
        let mut text = String::with_capacity(2 + self.id.len() + 26);
        text.push(prefix);
        text.push_str(&self.id);
        text.push(':');
        push_base32(&mut text, &mac, 26);
        text
    }
}

impl fmt::Debug for PseudonymKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PseudonymKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// HMAC pads its key with zeros to the digest's block of 64 bytes (RFC 2104, 2); padded here, it cannot fail.
fn keyed(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..KEY_BYTES].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new(&block.into())
}

/// The first `count` characters of RFC 4648 base32, lower case, of `bytes`.
pub(crate) fn push_base32(text: &mut String, bytes: &[u8], count: usize) {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| (byte >> (7 - index % 8)) & 1);
    for character in 0..count {
        let value = (0..5).fold(0, |value, offset| (value << 1) | bit(character * 5 + offset));
        text.push(char::from(ALPHABET[usize::from(value)]));
    }
}

/// A raw id as ids are compared: trimmed, lower case, and without leading zeros if it is a number.
pub fn normalise_id(raw: &str) -> Cow<'_, str> {
    let trimmed = raw.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = trimmed.trim_start_matches('0');
        return Cow::Borrowed(if digits.is_empty() { "0" } else { digits });
    }
    match trimmed.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(trimmed),
        false => Cow::Owned(trimmed.to_lowercase()),
    }
}

fn normalise_address(raw: &str) -> String {
    match raw.trim().parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => raw.trim().to_lowercase(),
    }
}

#[cfg(test)]
mod tests;
