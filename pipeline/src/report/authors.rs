//! The whole in a few shares: who wrote the resets, how far the connections had come, how sure the
//! verdicts are.

use resetscope_core::judge::cause::Subcause;
use resetscope_core::judge::explain::author::{self, Author};
use resetscope_core::judge::facts::Stage;

use super::gathered::{BANDS, Gathered};
use super::words::{self, count};

/// One part of a whole.
pub(super) struct Part {
    /// What it is.
    pub(super) name: String,
    /// Events.
    pub(super) count: String,
    /// Percent of all events, for a bar.
    pub(super) percent: String,
}

/// Parts of `whole` events.
fn parts(named: impl Iterator<Item = (String, u64)>, whole: u64) -> Vec<Part> {
    named
        .map(|(name, events)| Part { name, count: count(events), percent: percent(events, whole) })
        .collect()
}

/// A bar's length in percent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}", part as f64 * 100.0 / whole.max(1) as f64)
}

/// Whose hand wrote the resets.
pub(super) fn authors(gathered: &Gathered) -> Vec<Part> {
    let name = |author| match author {
        Author::Host => "the host it names",
        Author::Stranger => "a device or tool, in that host\u{2019}s name",
        Author::Untold => "not told by the packets",
    };
    let named =
        Author::ALL.into_iter().map(|author| (name(author).to_owned(), by(gathered, author)));
    parts(named, gathered.sums.resets.events)
}

/// Resets of one author.
pub(super) fn by(gathered: &Gathered, author: Author) -> u64 {
    let counts = Subcause::ALL.iter().zip(gathered.sums.resets.by_subcause);
    counts.filter(|&(&subcause, _)| author::of(subcause) == author).map(|(_, n)| n).sum()
}

/// How far the connections had come.
pub(super) fn stages(gathered: &Gathered) -> Vec<Part> {
    let resets = &gathered.sums.resets;
    let named = Stage::ALL.into_iter().zip(resets.by_stage);
    parts(named.map(|(stage, n)| (words::stage(stage).to_owned(), n)), resets.events)
}

/// How sure the verdicts are. Events without details have none that is known.
pub(super) fn bands(gathered: &Gathered) -> Vec<Part> {
    let name = |band: usize| match (band.checked_sub(1).and_then(|i| BANDS.get(i)), BANDS.get(band))
    {
        (Some(above), Some(0)) => format!("below {above} %"),
        (Some(above), Some(least)) => format!("{least} to {} %", above - 1),
        (None, Some(least)) => format!("{least} % or more"),
        _ => String::new(),
    };
    let named = gathered.bands.iter().enumerate().map(|(band, &n)| (name(band), n));
    parts(named, gathered.came)
}
