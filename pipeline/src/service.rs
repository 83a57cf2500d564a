//! A tap as a service of systemd: says when it is ready, how it goes, and that it ends
//! (sd_notify(3)). Without `NOTIFY_SOCKET` in the environment nothing is said.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use resetscope_core::judge::event::Event;
use sd_notify::NotifyState;
use tracing::warn;

use crate::collect::{Sink, Summary};
use crate::live::notice::Notice;

/// The service manager, as far as there is one.
pub struct Service {
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
    /// The manager that the environment names.
    #[must_use]
    pub fn from_environment() -> Self {
        // Three chances in each period of the watchdog.
        let every = sd_notify::watchdog_enabled().map(|period| period / 3);
        Self { every, state: Mutex::default() }
    }

    /// Passes on what a notice means for the service. Only as long as all workers go on there are
    /// signs of life.
    pub fn notice(&self, notice: &Notice) {
        let text = notice.to_string();
        let status = NotifyState::Status(&text);
        match notice {
            Notice::Listening { .. } | Notice::Down { .. } => self.ready(status),
            Notice::Gone { .. } | Notice::Up { .. } | Notice::Back { .. } => self.tell(&[status]),
            Notice::GoesOn => self.alive(),
            Notice::Ending => self.tell(&[NotifyState::Stopping, status]),
            _ => {}
        }
    }

    /// An interface that is down is waited for: the tap is ready to see what comes.
    fn ready(&self, status: NotifyState<'_>) {
        let first =
            self.state.lock().is_ok_and(|mut state| !std::mem::replace(&mut state.ready, true));
        if first {
            self.tell(&[NotifyState::Ready, status]);
        } else {
            self.tell(&[status]);
        }
    }

    fn alive(&self) {
        let Some(every) = self.every else { return };
        let due = self.state.lock().is_ok_and(|mut state| {
            let due = state.alive_at.is_none_or(|at| at.elapsed() >= every);
            if due {
                state.alive_at = Some(Instant::now());
            }
            due
        });
        if due {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&self, what: &[NotifyState<'_>]) {
        let Err(error) = sd_notify::notify(what) else { return };
        // Said once: the manager will say the rest.
        if self.state.lock().is_ok_and(|mut state| !std::mem::replace(&mut state.failed, true)) {
            warn!("cannot tell the service manager how it goes: {error}");
        }
    }
}

impl Sink for &Service {
    fn event(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }

    /// The last interval in one line, for `systemctl status`.
    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let Summary { span, interval, .. } = summary;
        let seconds = Duration::from_nanos(span.end_ns.saturating_sub(span.start_ns)).as_secs_f64();
        self.tell(&[NotifyState::Status(&format!(
            "{} resets, {} frames, {} shed in the last {seconds:.1} s; {} connections",
            interval.resets.events,
            interval.frames.received,
            interval.frames.shed.iter().sum::<u64>(),
            interval.flows.active
        ))]);
        Ok(())
    }
}
