//! Folders and files that nobody but their owner may read: salts, openings, receipts, who asked for whom.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::Result;

use crate::report::disk;

/// Makes a folder, or takes one that is there away from everybody else.
pub(crate) fn folder(path: &Path) -> Result<()> {
    let made = || -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(())
    };
    made().map_err(|error| disk(path, &error))
}

/// Writes a file, as a whole or not at all, whatever was there. That it is there lasts once its folder has been synced.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let next = path.with_added_extension("next");
    let written = || -> io::Result<()> {
        match fs::remove_file(&next) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&next, path)
    };
    written().map_err(|error| disk(path, &error))
}

/// Writes lines behind those of a file, which is made where it is not, and makes them last. Whoever lets a file only grow
/// (as by `chattr +a`) or be read by others may do so. A pipe or a device keeps nothing, and is refused.
pub(crate) fn append(path: &Path, lines: &str) -> Result<()> {
    let written = || -> io::Result<()> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is a pipe or a device, not a file"));
        }
        let begun = if is_torn(path) { "\n" } else { "" };
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        // In one piece, so that nobody else's lines come in between.
        file.write_all(format!("{begun}{lines}").as_bytes())?;
        file.sync_all()
    };
    let is_new = !path.exists();
    written().map_err(|error| disk(path, &error))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if is_new { sync(folder.unwrap_or(Path::new("."))) } else { Ok(()) }
}

/// Whether the last line was cut short, as by a full disk. Of a file that cannot be read it is not known.
fn is_torn(path: &Path) -> bool {
    let last = || -> io::Result<u8> {
        let (mut file, mut byte) = (File::open(path)?, [0]);
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut byte)?;
        Ok(byte[0])
    };
    last().is_ok_and(|byte| byte != b'\n')
}

/// Makes what was written into a folder last.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| disk(folder, &error))
}

#[cfg(test)]
mod tests;
