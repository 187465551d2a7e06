//! Every limit of the main path, in one place. What depends on each other is asserted together.

use std::time::Duration;

use base::Millis;
pub use features::limits::{CROSSING_BYTES_MAX, WATCH_EMPTY_STEPS_MAX};

/// How long one poll may wait when there is nothing to do.
pub const POLL_WAIT: Duration = Duration::from_millis(50);
/// How long a lane closes ticks before it commits them together; in tests, no clock decides where a transaction ends.
pub const COMMIT_BUDGET: Duration = if cfg!(test) { Duration::MAX } else { Duration::from_millis(200) };
/// Bytes of one transaction; a larger tick goes alone.
pub const TRANSACTION_BYTES_MAX: usize = 4 << 20;
/// The same of a lane of watches; few in tests, so that they meet it.
pub const WATCH_TRANSACTION_BYTES_MAX: usize = if cfg!(test) { 16 << 10 } else { TRANSACTION_BYTES_MAX };
/// Bytes of one record of result rows, roughly: far from what a broker takes.
pub const RESULT_BYTES_MAX: usize = if cfg!(test) { 16 << 10 } else { 4 << 20 };
/// Ticks of one transaction; few in tests, so that they meet it.
pub const TRANSACTION_TICKS_MAX: usize = if cfg!(test) { 20 } else { 2_000 };
/// Rejects and late records that wait for a tick before they are committed without one.
pub const DEAD_LETTERS_MAX: usize = 500;
/// How long rejects and late records wait for a tick before they are committed without one.
pub const DEAD_LETTERS_WAIT: Millis = Millis::seconds(10);
/// How far one topic of a lane may be ahead of the one the lane waits for before it is held.
pub const AHEAD_MAX: Millis = Millis::hours(1);
/// How close it must come before it is read on.
pub const AHEAD_RESUME: Millis = Millis::minutes(30);
/// Rows of open panes of a lane above which topics that are ahead are held at once. The topic that it waits for never is:
/// its open rows are as many as come within the lateness and a tick. Few in tests, so that they meet it.
pub const OPEN_ROWS_HOLD: usize = if cfg!(test) { 600 } else { 500_000 };
/// Rows of open panes above which a lane whose ticks are due closes those before it reads on: what is read earlier only
/// takes room. Few in tests, so that they meet it.
pub const OPEN_ROWS_DUE: usize = if cfg!(test) { 60 } else { 32_768 };
/// How few they must be before it does while ticks are still due.
pub const OPEN_ROWS_RESUME: usize = OPEN_ROWS_DUE / 2;
/// Lanes that are computed at the same time, at most.
pub const WORKERS_MAX: usize = 16;
/// How far a broker's clock may be ahead of ours.
pub const BROKER_AHEAD_MAX: Millis = Millis::minutes(5);
/// Two looks at a topic that lie further apart are no silence in between: the process was held up or stopped.
pub const LISTEN_GAP_MAX: Millis = Millis::seconds(10);
/// For how long a word of `rekey` that it keeps up counts.
pub const REKEY_SILENT_MAX: Millis = Millis::seconds(20);
/// How often an idle reference feed is asked for news.
pub const REFERENCE_POLL: Millis = Millis::seconds(1);
/// After how long it is said what a lane waits for.
pub const SHARES_WARN: Millis = Millis::minutes(1);
/// How long a lane rests that could not be opened or committed before it is opened again.
pub const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// How long a process that is told to stop goes on for the sake of such a lane.
pub const STOP_MAX: Duration = Duration::from_secs(15);
/// How long a lane rests that was fenced and is still ours: longer than a group takes to notice whose it is.
pub const FENCED_PAUSE: Duration = if cfg!(test) { Duration::from_millis(200) } else { Duration::from_secs(60) };
/// How often it is opened again without having committed anything; then the process ends and says why.
pub const REOPENS_MAX: u32 = 30;

const _: () = assert!(REOPEN_PAUSE.as_secs() < STOP_MAX.as_secs(), "a lane is opened again before that ends");
const _: () = assert!(AHEAD_RESUME.0 < AHEAD_MAX.0);
const _: () = assert!(OPEN_ROWS_DUE < OPEN_ROWS_HOLD);
