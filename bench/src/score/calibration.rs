//! Whether verdicts of confidence c are right in c of all cases.

use std::collections::BTreeMap;

use resetscope_core::judge::cause::Subcause;
use serde::Serialize;

use super::verdict::Scored;

/// Width of a bin in percent points.
const BIN_PERCENT: usize = 10;

/// Verdicts of similar confidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Least confidence, in percent.
    pub from: usize,
    /// Verdicts.
    pub count: usize,
    /// Their mean confidence, 0 to 1.
    pub confidence: f64,
    /// How many of them are right, 0 to 1.
    pub right: f64,
}

/// How well confidence tells the chance of being right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Mean distance between confidence and share of right ones, weighted by verdicts (the
    /// expected calibration error of Naeini et al., AAAI 2015).
    pub error: f64,
    /// The part of `error` from bins that promise more than they hold.
    pub overconfidence: f64,
    /// The bins that have verdicts.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// Sorts verdicts, each its confidence in percent and whether it is right, into bins.
    #[must_use]
    pub fn of(verdicts: impl IntoIterator<Item = (u8, bool)>) -> Self {
        let mut sums = [(0usize, 0usize, 0usize); 100 / BIN_PERCENT];
        let mut all = 0;
        for (percent, right) in verdicts {
            let place = (usize::from(percent) / BIN_PERCENT).min(sums.len() - 1);
            if let Some((count, percents, rights)) = sums.get_mut(place) {
                *count += 1;
                *percents += usize::from(percent);
                *rights += usize::from(right);
                all += 1;
            }
        }
        let filled = sums.iter().enumerate().filter(|(_, (count, ..))| *count > 0);
        let bins: Vec<Bin> = filled
            .map(|(place, &(count, percents, rights))| Bin {
                from: place * BIN_PERCENT,
                count,
                confidence: percents as f64 / 100.0 / count as f64,
                right: rights as f64 / count as f64,
            })
            .collect();
        let weighted = |distance: &dyn Fn(&Bin) -> f64| {
            bins.iter().map(|bin| bin.count as f64 * distance(bin)).sum::<f64>() / f64::from(all)
        };
        Self {
            error: weighted(&|bin| (bin.confidence - bin.right).abs()),
            overconfidence: weighted(&|bin| (bin.confidence - bin.right).max(0.0)),
            bins,
        }
    }
}

/// Verdicts of one sub-cause and one confidence: what a constant in a rule brings about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Constant {
    /// The verdict's sub-cause.
    pub subcause: &'static str,
    /// Its confidence, in percent.
    pub percent: u8,
    /// Verdicts.
    pub count: usize,
    /// Of those, with the right cause.
    pub cause_right: usize,
    /// Of those, with the right sub-cause.
    pub subcause_right: usize,
}

/// Groups verdicts by sub-cause and confidence.
#[must_use]
pub fn constants(scored: &[Scored<'_>]) -> Vec<Constant> {
    let mut groups: BTreeMap<(Subcause, u8), [usize; 3]> = BTreeMap::new();
    for it in scored {
        let [count, cause, subcause] = groups.entry((it.verdict(), it.percent())).or_default();
        *count += 1;
        *cause += usize::from(it.cause_is_right());
        *subcause += usize::from(it.subcause_is_right());
    }
    let constant =
        |((subcause, percent), [count, cause_right, subcause_right]): (_, [usize; 3])| {
            let subcause = Subcause::id(subcause);
            Constant { subcause, percent, count, cause_right, subcause_right }
        };
    groups.into_iter().map(constant).collect()
}

#[cfg(test)]
mod tests {
    use super::Calibration;

    #[test]
    fn the_error_is_the_weighted_distance_of_the_bins() {
        // Three of four right at 0.95 (0.2 too sure), both right at 0.5 (0.5 too modest).
        let sure = [true, true, true, false].map(|right| (95, right));
        let modest = [true, true].map(|right| (50, right));
        let calibration = Calibration::of(sure.into_iter().chain(modest));
        assert!((calibration.error - (4.0 * 0.2 + 2.0 * 0.5) / 6.0).abs() < 1e-9);
        assert!((calibration.overconfidence - 4.0 * 0.2 / 6.0).abs() < 1e-9);
        assert_eq!(calibration.bins.iter().map(|bin| bin.from).collect::<Vec<_>>(), [50, 90]);
    }

    #[test]
    fn certainty_belongs_to_the_last_bin() {
        let calibration = Calibration::of([(100, true), (90, true)]);
        assert_eq!((calibration.bins.len(), calibration.bins[0].count), (1, 2));
    }
}
