//! Every bound of this crate, by name.

/// Fewest staff: below this a unit would have nobody to hand over to.
pub(crate) const STAFF_MIN: u32 = 60;
/// Most staff one hospital may have.
pub(crate) const STAFF_MAX: u32 = 20_000;
/// Longest stream, in days.
pub(crate) const DAYS_MAX: u32 = 730;
/// Incidents per 1,000 staff per 28 days at most; more would leave no innocent to compare with.
pub(crate) const INCIDENT_RATE_MAX: f64 = 400.0;
/// The weight of a kind of incidents at most.
pub const WEIGHT_MAX: f64 = 1e6;
/// Fewest days an incident needs between the first allowed day and the end of the stream.
pub(crate) const INCIDENT_DAYS_MIN: u32 = 3;
/// Days of patient flow before the start, so that wards are full and yesterday's reasons exist.
pub(crate) const WARM_UP_DAYS: i32 = 21;
/// How long an ended stay is remembered for coders, follow-ups and bills.
pub(crate) const STAY_MEMORY_DAYS: i64 = 14;
/// How far ahead appointments are made, in days.
pub(crate) const APPOINTMENT_AHEAD_DAYS: i32 = 7;
/// People in town per member of staff.
pub(crate) const PERSONS_PER_STAFF: usize = 50;
/// Least and most events per chart open, as a factor on the usual number.
pub(crate) const VERBOSITY: (f64, f64) = (0.2, 5.0);

const _: () = assert!(WARM_UP_DAYS > APPOINTMENT_AHEAD_DAYS);
const _: () = assert!(STAY_MEMORY_DAYS < WARM_UP_DAYS as i64);
