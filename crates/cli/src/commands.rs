//! The commands: one file each. They wire real parts and print; what is computed is computed elsewhere.
//!
//! Read next: `commands/demo.rs`, which uses nearly every part.

pub(crate) mod check;
pub(crate) mod columns;
pub(crate) mod demo;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod ledger;
pub(crate) mod record;
pub(crate) mod rekey;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod simulate;
pub(crate) mod topics;
pub(crate) mod train;
pub(crate) mod upgrade;
pub(crate) mod who;
