//! The binary as a new user meets it: what it prints, what it says when used wrongly, and its exit codes.
//!
//! 0 done, 1 the answer is no, 2 wrong usage or configuration, 3 the environment. Errors have three lines: what, where,
//! what to try.

mod crowd;
mod files;
mod ledger;
mod usage;
