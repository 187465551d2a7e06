//! The product as it runs in a hospital: real processes on a real broker, killed, stopped and moved from outside.
//!
//! What every case is held against: a clean run of the same input on a broker of its own, byte for byte, or the
//! replay of the case's own archive. Every case has its own broker. Read next: `stage.rs`, `oracle.rs`.

mod chaos;
mod faults;
mod guarded;
mod load;
mod oracle;
mod replayed;
mod speech;
mod stage;
mod surroundings;
mod upgraded;
