//! The wall clock of a live tap, which never goes back.
//!
//! The kernel stamps frames with the system's clock, and verdicts, table ages and the order of
//! events go by those stamps. If someone sets the system's clock back, time goes on here as if
//! nobody had: what was taken away is added to every stamp from then on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::block::Stamps;

/// Steps back that are less than this are the everyday work of time synchronisation.
const STEP_MIN: Duration = Duration::from_millis(500);

/// How far ahead of the clock a time stamp is believed.
const AHEAD_NS: u64 = 1_000_000_000;

/// A wall clock that is shared by the threads of a tap.
#[derive(Debug, Default)]
pub(super) struct Clock {
    shift_ns: AtomicU64,
}

impl Clock {
    /// Now, in nanoseconds since 1970-01-01 UTC.
    pub(super) fn now_ns(&self) -> u64 {
        system_ns().saturating_add(self.shift_ns.load(Ordering::Relaxed))
    }

    /// How the kernel's time stamps are to be read just now.
    pub(super) fn stamps(&self) -> Stamps {
        let shift_ns = self.shift_ns.load(Ordering::Relaxed);
        let latest_ns = system_ns().saturating_add(shift_ns).saturating_add(AHEAD_NS);
        Stamps { shift_ns, latest_ns }
    }
}

/// Who looks after the clock.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Instant,
    seen_ns: u64,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { seen: Instant::now(), seen_ns: system_ns() }
    }

    /// Compares the system's clock with the time that has passed since the last call. If it was set
    /// back, mends `clock` and returns by how much.
    pub(super) fn look(&mut self, clock: &Clock) -> Option<Duration> {
        self.compare(Instant::now(), system_ns(), clock)
    }

    fn compare(&mut self, now: Instant, now_ns: u64, clock: &Clock) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.seen);
        let due_ns = self.seen_ns.saturating_add(nanoseconds(passed));
        (self.seen, self.seen_ns) = (now, now_ns);
        let back = Duration::from_nanos(due_ns.saturating_sub(now_ns));
        if back < STEP_MIN {
            return None;
        }
        clock.shift_ns.fetch_add(nanoseconds(back), Ordering::Relaxed);
        Some(back)
    }
}

/// The system's clock, in nanoseconds since 1970-01-01 UTC.
pub(super) fn system_ns() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, nanoseconds)
}

/// A length of time in nanoseconds, up to 584 years.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_back_shifts_the_clock() {
        let second = Duration::from_secs(1);
        let start = Instant::now();
        for (wall_s, want, reason) in [
            (1_001, None, "as time passes"),
            (5_000, None, "set forward"),
            (1_000, Some(second), "stood still for a second"),
            (401, Some(second * 600), "set back by ten minutes"),
        ] {
            let clock = Clock::default();
            let mut watch = Watch { seen: start, seen_ns: 1_000_000_000_000 };
            let back = watch.compare(start + second, wall_s * 1_000_000_000, &clock);
            assert_eq!(back, want, "{reason}");
            let shift_ns = clock.stamps().shift_ns;
            assert_eq!(shift_ns, want.map_or(0, nanoseconds), "{reason}");
        }
    }
}
