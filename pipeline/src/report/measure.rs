//! The distributions: percentiles, and a histogram of each.

use hdrhistogram::Histogram;
use resetscope_core::interval::histogram::Metric;

use super::chart::{Around, Chart, Column, Mark, Tick};
use super::classes::{self, Class};
use super::gathered::Gathered;
use super::words::{count, many};
use crate::sink::table::{bytes, lasting};

/// The percentiles that are told, by their names.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// How many of them, from the first, the drawing marks; their names are styles.
const MARKED: usize = 3;

/// Most words below a histogram.
const TICKS_MAX: usize = 5;

/// One distribution.
pub(super) struct Measure {
    /// Its name in words.
    pub(super) name: String,
    /// What is measured.
    pub(super) what: &'static str,
    /// Values.
    pub(super) count: String,
    /// The percentiles and the greatest value: style, name, value.
    pub(super) values: Vec<(&'static str, &'static str, String)>,
    /// The histogram.
    pub(super) chart: Chart,
    /// The classes that are not empty, as bounds and counts.
    pub(super) rows: Vec<(String, String)>,
}

/// Every distribution that has values.
pub(super) fn all(gathered: &Gathered) -> Vec<Measure> {
    Metric::ALL
        .iter()
        .filter_map(|&metric| Some((metric, gathered.sums.histograms.get(metric)?)))
        .filter(|(_, histogram)| !histogram.is_empty())
        .map(|(metric, histogram)| measure(metric, histogram))
        .collect()
}

fn measure(metric: Metric, histogram: &Histogram<u64>) -> Measure {
    let classes = classes::of(histogram);
    let name = metric.name().replace('_', " ").replace("rst", "RST").replace("rtt", "RTT");
    let mut values: Vec<(&'static str, &'static str, String)> = (0..)
        .zip(QUANTILES)
        .map(|(place, (name, quantile))| {
            let style = if place < MARKED { name } else { "" };
            (style, name, shown(metric, histogram.value_at_quantile(quantile)))
        })
        .collect();
    values.push(("", "max", shown(metric, histogram.max())));
    let mark = |(class, quantile)| {
        let at = classes::place(&classes, histogram.value_at_quantile(quantile));
        Mark { class, at }
    };
    let rows: Vec<(String, String)> = classes
        .iter()
        .filter(|class| class.count > 0)
        .map(|class| (bounds(metric, class), count(class.count)))
        .collect();
    let column = |class: &Class| Column {
        parts: vec![("plain", class.count)],
        hint: match class.count {
            0 => String::new(),
            number => format!("{}: {}", bounds(metric, class), many(number, "value", "values")),
        },
    };
    let around = Around {
        id: metric.name(),
        title: format!("Histogram of {name}"),
        words: format!(
            "{}; half of them are at most {}.",
            many(histogram.len(), "value", "values"),
            shown(metric, histogram.value_at_quantile(0.5))
        ),
        ticks: ticks(metric, &classes),
        marks: QUANTILES.into_iter().take(MARKED).map(mark).collect(),
    };
    Measure {
        name,
        what: what(metric),
        count: count(histogram.len()),
        values,
        chart: Chart::new(classes.iter().map(column).collect(), around),
        rows,
    }
}

const fn what(metric: Metric) -> &'static str {
    match metric {
        Metric::RstLatency => "From the peer's last packet to the RST",
        Metric::ConnectionAge => "From the connection's first packet to the RST",
        Metric::IdleBeforeReset => "Silence before the RST or its trigger",
        Metric::BytesAtReset => "Payload of both directions before the RST",
        Metric::HandshakeRtt => "SYN to acknowledged SYN-ACK, all connections",
        Metric::RetransmissionsBefore => "Unanswered, by the side that then reset",
        Metric::PacketsPerEvent => "RST packets that are one reset",
    }
}

/// A value in the metric's unit.
fn shown(metric: Metric, value: u64) -> String {
    match metric.unit() {
        "us" => lasting(value),
        "ms" => lasting(value.saturating_mul(1_000)),
        "bytes" => bytes(value),
        _ => count(value),
    }
}

/// A round value: "1 ms" rather than "1.0 ms".
fn round(metric: Metric, value: u64) -> String {
    if value == 0 { "0".to_owned() } else { shown(metric, value).replace(".0 ", " ") }
}

fn bounds(metric: Metric, class: &Class) -> String {
    if class.begin == 0 && metric.unit() == "ms" {
        return "below 1 ms".to_owned();
    }
    if class.end - class.begin <= 1 {
        return round(metric, class.begin);
    }
    if metric.unit() == "packets" {
        return format!("{} to {}", count(class.begin), count(class.end - 1));
    }
    format!("{} to below {}", round(metric, class.begin), round(metric, class.end))
}

/// Decades where there are enough of them, else every other class.
fn ticks(metric: Metric, classes: &[Class]) -> Vec<Tick> {
    let decade = |class: &Class| {
        let mut value = class.begin;
        while value >= 10 && value.is_multiple_of(10) {
            value /= 10;
        }
        value <= 1
    };
    let all: Vec<usize> = (0..classes.len()).collect();
    let decades: Vec<usize> =
        (0..).zip(classes).filter(|(_, c)| decade(c)).map(|(i, _)| i).collect();
    // Zero and one stand side by side, where units leave no room for both.
    let room = |&place: &usize| {
        metric.unit() == "packets" || classes.get(place).is_some_and(|class| class.begin > 0)
    };
    let decades: Vec<usize> = decades.into_iter().filter(room).collect();
    let places = if decades.len() > 2 { decades } else { all };
    let every = places.len().div_ceil(TICKS_MAX);
    let tick = |place: usize| {
        let begin = classes.get(place).map_or(0, |class| class.begin);
        // A class that is one value is named in its middle.
        let single = classes.get(place).is_some_and(|class| class.end - class.begin <= 1);
        Tick { at: place as f64 + if single { 0.5 } else { 0.0 }, label: round(metric, begin) }
    };
    places.into_iter().step_by(every).map(tick).collect()
}
