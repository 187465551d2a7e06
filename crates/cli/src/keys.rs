//! Key files: read from where the person says, made (mode 0600) only for simulated hospitals.
//!
//! A key is never printed. Losing the pseudonym key makes every pseudonym final. Read next: `commands/demo.rs`.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use base::{Clock as _, Millis, SystemClock, Timestamp};
use events::PseudonymKeys;

use crate::report::{Failure, disk};

/// 32 bytes from the operating system: for keys and salts.
pub(crate) fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let path = Path::new("/dev/urandom");
    let mut file = std::fs::File::open(path).map_err(|error| disk(path, &error))?;
    file.read_exact(&mut bytes).map_err(|error| disk(path, &error))?;
    Ok(bytes)
}

/// Reads a pseudonym key file.
pub(crate) fn pseudonyms(path: &Path) -> Result<PseudonymKeys> {
    let text = std::fs::read_to_string(path).map_err(|error| disk(path, &error))?;
    PseudonymKeys::parse(&text).with_context(|| format!("pseudonym key `{}`", path.display()))
}

/// How long ago a key file was written.
pub(crate) fn age(path: &Path) -> Result<Millis> {
    let written = std::fs::metadata(path).and_then(|file| file.modified()).map_err(|error| disk(path, &error))?;
    let since = written.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
    Ok(SystemClock.now() - Timestamp::from_millis(i64::try_from(since).unwrap_or(i64::MAX)))
}

/// Writes a file that only its owner can read; refuses to replace one.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| disk(path, &error))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| disk(path, &error))
}

/// The pseudonym key in `path`, made from `seed` where absent.
pub(crate) fn pseudonyms_or_new(path: &Path, id: &str, seed: [u8; 32]) -> Result<PseudonymKeys> {
    if path.exists() {
        return pseudonyms(path);
    }
    let keys = PseudonymKeys::generate(id, seed)?;
    write_secret(path, &keys.to_file_text())?;
    Ok(keys)
}

/// A folder that must be new or empty.
pub(crate) fn fresh_folder(path: &Path) -> Result<()> {
    let taken = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if taken {
        let failure = Failure::invalid("the output folder is not empty").at(path.display());
        return Err(failure.hint("name another one, or remove it").into());
    }
    std::fs::create_dir_all(path).map_err(|error| disk(path, &error))
}
