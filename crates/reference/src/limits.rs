//! The limits of reference data. A row beyond one is rejected and counted.

use base::Millis;

/// Bytes of one row.
pub const ROW_BYTES_MAX: usize = 64 << 10;

/// Other names of one member of staff.
pub const NAMES_MAX: usize = 32;

/// Bytes of a text that is kept as it came (role, unit, shift, insurer).
pub const TEXT_BYTES_MAX: usize = 128;

/// Characters of a pseudonym after its kind and key id.
pub(crate) const PSEUDONYM_CHARS: usize = 26;

/// Versions of rows kept in memory, of all kinds together.
pub const VERSIONS_MAX: usize = 20_000_000;

/// Distinct texts and pseudonyms kept in memory.
pub const SYMBOLS_MAX: usize = 40_000_000;

/// How long before it begins an appointment is a reason already: charts are read the day before.
pub const APPOINTMENT_AHEAD: Millis = Millis::hours(24);

/// A relation the accessing user wrote less than this before the access, or after it, explains nothing by itself.
pub const SELF_AUTHORED_WITHIN: Millis = Millis::hours(24);

const _: () = assert!(SYMBOLS_MAX < u32::MAX as usize);
