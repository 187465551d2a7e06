//! The log's Ed25519 key, in the text forms of signed-note: `PRIVATE+KEY+<origin>+<id>+<key>` in a file of its own,
//! `<origin>+<id>+<key>` handed out of band. Both live outside the directory they speak for: a log that brings its
//! own verifier key along proves nothing. Read next: `checkpoint.rs`.

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use signed_note::{StandardSigner, StandardVerifier};

use crate::file::{self, Readers};
use crate::limits::{KEY_FILE_BYTES_MAX, ORIGIN_BYTES_MAX};
use crate::{Error, Result};

const ALGORITHM_ED25519: u8 = 1;

/// The key that signs a log's checkpoints. Its name is the log's origin.
#[derive(Clone)]
pub struct SigningKey {
    text: String,
    signer: StandardSigner,
    verifier: VerifierKey,
}

/// Shows the public half only.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

impl SigningKey {
    /// The key of `origin` whose secret is `rng_seed`: 32 bytes straight from a good random source.
    pub fn generate(origin: &str, rng_seed: [u8; 32]) -> Result<Self> {
        check_origin(origin)?;
        let public = ed25519_dalek::SigningKey::from_bytes(&rng_seed).verifying_key();
        let id = signed_note::key_id(origin, &with_algorithm(public.as_bytes()));
        Self::parse(&format!("PRIVATE+KEY+{origin}+{id:08x}+{}", STANDARD.encode(with_algorithm(&rng_seed))), origin)
    }

    /// Reads a key file.
    pub fn load(path: &Path) -> Result<Self> {
        let mend = "put the key back from a copy; where no log was begun with it, remove the file";
        Self::parse(read_key_file(path, mend)?.trim_end(), &path.display().to_string())
    }

    /// Writes a key file that only its owner can read, as a whole or not at all; an existing file is never overwritten.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = format!("{}\n", self.text);
        file::create(path, text.as_bytes(), Readers::Owner).map_err(|source| Error::io(path, source))
    }

    /// The verifier key to hand out, as text.
    pub fn vkey(&self) -> String {
        self.verifier.to_string()
    }

    /// The log this key signs for.
    pub fn origin(&self) -> &str {
        self.verifier.origin()
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(crate) fn signer(&self) -> &StandardSigner {
        &self.signer
    }

    fn parse(text: &str, place: &str) -> Result<Self> {
        let bad = |reason: &str| Error::Key { place: place.to_owned(), reason: reason.to_owned() };
        let signer = StandardSigner::new(text).map_err(|error| bad(&error.to_string()))?;
        let mut parts = text.splitn(5, '+').skip(2);
        let origin = parts.next().ok_or_else(|| bad("no origin"))?;
        let key = parts.nth(1).and_then(|key| STANDARD.decode(key).ok()).ok_or_else(|| bad("no key"))?;
        let seed: [u8; 32] = key.get(1..).and_then(|seed| seed.try_into().ok()).ok_or_else(|| bad("not 32 bytes"))?;
        check_origin(origin)?;
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        let verifier = signed_note::new_ed25519_verifier_key(origin, &public).parse()?;
        Ok(Self { text: text.to_owned(), signer, verifier })
    }
}

/// The public half: what a reader must have got from somewhere else than the log.
#[derive(Clone)]
pub struct VerifierKey {
    text: String,
    origin: String,
    verifier: StandardVerifier,
}

impl VerifierKey {
    /// Reads a verifier key file, and refuses one that lies inside the log it is to judge.
    pub fn load(path: &Path, log_dir: &Path) -> Result<Self> {
        let real = fs::canonicalize(path).map_err(|source| Error::io(path, source))?;
        // A log directory that is not there cannot hold the key; whoever opens it will say so.
        if fs::canonicalize(log_dir).is_ok_and(|log_dir| real.starts_with(log_dir)) {
            return Err(Error::Key {
                place: path.display().to_string(),
                reason: format!("it lies inside the log {} it is to judge; take it from elsewhere", log_dir.display()),
            });
        }
        let text = read_key_file(path, "get the key again from whoever keeps the log")?;
        text.trim_end().parse().map_err(|error| match error {
            Error::Key { reason, .. } => Error::Key { place: path.display().to_string(), reason },
            other => other,
        })
    }

    /// Writes a verifier key file, as a whole or not at all, whatever was there.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = format!("{self}\n");
        file::replace(path, text.as_bytes(), Readers::Anybody).map_err(|source| Error::io(path, source))
    }

    /// The log this key speaks for.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn verifier(&self) -> &StandardVerifier {
        &self.verifier
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let short: String = text.chars().take(120).collect();
        let bad = |reason: &str| Error::Key { place: format!("`{short}`"), reason: reason.to_owned() };
        let verifier = StandardVerifier::new(text).map_err(|error| bad(&error.to_string()))?;
        let mut parts = text.splitn(3, '+');
        let origin = parts.next().unwrap_or_default();
        let public = parts.nth(1).and_then(|key| STANDARD.decode(key).ok()).unwrap_or_default();
        let public = public.get(1..).and_then(|key| key.try_into().ok()).ok_or_else(|| bad("not 32 bytes"))?;
        // Against a key of small order, signatures that pass can be made up.
        if VerifyingKey::from_bytes(public).map_err(|_| bad("not a point"))?.is_weak() {
            return Err(bad("a key of small order proves nothing"));
        }
        check_origin(origin)?;
        Ok(Self { text: text.to_owned(), origin: origin.to_owned(), verifier })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({})", self.text)
    }
}

fn with_algorithm(key: &[u8; 32]) -> Vec<u8> {
    [&[ALGORITHM_ED25519][..], key].concat()
}

fn check_origin(origin: &str) -> Result<()> {
    let bad = |reason: String| Err(Error::Key { place: format!("origin `{}`", origin.escape_debug()), reason });
    if origin.len() > ORIGIN_BYTES_MAX {
        return bad(format!("{} bytes, at most {ORIGIN_BYTES_MAX}", origin.len()));
    }
    if !signed_note::is_key_name_valid(origin) || origin.chars().any(char::is_control) {
        return bad("must be a name without spaces and `+`, such as `ledger.example/site-a/2027`".to_owned());
    }
    Ok(())
}

/// A file without anything in it is what a write leaves that was cut short: `mend` says what to do then, and where it is not
/// text.
fn read_key_file(path: &Path, mend: &str) -> Result<String> {
    let bad =
        |what: &str| Error::Key { place: path.display().to_string(), reason: format!("the file is {what}: {mend}") };
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|source| match source.kind() {
        ErrorKind::InvalidData => bad("not text (UTF-8)"),
        _ => Error::io(path, source),
    })?;
    if text.trim_end().is_empty() {
        return Err(bad("empty"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
