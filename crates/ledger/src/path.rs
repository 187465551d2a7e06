//! Names of tiles and entry bundles, as tlog-tiles writes them. Reading one is total: any text gives an answer.
//! Read next: `tiles.rs`, which reads what they name.

use std::fmt;
use std::str::FromStr;

use crate::limits::TILE_WIDTH;

/// Longest name: seven groups of digits for a 64-bit index, level, width.
const NAME_BYTES_MAX: usize = 64;

/// A tile of hashes or a bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// `tile/<level>/<index>[.p/<width>]`: consecutive hashes of the tree.
    Tile {
        /// 0 to 63; level 0 holds the hashes of entries.
        level: u8,
        /// Position within the level.
        index: u64,
        /// Hashes in it, 1 to 256; 256 is a full tile.
        width: u16,
    },
    /// `tile/entries/<index>[.p/<width>]`: consecutive entries.
    Entries {
        /// Position.
        index: u64,
        /// Entries in it, 1 to 256; 256 is a full bundle.
        width: u16,
    },
}

/// The text does not name a tile or bundle in the one canonical way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name a tile or entry bundle")]
pub struct BadPath(pub String);

impl Resource {
    /// Position within the level.
    pub fn index(self) -> u64 {
        match self {
            Resource::Tile { index, .. } | Resource::Entries { index, .. } => index,
        }
    }

    /// Hashes or entries in it.
    pub fn width(self) -> u16 {
        match self {
            Resource::Tile { width, .. } | Resource::Entries { width, .. } => width,
        }
    }

    /// Whether it holds as much as it can.
    pub fn is_full(self) -> bool {
        usize::from(self.width()) == TILE_WIDTH
    }

    /// The same tile or bundle at another width.
    pub fn with_width(self, width: u16) -> Self {
        match self {
            Resource::Tile { level, index, .. } => Resource::Tile { level, index, width },
            Resource::Entries { index, .. } => Resource::Entries { index, width },
        }
    }

    /// The same tile or bundle once it is full.
    pub fn full(self) -> Self {
        self.with_width(256)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Tile { level, .. } => write!(f, "tile/{level}/")?,
            Resource::Entries { .. } => write!(f, "tile/entries/")?,
        }
        let digits = self.index().to_string();
        let padded = format!("{}{digits}", "0".repeat((3 - digits.len() % 3) % 3));
        for (at, _) in padded.bytes().enumerate().step_by(3) {
            let group = &padded[at..at + 3];
            if at + 3 < padded.len() { write!(f, "x{group}/")? } else { write!(f, "{group}")? }
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width()) }
    }
}

impl FromStr for Resource {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let found = (text.len() <= NAME_BYTES_MAX).then(|| parse(text)).flatten();
        // Writing it again is the proof that there is one name only: no leading zeros, no signs, no spare groups.
        found
            .filter(|resource| resource.to_string() == text)
            .ok_or_else(|| BadPath(text.chars().take(NAME_BYTES_MAX).collect()))
    }
}

fn parse(text: &str) -> Option<Resource> {
    let (level, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let (digits, width) = match rest.split_once(".p/") {
        Some((digits, width)) => (digits, width.parse().ok().filter(|width| (1..=255).contains(width))?),
        None => (rest, 256),
    };
    let mut index = 0u64;
    for group in digits.split('/') {
        let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok().filter(|group| *group < 1_000)?;
        index = index.checked_mul(1_000)?.checked_add(group)?;
    }
    if level == "entries" {
        return Some(Resource::Entries { index, width });
    }
    let level = level.parse().ok().filter(|level| *level <= 63)?;
    Some(Resource::Tile { level, index, width })
}

#[cfg(test)]
mod tests;
