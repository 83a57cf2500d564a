//! How long a worker for which there is nothing to do waits until it looks again.

use std::thread;
use std::time::Duration;

use crossbeam::utils::Backoff;

/// A sleep that costs less than spinning on the core that the others may need.
const NAP: Duration = Duration::from_micros(20);

/// So many naps in a row are short: in a busy run no wait is longer.
const SHORT_NAPS: u32 = 50;

/// The longest nap: a pipe that was silent until now need not be answered sooner.
const NAP_MAX: Duration = Duration::from_millis(1);

/// Waits longer the longer there was nothing to do.
#[derive(Debug, Default)]
pub(super) struct Patience {
    backoff: Backoff,
    naps: u32,
}

impl Patience {
    /// There was something to do.
    pub(super) fn renew(&mut self) {
        self.backoff.reset();
        self.naps = 0;
    }

    /// Waits a moment.
    pub(super) fn wait(&mut self) {
        if self.backoff.is_completed() {
            thread::sleep(nap(self.naps));
            self.naps = self.naps.saturating_add(1);
        } else {
            self.backoff.snooze();
        }
    }
}

/// How long the nap is after so many in a row.
fn nap(before: u32) -> Duration {
    let doublings = before.saturating_sub(SHORT_NAPS - 1).min(10);
    (NAP * (1 << doublings)).min(NAP_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_stay_short_for_a_while_and_then_double_up_to_a_limit() {
        for (before, micros) in
            [(0, 20), (49, 20), (50, 40), (51, 80), (54, 640), (55, 1_000), (u32::MAX, 1_000)]
        {
            assert_eq!(nap(before), Duration::from_micros(micros), "{before}");
        }
    }
}
