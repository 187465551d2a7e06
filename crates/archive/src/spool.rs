//! Records kept in a file without a name: a month of a hospital is more than fits into memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Records in the order they came, each with what is known of it in memory. The file is gone with them.
#[derive(Debug)]
pub(crate) struct Spool<N> {
    /// Where its file is; among temporary files if nowhere else.
    folder: Option<PathBuf>,
    file: Option<File>,
    /// What is known of each, and where it stands.
    places: Vec<(N, Range<u64>)>,
    bytes: u64,
}

impl<N> Default for Spool<N> {
    fn default() -> Self {
        Self { folder: None, file: None, places: Vec::new(), bytes: 0 }
    }
}

impl<N> Spool<N> {
    /// One whose file is in a folder.
    pub(crate) fn within(folder: &Path) -> Self {
        Self { folder: Some(folder.to_path_buf()), ..Self::default() }
    }

    pub(crate) fn push(&mut self, known: N, record: &[u8]) -> Result<()> {
        let (start, length) = (self.end(), record.len() as u64);
        let folder = self.folder.as_deref();
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let made = folder.map_or_else(tempfile::tempfile, tempfile::tempfile_in);
                self.file.insert(made.map_err(failed(folder, "making a file for results"))?)
            }
        };
        let written = file.seek(SeekFrom::Start(start)).and_then(|_| file.write_all(record));
        written.map_err(failed(folder, "writing results"))?;
        self.places.push((known, start..start + length));
        self.bytes += length;
        Ok(())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// Bytes of all.
    pub(crate) fn byte_count(&self) -> u64 {
        self.bytes
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
        self.read_at(&self.places[place].1)
    }

    /// Takes out, in order, the records of which this is known. The file is written anew once most of it is gone.
    pub(crate) fn take(&mut self, wanted: impl Fn(&N) -> bool) -> Result<Vec<(N, Vec<u8>)>> {
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        let used = self.end();
        for (known, place) in std::mem::take(&mut self.places) {
            if wanted(&known) {
                taken.push((known, self.read_at(&place)?));
                self.bytes -= place.end - place.start;
            } else {
                left.push((known, place));
            }
        }
        self.places = left;
        if self.bytes < used / 2 {
            self.write_anew()?;
        }
        Ok(taken)
    }

    fn write_anew(&mut self) -> Result<()> {
        let mut anew = Self { folder: self.folder.clone(), ..Self::default() };
        for (known, place) in std::mem::take(&mut self.places) {
            anew.push(known, &self.read_at(&place)?)?;
        }
        *self = anew;
        Ok(())
    }

    /// Where the last one ends.
    fn end(&self) -> u64 {
        self.places.last().map_or(0, |(_, place)| place.end)
    }

    fn read_at(&self, place: &Range<u64>) -> Result<Vec<u8>> {
        let mut record = vec![0; (place.end - place.start) as usize];
        if let Some(mut file) = self.file.as_ref() {
            let read = file.seek(SeekFrom::Start(place.start)).and_then(|_| file.read_exact(&mut record));
            read.map_err(failed(self.folder.as_deref(), "reading results"))?;
        }
        Ok(record)
    }
}

/// Among temporary files nothing of this is tried again: a lane that began anew would tell everything twice.
fn failed(folder: Option<&Path>, doing: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| {
        if let Some(folder) = folder {
            return Error::disk(folder, doing)(error);
        }
        let folder = std::env::temp_dir();
        let folder = folder.display();
        Error::Replay(format!("{doing} in the folder for temporary files, `{folder}`: {error}; name another in TMPDIR"))
    }
}

#[cfg(test)]
mod tests;
