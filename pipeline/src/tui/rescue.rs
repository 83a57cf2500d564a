//! Gives the terminal back when a signal ends the program at once, with a dashboard still on the
//! screen: there is no time to wait for the thread that draws it.

#![expect(unsafe_code, reason = "a signal handler may do only what its author has made sure of")]

use std::io::{self, IsTerminal};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::register;

/// Back from the alternate screen, and the cursor shown (xterm's control sequences, DECRST 1049 and
/// DECSET 25).
const GIVE_BACK: &[u8] = b"\x1b[?1049l\x1b[?25h";

/// The longest wait for a terminal that takes no output, in nanoseconds.
const PATIENCE_NS: i64 = 100_000_000;

/// A dashboard is on the screen.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// How the terminal was before the first dashboard.
static BEFORE: OnceLock<Termios> = OnceLock::new();

/// The screen is about to be taken.
pub(super) fn taken() {
    if let Ok(attributes) = tcgetattr(keyboard()) {
        // Only a second dashboard finds it set, and to the same.
        let _ = BEFORE.set(attributes);
    }
    TAKEN.store(true, Ordering::SeqCst);
}

/// The screen has been given back.
pub(super) fn given_back() {
    TAKEN.store(false, Ordering::SeqCst);
}

/// Lets SIGINT and SIGTERM give the terminal back if `stop` is set already, which is to be done
/// before they end the program for that: register this first.
///
/// # Errors
/// When the system refuses the handler.
pub(crate) fn on_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        let stop = Arc::clone(stop);
        let act = move || {
            if stop.load(Ordering::SeqCst) && TAKEN.load(Ordering::SeqCst) {
                rescue();
            }
        };
        // SAFETY: the handler loads atomics and makes the system calls poll, write and ioctl (that
        // of tcsetattr), which signal-safety(7) allows; it takes no lock, allocates nothing and
        // does not panic. `errno` may change, but the program ends behind it.
        unsafe { register(signal, act) }?;
    }
    Ok(())
}

/// Must do no more than a signal handler may.
fn rescue() {
    let mut ready = [PollFd::from_borrowed_fd(stdout(), PollFlags::OUT)];
    let patience = Timespec { tv_sec: 0, tv_nsec: PATIENCE_NS };
    // A terminal that was halted would keep the program from ending.
    if poll(&mut ready, Some(&patience)).is_ok_and(|ready| ready > 0) {
        let _ = rustix::io::write(stdout(), GIVE_BACK);
    }
    if let Some(before) = BEFORE.get() {
        let _ = tcsetattr(keyboard(), OptionalActions::Now, before);
    }
}

/// The terminal that keys come from: where raw mode is set.
fn keyboard() -> BorrowedFd<'static> {
    if io::stdin().is_terminal() { stdin() } else { stdout() }
}
