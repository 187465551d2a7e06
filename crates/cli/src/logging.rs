//! The log: lines on standard error, quiet unless asked. Logs never hold what identifies a person.
//!
//! Read next: `main.rs`.

use tracing_subscriber::EnvFilter;

/// Starts the log. `CHARTWARDEN_LOG` (as in `info` or `kafka=debug`) wins over the command's own level.
pub(crate) fn start(level: &str, json: bool) {
    let filter = EnvFilter::try_from_env("CHARTWARDEN_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr())
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // A line that cannot be written, as on a full disk, is lost; told on standard error it would end the process.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .log_internal_errors(false);
    let started = if json { log.json().try_init() } else { log.try_init() };
    // A log that is already there (in tests) is good enough.
    drop(started);
}
