//! The story as text, 80 columns wide.

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use resetscope_core::flow::record::IpIdClass;
use resetscope_core::judge::cause::Subcause;
use resetscope_core::judge::evidence::{Fact, Shape};
use resetscope_core::judge::explain;
use resetscope_core::judge::form::Form;
use resetscope_core::judge::note::Note;
use resetscope_core::segment::{TcpFlags, option};

use crate::sink::table::lasting;

use super::Story;
use super::reasons::{self, Item};
use super::roles::Roles;
use super::timeline::{Remark, Row};
use super::wireshark;
use super::wrap::{WIDTH, wrap};

/// Writes a story.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, story: &Story) -> io::Result<()> {
    let roles = Roles::of(&story.event);
    heading(out, story, &roles)?;
    timeline(out, story, &roles)?;
    let items = reasons::items(&story.event);
    evidence(out, story, &items)?;
    alternatives(out, story, &items)?;
    unknowns(out, story)?;
    look(out, story)
}

fn heading(out: &mut dyn Write, story: &Story, roles: &Roles) -> io::Result<()> {
    let event = &story.event;
    let claim = event.verdict.claim;
    let (from, to) = (event.side & 1, (event.side & 1) ^ 1);
    let when = humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(event.time_ns));
    writeln!(out, "Reset in frame {}, {when}", event.frame)?;
    writeln!(out, "from {} {} (so its addresses say)", roles.name(from), roles.end(from))?;
    writeln!(out, "to   {} {}", roles.name(to), roles.end(to))?;
    if !roles.known {
        let text = "Nobody was seen to open the connection; the lower port is taken for the \
                    server's.";
        write!(out, "{}", wrap(text, 0))?;
    }
    writeln!(
        out,
        "\nVerdict: {} {} ({}), confidence {} %",
        claim.subcause.id(),
        claim.subcause.name(),
        claim.subcause.cause().name(),
        claim.percent
    )?;
    write!(out, "{}", wrap(&Note(event).to_string(), 0))?;
    let about = format!(
        "{} in this event; stage {}, Zeek's conn_state {}, history {}.",
        if event.packets == 1 { "1 RST".to_owned() } else { format!("{} RSTs", event.packets) },
        event.stage.name(),
        event.conn_state.name(),
        event.history.as_str()
    );
    write!(out, "{}", wrap(&about, 0))?;
    if let Some(asked) = story.asked {
        let text = format!("Frame {asked} belongs to this flow; this is the reset nearest to it.");
        write!(out, "{}", wrap(&text, 0))?;
    }
    others(out, story)
}

fn others(out: &mut dyn Write, story: &Story) -> io::Result<()> {
    let others = &story.others;
    if others.named.is_empty() {
        return Ok(());
    }
    let name = |(frame, subcause): &(u64, Subcause)| {
        format!("frame {frame} ({} {})", subcause.id(), subcause.name())
    };
    let mut names: Vec<String> = others.named.iter().map(name).collect();
    if others.more > 0 {
        names.push(format!("{} more", others.more));
    }
    write!(out, "{}", wrap(&format!("Other resets of this flow: {}.", names.join(", ")), 0))
}

/// The columns of one row, the direction left of the numbers.
fn cells(row: &Row, story: &Story, roles: &Roles) -> [String; 10] {
    [
        row.frame.to_string(),
        offset(row.time_ns, story.event.time_ns),
        roles.arrow(row.side).to_owned(),
        letters(row.flags, &story.timeline.rows),
        row.seq.to_string(),
        row.ack.map_or_else(|| "-".to_owned(), |ack| ack.to_string()),
        row.len.to_string(),
        row.window.to_string(),
        row.ttl.to_string(),
        row.ip_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
    ]
}

const HEAD: [&str; 10] =
    ["frame", "time s", "way", "flags", "seq", "ack", "len", "win", "ttl", "id"];

