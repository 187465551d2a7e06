//! What the benches share: alternatives measured side by side, and a hospital in memory to measure them on.
//!
//! Under `cargo bench` a bench is real; under `cargo test` it is tiny and checks results only. No check looks at a
//! duration. Read next: `harness.rs`, `world.rs`, `memory.rs`, `place.rs`.

pub mod bare;
pub mod harness;
pub mod memory;
pub mod place;
pub mod world;
