//! Resets over time, in bins whose width follows from the traffic alone.

use std::collections::BTreeMap;

use resetscope_core::judge::cause::Cause;

/// A millisecond, in nanoseconds.
pub(super) const MS: u64 = 1_000_000;
/// A second.
pub(super) const S: u64 = 1_000 * MS;
/// A minute.
pub(super) const MIN: u64 = 60 * S;
/// An hour.
pub(super) const H: u64 = 60 * MIN;
/// A day.
pub(super) const D: u64 = 24 * H;

/// Widths of a bin, in nanoseconds. Each divides the next, so bins can be put together.
const WIDTHS: [u64; 22] = [
    MS,
    5 * MS,
    10 * MS,
    50 * MS,
    100 * MS,
    500 * MS,
    S,
    5 * S,
    10 * S,
    30 * S,
    MIN,
    5 * MIN,
    10 * MIN,
    30 * MIN,
    H,
    6 * H,
    D,
    10 * D,
    100 * D,
    1_000 * D,
    10_000 * D,
    100_000 * D,
];

/// Most bins between the first and the last.
const BINS_MAX: u64 = 120;

/// Events of one bin by [`Cause`].
pub(super) type ByCause = [u64; Cause::ALL.len()];

/// Counts in bins that begin at multiples of their width, which grows with the time they cover.
#[derive(Clone, Debug, Default)]
pub(super) struct TimeBins {
    step: usize,
    bins: BTreeMap<u64, ByCause>,
}

impl TimeBins {
    /// Width of a bin, in nanoseconds.
    fn width_ns(&self) -> u64 {
        WIDTHS.get(self.step).copied().unwrap_or(u64::MAX)
    }

    /// Counts an event.
    pub(super) fn add(&mut self, time_ns: u64, cause: Cause) {
        self.cover(time_ns);
        let bin = self.bins.entry(time_ns / self.width_ns()).or_default();
        if let Some(count) = bin.get_mut(cause as usize) {
            *count += 1;
        }
    }

    /// Makes bins wide enough that those up to `time_ns`, too, are no more than [`BINS_MAX`].
    fn cover(&mut self, time_ns: u64) {
        while self.step + 1 < WIDTHS.len() {
            let at = time_ns / self.width_ns();
            let first = self.bins.first_key_value().map_or(at, |(&bin, _)| bin.min(at));
            let last = self.bins.last_key_value().map_or(at, |(&bin, _)| bin.max(at));
            if last - first < BINS_MAX {
                break;
            }
            self.widen();
        }
    }

    fn widen(&mut self) {
        let old = self.width_ns();
        self.step += 1;
        let ratio = self.width_ns() / old;
        for (bin, counts) in std::mem::take(&mut self.bins) {
            let sums = self.bins.entry(bin / ratio).or_default();
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }

    /// The width of a bin, and every bin with its begin, in nanoseconds: from the first to the last,
    /// those without events among them, the time of the whole traffic covered.
    pub(super) fn over(&self, (start_ns, end_ns): (u64, u64)) -> (u64, Vec<(u64, ByCause)>) {
        let mut whole = self.clone();
        // Empty bins at both ends, so that silence before and after shows.
        loop {
            let width = whole.width_ns();
            let ends = [start_ns / width, end_ns.max(start_ns) / width];
            let first = whole.bins.keys().next().copied().unwrap_or(ends[0]).min(ends[0]);
            let last = whole.bins.keys().next_back().copied().unwrap_or(ends[1]).max(ends[1]);
            if last - first < BINS_MAX || whole.step + 1 >= WIDTHS.len() {
                let count = |bin| whole.bins.get(&bin).copied().unwrap_or_default();
                let bins = (first..=last).map(|bin| (bin * width, count(bin))).collect();
                return (width, bins);
            }
            whole.widen();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_event_is_in_one_of_few_bins_in_whatever_order_they_come(
            mut times in prop::collection::vec(prop_oneof![any::<u64>(), 0..1u64 << 40], 1..200),
        ) {
            let fill = |times: &[u64]| {
                let mut bins = TimeBins::default();
                times.iter().for_each(|&time| bins.add(time, Cause::Network));
                let span = (times.iter().copied().min().unwrap(), times.iter().copied().max().unwrap());
                bins.over(span)
            };
            let (width, bins) = fill(&times);
            prop_assert!(bins.len() as u64 <= BINS_MAX);
            let counted: u64 = bins.iter().flat_map(|(_, counts)| counts).sum();
            prop_assert_eq!(counted, times.len() as u64);
            for (begin, counts) in &bins {
                let inside = times.iter().filter(|&&time| time / width == begin / width).count();
                prop_assert_eq!(counts.iter().sum::<u64>(), inside as u64);
            }
            times.reverse();
            prop_assert_eq!(fill(&times), (width, bins));
        }
    }

    #[test]
    fn bins_are_as_fine_as_the_traffic_allows() {
        for (seconds, want) in
            [(0, MS), (1, 10 * MS), (40, 500 * MS), (3_600, MIN), (90_000, 30 * MIN)]
        {
            let begin = 1_700_000_000 * S;
            let mut bins = TimeBins::default();
            bins.add(begin, Cause::Benign);
            bins.add(begin + seconds * S, Cause::Benign);
            assert_eq!(bins.over((begin, begin + seconds * S)).0, want, "{seconds} s");
        }
    }
}
