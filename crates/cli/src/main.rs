//! The `chartwarden` binary: wires real parts, serves HTTP, reads process configuration, prints.
//!
//! It holds no logic of its own: what is computed is computed in the crates behind it. Read next: `commands.rs`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;
mod keys;
mod logging;
mod memory;
mod recorder;
mod report;
mod town;
mod training;

use commands::{record, train};

/// Lanes are computed on threads that come and go, and panes outlive them: measured 2x faster than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Watches who opens which patient's chart: finds insider breaches, says why, and seals every finding.
#[derive(Debug, Parser)]
#[command(name = "chartwarden", version, propagate_version = true)]
struct Cli {
    /// Log as JSON lines.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a pipeline over a simulated hospital in memory and keep its features.
    Record(record::Arguments),
    /// Train a model from recorded features and truth.
    Train(train::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = match &cli.command {
        Command::Record(_) | Command::Train(_) => "warn",
    };
    logging::start(level, cli.log_json);
    let result = match &cli.command {
        Command::Record(arguments) => record::run(arguments),
        Command::Train(arguments) => train::run(arguments),
    };
    ExitCode::from(report::exit(result))
}
