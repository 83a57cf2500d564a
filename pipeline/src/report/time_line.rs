//! Resets over time by cause: the chart, and the same as a table.

use resetscope_core::judge::cause::Cause;

use super::chart::{Around, Chart, Column, Tick};
use super::gathered::Gathered;
use super::time_bins::{ByCause, D, H, MIN, MS, S};
use super::words::{self, count, many};
use crate::sink::table::{lasting, utc};

/// Distances of words on the time axis that people count in.
const TICKS: [u64; 33] = [
    MS,
    2 * MS,
    5 * MS,
    10 * MS,
    20 * MS,
    50 * MS,
    100 * MS,
    200 * MS,
    500 * MS,
    S,
    2 * S,
    5 * S,
    10 * S,
    15 * S,
    30 * S,
    MIN,
    2 * MIN,
    5 * MIN,
    10 * MIN,
    30 * MIN,
    H,
    2 * H,
    6 * H,
    12 * H,
    D,
    2 * D,
    7 * D,
    30 * D,
    100 * D,
    365 * D,
    1_000 * D,
    10_000 * D,
    100_000 * D,
];

/// Most words on the time axis.
const TICKS_MAX: u64 = 8;

/// The time line.
pub(super) struct TimeLine {
    /// The chart.
    pub(super) chart: Chart,
    /// Width of a column.
    pub(super) width: String,
    /// The causes that occur, the most frequent first: style, name, events.
    pub(super) causes: Vec<(&'static str, String, String)>,
    /// The columns that are not empty: when, all events, and those of each of `causes`.
    pub(super) rows: Vec<(String, String, Vec<String>)>,
}

impl TimeLine {
    /// The time line; `None` without events.
    pub(super) fn of(gathered: &Gathered) -> Option<Self> {
        let (width_ns, bins) = gathered.bins.over(gathered.span?);
        let mut sums = ByCause::default();
        for (_, counts) in &bins {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let mut causes: Vec<Cause> =
            Cause::ALL.into_iter().filter(|&cause| of(&sums, cause) > 0).collect();
        causes.sort_by_key(|&cause| (std::cmp::Reverse(of(&sums, cause)), cause));
        if causes.is_empty() {
            return None;
        }
        let columns = bins.iter().map(|(at, counts)| column(*at, counts, &causes, width_ns));
        let rows = bins
            .iter()
            .filter(|(_, counts)| counts.iter().any(|&count| count > 0))
            .map(|(at, counts)| {
                let each = causes.iter().map(|&cause| count(of(counts, cause))).collect();
                (moment(*at, width_ns), count(counts.iter().sum()), each)
            })
            .collect();
        let around = Around {
            id: "time",
            title: "Resets over time, by cause".to_owned(),
            words: described(&bins, width_ns),
            ticks: ticks(&bins, width_ns),
            marks: Vec::new(),
        };
        let legend = |&cause: &Cause| (cause.name(), words::cause(cause), count(of(&sums, cause)));
        Some(Self {
            width: lasting(width_ns / 1_000).replace(".0 ", " "),
            causes: causes.iter().map(legend).collect(),
            rows,
            chart: Chart::new(columns.collect(), around),
        })
    }
}

fn of(counts: &ByCause, cause: Cause) -> u64 {
    counts.get(cause as usize).copied().unwrap_or(0)
}

fn column(at_ns: u64, counts: &ByCause, causes: &[Cause], width_ns: u64) -> Column {
    let parts: Vec<(&'static str, u64)> =
        causes.iter().map(|&cause| (cause.name(), of(counts, cause))).collect();
    let total: u64 = counts.iter().sum();
    let hint = if total == 0 {
        String::new()
    } else {
        let named: Vec<String> = causes
            .iter()
            .filter(|&&cause| of(counts, cause) > 0)
            .map(|&cause| format!("{} {}", words::cause(cause), of(counts, cause)))
            .collect();
        let resets = many(total, "reset", "resets");
        format!("{}: {resets} ({})", moment(at_ns, width_ns), named.join(", "))
    };
    Column { parts, hint }
}

/// When a column or tick is, as exactly as its width asks for.
fn moment(at_ns: u64, width_ns: u64) -> String {
    // "2026-11-22 18:10:09 UTC"
    let whole = utc(at_ns);
    let (date, clock) = whole.split_once(' ').unwrap_or((&whole, ""));
    let clock = clock.trim_end_matches(" UTC");
    if width_ns >= D {
        date.to_owned()
    } else if width_ns >= MIN {
        clock.rsplit_once(':').map_or(clock, |(minutes, _)| minutes).to_owned()
    } else if width_ns >= S {
        clock.to_owned()
    } else {
        format!("{clock}.{:03}", at_ns / MS % 1_000)
    }
}

fn ticks(bins: &[(u64, ByCause)], width_ns: u64) -> Vec<Tick> {
    let (Some((first, _)), Some((last, _))) = (bins.first(), bins.last()) else {
        return Vec::new();
    };
    let (begin, length) = (*first, (last - first).saturating_add(width_ns));
    let fits = |step: &u64| *step >= width_ns && length / step <= TICKS_MAX;
    let Some(step) = TICKS.into_iter().find(fits) else { return Vec::new() };
    let first = begin.div_ceil(step);
    (first..=begin.saturating_add(length) / step)
        .map(|tick| tick.saturating_mul(step))
        .map(|at| Tick {
            at: at.saturating_sub(begin) as f64 / width_ns as f64,
            label: moment(at, step),
        })
        .collect()
}

fn described(bins: &[(u64, ByCause)], width_ns: u64) -> String {
    let total = |counts: &ByCause| counts.iter().sum::<u64>();
    let busy = bins.iter().filter(|(_, counts)| total(counts) > 0).count();
    let most = bins.iter().max_by_key(|(at, counts)| (total(counts), std::cmp::Reverse(*at)));
    let most = most.map_or_else(String::new, |(at, counts)| {
        format!(
            " The most, {}, are at {}.",
            many(total(counts), "reset", "resets"),
            moment(*at, width_ns)
        )
    });
    format!(
        "Columns of {} each; {busy} of {} hold resets.{most} The table below has the numbers.",
        lasting(width_ns / 1_000).replace(".0 ", " "),
        bins.len()
    )
}
