//! The summary as a person reads it in a terminal, 80 columns wide.

mod fit;

use std::io::{self, Write};
use std::net::SocketAddr;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use resetscope_core::interval::Shed;
use resetscope_core::interval::histogram::Metric;
use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::skip::Skip;

use super::palette::Palette;
use crate::collect::Summary;
use crate::collect::top::Tally;
use crate::explain::wrap::wrap;
use fit::{fitting, room, widest};

/// Sub-causes named beside a cause, and causes beside a service or host.
const NAMED: usize = 2;

/// Writes a summary as text, with the `top` services and hosts.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(
    out: &mut dyn Write,
    summary: &Summary,
    top: usize,
    palette: Palette,
) -> io::Result<()> {
    head(out, summary, palette)?;
    if summary.interval.resets.events > 0 {
        causes(out, summary, palette)?;
        tallies(out, summary, top, palette)?;
        distributions(out, summary, palette)?;
    }
    ledger(out, summary, palette)
}

fn head(out: &mut dyn Write, summary: &Summary, palette: Palette) -> io::Result<()> {
    let (interval, span) = (&summary.interval, summary.span);
    let (resets, frames) = (&interval.resets, &interval.frames);
    let lasted = span.end_ns.saturating_sub(span.start_ns);
    writeln!(
        out,
        "{} in {} of traffic from {}.",
        palette.strong(&many(resets.events, "reset", "resets")),
        lasting(lasted / 1000),
        utc(span.start_ns)
    )?;
    writeln!(
        out,
        "{}, {} ({}), {}.\n",
        many(resets.packets, "RST packet", "RST packets"),
        many(frames.received, "frame", "frames"),
        bytes(frames.bytes),
        many(interval.flows.opened, "connection", "connections")
    )
}

fn plain_table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head.iter().copied());
    table
}

fn right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Prints a table; `of` is the cause whose colour the row of that number has.
fn print(
    out: &mut dyn Write,
    table: &Table,
    palette: Palette,
    of: impl Fn(usize) -> Option<Cause>,
) -> io::Result<()> {
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let line = match number.checked_sub(1).map(&of) {
            None => palette.faint(line),
            Some(None) => line.to_owned(),
            Some(Some(cause)) => palette.cause(cause, line),
        };
        writeln!(out, "{line}")?;
    }
    writeln!(out)
}

fn causes(out: &mut dyn Write, summary: &Summary, palette: Palette) -> io::Result<()> {
    let resets = &summary.interval.resets;
    let mut rows: Vec<(Cause, u64)> =
        Cause::ALL.into_iter().zip(resets.by_cause).filter(|(_, count)| *count > 0).collect();
    rows.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), *cause));
    let mut table = plain_table(&["cause", "resets", "share", "mostly"]);
    let names = widest(rows.iter().map(|(cause, _)| cause.name()));
    let counts = widest(["resets", &resets.events.to_string()]);
    let room = room(&[names, counts, "100.0 %".len()]);
    for (cause, count) in &rows {
        table.add_row([
            cause.name().to_owned(),
            count.to_string(),
            share(*count, resets.events),
            mostly(*cause, &resets.by_subcause, room),
        ]);
    }
    right(&mut table, &[1, 2]);
    print(out, &table, palette, |row| rows.get(row).map(|(cause, _)| *cause))
}

fn mostly(cause: Cause, by_subcause: &[u64], room: usize) -> String {
    let mut named: Vec<(Subcause, u64)> = Subcause::ALL
        .iter()
        .copied()
        .zip(by_subcause.iter().copied())
        .filter(|(subcause, count)| subcause.cause() == cause && *count > 0)
        .collect();
    named.sort_by_key(|(subcause, count)| (std::cmp::Reverse(*count), *subcause));
    let named: Vec<String> = named
        .into_iter()
        .map(|(subcause, count)| format!("{} {} ({count})", subcause.id(), subcause.name()))
        .collect();
    fitting(&named, NAMED, room)
}

fn tallies(out: &mut dyn Write, summary: &Summary, top: usize, palette: Palette) -> io::Result<()> {
    if top == 0 {
        return Ok(());
    }
    let services = summary.top.services(top).into_iter();
    let services: Vec<(String, &Tally)> = services
        .map(|((addr, port), tally)| (SocketAddr::new(addr, port).to_string(), tally))
        .collect();
    let hosts = summary.top.hosts(top).into_iter();
    let hosts: Vec<(String, &Tally)> =
        hosts.map(|(addr, tally)| (addr.to_string(), tally)).collect();
    for (head, rows) in [("service", services), ("sent by", hosts)] {
        let mut table = plain_table(&[head, "resets", "RSTs", "causes"]);
        let width = |of: fn(&Tally) -> u64| widest(rows.iter().map(|row| of(row.1).to_string()));
        let room = room(&[
            widest(rows.iter().map(|row| row.0.as_str()).chain([head])),
            width(|tally| tally.events).max("resets".len()),
            width(|tally| tally.packets).max("RSTs".len()),
        ]);
        for (name, tally) in &rows {
            let (events, packets) = (tally.events.to_string(), tally.packets.to_string());
            table.add_row([name.clone(), events, packets, by_cause(tally, room)]);
        }
        right(&mut table, &[1, 2]);
        print(out, &table, palette, |row| ranked(rows.get(row)?.1).first().map(|first| first.0))?;
    }
    Ok(())
}

