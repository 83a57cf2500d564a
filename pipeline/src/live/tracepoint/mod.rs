//! The kernel's own account of the resets that this host sends: `tcp:tcp_send_reset`.
//!
//! Since Linux 6.10 that tracepoint names the reason. It is read as text through tracefs, which
//! takes no compiler and no loader: `instance` makes a trace instance of its own, so that nobody
//! else's tracing is touched, a `reader` thread takes its lines off, `line` reads one, and
//! [`accounts::Accounts`] keeps them until the event comes out that they belong to, seconds later.
//! No worker knows of any of it.
//!
//! **Which event.** The one whose sender and receiver the kernel names, if its first RST was stamped
//! 0.05 ms before to 100 ms after the kernel decided to send it (it may have waited in a queueing
//! discipline). A listening socket's resets are named by the socket, without a receiver: they go
//! with resets from that port up to 1 ms later. Each account goes with one event. The tracepoint
//! fires for all network namespaces of the host; addresses, ports and time decide, so two
//! namespaces with the same addresses may be taken for each other. Behind address translation the
//! tap sees other addresses than the socket, and nothing is found.
//!
//! **Clocks.** The instance stamps with `tai`: that is the wall clock, by which frames are stamped,
//! plus a whole number of seconds. Nothing drifts, and a step of the wall clock is in both.
//!
//! **Who.** The kernel notes the thread that was running. When a reset answers a packet that is
//! whoever the packet interrupted; it means something only if the socket was there and the thread
//! itself was at work on it (closing it, or ending).
//!
//! **Privileges.** Opening takes root, or CAP_DAC_OVERRIDE; reading the open file takes nothing.
//! Removing the instance takes them again, long after they were given up, and even if this process
//! is killed. So before they go a small process is started that keeps nothing else and does
//! nothing but wait for this one to end, see [`keeper`]. What remains if both are killed, the next
//! start takes away.

pub mod accounts;
pub mod error;
mod instance;
pub mod keeper;
mod line;
mod reader;

use std::sync::Arc;

use accounts::Accounts;
use error::TracepointError;
use instance::Pipe;
use keeper::Keeper;
use reader::Reader;

/// The tracepoint, attached. Dropping it removes what it made.
pub struct Tracepoint {
    // In this order: an instance that is being read cannot be removed.
    pipe: Pipe,
    keeper: Keeper,
    accounts: Arc<Accounts>,
}

impl Tracepoint {
    /// Attaches to the tracepoint, and starts the [`keeper`]. From then on no privilege is needed.
    ///
    /// # Errors
    /// When the kernel does not tell reasons, or this process may not ask.
    pub fn open() -> Result<Self, TracepointError> {
        instance::check()?;
        instance::remove_abandoned();
        let number = std::process::id();
        let pipe = instance::make(number)?;
        let keeper = match Keeper::start(number) {
            Ok(keeper) => keeper,
            Err(cause) => {
                drop(pipe);
                instance::remove(number);
                return Err(TracepointError::Keeper(cause));
            }
        };
        let tracepoint = Self { pipe, keeper, accounts: Arc::default() };
        instance::set_up(number)?;
        Ok(tracepoint)
    }

    /// Where its accounts can be asked for.
    #[must_use]
    pub fn accounts(&self) -> Arc<Accounts> {
        Arc::clone(&self.accounts)
    }

    /// What reads it, and what is to be dropped when that has ended.
    pub(super) fn split(self) -> (Reader, Keeper) {
        (Reader::new(self.pipe, self.accounts), self.keeper)
    }
}
