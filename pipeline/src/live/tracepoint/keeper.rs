//! A process that outlives this one, just long enough to remove its trace instance.
//!
//! Removing takes privileges that the monitor gives up, and has to happen also when the monitor is
//! killed. So a second process of this program waits on a pipe whose other end the monitor holds:
//! the kernel closes that, however the monitor ends. It has a process group of its own and lets
//! signals pass, so that neither Ctrl-C nor a service manager that signals all processes of a
//! service ends it too early.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::instance;

/// The name of the hidden subcommand that calls [`keep`].
pub const SUBCOMMAND: &str = "keep-trace-instance";

/// The kernel closes the files of a killed process one after the other: the pipe to here may be
/// gone before the instance is free.
const PATIENCE: Duration = Duration::from_secs(5);

const ROUND: Duration = Duration::from_millis(10);

/// The process, seen from the monitor. Dropping it has the instance removed.
pub struct Keeper(Child);

impl Keeper {
    /// Starts it for the instance of process `number`.
    pub(super) fn start(number: u32) -> io::Result<Self> {
        Command::new("/proc/self/exe")
            .arg0("resetscope")
            .args([SUBCOMMAND, &number.to_string()])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map(Self)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Whoever looks after this program has ended finds no instance.
        let _ = self.0.wait();
    }
}

/// What it does: waits until its standard input ends, then removes the instance of process `number`,
/// if there is one. It has nothing to say on which instance else: the name is made here.
///
/// # Errors
/// When the instance cannot be removed.
pub fn keep(number: u32) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    let path = instance::path(number);
    let begun = Instant::now();
    loop {
        match fs::remove_dir(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ResourceBusy && begun.elapsed() < PATIENCE => {
                thread::sleep(ROUND);
            }
            result => return result,
        }
    }
}
