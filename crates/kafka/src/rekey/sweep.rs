//! How a copy's transaction that hangs must end, told by what readers have seen of it.
//!
//! Every copy says in a header where the first record of its transaction came from. That names the transaction, and
//! ties it to the source offsets, which are the other half of it: if the committed offset of that source partition lies
//! behind that record, or if another copy of the transaction can be read, it was committed, and the rest is. If only the
//! offsets hang, the newest copies that can be read tell whether they are ahead of them. If nothing can be seen of it, it
//! is aborted, and copied again. Dying in the middle of a sweep that commits aborts the rest.

use std::fmt;

use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset as Position, TopicPartitionList};

use crate::admin::Admin;
use crate::config::Config;
use crate::error::Result;
use crate::leaders::Place;
use crate::limits::SWEEP_TAIL;
use crate::stable::{Stable, stamp_of};
use crate::tail::Tail;

/// Where the first record of a transaction came from, and which life of a writer copied it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When the writer was opened, in milliseconds since the epoch: a topic may be copied again from its beginning.
    pub(super) writer: i64,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// What hangs, and how it must end.
pub(super) struct Hanging {
    /// Lanes of the target.
    pub(super) places: Vec<Place>,
    /// Source offsets as well.
    pub(super) offsets: bool,
    /// Whether it is to be committed.
    pub(super) committed: bool,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.topic, self.partition, self.offset, self.writer)
    }
}

impl Stamp {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.rsplitn(4, '/');
        let (writer, offset) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let partition = parts.next()?.parse().ok()?;
        Some(Self { writer, topic: parts.next()?.to_owned(), partition, offset })
    }

    /// Whether the offsets say that it was copied.
    fn is_behind(&self, offsets: &TopicPartitionList) -> bool {
        let next = offsets.find_partition(&self.topic, self.partition).map(|element| element.offset());
        matches!(next, Some(Position::Offset(next)) if next > self.offset)
    }
}

/// Which transaction a copy belongs to; nothing where the record was written for a sweep, or by somebody else.
fn copied(message: &BorrowedMessage<'_>, sources: &TopicPartitionList) -> Option<Stamp> {
    let stamp = Stamp::parse(&stamp_of(message)?)?;
    sources.find_partition(&stamp.topic, stamp.partition).map(|_| stamp)
}

/// What hangs of a former writer's last transaction: in the lanes of the target, and among the source offsets.
pub(super) fn look(
    config: &Config,
    admin: &Admin,
    stable: &Stable,
    target: &[Place],
    sources: &TopicPartitionList,
) -> Result<Option<Hanging>> {
    let mut places = stable.open_places(target)?;
    let offsets = stable.offsets_open(sources)?;
    if places.is_empty() && !offsets {
        return Ok(None);
    }
    let done = stable.offsets(sources)?;
    let mut hangs = None;
    let mut everything = Tail::new(places.iter(), &config.uncommitted_reader()?)?;
    for (place, end) in places.iter().zip(stable.ends(&places)?) {
        let high = admin.watermarks(&place.0, place.1)?.1;
        everything.read(place, end, high, |message| {
            hangs = copied(message, sources).or(hangs.take());
        })?;
    }
    if hangs.is_none() {
        // What was open may have ended meanwhile.
        places = stable.open_places(target)?;
        if places.is_empty() && !offsets {
            return Ok(None);
        }
    }
    let mut committed = hangs.as_ref().is_some_and(|stamp| stamp.is_behind(&done));
    each_copy(config, admin, stable, target, sources, |seen| {
        committed |= match &hangs {
            Some(stamp) => seen == *stamp,
            None => places.is_empty() && !seen.is_behind(&done),
        };
    })?;
    Ok(Some(Hanging { places, offsets, committed }))
}

/// Whether copies of these sources can be read in the target.
pub(super) fn has_copies(
    config: &Config,
    admin: &Admin,
    stable: &Stable,
    target: &[Place],
    sources: &TopicPartitionList,
) -> Result<bool> {
    let mut readable = Tail::new(target.iter(), &config.waited_reader()?)?;
    for (place, end) in target.iter().zip(stable.ends(target)?) {
        let low = admin.watermarks(&place.0, place.1)?.0;
        // From the end back: where a source was silent for days, nothing but words that the copy keeps up stands there.
        let (mut found, mut to) = (false, end);
        while !found && to > low {
            let from = low.max(to - SWEEP_TAIL);
            readable.read(place, from, to, |message| found |= copied(message, sources).is_some())?;
            to = from;
        }
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives the stamps of copies that can be read at the ends of the target to `each`.
fn each_copy(
    config: &Config,
    admin: &Admin,
    stable: &Stable,
    target: &[Place],
    sources: &TopicPartitionList,
    mut each: impl FnMut(Stamp),
) -> Result<()> {
    let mut readable = Tail::new(target.iter(), &config.waited_reader()?)?;
    for (place, end) in target.iter().zip(stable.ends(target)?) {
        let low = admin.watermarks(&place.0, place.1)?.0;
        let tail = low.max(end - SWEEP_TAIL);
        readable.read(place, tail, end, |message| copied(message, sources).into_iter().for_each(&mut each))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
