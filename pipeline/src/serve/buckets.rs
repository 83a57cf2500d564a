//! Distributions with fixed bounds, as Prometheus counts them, from those of an interval.

use hdrhistogram::Histogram;
use resetscope_core::interval::histogram::Metric;

/// Upper bounds of a metric's buckets, inclusive, in the metric's own unit; a last one without a bound
/// follows. Times in microseconds go by 1, 2.5, 5 from 100 µs on; those in milliseconds name the
/// timers that devices are known to have (60, 300, 600, 1800, 3600, 7200 s).
#[must_use]
pub const fn bounds(metric: Metric) -> &'static [u64] {
    match metric {
        Metric::RstLatency | Metric::HandshakeRtt => &[
            100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
            1_000_000, 2_500_000, 5_000_000, 10_000_000, 60_000_000,
        ],
        Metric::ConnectionAge | Metric::IdleBeforeReset => &[
            1, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
            600_000, 1_800_000, 3_600_000, 7_200_000, 86_400_000,
        ],
        Metric::BytesAtReset => &[
            0,
            64,
            256,
            1 << 10,
            1 << 12,
            1 << 14,
            1 << 16,
            1 << 18,
            1 << 20,
            1 << 22,
            1 << 24,
            1 << 26,
            1 << 30,
        ],
        Metric::RetransmissionsBefore => &[0, 1, 2, 3, 5, 8, 13],
        Metric::PacketsPerEvent => &[1, 2, 3, 5, 10, 20, 50, 100],
    }
}

/// Values counted by bucket, and their sum.
///
/// A value comes from a histogram with three digits, as the lowest one that is equivalent to it
/// there: it may count in a bucket whose bound it exceeds by less than 0.1 %.
#[derive(Clone, Debug)]
pub struct Buckets {
    metric: Metric,
    /// Values of each bucket alone, the one without bound last.
    counts: Vec<u64>,
    /// Sum of the values in the metric's own unit, right to 0.1 %.
    sum: f64,
}

impl Buckets {
    /// Empty buckets for a metric.
    #[must_use]
    pub fn new(metric: Metric) -> Self {
        Self { metric, counts: vec![0; bounds(metric).len() + 1], sum: 0.0 }
    }

    /// The metric.
    #[must_use]
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// Values of each bucket alone, the one without bound last.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of all values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of all values in the metric's own unit.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// Adds all values of a histogram.
    pub fn add(&mut self, histogram: &Histogram<u64>) {
        let bounds = bounds(self.metric);
        for step in histogram.iter_recorded() {
            let value = histogram.lowest_equivalent(step.value_iterated_to());
            let bucket = bounds.partition_point(|bound| *bound < value);
            if let Some(count) = self.counts.get_mut(bucket) {
                *count += step.count_since_last_iteration();
            }
            self.sum += value as f64 * step.count_since_last_iteration() as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resetscope_core::interval::histogram::Histograms;

    #[test]
    fn values_fall_into_the_buckets_that_name_them() {
        let mut histograms = Histograms::new();
        let bounds = bounds(Metric::RstLatency);
        for &bound in bounds {
            histograms.record(Metric::RstLatency, bound);
        }
        histograms.record(Metric::RstLatency, 0);
        histograms.record(Metric::RstLatency, u64::MAX);
        let mut buckets = Buckets::new(Metric::RstLatency);
        buckets.add(histograms.get(Metric::RstLatency).unwrap());
        buckets.add(histograms.get(Metric::RstLatency).unwrap());
        let mut want = vec![2; bounds.len() + 1];
        want[0] = 4;
        assert_eq!(buckets.counts(), want, "each bound in its own bucket, twice");
        assert_eq!(buckets.count(), 2 * (bounds.len() as u64 + 2));
        let sum = 2.0 * (bounds.iter().sum::<u64>() + (1 << 40)) as f64;
        assert!((buckets.sum() / sum - 1.0).abs() < 0.001, "{} {sum}", buckets.sum());
    }

    #[test]
    fn bounds_rise() {
        for metric in Metric::ALL {
            assert!(bounds(*metric).windows(2).all(|two| two[0] < two[1]), "{metric:?}");
        }
    }
}
