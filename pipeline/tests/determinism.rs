//! The same capture gives the same bytes, however many workers look at it and however it is read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::path::{Path, PathBuf};

use analysis::{Chopped, Outcome, analyse, analyse_in_brief, corpus, plan, shared};
use capture_writer::{Flavour, Order, gzip, pcap};
use resetscope::run::Plan;
use resetscope::source::{Input, Options, open};
use tempfile::TempDir;
use traffic::{Mix, mix};

/// Intervals to cut a capture into: none, 100 ms, 1 s, or longer ones where that were too many.
fn intervals(ways: &Ways) -> [Option<u64>; 3] {
    let whole = read(&ways.plain, true, None, &plan(1, None)).summaries();
    let time = |name: &str| whole[0]["interval"][name].as_u64().unwrap();
    let many = (time("end_ns") - time("start_ns")) / 60;
    [None, Some(many.max(100_000_000)), Some(many.max(1_000_000_000))]
}

/// Ways to read one capture.
struct Ways {
    plain: PathBuf,
    zipped: PathBuf,
    _folder: TempDir,
}

impl Ways {
    /// Writes the bytes of a capture down plain and compressed.
    fn of(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (plain, zipped) = (folder.path().join("plain"), folder.path().join("zipped"));
        std::fs::write(&plain, bytes).unwrap();
        std::fs::write(&zipped, gzip(bytes)).unwrap();
        Self { plain, zipped, _folder: folder }
    }
}

fn read(path: &Path, mmap: bool, chop: Option<u64>, plan: &Plan) -> Outcome {
    let options = Options { mmap, ..Options::default() };
    let source = open([Input::from(path)], &options).unwrap();
    let source = match chop {
        Some(seed) => Chopped::boxed(source, seed),
        None => source,
    };
    let mut outcome = analyse(source, plan);
    // A damaged input is called by its name, which differs between the ways to read it; so does
    // whether it was compressed.
    for damage in &mut outcome.damage {
        damage.path.clear();
        damage.decompressed = false;
    }
    outcome
}

/// Names the first line that differs.
fn assert_same(got: &Outcome, want: &Outcome, what: &str) {
    if got == want {
        return;
    }
    for (name, got, want) in
        [("summaries", &got.summaries, &want.summaries), ("events", &got.events, &want.events)]
    {
        let (got, want) = (String::from_utf8_lossy(got), String::from_utf8_lossy(want));
        for (line, (got, want)) in got.lines().zip(want.lines()).enumerate() {
            assert_eq!(got, want, "{what}: line {line} of the {name}");
        }
        assert_eq!(got.lines().count(), want.lines().count(), "{what}: number of {name}");
    }
    assert_eq!(got.damage, want.damage, "{what}");
}

/// Reads a capture in every way for one number of flows.
fn assert_every_way_is_the_same(ways: &Ways, workers: &[usize], flows: usize, name: &str) {
    let mut uncut: Option<Outcome> = None;
    for interval in intervals(ways) {
        let plan = |workers| {
            let mut plan = plan(workers, interval);
            plan.engine.flows = flows;
            plan
        };
        let alone = read(&ways.plain, true, None, &plan(1));
        let uncut = uncut.get_or_insert_with(|| alone.clone());
        assert!(uncut.events == alone.events, "{name}: {interval:?} changes the events");
        for &workers in workers {
            let got = read(&ways.plain, true, None, &plan(workers));
            assert_same(&got, &alone, &format!("{name}, {interval:?}, {workers} workers"));
        }
        for workers in [1, 3] {
            let source = open([Input::from(&*ways.plain)], &Options::default()).unwrap();
            let brief = analyse_in_brief(source, &plan(workers));
            let what = format!("{name}, {interval:?}, {workers} workers, nobody wants events");
            assert!(brief.events.is_empty(), "{what}");
            let (got, want) = (brief.summaries(), alone.summaries());
            assert_eq!(got, want, "{what}");
        }
        for (path, mmap, chop, workers) in [
            (&ways.plain, false, None, 1),
            (&ways.plain, false, None, 3),
            (&ways.plain, true, Some(11), 1),
            (&ways.plain, true, Some(12), 2),
            (&ways.plain, false, Some(13), 5),
            (&ways.zipped, true, None, 1),
            (&ways.zipped, true, Some(14), 2),
        ] {
            let got = read(path, mmap, chop, &plan(workers));
            let how = format!("{name}, {interval:?}, {path:?}, {mmap}, {chop:?}, {workers}");
            // Where a cut gzip stream ends is told by another sentence, and never here.
            assert_same(&got, &alone, &how);
        }
    }
}

#[test]
fn the_shipped_capture_gives_the_same_bytes_in_every_way() {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(corpus()).unwrap();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).unwrap();
    assert_every_way_is_the_same(&Ways::of(&bytes), &[2, 4, 7, 64], 1 << 15, "corpus");
}

#[test]
fn others_captures_give_the_same_bytes_in_every_way() {
    let Some(rows) = shared("index.tsv") else { return };
    for row in &rows {
        let compressed = row.get("file").ends_with(".gz");
        if row.get("format") == "snoop" || row.number("packets") == 0 {
            continue;
        }
        let bytes = std::fs::read(row.path()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ways = if compressed {
            Ways { plain: row.path(), zipped: row.path(), _folder: folder }
        } else {
            Ways::of(&bytes)
        };
        assert_every_way_is_the_same(&ways, &[7], 1 << 12, row.get("file"));
    }
}

#[test]
fn random_traffic_gives_the_same_bytes_in_every_way() {
    for (seed, flows, backwards_once_in, table, why) in [
        (1, 3_000, 0, 1 << 15, "room for all"),
        (2, 3_000, 40, 1 << 15, "time runs backwards"),
        (3, 20_000, 0, 1_024, "a table far too small: flows give way"),
        (4, 20_000, 10, 2_048, "a table too small, and time runs backwards"),
    ] {
        let frames = mix(Mix { seed, frames: 30_000, flows, backwards_once_in });
        let ways = Ways::of(&pcap(Order::Little, Flavour::Nano, &frames));
        assert_every_way_is_the_same(&ways, &[2, 4, 64], table, &format!("seed {seed}: {why}"));
        let outcome = read(&ways.plain, true, None, &{
            let mut plan = plan(2, None);
            plan.engine.flows = table;
            plan
        });
        let summary = &outcome.summaries()[0];
        let evicted = &summary["flows"]["evicted"];
        let sum: u64 = evicted.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(sum > 0, table < flows, "{why}: {evicted}");
        assert!(summary["resets"]["events"].as_u64().unwrap() > 1_000, "{why}: {summary}");
    }
}
