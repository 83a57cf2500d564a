//! One worker's clock: how long each of its bursts took.

use std::time::Instant;

use hdrhistogram::Histogram;

use crate::worker::gauge::Gauge;

/// Longest burst told apart, in nanoseconds: 2^36, about 69 s.
const HIGHEST_NS: u64 = 1 << 36;

/// Significant decimal digits kept.
const DIGITS: u8 = 3;

/// Times every burst. Two looks at the clock a burst are about a tenth of a nanosecond a packet.
pub struct Stopwatch {
    bursts: Option<Histogram<u64>>,
    packets: u64,
    begun: Option<Instant>,
    ended: Option<Instant>,
}

impl Stopwatch {
    /// A watch that has seen nothing yet; its memory is taken now.
    #[must_use]
    pub fn new() -> Self {
        // These bounds are valid, so the only error there is cannot occur.
        let bursts = Histogram::new_with_bounds(1, HIGHEST_NS, DIGITS).ok();
        Self { bursts, packets: 0, begun: None, ended: None }
    }

    /// Nanoseconds of each burst.
    #[must_use]
    pub const fn bursts(&self) -> Option<&Histogram<u64>> {
        self.bursts.as_ref()
    }

    /// Packets of all bursts.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// From the begin of the first burst to the end of the last.
    #[must_use]
    pub fn span(&self) -> Option<(Instant, Instant)> {
        self.begun.zip(self.ended)
    }

    /// Counts a burst of `packets` packets that was worked on from `begun` to `ended`.
    pub(super) fn count(&mut self, packets: u64, begun: Instant, ended: Instant) {
        self.begun.get_or_insert(begun);
        self.ended = Some(ended);
        self.packets += packets;
        let spent = u64::try_from((ended - begun).as_nanos()).unwrap_or(u64::MAX);
        if let Some(bursts) = &mut self.bursts {
            // Within the bounds, so the only error there is cannot occur.
            let _ = bursts.record(spent.clamp(1, HIGHEST_NS));
        }
    }
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::new()
    }
}

impl Gauge for Stopwatch {
    fn burst(&mut self, packets: usize, work: impl FnOnce()) {
        if packets == 0 {
            return work();
        }
        let begun = Instant::now();
        work();
        self.count(packets as u64, begun, Instant::now());
    }
}
