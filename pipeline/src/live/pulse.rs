//! Whether workers go on: each counts its rounds, and the control looks at the counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rounds of one worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Counts a round. Only the worker does, so that a load and a store will do.
    pub(super) fn beat(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// The pulses of all workers, and what they were at the last look.
pub(super) struct Watched {
    pulses: Vec<(Pulse, u64)>,
}

impl Watched {
    pub(super) fn new(pulses: &[Pulse]) -> Self {
        Self { pulses: pulses.iter().map(|pulse| (pulse.clone(), 0)).collect() }
    }

    /// Whether every worker has gone on since this last was the case.
    pub(super) fn all_go_on(&mut self) -> bool {
        let now = |pulse: &Pulse| pulse.0.load(Ordering::Relaxed);
        if self.pulses.iter().any(|(pulse, last)| now(pulse) == *last) {
            return false;
        }
        self.pulses.iter_mut().for_each(|(pulse, last)| *last = now(pulse));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_go_on_when_each_has_done_a_round_since() {
        let pulses = [Pulse::default(), Pulse::default()];
        let mut watched = Watched::new(&pulses);
        for (beats, want, why) in [
            (&[][..], false, "nobody has begun"),
            (&[0], false, "the second stands still"),
            (&[1], true, "now both have"),
            (&[1, 1, 1], false, "the first stands still"),
            (&[0], true, "both have, one of them earlier"),
            (&[], false, "nobody has since"),
        ] {
            beats.iter().for_each(|&worker: &usize| pulses[worker].beat());
            assert_eq!(watched.all_go_on(), want, "{why}");
        }
    }
}
