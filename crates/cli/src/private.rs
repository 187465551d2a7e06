//! Folders and files that nobody but their owner may read: salts, openings, receipts.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::report::disk;

/// Makes a folder, or takes one that is there away from everybody else.
pub(crate) fn folder(path: &Path) -> Result<()> {
    let made = || -> std::io::Result<()> {
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
    let written = || -> std::io::Result<()> {
        match fs::remove_file(&next) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
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

/// Makes what was written into a folder last.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| disk(folder, &error))
}

#[cfg(test)]
mod tests;
