//! How a sealed pane becomes records and a pane again: large ones are split, and a missing part is told by name.
//!
//! The key of a part is `<tier>/<end in ms>/<part>/<parts>`. Parts of a pane are written in order within one
//! transaction, so whoever reads committed data sees them one after the other. Owns no I/O.

use std::collections::BTreeMap;

use base::Timestamp;
use engine::ports::{StoredPane, Tier};

use crate::error::{Result, corrupt, invalid};
use crate::limits::{PANE_PART_BYTES_MAX, PANE_PARTS_MAX};

/// The records of a pane, in the order they are written.
pub(crate) fn split(tier: Tier, pane: &StoredPane) -> Result<Vec<(String, &[u8])>> {
    let parts = pane.bytes.len().div_ceil(PANE_PART_BYTES_MAX).max(1);
    if parts > PANE_PARTS_MAX {
        return Err(invalid(format!(
            "the {} pane that ends at {} has {} bytes, at most {} can be stored",
            tier.name(),
            pane.end.millis(),
            pane.bytes.len(),
            PANE_PARTS_MAX * PANE_PART_BYTES_MAX
        )));
    }
    let part_of = |part: usize| {
        let start = part * PANE_PART_BYTES_MAX;
        &pane.bytes[start..pane.bytes.len().min(start + PANE_PART_BYTES_MAX)]
    };
    let key = |part: usize| format!("{}/{}/{part}/{parts}", tier.name(), pane.end.millis());
    Ok((0..parts).map(|part| (key(part), part_of(part))).collect())
}

/// Where a stored pane stands in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Offset of its first part.
    pub(crate) first: i64,
    /// Offset of its last part.
    pub(crate) last: i64,
}

/// Puts panes together from the records of one tier and lane, read in offset order.
#[derive(Debug)]
pub(crate) struct Joiner {
    tier: Tier,
    first: Timestamp,
    place: String,
    panes: BTreeMap<Timestamp, Vec<u8>>,
    spans: BTreeMap<Timestamp, Span>,
    open: Option<Open>,
}

/// A pane whose later parts are still to come.
#[derive(Debug)]
struct Open {
    end: Timestamp,
    next: usize,
    parts: usize,
    first: i64,
    bytes: Vec<u8>,
}

impl Joiner {
    /// Panes that end before `first` are remembered by place only; `place` names topic and partition in errors.
    pub(crate) fn new(tier: Tier, first: Timestamp, place: String) -> Self {
        Self { tier, first, place, panes: BTreeMap::new(), spans: BTreeMap::new(), open: None }
    }

    /// Takes the next record.
    pub(crate) fn push(&mut self, offset: i64, key: Option<&[u8]>, value: &[u8]) -> Result<()> {
        let Some((end, part, parts)) = key.and_then(|key| parse(self.tier, key)) else {
            return Err(corrupt(format!(
                "{} offset {offset}: the key is not that of a {} pane; `chartwarden upgrade --rebuild` computes the \
                 lane's state anew from the archive",
                self.place,
                self.tier.name()
            )));
        };
        if part == 0 {
            self.check_closed()?;
            self.open = Some(Open { end, next: 0, parts, first: offset, bytes: Vec::new() });
        }
        let fits = self.open.as_ref().is_some_and(|open| open.end == end && open.next == part && open.parts == parts);
        if !fits {
            // The start of a pane that is no longer needed may have been deleted with what came before it.
            if end < self.first && self.open.is_none() {
                return Ok(());
            }
            let missing = self.open.as_ref().filter(|open| open.end == end).map_or(0, |open| open.next);
            return Err(self.missing(end, missing, parts));
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        open.bytes.extend_from_slice(value);
        open.next += 1;
        if open.next == open.parts
            && let Some(done) = self.open.take()
        {
            self.spans.insert(end, Span { first: done.first, last: offset });
            if end >= self.first {
                self.panes.insert(end, done.bytes);
            }
        }
        Ok(())
    }

    /// The panes that are whole by now and were not taken before, in order of their ends.
    pub(crate) fn take(&mut self) -> Vec<StoredPane> {
        std::mem::take(&mut self.panes).into_iter().map(|(end, bytes)| StoredPane { end, bytes }).collect()
    }

    /// The panes in order of their ends, and where every pane seen stands.
    pub(crate) fn finish(mut self) -> Result<(Vec<StoredPane>, BTreeMap<Timestamp, Span>)> {
        self.check_closed()?;
        Ok((self.take(), self.spans))
    }

    fn check_closed(&self) -> Result<()> {
        match &self.open {
            Some(open) if open.end >= self.first => Err(self.missing(open.end, open.next, open.parts)),
            _ => Ok(()),
        }
    }

    fn missing(&self, end: Timestamp, part: usize, parts: usize) -> engine::ports::PortError {
        corrupt(format!(
            "{}: part {part} of {parts} of the {} pane that ends at {} is missing; `chartwarden upgrade --rebuild` \
             computes the lane's state anew from the archive",
            self.place,
            self.tier.name(),
            end.millis()
        ))
    }
}

fn parse(tier: Tier, key: &[u8]) -> Option<(Timestamp, usize, usize)> {
    let mut fields = std::str::from_utf8(key).ok()?.split('/');
    let named = fields.next()? == tier.name();
    let end = fields.next()?.parse().ok().map(Timestamp::from_millis)?;
    let (part, parts) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (named && fields.next().is_none() && part < parts && parts <= PANE_PARTS_MAX).then_some((end, part, parts))
}

#[cfg(test)]
mod tests;
