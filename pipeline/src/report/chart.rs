//! Columns, stacked, as inline SVG that stretches to its place; the words around it are HTML, so that
//! they keep their size on any screen.

use askama::Template;

/// Height of the drawing, in its own units.
const HEIGHT: u64 = 1_000;

/// Width of a column with the gap beside it, and of the gap.
const STEP: u64 = 10;
const GAP: u64 = 2;

/// Least height of a column that counts anything: it shall be seen beside far higher ones.
const LEAST: u64 = 14;

/// The part of the width from which on words end where they stand.
const END: f64 = 0.96;

/// Most lines across.
const LINES: u64 = 4;

/// A chart.
#[derive(Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    /// Names the chart's parts in the page.
    id: &'static str,
    title: String,
    /// What it shows, for who cannot see it.
    words: String,
    width: u64,
    bars: Vec<Bar>,
    /// Words over each column, with its left edge.
    hints: Vec<(u64, String)>,
    lines: Vec<Line>,
    ticks: Vec<Tick>,
    marks: Vec<Mark>,
}

/// What a column shows.
pub(super) struct Column {
    /// Parts from below: a name of a colour in the style sheet, and a count.
    pub(super) parts: Vec<(&'static str, u64)>,
    /// What is said when it is pointed at.
    pub(super) hint: String,
}

/// A word below the columns.
pub(super) struct Tick {
    /// Where, in columns from the left.
    pub(super) at: f64,
    /// The word.
    pub(super) label: String,
}

/// A line upright through the columns.
pub(super) struct Mark {
    /// Its style.
    pub(super) class: &'static str,
    /// Where, in columns from the left.
    pub(super) at: f64,
}

struct Bar {
    x: u64,
    y: u64,
    height: u64,
    class: &'static str,
}

struct Line {
    /// Percent from the top.
    at: f64,
    label: String,
}

/// What is around the columns.
#[derive(Default)]
pub(super) struct Around {
    /// Names the chart's parts in the page.
    pub(super) id: &'static str,
    /// Its title.
    pub(super) title: String,
    /// What it shows, for who cannot see it.
    pub(super) words: String,
    /// Words below.
    pub(super) ticks: Vec<Tick>,
    /// Lines upright.
    pub(super) marks: Vec<Mark>,
}

impl Chart {
    /// Draws columns from left to right.
    pub(super) fn new(columns: Vec<Column>, around: Around) -> Self {
        let total = |column: &Column| column.parts.iter().map(|(_, count)| count).sum::<u64>();
        let highest = columns.iter().map(total).max().unwrap_or(0).max(1);
        let (step, top) = scale(highest);
        let mut bars = Vec::new();
        for (place, column) in (0..).zip(&columns) {
            draw(&mut bars, place * STEP, column, total(column), top);
        }
        let lines = (1..=top / step)
            .map(|line| Line {
                at: 100.0 - (line * step) as f64 * 100.0 / top as f64,
                label: super::words::count(line * step),
            })
            .collect();
        let width = STEP * columns.len().max(1) as u64;
        let hints = (0..).zip(columns).map(|(place, column)| (place * STEP, column.hint));
        let hints = hints.filter(|(_, hint)| !hint.is_empty()).collect();
        let Around { id, title, words, ticks, marks } = around;
        Self { id, title, words, width, bars, hints, lines, ticks, marks }
    }

    /// Percent of the width from the left.
    fn percent(&self, at: &f64) -> String {
        format!("{:.2}", at * (STEP * 100) as f64 / self.width as f64)
    }

    /// Whether a word there would stand over the right edge.
    fn at_the_end(&self, at: &f64) -> bool {
        at * STEP as f64 > self.width as f64 * END
    }

    /// In units of the drawing.
    fn units(at: &f64) -> String {
        format!("{:.1}", at * STEP as f64)
    }
}

/// The distance of lines, and the top: few lines at round numbers.
fn scale(highest: u64) -> (u64, u64) {
    let mut step = 1;
    for factor in [2, 5, 10].into_iter().cycle() {
        if highest.div_ceil(step) <= LINES {
            break;
        }
        // 1, 2, 5, 10, 20, …
        step = match factor {
            2 => step * 2,
            5 => step / 2 * 5,
            _ => step * 2,
        };
    }
    (step, highest.div_ceil(step) * step)
}

fn draw(bars: &mut Vec<Bar>, x: u64, column: &Column, total: u64, top: u64) {
    if total == 0 {
        return;
    }
    let scaled = |part: u64, of: u64, to: u64| {
        u64::try_from(u128::from(part) * u128::from(to) / u128::from(of.max(1))).unwrap_or(to)
    };
    let height = scaled(total, top, HEIGHT).max(LEAST);
    let mut below = 0;
    for &(class, count) in &column.parts {
        let (from, to) = (scaled(below, total, height), scaled(below + count, total, height));
        below += count;
        if to > from {
            bars.push(Bar { x: x + GAP / 2, y: HEIGHT - to, height: to - from, class });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_few_and_at_round_numbers() {
        for (highest, want) in [
            (1, (1, 1)),
            (4, (1, 4)),
            (5, (2, 6)),
            (9, (5, 10)),
            (40, (10, 40)),
            (41, (20, 60)),
            (99_999, (50_000, 100_000)),
        ] {
            assert_eq!(scale(highest), want, "{highest}");
        }
    }

    #[test]
    fn a_lone_event_is_seen_beside_a_million() {
        let column = |count| Column { parts: vec![("a", count), ("b", 0)], hint: String::new() };
        let chart = Chart::new(vec![column(1), column(0), column(1_000_000)], Around::default());
        let heights: Vec<u64> = chart.bars.iter().map(|bar| bar.height).collect();
        assert_eq!(heights, [LEAST, HEIGHT]);
    }
}
