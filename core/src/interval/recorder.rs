//! What an engine measures, counted as HdrHistogram would, at a tenth of its cost.
//!
//! A reset has six measures. [`Histogram::record`](hdrhistogram::Histogram::record) also keeps sum,
//! least and greatest for each, none of which anybody asks for before an interval ends. Here a value
//! only counts in its bucket; the buckets become histograms when the interval is handed over. Those of a
//! metric take half the memory of its histogram, and only those pages of it that hold any.

use crate::judge::event::Measures;

use super::histogram::{HIGHEST, Histograms, Metric, SUB_BUCKETS};

/// Buckets of one size: each block of them is twice as coarse as the one before, but for the first
/// two, which are alike.
const BLOCK: usize = SUB_BUCKETS / 2;

/// Blocks of a metric: [`HIGHEST`] is in the last. Values behind it in that become it when they are
/// handed over.
const BLOCKS: usize = bucket_of(HIGHEST) / BLOCK + 1;

/// Buckets of a metric.
const BUCKETS: usize = BLOCKS * BLOCK;

/// The bucket of a value.
#[inline(always)]
const fn bucket_of(value: u64) -> usize {
    let coarse = (value | (SUB_BUCKETS as u64 - 1)).ilog2() - (SUB_BUCKETS.ilog2() - 1);
    coarse as usize * BLOCK + (value >> coarse) as usize
}

/// The least value of a bucket.
const fn value_of(bucket: usize) -> u64 {
    let coarse = (bucket / BLOCK).saturating_sub(1);
    ((bucket - coarse * BLOCK) as u64) << coarse
}

/// The measures of judged resets since they were last handed over.
pub(crate) struct Recorder {
    /// Those of one metric after the other. Zeros, and a page of memory is taken when it is first
    /// written to: of the 130 kB of a metric, resets of one kind use a few.
    buckets: Vec<u32>,
    /// The blocks of each metric that hold any.
    used: [[bool; BLOCKS]; Metric::ALL.len()],
    /// Metric and bucket of each count that went over: for 2^32 values each.
    over: Vec<(Metric, usize)>,
}

impl Default for Recorder {
    fn default() -> Self {
        let buckets = vec![0; BUCKETS * Metric::ALL.len()];
        let used = [[false; BLOCKS]; Metric::ALL.len()];
        Self { buckets, used, over: Vec::with_capacity(8) }
    }
}

impl Recorder {
    /// Counts what a reset measured.
    #[inline]
    pub(crate) fn count(&mut self, measures: &Measures) {
        if let Some(us) = measures.trigger_age_us {
            self.record(Metric::RstLatency, us);
        }
        if let Some(ms) = measures.age_ms {
            self.record(Metric::ConnectionAge, ms);
        }
        if let Some(ms) = measures.idle_ms {
            self.record(Metric::IdleBeforeReset, ms);
        }
        self.record(Metric::BytesAtReset, measures.bytes);
        self.record(Metric::RetransmissionsBefore, measures.retransmissions.into());
        self.record(Metric::PacketsPerEvent, measures.packets.into());
    }

    #[inline(always)]
    fn record(&mut self, metric: Metric, value: u64) {
        let bucket = bucket_of(value);
        if bucket >= BUCKETS {
            return self.record_end(metric);
        }
        let Some(count) = self.buckets.get_mut(metric as usize * BUCKETS + bucket) else { return };
        let over;
        (*count, over) = count.overflowing_add(1);
        self.used[metric as usize][bucket / BLOCK] = true;
        if over {
            self.count_over(metric, bucket);
        }
    }

    /// Records a value beyond the range as its end.
    #[cold]
    fn record_end(&mut self, metric: Metric) {
        self.record(metric, HIGHEST);
    }

    #[cold]
    fn count_over(&mut self, metric: Metric, bucket: usize) {
        self.over.push((metric, bucket));
    }

    /// Adds all values to `histograms`, and forgets them.
    pub(crate) fn hand_over(&mut self, histograms: &mut Histograms) {
        let used = std::mem::take(&mut self.used);
        let metrics = self.buckets.chunks_mut(BUCKETS).zip(used).zip(Metric::ALL);
        for ((buckets, used), &metric) in metrics {
            let blocks = (0..).step_by(BLOCK).zip(buckets.chunks_mut(BLOCK)).zip(used);
            for ((first, block), _) in blocks.filter(|(_, used)| *used) {
                for (bucket, count) in (first..).zip(block).filter(|(_, count)| **count > 0) {
                    let count = std::mem::take(count);
                    histograms.record_n(metric, value_of(bucket), count.into());
                }
            }
        }
        for (metric, bucket) in self.over.drain(..) {
            histograms.record_n(metric, value_of(bucket), 1 << u32::BITS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, HIGHEST, Histograms, Metric, Recorder};
    use proptest::prelude::*;

    /// Values of every size.
    fn value() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0u32..64).prop_map(|(bits, size)| bits >> size)
    }

    proptest! {
        #[test]
        fn what_is_handed_over_is_what_the_histogram_would_have_counted(
            parts in prop::collection::vec(prop::collection::vec(value(), 0..40), 1..4)
        ) {
            let mut recorder = Recorder::default();
            for part in parts {
                let (mut want, mut got) = (Histograms::new(), Histograms::new());
                for value in part.into_iter().chain([0, 2047, 2048, HIGHEST, u64::MAX]) {
                    want.record(Metric::BytesAtReset, value);
                    recorder.record(Metric::BytesAtReset, value);
                }
                recorder.hand_over(&mut got);
                for &metric in Metric::ALL {
                    prop_assert_eq!(got.get(metric), want.get(metric), "{:?}", metric);
                }
            }
        }
    }

    #[test]
    fn counts_beyond_32_bits_are_exact() {
        let mut recorder = Recorder::default();
        recorder.record(Metric::BytesAtReset, 7);
        for _ in 0..3 {
            recorder.buckets[Metric::BytesAtReset as usize * BUCKETS + 7] = u32::MAX;
            recorder.record(Metric::BytesAtReset, 7);
        }
        let mut got = Histograms::new();
        recorder.hand_over(&mut got);
        let of = |got: &Histograms| got.get(Metric::BytesAtReset).unwrap().len();
        assert_eq!(of(&got), 3 << 32);
        recorder.hand_over(&mut got);
        assert_eq!(of(&got), 3 << 32, "they are handed over once");
    }
}
