//! The distributions of an interval, as HdrHistograms of one fixed shape.
//!
//! One shape for all makes every merge exact. Values beyond the range are recorded as its end:
//! `saturating_record` on a resizable histogram would do that at its *current* size, so these never
//! resize.

use hdrhistogram::{CreationError, Histogram};

/// Significant decimal digits kept.
const DIGITS: u8 = 3;

/// Values that are told apart in each binary order of magnitude, as [`DIGITS`] digits demand: twice
/// 10^3, rounded up to a power of two.
pub(super) const SUB_BUCKETS: usize = 2048;

/// Highest value recorded: 2^40, which is 12.7 days in microseconds.
pub(super) const HIGHEST: u64 = 1 << 40;

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:literal;)*) => {
        /// What is measured.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $($(#[$doc])* $variant,)*
        }

        impl Metric {
            /// Every metric, in the order in which reports list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The unit in reports.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)* }
            }
        }
    };
}

metrics! {
    /// From the peer's last packet to the RST.
    RstLatency = "rst_latency", "us";
    /// From the first packet of the connection to the RST.
    ConnectionAge = "connection_age", "ms";
    /// Silence before the RST, or before the packet that triggered it.
    IdleBeforeReset = "idle_before_reset", "ms";
    /// Payload bytes of both directions before the RST.
    BytesAtReset = "bytes_at_reset", "bytes";
    /// From SYN to the acknowledgement of the SYN-ACK, of all connections.
    HandshakeRtt = "handshake_rtt", "us";
    /// Unanswered retransmissions by the side that then reset.
    RetransmissionsBefore = "retransmissions_before_reset", "packets";
    /// RST packets of one event.
    PacketsPerEvent = "rst_packets_per_event", "packets";
}

/// One histogram for each [`Metric`], made when its first value comes: an interval without resets
/// costs nothing, and one with resets a few allocations of 260 kB.
#[derive(Clone, Debug, Default)]
pub struct Histograms {
    all: [Option<Box<Histogram<u64>>>; Metric::ALL.len()],
}

impl Histograms {
    /// Empty histograms.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A histogram of the shape that all have, without values.
    ///
    /// # Errors
    /// None occurs: the bounds are right.
    pub fn empty() -> Result<Histogram<u64>, CreationError> {
        Histogram::new_with_bounds(1, HIGHEST, DIGITS)
    }

    /// Records one value; values beyond the range count as its end.
    #[inline]
    pub fn record(&mut self, metric: Metric, value: u64) {
        self.record_n(metric, value, 1);
    }

    /// The histogram of a metric; `None` while it has no value.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<&Histogram<u64>> {
        self.all.get(metric as usize)?.as_deref()
    }

    /// Records one value `count` times.
    pub(super) fn record_n(&mut self, metric: Metric, value: u64, count: u64) {
        let Some(slot) = self.all.get_mut(metric as usize) else { return };
        if slot.is_none() {
            *slot = Self::empty().ok().map(Box::new);
        }
        if let Some(histogram) = slot {
            // Within the bounds, so the only error there is cannot occur.
            let _ = histogram.record_n(value.min(HIGHEST), count);
        }
    }

    /// Adds all values of another set.
    pub fn merge(&mut self, other: &Self) {
        for (to, from) in self.all.iter_mut().zip(&other.all) {
            match (to, from) {
                (_, None) => {}
                (to @ None, from) => to.clone_from(from),
                // The same bounds, so the only error there is cannot occur.
                (Some(to), Some(from)) => drop(to.add(&**from)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_range_count_as_its_end() {
        let mut histograms = Histograms::new();
        histograms.record(Metric::RstLatency, u64::MAX);
        histograms.record(Metric::RstLatency, 0);
        let histogram = histograms.get(Metric::RstLatency).unwrap();
        assert_eq!(histogram.len(), 2);
        assert!(histogram.max() >= HIGHEST);
        assert_eq!(histogram.min(), 0);
    }

    #[test]
    fn merging_is_addition_in_any_order() {
        let part = |values: &[u64]| {
            let mut part = Histograms::new();
            values.iter().for_each(|&value| part.record(Metric::BytesAtReset, value));
            part
        };
        let (a, b) = (part(&[1, 1000, 70_000]), part(&[5, 1 << 33]));
        let (mut ab, mut ba, mut fresh) = (a.clone(), b.clone(), Histograms::default());
        ab.merge(&b);
        ba.merge(&a);
        fresh.merge(&ab);
        for metric in Metric::ALL {
            assert_eq!(ab.get(*metric), ba.get(*metric));
            assert_eq!(ab.get(*metric), fresh.get(*metric));
        }
        assert_eq!(ab.get(Metric::BytesAtReset).unwrap().len(), 5);
    }
}
