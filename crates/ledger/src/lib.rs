//! An append-only Merkle log over opaque bytes: entries, tiles, checkpoints, receipts, verification.
//!
//! The log is static files as the C2SP documents tlog-tiles, tlog-checkpoint, signed-note and tlog-proof lay
//! them down (<https://c2sp.org>), over any object store; a local directory by default. An entry shows the world
//! a salted commitment only. What opens it, the [`Opening`], lies in a confidential directory of its own.
//! This crate knows nothing of events and of findings, reads no clock and draws no randomness: both are handed in.
//!
//! Read next: `ledger.rs` for the one writer and its durable steps, `receipt.rs` for what an auditor checks offline,
//! `verify.rs` for the walk over a whole directory.

mod bundle;
mod checkpoint;
mod entry;
mod error;
mod file;
mod head;
mod key;
mod ledger;
pub mod limits;
mod opening;
mod openings;
mod path;
mod proof;
mod receipt;
mod seal;
mod store;
#[cfg(test)]
mod testing;
mod tiles;
mod tree;
mod verify;

pub use checkpoint::Checkpoint;
pub use entry::{Entry, EntryContent, EntryKind, GrammarError};
pub use error::{Error, Result};
pub use file::read_file;
pub use key::{SigningKey, VerifierKey};
pub use ledger::{Appended, Ledger, Submission};
pub use opening::{Opening, commitment};
pub use path::{BadPath, Resource};
pub use proof::{BadProof, TlogProof};
pub use receipt::{Erasure, Receipt, ReceiptReport, Verdict, verify_receipt};
pub use store::Place;
pub use verify::{DirectoryReport, Held, verify_directory};
