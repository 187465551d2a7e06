//! The commands: one file each. They wire real parts and print; what is computed is computed elsewhere.
//!
//! Read next: `commands/demo.rs`, which uses nearly every part.

pub(crate) mod record;
pub(crate) mod train;
