//! The command line: what was typed becomes a plan, the plan is run, the outcome an exit code.

mod analyze;
pub mod args;
pub mod bench;
mod dpdk;
mod exit;
mod explain;
pub mod files;
pub mod kernel_reasons;
pub mod monitor;
mod output;
pub mod privacy;
mod privilege;
pub mod report;
pub mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Analyze(args) => exit::code(analyze::analyze(&args)),
        Command::Bench(args) => exit::code(bench::bench(&args)),
        Command::Explain(args) => exit::code(explain::explain(&args)),
        Command::Monitor(args) => exit::code(monitor::monitor(*args)),
        Command::KeepTraceInstance(args) => exit::code(kernel_reasons::keep(&args)),
    }
}
