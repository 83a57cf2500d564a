//! Captures that others recorded: as many frames as tshark counts, damage where tshark finds it,
//! and byte for byte what an independent parser reads.
//!
//! The captures are not part of the project; without them these tests say so and pass.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod capture_writer;

use capture_writer::oracle::oracle;
use capture_writer::{read, read_with};
use resetscope::source::{Options, SourceError};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One row of the index.
struct Row {
    file: PathBuf,
    name: String,
    format: String,
    link: String,
    packets: usize,
    damaged: bool,
}

fn index() -> Option<Vec<Row>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    let Ok(text) = std::fs::read_to_string(folder.join("index.tsv")) else {
        println!("skipped: no captures in {}", folder.display());
        return None;
    };
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let place: HashMap<&str, usize> = columns.iter().enumerate().map(|(i, c)| (*c, i)).collect();
    let rows = lines.map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let field = |name: &str| fields.get(place[name]).copied().unwrap_or_default().to_owned();
        Row {
            file: folder.join("files").join(field("file")),
            name: field("file"),
            format: field("format"),
            link: field("linktype"),
            packets: field("packets").parse().unwrap(),
            damaged: field("features").contains("damaged"),
        }
    });
    Some(rows.collect())
}

/// Files whose frames differ in number from tshark's count, and why.
const EXCEPTIONS: &[(&str, usize, &str)] = &[(
    "OISF__suricata-verify__fuzz.pcap",
    1,
    "the second record header is noise; tshark guesses another record layout from it and shows a \
     frame of one byte from before 1970, tcpdump refuses the length as we do",
)];

#[test]
fn every_capture_gives_the_frames_that_tshark_counts() {
    let Some(rows) = index() else { return };
    assert!(rows.len() > 80, "the index has {} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let read = match read(&row.file) {
            Ok(read) => read,
            Err(SourceError::Foreign { what, .. }) if row.format == "snoop" => {
                assert_eq!(what, "a Solaris snoop file");
                continue;
            }
            Err(error) => {
                wrong.push(format!("{}: {error}", row.name));
                continue;
            }
        };
        let found = (read.frames.len(), &read.damage);
        let exception = EXCEPTIONS.iter().find(|(name, ..)| *name == row.name);
        let want = exception.map_or(row.packets, |(_, frames, _)| *frames);
        if found.0 != want {
            wrong.push(format!("{}: not {want} frames: {found:?}", row.name));
        }
        if row.damaged == read.damage.is_empty() {
            wrong.push(format!("{}: damaged is {}: {found:?}", row.name, row.damaged));
        }
        for (name, number) in [("ETHERNET", 1), ("RAW(12)", 12), ("NULL", 0), ("LINUX_SLL2", 276)] {
            if row.link == name && read.frames.iter().any(|frame| frame.link != number) {
                wrong.push(format!("{}: a frame is not of link type {name}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mapped_streamed_and_chopped_reading_give_the_same_frames() {
    let Some(rows) = index() else { return };
    let chopped = Options { mmap: false, buffer_bytes: 999, ..Options::default() };
    let peeped = Options { window_bytes: 4099, ..Options::default() };
    let streamed = Options { mmap: false, ..Options::default() };
    for row in rows.iter().filter(|row| row.format != "snoop") {
        let whole = read(&row.file).unwrap();
        for (options, capacity) in [(&chopped, 4096), (&peeped, 7), (&streamed, 1)] {
            let other = read_with([row.file.as_path().into()], options, capacity).unwrap();
            assert_eq!(whole.damage, other.damage, "{}", row.name);
            assert!(whole.frames == other.frames, "{}: {options:?}", row.name);
        }
    }
}

#[test]
fn an_independent_parser_reads_the_same_frames() {
    let Some(rows) = index() else { return };
    let mut compared = 0;
    for row in rows.iter().filter(|row| row.format.starts_with("pcap")) {
        // The crate knows neither compression nor the modified format.
        if row.name.ends_with(".gz") || row.format == "pcap-kuz-le" {
            continue;
        }
        let mine = read(&row.file).unwrap();
        let Some(theirs) = oracle(std::fs::read(&row.file).unwrap()) else { continue };
        let common = mine.frames.len().min(theirs.len());
        assert!(mine.frames[..common] == theirs[..common], "{}", row.name);
        if mine.damage.is_empty() {
            assert_eq!(mine.frames.len(), theirs.len(), "{}", row.name);
        }
        compared += common;
    }
    assert!(compared > 10_000, "{compared} frames compared");
}
