//! Cost against number of connections, drawn as SVG.

use std::io::{self, Write};

use super::{ByFlows, Rate};

/// The drawing, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;

/// Room around the axes.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;

/// A line of the drawing: name, colour, and what it shows.
type Line = (&'static str, &'static str, fn(&ByFlows) -> f64);

/// Colours that people who see fewer of them can tell apart (Okabe and Ito).
const LINES: [Line; 3] = [
    ("engine", "#d55e00", |row| row.engine_ns),
    ("floor", "#0072b2", |row| row.floor_ns),
    ("bare floor", "#009e73", |row| row.bare_floor_ns),
];

/// The frame of reference.
struct Axes {
    least: f64,
    most: f64,
    top_ns: f64,
    step_ns: f64,
}

impl Axes {
    fn of(rows: &[ByFlows]) -> Self {
        let flows = || rows.iter().map(|row| f64::from(row.flows.max(1)).log10());
        let least = flows().fold(f64::INFINITY, f64::min);
        let most = flows().fold(f64::NEG_INFINITY, f64::max);
        let highest = rows.iter().flat_map(|row| LINES.map(|line| line.2(row))).fold(1.0, f64::max);
        let step_ns = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0]
            .into_iter()
            .find(|step| highest / step <= 8.0)
            .unwrap_or(1_000.0);
        Self { least, most, top_ns: (highest / step_ns).ceil() * step_ns, step_ns }
    }

    fn x(&self, flows: u32) -> f64 {
        let share =
            (f64::from(flows.max(1)).log10() - self.least) / (self.most - self.least).max(0.1);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, ns: f64) -> f64 {
        HEIGHT - BOTTOM - ns / self.top_ns * (HEIGHT - TOP - BOTTOM)
    }
}

/// Draws the engine's cost and both floors; nothing to draw gives an empty frame.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, rate: &Rate) -> io::Result<()> {
    let rows = &rate.by_flows;
    let axes = Axes::of(rows);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Nanoseconds a packet against number of connections</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>"
    )?;
    text(out, (LEFT, 22.0), "start", "ns a packet, one core, 60-byte frames in random order")?;
    grid(out, &axes, rows)?;
    for line in LINES {
        draw(out, &axes, rows, line)?;
    }
    labels(out, &axes, rows)?;
    writeln!(out, "</svg>")
}

fn grid(out: &mut dyn Write, axes: &Axes, rows: &[ByFlows]) -> io::Result<()> {
    let right = WIDTH - RIGHT;
    let mut ns = 0.0;
    while ns <= axes.top_ns {
        let y = axes.y(ns);
        writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>"
        )?;
        text(out, (LEFT - 8.0, y + 4.0), "end", &format!("{ns:.0}"))?;
        ns += axes.step_ns;
    }
    for row in rows {
        text(out, (axes.x(row.flows), HEIGHT - BOTTOM + 20.0), "middle", &short(row.flows))?;
    }
    let middle = (LEFT + right) / 2.0;
    text(out, (middle, HEIGHT - 10.0), "middle", "connections")
}

fn draw(out: &mut dyn Write, axes: &Axes, rows: &[ByFlows], line: Line) -> io::Result<()> {
    let (_, colour, value) = line;
    let points: Vec<String> = rows
        .iter()
        .map(|row| format!("{:.1},{:.1}", axes.x(row.flows), axes.y(value(row))))
        .collect();
    writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        points.join(" ")
    )?;
    for row in rows {
        let (x, y) = (axes.x(row.flows), axes.y(value(row)));
        writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>")?;
    }
    Ok(())
}

/// Names the lines at their right ends, from the top down, none over another.
fn labels(out: &mut dyn Write, axes: &Axes, rows: &[ByFlows]) -> io::Result<()> {
    let Some(last) = rows.last() else { return Ok(()) };
    let mut labels = LINES.map(|(name, _, value)| (axes.y(value(last)), name, value(last)));
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free_y = 0.0;
    for (y, name, ns) in labels {
        let y = f64::max(y, free_y);
        text(out, (axes.x(last.flows) + 10.0, y + 4.0), "start", &format!("{name} {ns:.0}"))?;
        free_y = y + 15.0;
    }
    Ok(())
}

fn text(out: &mut dyn Write, (x, y): (f64, f64), anchor: &str, words: &str) -> io::Result<()> {
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#333333\">{words}</text>"
    )
}

/// A number of connections as it is said: 1 k, 4 M.
fn short(flows: u32) -> String {
    match flows {
        0..1_000 => flows.to_string(),
        1_000..1_000_000 => format!("{} k", flows / 1_000),
        _ => format!("{} M", flows / 1_000_000),
    }
}