/// Causes of a service's or host's resets, the most frequent first.
fn ranked(tally: &Tally) -> Vec<(Cause, u64)> {
    let mut named: Vec<(Cause, u64)> =
        Cause::ALL.into_iter().zip(tally.by_cause).filter(|(_, count)| *count > 0).collect();
    named.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), *cause));
    named
}

fn by_cause(tally: &Tally, room: usize) -> String {
    let names: Vec<String> =
        ranked(tally).iter().map(|(cause, count)| format!("{} {count}", cause.name())).collect();
    fitting(&names, NAMED, room)
}

fn distributions(out: &mut dyn Write, summary: &Summary, palette: Palette) -> io::Result<()> {
    let mut table = plain_table(&["", "count", "p50", "p90", "p99", "max"]);
    for &metric in Metric::ALL {
        let Some(histogram) = summary.interval.histograms.get(metric) else { continue };
        if histogram.is_empty() {
            continue;
        }
        let value = |value: u64| match metric.unit() {
            "us" => lasting(value),
            "ms" => lasting(value.saturating_mul(1000)),
            "bytes" => bytes(value),
            _ => value.to_string(),
        };
        table.add_row([
            metric.name().replace('_', " "),
            histogram.len().to_string(),
            value(histogram.value_at_quantile(0.5)),
            value(histogram.value_at_quantile(0.9)),
            value(histogram.value_at_quantile(0.99)),
            value(histogram.max()),
        ]);
    }
    right(&mut table, &[1, 2, 3, 4, 5]);
    print(out, &table, palette, |_| None)
}

fn ledger(out: &mut dyn Write, summary: &Summary, palette: Palette) -> io::Result<()> {
    let frames = &summary.interval.frames;
    let parts = |names: Vec<(&'static str, u64)>| {
        let named: Vec<String> = names
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) }
    };
    let skipped = Skip::ALL.map(Skip::name).into_iter().zip(frames.skipped).collect();
    let shed = Shed::ALL.map(Shed::name).into_iter().zip(frames.shed).collect();
    let lost: u64 = frames.shed.iter().sum();
    let text = format!(
        "{} received = {} analysed + {} skipped{} + {lost} shed{}",
        frames.received,
        frames.analysed,
        frames.skipped.iter().sum::<u64>(),
        parts(skipped),
        parts(shed)
    );
    let text = format!("frames: {}", wrap(&text, "frames: ".len()).trim());
    writeln!(out, "{}", if lost > 0 { palette.warning(&text) } else { text })
}

fn many(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A part of a whole in percent.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let permille = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole.max(1));
    format!("{}.{} %", permille / 10, permille % 10)
}

/// A time that reads well, from microseconds.
pub(crate) fn lasting(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..120_000_000 => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
        120_000_000..7_200_000_000 => format!("{} min", us / 60_000_000),
        7_200_000_000..172_800_000_000 => format!("{} h", us / 3_600_000_000),
        _ => format!("{} d", us / 86_400_000_000),
    }
}

/// A number of bytes that reads well.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{}.{} kB", count / 1_000, count % 1_000 / 100),
        1_000_000..1_000_000_000 => {
            format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000)
        }
        _ => format!("{}.{} GB", count / 1_000_000_000, count % 1_000_000_000 / 100_000_000),
    }
}

/// A date and time in UTC, by the proleptic Gregorian calendar.
pub(crate) fn utc(time_ns: u64) -> String {
    let seconds = time_ns / 1_000_000_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut left) = (1970, days);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while left >= if leap(year) { 366 } else { 365 } {
        left -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!(
        "{year}-{month:02}-{:02} {:02}:{:02}:{:02} UTC",
        left + 1,
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::{lasting, utc};

    #[test]
    fn dates_follow_the_calendar() {
        for (seconds, want) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(utc(seconds * 1_000_000_000), want);
        }
    }

    #[test]
    fn times_keep_two_figures() {
        for (us, want) in [(40, "40 µs"), (1_400, "1.4 ms"), (2_500_000, "2.5 s")] {
            assert_eq!(lasting(us), want);
        }
    }
}