fn timeline(out: &mut dyn Write, story: &Story, roles: &Roles) -> io::Result<()> {
    let timeline = &story.timeline;
    writeln!(out, "\nPackets (C client, S server; time from the reset; seq and ack as Wireshark")?;
    writeln!(out, "shows them; win as sent, not scaled)\n")?;
    let rows: Vec<[String; 10]> =
        timeline.rows.iter().map(|row| cells(row, story, roles)).collect();
    let mut widths = HEAD.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |cells: &[String; 10]| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            text.push_str(&format!("{cell:>width$} "));
        }
        text
    };
    writeln!(out, "{}", line(&HEAD.map(str::to_owned)).trim_end())?;
    if timeline.earlier > 0 {
        let plural = if timeline.earlier == 1 { "" } else { "s" };
        writeln!(out, "{:>5} ({} earlier packet{plural})", "…", timeline.earlier)?;
    }
    for (row, cells) in timeline.rows.iter().zip(&rows) {
        let text = line(cells);
        let remark = remark(row);
        let room = WIDTH.saturating_sub(text.chars().count() + 1);
        if remark.chars().count() <= room {
            writeln!(out, "{}", format!("{text} {remark}").trim_end())?;
        } else {
            // Remarks that find no room stand below, right-aligned.
            writeln!(out, "{}", text.trim_end())?;
            writeln!(out, "{:>WIDTH$}", format!("^ {remark}"))?;
        }
    }
    if timeline.later {
        writeln!(out, "{:>5} (more follow)", "…")?;
    }
    writeln!(out)
}

