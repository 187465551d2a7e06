//! What a person sees: lines on standard output, three-line errors on standard error, exit codes.
//!
//! Must never decide anything. Exit codes: 0 done, 1 the answer is no, 2 wrong usage or configuration, 3 the
//! environment, 70 our bug. Read next: `commands.rs`.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::OnceLock;

use base::Kind;
use comfy_table::{ContentArrangement, Table};

/// Why something that was to go to standard output is lost, the first time. [`exit`] tells of it.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// How this program was called, so that a command that is shown can be pasted.
pub(crate) fn program() -> String {
    std::env::args().next().filter(|name| !name.is_empty()).unwrap_or_else(|| "chartwarden".to_owned())
}

/// Writes a line to standard output. A reader that went away is no reason to fail; where anything else stops it, the
/// process ends with 3 once the command is done.
pub(crate) fn line(text: impl fmt::Display) {
    write_out(&printable(&text.to_string()));
}

/// Writes a line to standard error.
pub(crate) fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(&text.to_string()));
}

/// Writes JSON as a line to standard output. Letters that a terminal obeys are escaped, which leaves it the same JSON.
pub(crate) fn json_line(text: impl fmt::Display) {
    write_out(&escaped(&text.to_string()));
}

fn write_out(text: &str) {
    let written = writeln!(io::stdout().lock(), "{text}");
    if let Err(error) = unless_unread(written) {
        // It is the first one that tells why.
        let _ = LOST.set(error);
    }
}

/// What was written, or that its reader went away.
fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Fails if anything that was to go to standard output did not get there.
fn all_written() -> anyhow::Result<()> {
    let flushed = unless_unread(io::stdout().lock().flush()).err();
    let Some(error) = LOST.get().or(flushed.as_ref()) else { return Ok(()) };
    let hint = "what was printed is not all there: make room where it goes, and run the command again";
    Err(Failure::unavailable(format!("standard output cannot be written: {error}")).hint(hint).into())
}

fn escaped(json: &str) -> String {
    shown(json, |letter| format!("\\u{:04x}", u32::from(letter)))
}

/// Text from files and topics may hold what a terminal obeys or what turns the order of letters round: that is shown, not
/// done.
fn printable(text: &str) -> String {
    shown(text, |letter| letter.escape_unicode().to_string())
}

fn shown(text: &str, escape: impl Fn(char) -> String) -> String {
    let obeyed = |letter: char| {
        (letter.is_control() && letter != '\n' && letter != '\t')
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if obeyed(letter) {
            shown.push_str(&escape(letter));
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Lets a table fill the terminal. A console that does not tell its size says 0, and nobody reads a letter a line.
pub(crate) fn fit(table: &mut Table) {
    const NARROWEST: u16 = 60;
    const USUAL: u16 = 100;
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if table.width().is_some_and(|width| width < NARROWEST) {
        table.set_width(USUAL);
    }
}

/// Something that failed, told in three lines: what, where, what to try.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    what: String,
    at: Option<String>,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), at: None, hint: None }
    }

    /// Wrong usage or configuration.
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, what)
    }

    /// The environment is not ready.
    pub(crate) fn unavailable(what: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, what)
    }

    pub(crate) fn at(mut self, at: impl fmt::Display) -> Self {
        self.at = Some(at.to_string());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}

impl std::error::Error for Failure {}

/// A file or directory that cannot be used, with the path in the text.
pub(crate) fn disk(path: &std::path::Path, error: &std::io::Error) -> anyhow::Error {
    let failure = Failure::unavailable(error.to_string()).at(path.display());
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::invalid("no such file or directory").at(path.display()).hint("check the path").into()
        }
        // Nothing that waiting mends.
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::IsADirectory | std::io::ErrorKind::AlreadyExists => {
            let hint = "check the path: a folder stands where a file is meant, or a file where a folder is";
            Failure::invalid(error.to_string()).at(path.display()).hint(hint).into()
        }
        std::io::ErrorKind::InvalidInput => {
            let hint = "check the path: a plain file is meant; what a pipe gives can be written to one first";
            Failure::invalid(error.to_string()).at(path.display()).hint(hint).into()
        }
        std::io::ErrorKind::InvalidData => {
            let hint = "check the path: a text file is meant; what stands in another encoding can be saved as UTF-8";
            Failure::invalid("the file is not text (UTF-8)").at(path.display()).hint(hint).into()
        }
        std::io::ErrorKind::PermissionDenied => failure.hint("check who owns it and its mode").into(),
        _ => failure.hint("check that the disk is there and has room").into(),
    }
}

