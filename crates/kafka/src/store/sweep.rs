//! How a transaction that hangs must end, told by what readers have seen of it.
//!
//! Every record carries its lane and the number of its transaction as a header; the number stands in the head as well.
//! If any record with the number of what hangs can be read somewhere, its commit marker was written there: the rest is
//! committed. (One that can be read only behind what another lane has open on a shared topic is not seen.) If none can,
//! it was aborted, or it was committed and nobody has seen it: the rest is aborted, and the lane does it again.
//!
//! A record is written to each partition where it hangs (a broom), so that the marker of the sweep's own transaction
//! gets there. Dying in the middle of a sweep that aborts costs nothing: the next one aborts as well. Dying in the
//! middle of one that commits does: fencing it aborts the rest, and where that took panes the lane refuses.

use events::Header;
use rdkafka::message::BorrowedMessage;

use engine::ports::LaneId;

use super::Outside;
use crate::config::Config;
use crate::error::Result;
use crate::leaders::Place;
use crate::limits::SWEEP_TAIL;
use crate::stable::{TRANSACTION, stamp_of};
use crate::tail::Tail;

/// What hangs, and how it must end.
pub(super) struct Hanging {
    /// Where.
    pub(super) places: Vec<Place>,
    /// Its number; absent if its records do not say.
    pub(super) number: Option<u64>,
    /// Whether it is to be committed.
    pub(super) committed: bool,
}

/// What every record of a lane's transaction carries, and the head holds.
pub(super) fn stamp(lane: LaneId, number: u64) -> Vec<u8> {
    format!("{lane}/{number}").into_bytes()
}

/// A stamp as a header.
pub(super) fn header(stamp: &[u8]) -> Header {
    (TRANSACTION.to_owned(), Some(stamp.to_vec()))
}

/// The number in a stamp of the lane.
pub(super) fn number_in(stamp: &[u8], lane: LaneId) -> Option<u64> {
    let (of, number) = std::str::from_utf8(stamp).ok()?.split_once('/')?;
    (of == lane.to_string()).then(|| number.parse().ok())?
}

/// The number of the lane's transaction that a record belongs to.
pub(crate) fn number_of(message: &BorrowedMessage<'_>, lane: LaneId) -> Option<u64> {
    number_in(&stamp_of(message)?, lane)
}

/// What hangs of a lane's former transactions, among partitions that only it writes to and those it shares.
pub(super) fn look(
    config: &Config,
    outside: &Outside,
    lane: LaneId,
    own: &[Place],
    shared: &[Place],
) -> Result<Option<Hanging>> {
    let Outside { admin, stable, .. } = outside;
    let all = [own, shared].concat();
    let open = stable.open_places(&all)?;
    if open.is_empty() {
        return Ok(None);
    }
    let ends = stable.ends(&all)?;
    let (mut places, mut number) = (Vec::new(), None);
    let mut everything = Tail::new(open.iter(), &config.uncommitted_reader()?)?;
    for (place, end) in all.iter().zip(&ends).filter(|(place, _)| open.contains(place)) {
        // Where others write as well, what they have open is theirs.
        let mut ours = own.contains(place);
        let high = admin.watermarks(&place.0, place.1)?.1;
        everything.read(place, *end, high, |message| {
            let found = number_of(message, lane);
            number = number.max(found);
            ours |= found.is_some();
        })?;
        places.extend(ours.then(|| place.clone()));
    }
    if places.is_empty() {
        return Ok(None);
    }
    let mut committed = false;
    let mut readable = Tail::new(all.iter(), &config.waited_reader()?)?;
    for (place, end) in all.iter().zip(&ends) {
        let low = admin.watermarks(&place.0, place.1)?.0;
        readable.read(place, low.max(end - SWEEP_TAIL), *end, |message| {
            committed |= number.is_some() && number_of(message, lane) == number;
        })?;
    }
    Ok(Some(Hanging { places, number, committed }))
}

#[cfg(test)]
mod tests;
