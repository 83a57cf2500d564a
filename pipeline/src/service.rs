//! A tap as a service of systemd: says when it is ready, how it goes, and that it ends
//! (sd_notify(3)). Without `NOTIFY_SOCKET` in the environment nothing is said.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use resetscope_core::judge::event::Event;
use tracing::warn;

use crate::collect::{Sink, Summary};
use crate::live::notice::Notice;

/// The service manager, as far as there is one.
pub struct Service {
    manager: Option<UnixDatagram>,
    /// Time between two signs of life; `None` if none are wanted.
    every: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: bool,
    alive_at: Option<Instant>,
    failed: bool,
}

impl Service {
    /// The manager that the environment names. One that cannot be reached is remarked on.
    #[must_use]
    pub fn from_environment() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let manager = socket.and_then(|name| match connect(&name) {
            Ok(manager) => Some(manager),
            Err(error) => {
                warn!("cannot reach the service manager at {}: {error}", name.display());
                None
            }
        });
        // Three chances in each period of the watchdog.
        Self { manager, every: watchdog().map(|period| period / 3), state: Mutex::default() }
    }

    /// Passes on what a notice means for the service. Only as long as all workers go on there are
    /// signs of life.
    pub fn notice(&self, notice: &Notice) {
        match notice {
            // An interface that is down is waited for: the tap is ready to see what comes.
            Notice::Listening { .. } | Notice::Down { .. } => {
                let first = self.once(|state| &mut state.ready);
                self.tell(&format!("{}STATUS={notice}", if first { "READY=1\n" } else { "" }));
            }
            Notice::Gone { .. } | Notice::Up { .. } | Notice::Back { .. } => {
                self.tell(&format!("STATUS={notice}"));
            }
            Notice::GoesOn => self.alive(),
            Notice::Ending => self.tell("STOPPING=1\nSTATUS=ending"),
            _ => {}
        }
    }

    fn alive(&self) {
        let Some(every) = self.every else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.alive_at.is_none_or(|at| at.elapsed() >= every) {
            state.alive_at = Some(Instant::now());
            drop(state);
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, what: &str) {
        let Some(manager) = &self.manager else { return };
        if let Err(error) = manager.send(what.as_bytes())
            && self.once(|state| &mut state.failed)
        {
            warn!("cannot tell the service manager how it goes: {error}");
        }
    }

    /// Sets the flag; true for whom it was not set.
    fn once(&self, flag: impl FnOnce(&mut State) -> &mut bool) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(flag(&mut state), true)
    }
}

/// A path, or the name of an abstract socket behind an `@`.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(hidden) => socket.connect_addr(&SocketAddr::from_abstract_name(hidden)?)?,
        None => socket.connect(name)?,
    }
    Ok(socket)
}

/// The watchdog's period, if it watches this process (sd_watchdog_enabled(3)).
fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let other = number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|us| *us > 0 && !other).map(Duration::from_micros)
}

impl Sink for &Service {
    fn event(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }

    /// The last interval in one line, for `systemctl status`.
    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let Summary { span, interval, .. } = summary;
        let lasted = Duration::from_nanos(span.end_ns.saturating_sub(span.start_ns));
        self.tell(&format!(
            "STATUS={} resets, {} frames, {} shed in the last {:.1} s; {} connections",
            interval.resets.events,
            interval.frames.received,
            interval.frames.shed.iter().sum::<u64>(),
            lasted.as_secs_f64(),
            interval.flows.active
        ));
        Ok(())
    }

    fn wants_events(&self) -> bool {
        false
    }
}
