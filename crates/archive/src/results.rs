//! What a lane told in a replay, kept in a file without a name: a month of a hospital is more than fits into memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use base::Timestamp;
use engine::ports::Message;

use crate::error::{Error, Result};
use crate::follow::result_key;

/// Results in the order they were committed: key `<stream>/<tick end>`. The file is gone with them.
#[derive(Debug, Default)]
pub struct Results {
    file: Option<File>,
    /// The key of each, and where its value ends.
    places: Vec<(Vec<u8>, u64)>,
}

impl Results {
    pub(crate) fn push(&mut self, result: &Message) -> Result<()> {
        let (end, length) = (self.byte_count(), result.value.len() as u64);
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().map_err(failed("making a file for results"))?),
        };
        let written = file.seek(SeekFrom::Start(end)).and_then(|_| file.write_all(&result.value));
        written.map_err(failed("writing results"))?;
        self.places.push((result.key.clone(), end + length));
        Ok(())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// Bytes of all values.
    pub(crate) fn byte_count(&self) -> u64 {
        self.places.last().map_or(0, |(_, end)| *end)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Result<Message>> {
        self.after(0)
    }

    /// Those behind the first so many.
    pub(crate) fn after(&self, count: usize) -> impl Iterator<Item = Result<Message>> {
        (count..self.count()).map(|place| self.read(place))
    }

    pub(crate) fn read(&self, place: usize) -> Result<Message> {
        let (key, end) = &self.places[place];
        let start = place.checked_sub(1).map_or(0, |before| self.places[before].1);
        let mut value = vec![0; (end - start) as usize];
        if let Some(mut file) = self.file.as_ref() {
            let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut value));
            read.map_err(failed("reading results"))?;
        }
        Ok(Message { key: key.clone(), value, headers: Vec::new() })
    }

    /// Where those of one stream stand, by tick.
    pub(crate) fn by_tick(&self, stream: &str) -> BTreeMap<Timestamp, Vec<usize>> {
        let mut ticks: BTreeMap<Timestamp, Vec<usize>> = BTreeMap::new();
        for (place, (key, _)) in self.places.iter().enumerate() {
            if let Some((_, end)) = result_key(key).filter(|(name, _)| name == stream) {
                ticks.entry(end).or_default().push(place);
            }
        }
        ticks
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
