//! Classes of values that begin at 0, 1, 2, 5, 10, 20, 50, …: even steps to the eye, round numbers to
//! the reader.

use hdrhistogram::Histogram;

/// Least number of classes shown.
const SHOWN_MIN: usize = 9;

/// Every class's first value, ascending, up to beyond what histograms record.
pub(super) fn begins() -> Vec<u64> {
    let decades = std::iter::successors(Some(1_u64), |decade| decade.checked_mul(10));
    let values = decades.take(14).flat_map(|decade| [decade, decade * 2, decade * 5]);
    std::iter::once(0).chain(values).collect()
}

/// One class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// First value.
    pub(super) begin: u64,
    /// First value of the next class.
    pub(super) end: u64,
    /// Values recorded.
    pub(super) count: u64,
}

/// The classes of a histogram from its least value to its greatest, with empty ones around where
/// they are few.
pub(super) fn of(histogram: &Histogram<u64>) -> Vec<Class> {
    let begins = begins();
    let mut classes: Vec<Class> = begins
        .iter()
        .zip(begins.iter().skip(1))
        .map(|(&begin, &end)| Class { begin, end, count: 0 })
        .collect();
    for value in histogram.iter_recorded() {
        let class = begins.partition_point(|&begin| begin <= value.value_iterated_to());
        if let Some(class) = classes.get_mut(class.saturating_sub(1)) {
            class.count += value.count_since_last_iteration();
        }
    }
    let used = |class: &Class| class.count > 0;
    let first = classes.iter().position(used).unwrap_or(0);
    let last = classes.iter().rposition(used).unwrap_or(0);
    let lack = SHOWN_MIN.saturating_sub(last + 1 - first);
    let first = first.saturating_sub(lack / 2);
    let last = last.max(first + SHOWN_MIN - 1);
    classes.into_iter().take(last + 1).skip(first).collect()
}

/// Where a value is among classes, in classes from the left: within a class by its logarithm.
pub(super) fn place(classes: &[Class], value: u64) -> f64 {
    let at = classes.iter().position(|class| value < class.end);
    let (Some(at), Some(class)) = (at, at.and_then(|at| classes.get(at))) else {
        return classes.len() as f64;
    };
    let within = if class.begin == 0 || class.end <= class.begin + 1 {
        // One value alone stands in the middle of its class.
        0.5
    } else {
        let log = |value: u64| (value as f64).ln();
        (log(value.max(class.begin)) - log(class.begin)) / (log(class.end) - log(class.begin))
    };
    at as f64 + within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_class_that_its_bounds_say() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 1 << 40, 3).unwrap();
        for value in [0, 0, 1, 4, 5, 99, 1_000_000, 1 << 40] {
            histogram.record(value).unwrap();
        }
        let classes = of(&histogram);
        let count = |begin| classes.iter().find(|class| class.begin == begin).unwrap().count;
        for (begin, want) in [(0, 2), (1, 1), (2, 1), (5, 1), (50, 1), (1_000_000, 1)] {
            assert_eq!(count(begin), want, "{begin}");
        }
        assert_eq!(classes.iter().map(|class| class.count).sum::<u64>(), histogram.len());
    }

    #[test]
    fn few_classes_have_room_around_them() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 1 << 40, 3).unwrap();
        histogram.record(1_000).unwrap();
        let classes = of(&histogram);
        assert_eq!(classes.len(), SHOWN_MIN);
        assert!((place(&classes, 1_000) - 4.0).abs() < 0.01, "{classes:?}");
    }
}