/// Seconds since the reset, to the microsecond.
fn offset(time_ns: u64, rst_ns: u64) -> String {
    let us = time_ns.abs_diff(rst_ns) / 1_000;
    let sign = match time_ns.cmp(&rst_ns) {
        _ if us == 0 => "",
        std::cmp::Ordering::Less => "-",
        _ => "+",
    };
    format!("{sign}{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// The flags as the end of Wireshark's string: six places, eight where the flow uses ECN's.
fn letters(flags: TcpFlags, rows: &[Row]) -> String {
    const ECN: u8 = 0xc0;
    let places = if rows.iter().any(|row| row.flags.any(ECN)) { 8 } else { 6 };
    "CEUAPRSF"
        .chars()
        .enumerate()
        .skip(8 - places)
        .map(|(place, letter)| if flags.any(0x80 >> place) { letter } else { '·' })
        .collect()
}

/// Remarks and options that matter, in a few words.
fn remark(row: &Row) -> String {
    let mut words: Vec<&str> = Vec::new();
    if row.options & option::TIMESTAMPS != 0 {
        words.push("TS");
    }
    if row.options & option::SACK != 0 {
        words.push("SACK");
    }
    words.extend(row.remarks.iter().map(|remark: &Remark| remark.words()));
    words.join(", ")
}

/// A fact's value as a person reads it.
pub(crate) fn value(fact: Fact, value: i64) -> String {
    let us = |us: i64| lasting(us.unsigned_abs());
    match (fact.shape(), explain::fact::of(fact).unit) {
        (Shape::Flag, _) => if value != 0 { "yes" } else { "no" }.to_owned(),
        (Shape::Form, _) => Form::ALL
            .into_iter()
            .find(|form| *form as i64 == value)
            .map_or("unknown", Form::name)
            .to_owned(),
        (Shape::IdClass, _) => match value {
            value if value == IpIdClass::Zero as i64 => "zero",
            value if value == IpIdClass::Incrementing as i64 => "incrementing",
            value if value == IpIdClass::Random as i64 => "random",
            _ => "unknown",
        }
        .to_owned(),
        (_, " µs") => us(value),
        (_, " ms") => us(value.saturating_mul(1000)),
        (_, _) if is_signed(fact) && value != 0 => format!("{value:+}"),
        (_, " bytes") if value == 1 => "1 byte".to_owned(),
        (_, unit) => format!("{value}{unit}"),
    }
}

const fn is_signed(fact: Fact) -> bool {
    matches!(fact, Fact::SeqRelNxt | Fact::AckRelPeer | Fact::TtlDelta | Fact::TrainDelta)
}

/// The verdict and its alternatives.
fn candidates(story: &Story) -> Vec<Subcause> {
    let verdict = &story.event.verdict;
    let alternatives = verdict.alternatives.iter().flatten();
    std::iter::once(&verdict.claim).chain(alternatives).map(|claim| claim.subcause).collect()
}

fn evidence(out: &mut dyn Write, story: &Story, items: &[Item]) -> io::Result<()> {
    use explain::reading::Leaning;
    let claim = story.event.verdict.claim.subcause;
    let candidates = candidates(story);
    writeln!(
        out,
        "Evidence (+ argues for {}, - against it; of other sub-causes the ids: 0 benign,",
        claim.id()
    )?;
    writeln!(out, "1 closed port, 2 no connection, 3 firewall, 4 application, 5 network,")?;
    writeln!(out, "6 explicit kill, 7 unknown)\n")?;
    for item in items {
        let sign = match item.reading.leaning(claim) {
            Leaning::For => "+",
            Leaning::Against => "-",
            Leaning::Neither => " ",
        };
        let about = explain::fact::of(item.fact);
        let (name, value) = (item.fact.name(), value(item.fact, item.value));
        let head = wrap(&format!("{name} {value}: {}", about.what), 2);
        write!(out, "{}", head.replacen(' ', sign, 1))?;
        let mut says = item.reading.says.to_owned();
        for (word, list) in [("For", item.reading.favours), ("Against", item.reading.against)] {
            if !list.is_empty() {
                says.push_str(&format!(" {word} {}.", reasons::shortened(list, &candidates)));
            }
        }
        says.push_str(&format!(" [{}]", about.source));
        write!(out, "{}", wrap(&says, 4))?;
    }
    payload(out, story)?;
    writeln!(out)
}

fn payload(out: &mut dyn Write, story: &Story) -> io::Result<()> {
    let Some(text) = reasons::Text::of(&story.event) else { return Ok(()) };
    let head = wrap(&format!("text {}: {}", text.shown, reasons::Text::WHAT), 2);
    write!(out, "{}", head.replacen(' ', if text.decides { "+" } else { " " }, 1))?;
    let says = format!("{} [{}]", reasons::Text::SAYS, reasons::Text::SOURCE);
    write!(out, "{}", wrap(&says, 4))
}

fn alternatives(out: &mut dyn Write, story: &Story, items: &[Item]) -> io::Result<()> {
    let verdict = &story.event.verdict;
    let claim = verdict.claim;
    let words = explain::subcause::of(claim.subcause);
    writeln!(out, "What {} means\n", claim.subcause.id())?;
    let text = format!("{} It shows by {}. [{}]", words.meaning, words.shows, words.source);
    write!(out, "{}", wrap(&text, 4))?;
    if verdict.alternatives.iter().flatten().next().is_none() {
        return writeln!(out, "\nNo alternative was weighed: the pattern fits nothing else.\n");
    }
    writeln!(out, "\nWhat else it may have been\n")?;
    for other in verdict.alternatives.iter().flatten() {
        let words = explain::subcause::of(other.subcause);
        writeln!(
            out,
            "  {} {} ({}), {} %",
            other.subcause.id(),
            other.subcause.name(),
            other.subcause.cause().name(),
            other.percent
        )?;
        let comparison = reasons::compare(items, claim.subcause, other.subcause);
        let text = format!(
            "{} It would show by {}. {}",
            words.meaning,
            words.shows,
            comparison.words(claim)
        );
        write!(out, "{}", wrap(&text, 4))?;
    }
    writeln!(out)
}

fn unknowns(out: &mut dyn Write, story: &Story) -> io::Result<()> {
    let open: Vec<&str> = story.event.unknowns.names().filter_map(explain::unknown).collect();
    if open.is_empty() {
        return Ok(());
    }
    writeln!(out, "What the verdict could not know\n")?;
    for text in open {
        write!(out, "{}", wrap(text, 4))?;
    }
    writeln!(out)
}

/// Filters and commands stand on one line each, however long: they are there to be copied.
fn look(out: &mut dyn Write, story: &Story) -> io::Result<()> {
    let key = &story.event.key;
    writeln!(out, "In Wireshark\n")?;
    writeln!(out, "    {}", wireshark::flow_filter(key))?;
    writeln!(out, "    {}", wireshark::frame_filter(story.event.frame))?;
    for command in wireshark::commands(&story.files, key) {
        writeln!(out, "    {}", command.replace('\n', "\n      "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{letters, offset};
    use resetscope_core::segment::TcpFlags;

    #[test]
    fn flags_are_the_end_of_wiresharks_string() {
        for (flags, want) in [(0x12, "·A··S·"), (0x04, "···R··"), (0x39, "UAP··F")] {
            assert_eq!(letters(TcpFlags(flags), &[]), want);
        }
    }

    #[test]
    fn times_are_signed_and_to_the_microsecond() {
        for (time, want) in
            [(5, "0.000000"), (2_000_000_005, "+2.000000"), (1_000_005, "+0.001000")]
        {
            assert_eq!(offset(time, 5), want);
        }
        assert_eq!(offset(0, 1_234_567_999), "-1.234567");
    }
}
