//! How a dashboard is drawn. Whatever does not fit is left away from below; no size is too small.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Gauge, Paragraph, Sparkline};
use resetscope_core::judge::cause::Cause;

use super::model::{Model, Reset};
use crate::sink::palette::{Palette, colour_of};

/// Services that are listed.
const SERVICES: u16 = 5;

/// Columns before the sparkline of a cause.
const COUNTS: u16 = 34;

/// How the dashboard looks besides its numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look<'a> {
    /// Whether there are colours.
    pub palette: Palette,
    /// The last thing that was said.
    pub remark: Option<&'a str>,
}

impl Look<'_> {
    fn of(self, cause: Cause) -> Style {
        // The sixteen colours: SGR 30 to 37, then 90 to 97.
        let code = colour_of(cause);
        self.tint(Color::Indexed(if code >= 90 { code - 82 } else { code - 30 }))
    }

    fn tint(self, colour: Color) -> Style {
        if self.palette.colour { Style::new().fg(colour) } else { Style::new() }
    }
}

/// Draws it all.
pub fn draw(frame: &mut Frame<'_>, model: &Model, now: Instant, look: Look<'_>) {
    let services = SERVICES.min(model.services(usize::from(SERVICES)).len() as u16);
    let causes = Cause::ALL.len() as u16;
    let [head, sums, table, listed, resets, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Max(causes + 2),
        Constraint::Max(if services > 0 { services + 2 } else { 0 }),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, model, now, look);
    draw_sums(frame, sums, model, look);
    draw_causes(frame, table, model, look);
    draw_services(frame, listed, model, look);
    draw_resets(frame, resets, model, look);
    draw_foot(frame, foot, look);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, model: &Model, now: Instant, look: Look<'_>) {
    let [name, clock] = Layout::horizontal([Constraint::Fill(1), Constraint::Max(30)]).areas(area);
    let lasted = whole(now.saturating_duration_since(model.begun));
    let title = vec![
        Span::styled("resetscope ", Modifier::BOLD),
        Span::raw(format!("{} · {lasted}", model.interface)),
    ];
    frame.render_widget(Line::from(title), name);
    let gone = now.saturating_duration_since(model.opened).min(model.interval);
    let share = gone.as_secs_f64() / model.interval.as_secs_f64().max(f64::MIN_POSITIVE);
    let label = format!("interval {}: {} of {}", model.ended, whole(gone), whole(model.interval));
    let gauge = Gauge::default().ratio(share.clamp(0.0, 1.0)).label(label);
    frame.render_widget(gauge.gauge_style(look.tint(Color::DarkGray)), clock);
}

fn draw_sums(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Look<'_>) {
    let resets: u64 = Cause::ALL.into_iter().map(|cause| model.total(cause)).sum();
    let rate: f64 = Cause::ALL.into_iter().map(|cause| model.rate(cause)).sum();
    let frames = &model.frames;
    let first = vec![
        Span::styled(format!("{resets} resets"), Modifier::BOLD),
        Span::raw(format!(
            " ({rate:.1}/s) · {} RST packets · {} connections",
            model.packets, model.connections
        )),
    ];
    let shed: u64 = frames.shed.iter().sum();
    let style = if shed > 0 { look.tint(Color::Red) } else { Style::new() };
    let second = vec![
        Span::raw(format!(
            "{} frames ({:.1}/s) = {} analysed + {} skipped + ",
            frames.received,
            model.frame_rate(),
            frames.analysed,
            frames.skipped.iter().sum::<u64>()
        )),
        Span::styled(format!("{shed} shed"), style),
    ];
    frame.render_widget(Paragraph::new(vec![Line::from(first), Line::from(second)]), area);
}

/// A heading below an empty line.
fn heading(text: String) -> [Line<'static>; 2] {
    [Line::default(), Line::styled(text, Modifier::DIM)]
}

fn draw_causes(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Look<'_>) {
    let [left, right] =
        Layout::horizontal([Constraint::Length(COUNTS), Constraint::Fill(1)]).areas(area);
    let mut lines = heading("cause            resets  a second".to_owned()).to_vec();
    for cause in Cause::ALL {
        lines.push(Line::from(vec![
            Span::styled(format!("{:<14}", cause.name()), look.of(cause)),
            Span::raw(format!(" {:>8}  {:>8.1}", model.total(cause), model.rate(cause))),
        ]));
    }
    frame.render_widget(Paragraph::new(lines), left);
    for (row, cause) in Cause::ALL.into_iter().enumerate() {
        let y = right.y + 2 + row as u16;
        if y >= right.bottom() {
            break;
        }
        // The latest interval is at the right.
        let mut counts: Vec<u64> = model.history(cause).take(right.width.into()).collect();
        counts.reverse();
        let line = Rect { y, height: 1, ..right };
        frame.render_widget(Sparkline::default().data(counts).style(look.of(cause)), line);
    }
}

fn draw_services(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Look<'_>) {
    let services = model.services(usize::from(SERVICES));
    if services.is_empty() {
        return;
    }
    let name = |(addr, port): (_, u16)| SocketAddr::new(addr, port).to_string();
    let width = services.iter().map(|(service, _)| name(*service).len()).max().unwrap_or(0).max(14);
    let mut lines = heading(format!("{:<width$} {:>8}  causes", "service", "resets")).to_vec();
    for (service, tally) in services {
        let mut spans = vec![Span::raw(format!("{:<width$} {:>8} ", name(service), tally.events))];
        let mut causes: Vec<(u64, Cause)> =
            Cause::ALL.into_iter().map(|cause| (tally.by_cause[cause as usize], cause)).collect();
        causes.sort_by_key(|(count, cause)| (std::cmp::Reverse(*count), *cause));
        for (count, cause) in causes.into_iter().filter(|(count, _)| *count > 0) {
            spans.push(Span::styled(format!(" {}", cause.name()), look.of(cause)));
            spans.push(Span::raw(format!(" {count}")));
        }
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_resets(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Look<'_>) {
    let rows = usize::from(area.height.saturating_sub(2));
    let resets: Vec<&Reset> = model.recent().take(rows).collect();
    let ends: Vec<String> =
        resets.iter().map(|reset| format!("{} → {}", reset.from, reset.to)).collect();
    let width = ends.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let mut lines = heading("last resets (UTC)".to_owned()).to_vec();
    for (reset, ends) in resets.into_iter().zip(ends) {
        lines.push(Line::from(vec![
            Span::raw(format!("{} {ends:<width$}  ", clock(reset.time_ns))),
            Span::styled(reset.subcause.cause().name(), look.of(reset.subcause.cause())),
            Span::raw(format!(" {} {}%", reset.subcause.name(), reset.percent)),
        ]));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, look: Look<'_>) {
    let keys = "q quit · n new interval";
    let text = match look.remark {
        Some(remark) => format!("{keys} · {remark}"),
        None => keys.to_owned(),
    };
    frame.render_widget(Line::styled(text, Modifier::DIM), area);
}

/// A time of day in UTC.
fn clock(time_ns: u64) -> String {
    let seconds = time_ns / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A time in whole seconds, or shorter ones in milliseconds.
fn whole(time: Duration) -> String {
    if time < Duration::from_secs(1) && !time.is_zero() {
        return format!("{} ms", time.as_millis());
    }
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}
