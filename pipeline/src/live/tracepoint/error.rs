//! What can keep the kernel from telling its reasons.

use std::io;
use std::path::PathBuf;

/// Why the tracepoint cannot be attached to.
#[derive(Debug, thiserror::Error)]
pub enum TracepointError {
    /// tracefs is not where it belongs.
    #[error(
        "--kernel-reasons needs tracefs: run `sudo mount -t tracefs tracefs /sys/kernel/tracing` \
         on the host"
    )]
    NotMounted,
    /// tracefs does not let this process in.
    #[error(
        "--kernel-reasons needs tracefs, which is root's: start the program with sudo, or run \
         `sudo setcap cap_net_raw,cap_dac_override+ep {}` once; in a container it takes a \
         privileged one",
        program.display()
    )]
    Permission {
        /// The program's file.
        program: PathBuf,
    },
    /// tracefs is there to be read only.
    #[error(
        "--kernel-reasons has to write to tracefs, which is mounted read-only here: in a systemd \
         unit set ProtectKernelTunables=no, in a container mount it for writing"
    )]
    ReadOnly,
    /// The tracepoint is not there.
    #[error(
        "--kernel-reasons needs the tracepoint tcp:tcp_send_reset, which this kernel lacks: boot \
         Linux 6.10 or later, built with CONFIG_FTRACE and event tracing"
    )]
    NoTracepoint,
    /// The tracepoint has no reason.
    #[error(
        "--kernel-reasons needs Linux 6.10 or later: the tracepoint tcp:tcp_send_reset of this \
         kernel does not tell reasons"
    )]
    NoReason,
    /// The system answered a step with an error.
    #[error("--kernel-reasons: cannot {doing} {}", path.display())]
    Step {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The process that removes the instance could not be started.
    #[error("--kernel-reasons: cannot start the process that tidies up (it needs /proc)")]
    Keeper(#[source] io::Error),
}
