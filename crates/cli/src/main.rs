//! The `chartwarden` binary: wires real parts, serves HTTP, reads process configuration, prints.
//!
//! It holds no logic of its own: what is computed is computed in the crates behind it. Read next: `commands.rs`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod anchor;
mod archivers;
mod cases;
mod casework;
mod cluster;
mod commands;
mod elapsed;
mod http;
mod keys;
mod logging;
mod memory;
mod private;
mod recorder;
mod report;
mod shipped;
mod town;
mod training;
mod view;
mod voice;
mod watching;

use commands::{
    check, columns, demo, evaluate, explain, ledger as log, record, rekey, replay, run, simulate, topics, train,
    upgrade, who,
};

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
    /// See it work: four weeks of a synthetic hospital, start to finish.
    Demo(demo::Arguments),
    /// Run a pipeline on a Kafka cluster.
    Run(run::Arguments),
    /// Compute an archive's findings again.
    Replay(replay::Arguments),
    /// Check a pipeline without starting it; every problem is reported at once.
    Check(check::Arguments),
    /// List the columns that a pipeline's SQL can use, and its features.
    Columns(columns::Arguments),
    /// Compare a pipeline's topics with what they must be; create and set them.
    Topics(topics::Arguments),
    /// Write a copy of topics that is keyed by user, for a pipeline to read.
    Rekey(rekey::Arguments),
    /// Let a changed pipeline go on where the former one stood.
    Upgrade(upgrade::Arguments),
    /// Tell a finding in words.
    Explain(explain::Arguments),
    /// Say whose pseudonyms these are, with the key and the ids they may stand for, and keep who asked.
    Who(who::Arguments),
    /// Check and show ledgers and receipts, offline.
    #[command(subcommand)]
    Ledger(log::Arguments),
    /// Write a synthetic hospital as files.
    Simulate(simulate::Arguments),
    /// Run a pipeline over a simulated hospital in memory and keep its features.
    Record(record::Arguments),
    /// Train a model from recorded features and truth.
    Train(train::Arguments),
    /// What so many cases a day catch, on recorded houses with their truth.
    Evaluate(evaluate::Arguments),
}

fn main() -> ExitCode {
    report::end_on_panic();
    let cli = Cli::parse();
    let level = if matches!(cli.command, Command::Run(_) | Command::Rekey(_)) { "info" } else { "warn" };
    logging::start(level, cli.log_json);
    let result = match &cli.command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Columns(arguments) => columns::run(arguments),
        Command::Topics(arguments) => topics::run(arguments),
        Command::Rekey(arguments) => rekey::run(arguments),
        Command::Upgrade(arguments) => upgrade::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Who(arguments) => who::run(arguments),
        Command::Ledger(arguments) => log::run(arguments),
        Command::Simulate(arguments) => simulate::run(arguments),
        Command::Record(arguments) => record::run(arguments),
        Command::Train(arguments) => train::run(arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
    };
    ExitCode::from(report::exit(result))
}
