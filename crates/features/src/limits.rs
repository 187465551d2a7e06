//! Every limit of this crate, in one place.

use base::Millis;

/// Days of results a baseline may look back on.
pub const BASELINE_DAYS_MAX: u32 = 90;
/// Days of what lanes shared that are kept beyond those a baseline looks back on: no lane can be so far behind another.
pub const SHARED_DAYS_SPARE: u32 = 5;
/// How far a watch may look back: all of it is kept in steps.
pub const WATCH_SIZE_MAX: Millis = Millis::days(7);
/// Bytes of what a lane tells a watch in one record; few in tests, so that they meet it.
pub const CROSSING_BYTES_MAX: usize = if cfg!(test) { 512 } else { 4 << 20 };
/// Steps in which nothing happened before a lane of watches closes them: until then it would read them again.
pub const WATCH_EMPTY_STEPS_MAX: usize = 12;
/// Rows of steps that wait for lanes which have not spoken of them; few in tests, so that they meet it. What is more is
/// read again when its turn comes.
pub const WATCH_WAITING_ROWS_MAX: usize = if cfg!(test) { 5 } else { 2_000_000 };
/// How far lanes may lie apart when what watches are told must be repeated after an upgrade.
pub const WATCH_SPREAD_MAX: Millis = Millis::days(7);
/// How long a value counts as seen before, at most.
pub const SEEN_HORIZON_MAX: Millis = Millis::days(365);
/// A pause after which a user's next access begins a new session.
pub const SESSION_GAP: Millis = Millis::minutes(30);
/// A pause after which a user's next event begins a new stretch of work.
pub const WORK_PAUSE: Millis = Millis::hours(4);
/// How far the shift of the last day of employment may run over midnight.
pub const LAST_SHIFT_MAX: Millis = Millis::hours(10);
/// How long after an odd sign-in accesses count as following it.
pub const ODD_SIGN_IN_REACH: Millis = Millis::hours(12);
/// Two workstations within this span are two places at once.
pub const TWO_PLACES_SPAN: Millis = Millis::minutes(5);
/// How long after an access elsewhere going on in an older session is going back.
pub const TWO_SESSIONS_SPAN: Millis = Millis::hours(1);
/// How long a session lasts at a workstation: a long shift.
pub const SESSION_OPEN: Millis = Millis::hours(13);
/// Workstations a user signed in at that are remembered.
pub const DESKS_MAX: usize = 8;
/// Denied pushes within this span before a success are MFA fatigue.
pub const DENIAL_SPAN: Millis = Millis::minutes(10);
/// Denied pushes of one user that are remembered within that span.
pub const DENIALS_MAX: usize = 1_000;
/// How long a lane remembers when it first and last heard of a user who has been at work.
pub const FACTS_KEPT: Millis = SEEN_HORIZON_MAX;
/// The same of a name that has only failed to sign in.
pub const STRANGERS_KEPT: Millis = Millis::days(30);
/// Patients a user charted for that are remembered, newest first, within the grace.
pub const CHARTED_MAX: usize = 64;
/// Days a user must be known before a first appearance means anything.
pub const KNOWN_DAYS_MIN: i64 = 14;
/// Rows of a scoring step that are aggregated before it ends; few in tests, so that they meet it.
pub const STEP_ROWS_MAX: usize = if cfg!(test) { 6 } else { 16_384 };

const _: () = assert!(
    STRANGERS_KEPT.0 > ODD_SIGN_IN_REACH.0 && STRANGERS_KEPT.0 > WORK_PAUSE.0 && STRANGERS_KEPT.0 <= FACTS_KEPT.0
);
const _: () = assert!(DENIAL_SPAN.0 <= SESSION_GAP.0 && TWO_PLACES_SPAN.0 <= SESSION_GAP.0);
const _: () = assert!(TWO_PLACES_SPAN.0 <= TWO_SESSIONS_SPAN.0 && TWO_SESSIONS_SPAN.0 <= SESSION_OPEN.0);
