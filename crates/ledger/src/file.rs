//! Files of this machine: written as a whole or not at all, read up to a bound. Never waits for a pipe.
//! Read next: `head.rs` and `key.rs`, whose files these are.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// What is said of a file that may never end.
pub(crate) const NO_FILE: &str = "it is a pipe or a device, not a file";

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Nobody but its owner.
    Owner,
    /// Whoever the system's mask lets.
    Anybody,
}

/// Writes a file durably, whatever was there. A crash leaves what was there or all of this, and perhaps `<name>.next`,
/// which the next write removes.
pub(crate) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    // Opened before the write and held across it, so that an error of syncing the folder cannot get lost.
    let folder = File::open(folder_of(path))?;
    fs::rename(write_next(path, bytes, readers)?, path)?;
    folder.sync_all()
}

/// Writes a file durably that must not be there yet; a crash leaves as little as with [`replace`].
pub(crate) fn create(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let folder = File::open(folder_of(path))?;
    let next = write_next(path, bytes, readers)?;
    // A link takes no other file's place, as a rename would.
    let linked = fs::hard_link(&next, path);
    fs::remove_file(&next)?;
    linked?;
    folder.sync_all()
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The bytes of a file, at most one more than `bytes_max`: whoever gets that many knows that it is too long. A pipe or
/// a device may never end, and is an error.
pub fn read_file(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if is_stream(&found) {
        return Err(io::Error::new(ErrorKind::InvalidInput, NO_FILE));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take((bytes_max as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether it is a pipe, a device or the like.
pub(crate) fn is_stream(found: &Metadata) -> bool {
    !found.is_file() && !found.is_dir()
}

/// Writes `<name>.next` and answers with its place. Nothing that lies there is written through: it may be a link to
/// somewhere else.
fn write_next(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<PathBuf> {
    let next = path.with_added_extension("next");
    remove(&next)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if readers == Readers::Owner { 0o600 } else { 0o666 });
    let mut file = options.open(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(next)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
