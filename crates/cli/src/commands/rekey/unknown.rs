//! Names that the staff directory does not know, in a file for the operator.
//!
//! The file only grows, a line a name, and is on disk before the records that brought the name are committed: a kill
//! may list a name whose record comes again, and forgets none. It holds raw names, so nobody but its owner may read it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use base::Timestamp;
use engine::ports::PortError;
use serde::{Deserialize, Serialize};

use crate::report::{Failure, disk};

/// Names that are kept apart. More than that is no list but a wrong directory, and only counted as records.
const NAMES_MAX: usize = 1_000_000;

#[derive(Serialize, Deserialize)]
struct Line {
    name: String,
    topic: String,
    first_seen: Timestamp,
}

/// The names met so far, by this process and, with a file, by those before it.
pub(super) struct UnknownNames {
    file: Option<(PathBuf, File)>,
    met: BTreeSet<String>,
    fresh: Vec<Line>,
}

impl UnknownNames {
    /// Opens or creates the file; refuses one that others can read.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let mut names = Self { file: None, met: BTreeSet::new(), fresh: Vec::new() };
        let Some(path) = path else { return Ok(names) };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| disk(path, &error))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = file.metadata().map_err(|error| disk(path, &error))?.permissions().mode();
            if mode & 0o077 != 0 {
                let failure = Failure::invalid("the list of unknown names can be read by others").at(path.display());
                return Err(failure.hint("`chmod 600` it: it holds raw names").into());
            }
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| disk(path, &error))?;
        // A line that a kill cut short is listed again.
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        names.met.extend(lines.map(|line| line.name));
        if bytes.last().is_some_and(|byte| *byte != b'\n') {
            file.write_all(b"\n").map_err(|error| disk(path, &error))?;
        }
        names.file = Some((path.to_path_buf(), file));
        Ok(names)
    }

    /// A name was met.
    pub(super) fn note(&mut self, name: &str, topic: &str, first_seen: Timestamp) {
        if self.met.contains(name) || self.met.len() >= NAMES_MAX {
            return;
        }
        self.met.insert(name.to_owned());
        if self.file.is_some() {
            self.fresh.push(Line { name: name.to_owned(), topic: topic.to_owned(), first_seen });
        }
    }

    /// Puts new names on disk.
    pub(super) fn write(&mut self) -> Result<(), PortError> {
        let Some((path, file)) = self.file.as_mut().filter(|_| !self.fresh.is_empty()) else { return Ok(()) };
        let mut text = String::new();
        for line in &self.fresh {
            // A name, a topic and a time always become JSON.
            text.push_str(&serde_json::to_string(line).unwrap_or_default());
            text.push('\n');
        }
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|error| PortError::Unavailable(format!("`{}`: {error}", path.display())))?;
        self.fresh.clear();
        Ok(())
    }

    /// How many names.
    pub(super) fn count(&self) -> usize {
        self.met.len()
    }
}
