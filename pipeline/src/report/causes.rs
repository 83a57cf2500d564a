//! Why: causes with their shares, and under each what happened more closely.

use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::judge::explain;

use super::authors::percent;
use super::gathered::Gathered;
use super::words::{self, count};
use crate::sink::table::share;

/// One cause.
pub(super) struct CauseRow {
    /// Its style.
    pub(super) class: &'static str,
    /// Its name in words.
    pub(super) name: String,
    /// What it means.
    pub(super) meaning: &'static str,
    /// Events.
    pub(super) count: String,
    /// Of all events.
    pub(super) share: String,
    /// The same for a bar.
    pub(super) percent: String,
    /// Its sub-causes, the most frequent first.
    pub(super) subcauses: Vec<SubcauseRow>,
}

/// One sub-cause.
pub(super) struct SubcauseRow {
    /// Its id.
    pub(super) id: &'static str,
    /// Its name in words.
    pub(super) name: String,
    /// Events.
    pub(super) count: String,
    /// What happened, in a sentence.
    pub(super) meaning: &'static str,
    /// Frame and number of the surest event that the page tells.
    pub(super) example: Option<(u64, usize)>,
}

/// The causes that occur, the most frequent first.
pub(super) fn all(gathered: &Gathered) -> Vec<CauseRow> {
    let resets = &gathered.sums.resets;
    let mut found: Vec<(Cause, u64)> =
        Cause::ALL.into_iter().zip(resets.by_cause).filter(|(_, count)| *count > 0).collect();
    found.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), *cause));
    let row = |(cause, events): (Cause, u64)| CauseRow {
        class: cause.name(),
        name: words::cause(cause),
        meaning: words::meaning(cause),
        count: count(events),
        share: share(events, resets.events),
        percent: percent(events, resets.events),
        subcauses: subcauses(gathered, cause),
    };
    found.into_iter().map(row).collect()
}

fn subcauses(gathered: &Gathered, cause: Cause) -> Vec<SubcauseRow> {
    let counts = Subcause::ALL.iter().copied().zip(gathered.sums.resets.by_subcause);
    let mut found: Vec<(Subcause, u64)> =
        counts.filter(|(subcause, count)| subcause.cause() == cause && *count > 0).collect();
    found.sort_by_key(|(subcause, count)| (std::cmp::Reverse(*count), *subcause));
    let example = |subcause| {
        let at = *gathered.examples.get(&subcause)?;
        Some((gathered.events.get(at)?.frame, at + 1))
    };
    let row = |(subcause, events): (Subcause, u64)| SubcauseRow {
        id: subcause.id(),
        name: subcause.name().replace('_', " "),
        count: count(events),
        meaning: explain::subcause::of(subcause).meaning,
        example: example(subcause),
    };
    found.into_iter().map(row).collect()
}
