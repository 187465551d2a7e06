//! Every bound of this crate. Owns no logic.

use std::time::Duration;

use base::Millis;

/// Journal records in one run; a run also ends with its UTC day.
pub(crate) const RUN_RECORDS_MAX: usize = 2_048;
/// How long a run is at most, since it ends with its UTC day.
pub(crate) const RUN_SPAN_MAX: Millis = Millis::days(1);
/// How far lanes get apart while none is down, as when they catch up: each waits for what others share of the day before the
/// last.
pub(crate) const LANES_APART_MAX: Millis = Millis::days(2);
/// Lanes of one archive. Their count follows from the names of files, which anybody may have given.
pub(crate) const LANES_MAX: u32 = 4_096;
/// Parts read in one run, as counted by the journal: bounds what a run holds in memory.
pub(crate) const RUN_PARTS_MAX: u64 = 1_000_000;
/// Reference rows held in memory before they are written.
pub(crate) const REFERENCE_ROWS_MAX: usize = 200_000;
/// Bytes of results between two checkpoints of a replay; few in tests, so that they meet it.
pub(crate) const CHECKPOINT_BYTES: u64 = if cfg!(test) { 50 << 10 } else { 64 << 20 };
/// Rows in one row group of a file.
pub(crate) const ROW_GROUP_ROWS: usize = 128 << 10;
/// zstd's level: the middle of the road.
pub(crate) const ZSTD_LEVEL: i32 = 3;
/// Rows a replay hands over at once, per lane and topic (a record of many parts is not cut).
pub(crate) const CHUNK_ROWS: usize = 8_192;
/// Steps of what lanes told watches that a replay hands over at once; few in tests, so that they meet it.
pub(crate) const CHUNK_STEPS: usize = if cfg!(test) { 3 } else { 256 };
/// Bytes of recorded lines above which no more are handed over at once.
pub(crate) const CHUNK_BYTES: usize = 64 << 20;
/// Sentences a comparison keeps.
pub(crate) const DIFFERENCES_MAX: usize = 100;
/// One wait of a follower that is being finished.
pub(crate) const FINISH_WAIT: Duration = Duration::from_millis(500);
/// Waits without anything new after which a follower counts as read to its end.
pub(crate) const FINISH_QUIET: u32 = 3;
/// Bytes of one line of recorded events: as much as a broker takes in one record.
pub(crate) const LINE_BYTES_MAX: u64 = 16 << 20;
/// Steps of a follower that is being finished, at most.
pub(crate) const FINISH_STEPS_MAX: u32 = 10_000;

const _: () = assert!(CHUNK_BYTES + LINE_BYTES_MAX as usize <= events::limits::BATCH_BYTES_MAX);