/// What a command answers when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done, or yes.
    Yes,
    /// Verification failed, cases differ, nothing found.
    No,
}

/// Prints the error, if there is one, and gives the exit code. An answer that did not get out is none.
pub(crate) fn exit(result: anyhow::Result<Answer>) -> u8 {
    match result.and_then(|answer| all_written().map(|()| answer)) {
        Ok(Answer::Yes) => 0,
        Ok(Answer::No) => 1,
        Err(error) => {
            note(told(&error));
            kind(&error).exit_code()
        }
    }
}

/// From now on a panic in any thread ends the process at once, with 70. Others may wait for that thread for ever, and going
/// on could seal a false entry; nothing that is durable depends on an orderly end. What a library makes of bad input is
/// caught where that is read.
pub(crate) fn end_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if base::is_guarded() {
            return;
        }
        usual(panic);
        let bug = Failure::new(Kind::Bug, "a step that cannot fail has failed");
        std::process::exit(exit(Err(bug.into())).into());
    }));
}

/// The text of an error: what, where, what to try.
fn told(error: &anyhow::Error) -> String {
    if let Some(problems) = problems(error) {
        return problems.to_string();
    }
    let (at, hint) = own_words(error);
    let hint = hint.or_else(|| usual_hint(kind(error)));
    let mut text = format!("error: {}", what(error));
    if let Some(at) = at {
        text.push_str(&format!("\n   at: {at}"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("\n hint: {hint}"));
    }
    text
}

/// Where it failed and what to try, as far as the error says so itself.
pub(crate) fn own_words(error: &anyhow::Error) -> (Option<&str>, Option<&str>) {
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    failure.map_or((None, None), |failure| (failure.at.as_deref(), failure.hint.as_deref()))
}

/// What failed and why, as one sentence.
pub(crate) fn what(error: &anyhow::Error) -> String {
    let mut what = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Many error types repeat their source in their own text.
        if what.is_empty() {
            what = cause;
        } else if !what.contains(cause.as_str()) {
            what = format!("{what}: {cause}");
        }
    }
    what
}

fn usual_hint(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Invalid => None,
        Kind::Unavailable => Some("nothing is lost: try again once it is there"),
        Kind::Corrupt => Some("do not go on: keep the files as they are and find out who changed them"),
        Kind::Bug => Some("this is our fault: please report it with the lines above"),
    }
}

fn problems(error: &anyhow::Error) -> Option<&engine::Problems> {
    error.chain().find_map(|cause| {
        cause.downcast_ref::<engine::Problems>().or_else(|| match cause.downcast_ref::<engine::Error>() {
            Some(engine::Error::Pipeline(problems)) => Some(problems),
            _ => None,
        })
    })
}

/// What to do about an error.
pub(crate) fn kind(error: &anyhow::Error) -> Kind {
    error.chain().find_map(kind_of).unwrap_or(Kind::Bug)
}

fn kind_of(cause: &(dyn std::error::Error + 'static)) -> Option<Kind> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some(failure.kind);
    }
    if cause.is::<engine::Problems>() {
        return Some(Kind::Invalid);
    }
    if cause.is::<std::io::Error>() {
        return Some(Kind::Unavailable);
    }
    let known = cause.downcast_ref::<engine::Error>().map(engine::Error::kind);
    let known = known.or_else(|| cause.downcast_ref::<engine::ports::PortError>().map(engine::ports::PortError::kind));
    let known = known.or_else(|| cause.downcast_ref::<ledger::Error>().map(ledger::Error::kind));
    let known = known.or_else(|| cause.downcast_ref::<findings::Error>().map(findings::Error::kind));
    let known = known.or_else(|| cause.downcast_ref::<risk::Error>().map(risk::Error::kind));
    let known = known.or_else(|| cause.downcast_ref::<hospital::Error>().map(hospital::Error::kind));
    let known = known.or_else(|| cause.downcast_ref::<archive::Error>().map(archive::Error::kind));
    known.or_else(|| cause.downcast_ref::<events::Error>().map(events::Error::kind))
}

#[cfg(test)]
mod tests;
