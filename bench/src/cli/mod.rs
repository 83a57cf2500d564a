//! The command line: one subcommand a measurement.

mod generate;
mod rate;
mod score;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures resetscope.
#[derive(Debug, Parser)]
#[command(name = "resetscope-bench", version, about, arg_required_else_help = true)]
struct Cli {
    /// What to measure.
    #[command(subcommand)]
    command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
enum Command {
    // Doc comments here would displace the long help of the arguments.
    Generate(generate::Generate),
    Score(score::Score),
    Rate(rate::Rate),
}

/// Runs the program with the process's arguments. Exit codes: 0 measured, 1 could not, 2 usage.
pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Generate(args) => generate::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Rate(args) => rate::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads along has seen enough, as `head` does: that is success.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(usage) = error.downcast_ref::<clap::Error>() {
                usage.exit();
            }
            eprintln!("resetscope-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io_error = cause.downcast_ref::<io::Error>();
        io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
