//! The page: all its parts, and the words at its top.

use std::io::{self, Write};
use std::path::PathBuf;

use askama::Template;
use resetscope_core::judge::cause::Cause;
use resetscope_core::judge::explain::author::Author;

use super::Ending;
use super::authors::{self, Part};
use super::causes::{self, CauseRow};
use super::event::{self, Told};
use super::gathered::Gathered;
use super::hosts::{self, Row};
use super::ledger::{self, Bucket};
use super::limits::{self, Limit};
use super::measure::{self, Measure};
use super::time_line::TimeLine;
use super::words::{self, count, list, many};
use crate::sink::table::{bytes, lasting, utc};

/// Input names that the top of the page has room for.
const NAMED: usize = 3;

/// Everything that the template shows.
#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Page {
    version: &'static str,
    inputs: String,
    inputs_all: Vec<String>,
    headline: String,
    when: Option<String>,
    story: Vec<String>,
    tiles: Vec<Tile>,
    authors: Vec<Part>,
    stages: Vec<Part>,
    bands: Vec<Part>,
    time_line: Option<TimeLine>,
    causes: Vec<CauseRow>,
    services: Vec<Row>,
    hosts: Vec<Row>,
    measures: Vec<Measure>,
    limits: Vec<Limit>,
    received: String,
    received_bytes: String,
    buckets: Vec<Bucket>,
    events: Vec<Told>,
    omitted: String,
    glossary: Vec<(&'static str, &'static str, &'static str)>,
    warning: bool,
}

/// One number in short.
struct Tile {
    name: &'static str,
    value: String,
    more: String,
}

impl Page {
    /// The page of what was gathered.
    pub(super) fn of(gathered: &Gathered, inputs: &[PathBuf], ending: &Ending<'_>) -> Self {
        let start_ns = gathered.start_ns();
        let frames = &gathered.sums.frames;
        let told = (1..).zip(&gathered.events);
        let omitted = gathered.came - gathered.events.len() as u64;
        let limits = limits::all(gathered, ending);
        let names: Vec<String> = inputs
            .iter()
            .map(|path| match path.as_os_str() {
                stdin if stdin == "-" => "standard input".to_owned(),
                path => path.to_string_lossy().into_owned(),
            })
            .collect();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            inputs: few(&names),
            inputs_all: names,
            headline: headline(gathered),
            when: gathered.span.map(when),
            story: story(gathered),
            tiles: tiles(gathered),
            authors: authors::authors(gathered),
            stages: authors::stages(gathered),
            bands: authors::bands(gathered),
            time_line: TimeLine::of(gathered),
            causes: causes::all(gathered),
            services: hosts::services(gathered),
            hosts: hosts::hosts(gathered),
            measures: measure::all(gathered),
            warning: limits.iter().any(|limit| limit.warning),
            limits,
            received: count(frames.received),
            received_bytes: bytes(frames.bytes),
            buckets: ledger::buckets(gathered),
            events: told.map(|(number, event)| event::tell(number, event, start_ns)).collect(),
            omitted: if omitted > 0 { count(omitted) } else { String::new() },
            glossary: event::glossary(&gathered.events),
        }
    }

    /// Writes it as HTML.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = out;
        self.write_into(&mut out)?;
        // The template's last line break is not part of it.
        writeln!(out)
    }
}

/// The first names, and how many more.
fn few(names: &[String]) -> String {
    let named: Vec<String> = names.iter().take(NAMED).map(|path| last_part(path)).collect();
    match names.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn last_part(path: &str) -> String {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path).to_owned()
}

fn headline(gathered: &Gathered) -> String {
    match gathered.sums.resets.events {
        0 => "No connection was reset".to_owned(),
        events => many(events, "reset", "resets"),
    }
}

fn when((start_ns, end_ns): (u64, u64)) -> String {
    let length = lasting(end_ns.saturating_sub(start_ns) / 1_000);
    format!("{length} of traffic from {}", utc(start_ns))
}

/// What was reset, why and by whom, in sentences.
fn story(gathered: &Gathered) -> Vec<String> {
    let resets = &gathered.sums.resets;
    if resets.events == 0 {
        return vec!["No RST was seen in this traffic.".to_owned()];
    }
    let mut causes: Vec<(Cause, u64)> =
        Cause::ALL.into_iter().zip(resets.by_cause).filter(|(_, events)| *events > 0).collect();
    causes.sort_by_key(|(cause, events)| (std::cmp::Reverse(*events), *cause));
    let named: Vec<String> = causes
        .iter()
        .take(3)
        .map(|(cause, events)| format!("{} ({})", words::origin(*cause), count(*events)))
        .collect();
    let most = match resets.events {
        1 => "It is",
        _ if causes.len() > 3 => "Most are",
        _ => "They are",
    };
    let mut sentences = vec![format!("{most} due to {}.", list(&named))];
    if let Some((addr, tally)) = gathered.top.hosts(1).first() {
        sentences.push(format!("{addr} is named as the sender of {}.", count(tally.events)));
    }
    match authors::by(gathered, Author::Stranger) {
        0 => {}
        _ if resets.events == 1 => {
            sentences.push("The host that it names did not write it.".to_owned());
        }
        several => sentences
            .push(format!("The hosts that they name did not write {} of them.", count(several))),
    }
    sentences
}

fn tiles(gathered: &Gathered) -> Vec<Tile> {
    let (sums, resets) = (&gathered.sums, &gathered.sums.resets);
    let skipped: u64 = sums.frames.skipped.iter().sum();
    let shed: u64 = sums.frames.shed.iter().sum();
    let tile = |name, number, more: String| Tile { name, value: count(number), more };
    vec![
        tile("resets", resets.events, many(resets.packets, "RST packet", "RST packets")),
        tile(
            "connections",
            sums.flows.opened,
            format!("{} remembered at the end", count(sums.flows.active)),
        ),
        tile("services reset", gathered.top.services(usize::MAX).len() as u64, String::new()),
        tile("hosts named as sender", gathered.top.hosts(usize::MAX).len() as u64, String::new()),
        tile(
            "frames",
            sums.frames.received,
            format!("{} skipped, {} shed", count(skipped), count(shed)),
        ),
    ]
}

/// Shares as bars.
#[derive(Template)]
#[template(path = "shares.html")]
struct Shares<'a> {
    parts: &'a [Part],
}

impl Page {
    const fn shares(parts: &[Part]) -> Shares<'_> {
        Shares { parts }
    }
}
