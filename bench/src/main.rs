//! The `resetscope-bench` program: measurements that are no criterion benches.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
