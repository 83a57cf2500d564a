//! The command line: what was typed becomes a plan, the plan is run, the outcome an exit code.

mod analyze;
pub mod args;
pub mod bench;
pub mod colour;
pub mod dashboard;
mod dpdk;
mod exit;
mod explain;
pub mod files;
pub mod kernel_reasons;
pub mod log;
pub mod manual;
pub mod monitor;
mod output;
mod place;
pub mod privacy;
mod privilege;
mod progress;
pub mod report;
pub mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use log::Log;

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { command, log } = Cli::parse();
    let log = Log::start(log);
    exit::code(match command {
        Command::Analyze(args) => analyze::analyze(&args, &log),
        Command::Bench(args) => bench::bench(&args),
        Command::Explain(args) => explain::explain(&args, &log),
        Command::Monitor(args) => monitor::monitor(*args, &log),
        Command::KeepTraceInstance(args) => kernel_reasons::keep(&args),
        Command::Man(args) => manual::man(&args),
        Command::Completions(args) => manual::completions(&args),
    })
}
