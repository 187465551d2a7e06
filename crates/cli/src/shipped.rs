//! The pipeline that ships inside the binary.
//!
//! `build.rs` gathers its files. Read next: `commands/demo.rs`, which writes it out and runs it.

use std::path::Path;

use anyhow::Result;
use engine::{ModelUse, PipelineSpec};

use crate::report::disk;

/// Every file of the pipeline `insider-breach`: path within its folder, content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pipeline.rs"));

/// Writes the shipped pipeline into `folder`.
pub(crate) fn write(folder: &Path) -> Result<()> {
    for (name, content) in FILES {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|error| disk(parent, &error))?;
        std::fs::write(&path, content).map_err(|error| disk(&path, &error))?;
    }
    Ok(())
}

/// Checks the shipped pipeline as it stands in the binary.
pub(crate) fn load(models: ModelUse) -> Result<PipelineSpec> {
    load_within(&std::env::temp_dir(), models)
}

/// Everybody may write where it stands: a folder that nobody could foresee, for its owner only. It goes with this call,
/// as a checked pipeline reads no file again.
fn load_within(place: &Path, models: ModelUse) -> Result<PipelineSpec> {
    let mut fresh = tempfile::Builder::new();
    fresh.prefix("chartwarden-");
    #[cfg(unix)]
    fresh.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let folder = fresh.tempdir_in(place).map_err(|error| disk(place, &error))?;
    write(folder.path())?;
    Ok(PipelineSpec::load(folder.path(), models)?)
}

#[cfg(test)]
mod tests;
