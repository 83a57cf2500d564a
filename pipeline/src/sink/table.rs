//! The summary as a person reads it in a terminal, 80 columns wide.

use std::fmt::Write as _;
use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use resetscope_core::interval::Shed;
use resetscope_core::interval::histogram::Metric;
use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::skip::Skip;

use crate::collect::Summary;
use crate::collect::top::Tally;

/// Sub-causes named beside a cause.
const SUBCAUSES: usize = 2;

/// Writes a summary as text, with the `top` services and hosts.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, summary: &Summary, top: usize) -> io::Result<()> {
    head(out, summary)?;
    if summary.interval.resets.events > 0 {
        causes(out, summary)?;
        tallies(out, summary, top)?;
        distributions(out, summary)?;
    }
    ledger(out, summary)
}

fn head(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let (interval, span) = (&summary.interval, summary.span);
    let (resets, frames) = (&interval.resets, &interval.frames);
    let lasted = span.end_ns.saturating_sub(span.start_ns);
    writeln!(
        out,
        "{} in {} of traffic from {}.",
        many(resets.events, "reset", "resets"),
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

fn print(out: &mut dyn Write, table: &Table) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}

fn causes(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let resets = &summary.interval.resets;
    let mut rows: Vec<(Cause, u64)> =
        Cause::ALL.into_iter().zip(resets.by_cause).filter(|(_, count)| *count > 0).collect();
    rows.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), *cause));
    let mut table = plain_table(&["cause", "resets", "share", "mostly"]);
    for (cause, count) in rows {
        table.add_row([
            cause.name().to_owned(),
            count.to_string(),
            share(count, resets.events),
            mostly(cause, &resets.by_subcause),
        ]);
    }
    right(&mut table, &[1, 2]);
    print(out, &table)
}

fn mostly(cause: Cause, by_subcause: &[u64]) -> String {
    let mut named: Vec<(Subcause, u64)> = Subcause::ALL
        .iter()
        .copied()
        .zip(by_subcause.iter().copied())
        .filter(|(subcause, count)| subcause.cause() == cause && *count > 0)
        .collect();
    named.sort_by_key(|(subcause, count)| (std::cmp::Reverse(*count), *subcause));
    let more = named.len() > SUBCAUSES;
    let mut text = String::new();
    for (index, (subcause, count)) in named.into_iter().take(SUBCAUSES).enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let _ = write!(text, "{comma}{} {} ({count})", subcause.id(), subcause.name());
    }
    if more {
        text.push_str(", …");
    }
    text
}

fn tallies(out: &mut dyn Write, summary: &Summary, top: usize) -> io::Result<()> {
    if top == 0 {
        return Ok(());
    }
    let rows = |table: &mut Table, name: String, tally: &Tally| {
        let packets = tally.packets.to_string();
        table.add_row([name, tally.events.to_string(), packets, by_cause(tally)]);
    };
    let mut services = plain_table(&["service", "resets", "RSTs", "causes"]);
    for ((addr, port), tally) in summary.top.services(top) {
        let name =
            if addr.is_ipv6() { format!("[{addr}]:{port}") } else { format!("{addr}:{port}") };
        rows(&mut services, name, tally);
    }
    right(&mut services, &[1, 2]);
    print(out, &services)?;
    let mut hosts = plain_table(&["sent by", "resets", "RSTs", "causes"]);
    for (addr, tally) in summary.top.hosts(top) {
        rows(&mut hosts, addr.to_string(), tally);
    }
    right(&mut hosts, &[1, 2]);
    print(out, &hosts)
}

fn by_cause(tally: &Tally) -> String {
    let mut named: Vec<(Cause, u64)> =
        Cause::ALL.into_iter().zip(tally.by_cause).filter(|(_, count)| *count > 0).collect();
    named.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), *cause));
    let names: Vec<String> =
        named.iter().take(2).map(|(cause, count)| format!("{} {count}", cause.name())).collect();
    let more = if named.len() > 2 { ", …" } else { "" };
    names.join(", ") + more
}

fn distributions(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
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
    print(out, &table)
}

fn ledger(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
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
    writeln!(
        out,
        "frames: {} received = {} analysed + {} skipped{} + {} shed{}",
        frames.received,
        frames.analysed,
        frames.skipped.iter().sum::<u64>(),
        parts(skipped),
        frames.shed.iter().sum::<u64>(),
        parts(shed)
    )
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
