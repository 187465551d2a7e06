//! Who asked: a line for each answer, on disk before anything is told.
//!
//! It names whoever asked, and never whom a pseudonym stands for. It is for those who keep to this program: who can read the
//! key can compute pseudonyms without it, and who owns the file can change it. Read next: `who.rs`.

use std::path::Path;

use anyhow::Result;
use base::Timestamp;
use nix::unistd::{Uid, User};
use serde::Serialize;

use crate::private;

/// An answer, as it is recorded.
#[derive(Serialize)]
struct Line<'a> {
    /// UTC.
    time: &'a str,
    #[serde(flatten)]
    asker: &'a Asker,
    /// A pseudonym, or the beginning of one.
    asked: &'a str,
    /// How many names are told.
    told: usize,
}

/// Who runs this process, as the operating system knows it.
#[derive(Serialize)]
struct Asker {
    user: Option<String>,
    uid: u32,
    /// Whoever logged in, which stays the same behind `sudo`; absent where the system does not keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    login_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_uid: Option<u32>,
}

impl Asker {
    fn of_this_process() -> Self {
        let (uid, login_uid) = (Uid::current().as_raw(), login_uid());
        Self { user: name_of(uid), uid, login_user: login_uid.and_then(name_of), login_uid }
    }
}

/// Records what was asked, and how many names each answer tells, behind what stands in the file.
///
/// # Errors
/// If it cannot be written to the disk; then nothing may be told.
pub(super) fn record(path: &Path, answers: &[(&str, usize)], now: Timestamp) -> Result<()> {
    let (time, asker) = (engine::when(now), Asker::of_this_process());
    let mut text = String::new();
    for (asked, told) in answers {
        let line = Line { time: &time, asker: &asker, asked, told: *told };
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    private::append(path, &text)
}

fn login_uid() -> Option<u32> {
    /// That nobody logged in, as in a service or a container.
    const NOBODY: u32 = u32::MAX;
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|uid| *uid != NOBODY)
}

fn name_of(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}
