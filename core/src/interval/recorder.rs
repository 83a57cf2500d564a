//! What an engine measures, counted as HdrHistogram would, at a tenth of its cost.
//!
//! A reset has six measures. [`Histogram::record`](hdrhistogram::Histogram::record) also keeps sum,
//! least and greatest for each, none of which anybody asks for before an interval ends. Here a value
//! only counts in its bucket; the buckets become histograms when the interval is handed over.

use crate::judge::event::Measures;

use super::histogram::{HIGHEST, Histograms, Metric, SUB_BUCKETS};

/// Buckets of one size: each block of them is twice as coarse as the one before, but for the first
/// two, which are alike.
const BLOCK: usize = SUB_BUCKETS / 2;

/// Buckets of a metric: [`HIGHEST`] is in the last.
const BUCKETS: usize = bucket_of(HIGHEST) + 1;

/// Blocks of a metric.
const BLOCKS: usize = BUCKETS.div_ceil(BLOCK);

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

/// One metric: its memory is taken with the first value and then kept.
#[derive(Default)]
struct Counts {
    /// Values in each bucket.
    buckets: Vec<u64>,
    /// The blocks that hold any.
    used: [bool; BLOCKS],
}

impl Counts {
    #[inline(always)]
    fn record(&mut self, value: u64) {
        let bucket = bucket_of(value);
        match (self.buckets.get_mut(bucket), self.used.get_mut(bucket / BLOCK)) {
            (Some(count), Some(used)) => {
                *count += 1;
                *used = true;
            }
            _ => self.record_odd(value),
        }
    }

    /// Records the first value, or one beyond the range.
    #[cold]
    fn record_odd(&mut self, value: u64) {
        self.buckets.resize(BUCKETS, 0);
        let bucket = bucket_of(value.min(HIGHEST));
        if let (Some(count), Some(used)) =
            (self.buckets.get_mut(bucket), self.used.get_mut(bucket / BLOCK))
        {
            *count += 1;
            *used = true;
        }
    }

    /// Takes all values out.
    fn drain(&mut self, mut each: impl FnMut(u64, u64)) {
        let used = std::mem::take(&mut self.used);
        for (block, counts) in self.buckets.chunks_mut(BLOCK).enumerate() {
            if !used.get(block).copied().unwrap_or(false) {
                continue;
            }
            for (at, count) in counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
                each(value_of(block * BLOCK + at), std::mem::take(count));
            }
        }
    }
}

/// The measures of judged resets since they were last handed over.
#[derive(Default)]
pub(crate) struct Recorder {
    metrics: [Counts; Metric::ALL.len()],
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
        self.metrics[metric as usize].record(value);
    }

    /// Adds all values to `histograms`, and forgets them.
    pub(crate) fn hand_over(&mut self, histograms: &mut Histograms) {
        for (counts, &metric) in self.metrics.iter_mut().zip(Metric::ALL) {
            counts.drain(|value, count| histograms.record_n(metric, value, count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HIGHEST, Histograms, Metric, Recorder};
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
}
