//! How often verdicts are right, and what they are taken for when they are not.

use std::collections::BTreeMap;

use resetscope_core::judge::cause::{Cause, Subcause};
use serde::Serialize;

use super::verdict::Scored;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many it is true of.
    pub count: usize,
    /// How many there are.
    pub of: usize,
}

impl Share {
    /// Counts one more.
    pub fn add(&mut self, counts: bool) {
        self.count += usize::from(counts);
        self.of += 1;
    }

    /// Counts those of `items` that `counts` is true of.
    pub fn of<T>(items: impl IntoIterator<Item = T>, counts: impl Fn(&T) -> bool) -> Self {
        let mut share = Self::default();
        items.into_iter().for_each(|item| share.add(counts(&item)));
        share
    }

    /// The quotient, 0 to 1; NaN when there is nothing to count, so that no bound holds of it.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.of == 0 { f64::NAN } else { self.count as f64 / self.of as f64 }
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut map = serializer.serialize_struct("Share", 3)?;
        map.serialize_field("count", &self.count)?;
        map.serialize_field("of", &self.of)?;
        map.serialize_field("share", &self.value())?;
        map.end()
    }
}

/// Events by true cause and judged cause. A verdict that is as good as the true one counts as it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Names of rows and columns.
    pub causes: [&'static str; CAUSES],
    /// Rows: the truth's first cause. Columns: the verdict.
    pub rows: [[usize; CAUSES]; CAUSES],
}

/// Causes, `unknown` included.
const CAUSES: usize = Cause::ALL.len();

impl Matrix {
    /// Counts pairs of true and judged cause.
    #[must_use]
    pub fn of(pairs: impl IntoIterator<Item = (Cause, Cause)>) -> Self {
        let mut rows = [[0; CAUSES]; CAUSES];
        for (truth, verdict) in pairs {
            if let Some(cell) = rows
                .get_mut(truth as usize)
                .and_then(|row: &mut [usize; CAUSES]| row.get_mut(verdict as usize))
            {
                *cell += 1;
            }
        }
        Self { causes: Cause::ALL.map(Cause::name), rows }
    }

    /// Precision, recall and F1 of each cause but `unknown`.
    #[must_use]
    pub fn classes(&self) -> Vec<Class> {
        let known = Cause::ALL.into_iter().filter(|cause| *cause != Cause::Unknown);
        known.map(|cause| self.class(cause)).collect()
    }

    fn class(&self, cause: Cause) -> Class {
        let at = cause as usize;
        let cell = |row: usize, column: usize| {
            self.rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0)
        };
        let right = cell(at, at);
        let truth: usize = (0..CAUSES).map(|column| cell(at, column)).sum();
        let judged: usize = (0..CAUSES).map(|row| cell(row, at)).sum();
        let f1 = 2.0 * right as f64 / (truth + judged) as f64;
        Class {
            cause: cause.name(),
            precision: Share { count: right, of: judged },
            recall: Share { count: right, of: truth },
            f1,
        }
    }
}

/// How well one cause is recognised.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Class {
    /// The cause.
    pub cause: &'static str,
    /// Of the verdicts that name it, those that are right.
    pub precision: Share,
    /// Of the events that have it, those recognised.
    pub recall: Share,
    /// Harmonic mean of precision and recall; NaN when the cause occurs nowhere.
    pub f1: f64,
}

/// The mean F1 of the classes that occur in the truth or in a verdict.
#[must_use]
pub fn macro_f1(classes: &[Class]) -> f64 {
    let occurring: Vec<f64> =
        classes.iter().map(|class| class.f1).filter(|f1| !f1.is_nan()).collect();
    occurring.iter().sum::<f64>() / occurring.len() as f64
}

/// A wrong verdict and how often it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The true sub-cause.
    pub truth: &'static str,
    /// The verdict's sub-cause.
    pub verdict: &'static str,
    /// How often.
    pub count: usize,
    /// Whether the two are of one cause, so that only the sub-cause is wrong.
    pub same_cause: bool,
}

/// How right the verdicts are.
#[derive(Clone, Debug, Serialize)]
pub struct Accuracy {
    /// Verdicts whose cause is right.
    pub cause: Share,
    /// Verdicts whose sub-cause is right.
    pub subcause: Share,
    /// Causes as judged for causes as they were.
    pub matrix: Matrix,
    /// Precision and recall of each cause.
    pub classes: Vec<Class>,
    /// Mean F1 of the six causes and benign.
    pub macro_f1: f64,
    /// Wrong sub-causes, the most frequent first.
    pub mistakes: Vec<Mistake>,
}

impl Accuracy {
    /// Counts over `scored`.
    #[must_use]
    pub fn of(scored: &[Scored<'_>]) -> Self {
        let matrix = Matrix::of(scored.iter().map(|it| {
            let (truth, verdict) = (it.truth.cause(), it.verdict().cause());
            (truth, if it.cause_is_right() { truth } else { verdict })
        }));
        let classes = matrix.classes();
        Self {
            cause: Share::of(scored, |it| it.cause_is_right()),
            subcause: Share::of(scored, |it| it.subcause_is_right()),
            macro_f1: macro_f1(&classes),
            classes,
            matrix,
            mistakes: mistakes(scored),
        }
    }
}

fn mistakes(scored: &[Scored<'_>]) -> Vec<Mistake> {
    let mut cells: BTreeMap<(Subcause, Subcause), (usize, bool)> = BTreeMap::new();
    for it in scored.iter().filter(|it| !it.subcause_is_right()) {
        let cell = cells.entry((it.truth, it.verdict())).or_default();
        *cell = (cell.0 + 1, it.cause_is_right());
    }
    let mut mistakes: Vec<Mistake> = cells
        .into_iter()
        .map(|((truth, verdict), (count, same_cause))| Mistake {
            truth: truth.id(),
            verdict: verdict.id(),
            count,
            same_cause,
        })
        .collect();
    mistakes.sort_by_key(|mistake| std::cmp::Reverse(mistake.count));
    mistakes
}

#[cfg(test)]
mod tests {
    use super::{Matrix, Share, macro_f1};
    use resetscope_core::judge::cause::Cause::{Benign, ClosedPort, Firewall, Unknown};

    #[test]
    fn precision_counts_columns_and_recall_rows() {
        let pairs = [
            (ClosedPort, ClosedPort),
            (ClosedPort, ClosedPort),
            (ClosedPort, Firewall),
            (Firewall, Firewall),
            (Benign, Unknown),
        ];
        let classes = Matrix::of(pairs).classes();
        let of = |cause: &str| classes.iter().find(|class| class.cause == cause).unwrap();
        let closed = of("closed_port");
        assert_eq!((closed.precision.value(), closed.recall), (1.0, Share { count: 2, of: 3 }));
        let firewall = of("firewall");
        assert_eq!((firewall.precision.value(), firewall.recall.value()), (0.5, 1.0));
        assert_eq!(of("benign").recall.value(), 0.0);
        assert!(of("network").f1.is_nan());
        // Of closed_port 0.8, firewall 2/3, benign 0; what does not occur has no say.
        assert!((macro_f1(&classes) - (0.8 + 2.0 / 3.0) / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_share_of_nothing_satisfies_no_bound() {
        let nothing = Share::default().value();
        assert_eq!([nothing.partial_cmp(&0.0), nothing.partial_cmp(&1.0)], [None, None]);
    }
}
