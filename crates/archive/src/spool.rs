//! Records kept in a file without a name: a month of a hospital is more than fits into memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use crate::error::{Error, Result};

/// Records in the order they came, each with what is known of it in memory. The file is gone with them.
#[derive(Debug)]
pub(crate) struct Spool<N> {
    file: Option<File>,
    /// What is known of each, and where it ends.
    places: Vec<(N, u64)>,
}

impl<N> Default for Spool<N> {
    fn default() -> Self {
        Self { file: None, places: Vec::new() }
    }
}

impl<N> Spool<N> {
    pub(crate) fn push(&mut self, known: N, record: &[u8]) -> Result<()> {
        let (end, length) = (self.byte_count(), record.len() as u64);
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().map_err(failed("making a file for results"))?),
        };
        let written = file.seek(SeekFrom::Start(end)).and_then(|_| file.write_all(record));
        written.map_err(failed("writing results"))?;
        self.places.push((known, end + length));
        Ok(())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// Bytes of all.
    pub(crate) fn byte_count(&self) -> u64 {
        self.places.last().map_or(0, |(_, end)| *end)
    }

    /// What is known of each.
    pub(crate) fn known(&self) -> impl Iterator<Item = &N> {
        self.places.iter().map(|(known, _)| known)
    }

    /// What is known of one, if there are so many.
    pub(crate) fn known_of(&self, place: usize) -> Option<&N> {
        self.places.get(place).map(|(known, _)| known)
    }

    pub(crate) fn read(&self, place: usize) -> Result<Vec<u8>> {
        let start = place.checked_sub(1).map_or(0, |before| self.places[before].1);
        let mut record = vec![0; (self.places[place].1 - start) as usize];
        if let Some(mut file) = self.file.as_ref() {
            let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut record));
            read.map_err(failed("reading results"))?;
        }
        Ok(record)
    }
}

/// Nothing of this is tried again: a lane that began anew would tell everything twice.
fn failed(doing: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| {
        let folder = std::env::temp_dir();
        let folder = folder.display();
        Error::Replay(format!("{doing} in the folder for temporary files, `{folder}`: {error}; name another in TMPDIR"))
    }
}
