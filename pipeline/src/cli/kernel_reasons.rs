//! `--kernel-reasons`, and the hidden subcommand that tidies up after it.

use anyhow::{Context, Result};
use clap::Args;
use rustix::thread::CapabilitySet;

use super::exit::Outcome;
use super::privilege;
use crate::live::tracepoint::keeper;

/// What the kernel is asked.
#[derive(Args, Debug)]
pub struct KernelReasons {
    /// Put the kernel's own reason, and the process, on the resets that this host sends; the
    /// verdicts stay as they are. Takes Linux 6.10, tracefs and root.
    #[arg(long)]
    pub kernel_reasons: bool,
}

/// Arguments of `keep-trace-instance`.
#[derive(Args, Debug)]
pub struct Keep {
    /// The process whose trace instance is to be removed when standard input ends.
    #[arg(value_name = "PID")]
    pub number: u32,
}

/// Runs `keep-trace-instance`, without any privilege but that to remove it.
pub(super) fn keep(args: &Keep) -> Result<Outcome> {
    privilege::keep_only(CapabilitySet::DAC_OVERRIDE)?;
    keeper::keep(args.number).context("cannot remove the trace instance")?;
    Ok(Outcome::Done)
}
