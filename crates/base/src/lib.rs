//! Words shared by every crate: error kinds, time, digests, seeds, maps.
//!
//! Owns no I/O except reading the one real clock. An item stands here only when three crates need it.
//! Read next: `events`, where a Kafka record becomes a security event.

mod clock;
mod digest;
mod guard;
mod kind;
mod map;
mod seed;
mod time;

pub use clock::{Clock, SystemClock};
pub use digest::{Digest, ParseDigestError};
pub use guard::{guarded, is_guarded};
pub use kind::Kind;
pub use map::{FastMap, FastSet};
pub use seed::Seed;
pub use time::{Millis, ParseMillisError, Timestamp};
