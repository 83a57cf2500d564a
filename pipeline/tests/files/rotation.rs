//! Series of files.

use std::fs::{self, File};

use super::capture_writer::{Flavour, Order, Seen, pcap};
use super::traffic::{BEGIN_NS, refusals};
use super::{names, resetscope, succeeds, text};

const NAME_LEN: usize = "x.2026-11-22T10-00-00Z.jsonl".len();

#[test]
fn a_series_holds_what_one_file_holds_and_nothing_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(folder, &["analyze", "--events", "x.jsonl"]);
    let whole = text(folder.join("x.jsonl"));
    for (by, least, most, why) in [
        (&["--rotate-size", "16kB"][..], 3, 6, "a file is full with the record that fills it"),
        (&["--rotate-every", "10s"], 4, 6, "forty seconds, and what is judged later"),
        (&["--rotate-every", "1day"], 1, 2, "all on one day"),
        (&["--rotate-size", "16kB", "--rotate-every", "10s"], 5, 9, "whichever comes first"),
        (&["--rotate-every", "100ms"], 15, 62, "several in a second are told apart by numbers"),
    ] {
        let series = tempfile::tempdir_in(folder).unwrap();
        succeeds(series.path(), &[&["analyze", "--events", "x.jsonl"], by].concat());
        let mut files = names(series.path());
        assert!((least..=most).contains(&files.len()), "{by:?} ({why}): {files:?}");
        // By time, then by number.
        files.sort_by_key(|name| {
            let number = name.get(NAME_LEN - 6..name.len() - 6).unwrap();
            (name[..NAME_LEN - 6].to_owned(), number.trim_matches('-').parse::<u32>().unwrap_or(0))
        });
        let parts: Vec<String> = files.iter().map(|name| text(series.path().join(name))).collect();
        assert!(parts.iter().all(|part| part.ends_with('\n')), "whole lines");
        assert_eq!(parts.concat(), whole, "{by:?}");
    }
}

#[test]
fn each_file_of_a_series_has_its_header_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mine = folder.join("x.notes.csv");
    fs::write(&mine, "not of the series").unwrap();
    fs::write(folder.join("x.2020-01-01T00-00-00Z.csv"), "of an earlier run").unwrap();
    let args = ["analyze", "--events", "x.csv", "--histograms", "h.hlog", "--interval", "1s"];
    let rotate = ["--rotate-every", "10s", "--rotate-keep", "2"];
    succeeds(folder, &[&args[..], &rotate].concat());
    let (csv, others): (Vec<_>, Vec<_>) = names(folder)
        .into_iter()
        .filter(|name| !name.contains("notes"))
        .partition(|name| name.ends_with(".csv"));
    assert_eq!((csv.len(), others.len()), (2, 2), "{csv:?} {others:?}");
    assert!(mine.exists());
    for name in csv {
        assert!(text(folder.join(&name)).starts_with("time_ns,frame,"), "{name}");
    }
    for name in others {
        assert!(text(folder.join(&name)).starts_with("#[Histogram log format version"), "{name}");
    }
}

#[test]
fn old_files_that_cannot_be_removed_are_one_remark_and_cost_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Not even root removes a folder as a file.
    let stuck: Vec<String> = (1..=9).map(|day| format!("x.2020-01-0{day}T00-00-00Z.csv")).collect();
    stuck.iter().for_each(|name| fs::create_dir(folder.join(name)).unwrap());
    let args = ["analyze", "--events", "x.csv", "--interval", "1s"];
    let rotate = ["--rotate-every", "10s", "--rotate-keep", "9"];
    let output = resetscope(folder, &[&args[..], &rotate].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("cannot remove old files of the series x.csv"), "{stderr}");
    let files = names(folder).into_iter().filter(|name| !stuck.contains(name));
    let rows: usize = files.map(|name| text(folder.join(name)).lines().count() - 1).sum();
    assert_eq!(rows, 61);
}

#[test]
fn what_a_killed_run_left_is_kept_and_what_another_run_writes_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let args = ["analyze", "--events", "x.jsonl", "--rotate-size", "1MB"];
    let part = folder.join(".x.jsonl.part");
    fs::write(&part, "whole\nhal").unwrap();
    let held = File::open(&part).unwrap();
    held.lock().unwrap();
    let refused = resetscope(folder, &args);
    assert_eq!(refused.status.code(), Some(1));
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("another program is writing it"), "{stderr}");
    drop(held);
    succeeds(folder, &args);
    let files = names(folder);
    let [cut, complete] = &files[..] else { panic!("{files:?}") };
    let (cut, complete) = if cut.ends_with(".cut") { (cut, complete) } else { (complete, cut) };
    assert_eq!(text(folder.join(cut)), "whole\nhal");
    assert!(text(folder.join(complete)).lines().count() > 50);
}

#[test]
fn one_record_from_the_future_does_not_end_the_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let year_ns = 365 * 86_400_000_000_000;
    let spread = |(number, frame): (u64, Seen)| {
        let time_ns = BEGIN_NS + number / 2 * 1_000_000_000;
        Seen { time_ns: if number == 301 { time_ns + year_ns } else { time_ns }, ..frame }
    };
    let frames: Vec<Seen> = (0..).zip(refusals(300)).map(spread).collect();
    fs::write(folder.path().join("in.pcap"), pcap(Order::Little, Flavour::Nano, &frames)).unwrap();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_resetscope"))
        .current_dir(folder.path())
        .args(["analyze", "in.pcap", "--flows", "4096", "--events", "x.jsonl"])
        .args(["--rotate-every", "1m"])
        .output()
        .unwrap()
        .status;
    assert_eq!(status.code(), Some(0));
    let files = names(folder.path());
    let of = |minute: &str| files.iter().filter(|name| name.contains(minute)).count();
    // From 22:13:20 on.
    for minute in ["T22-13-00Z", "T22-14-00Z", "T22-16-00Z", "T22-17-00Z", "T22-18-00Z"] {
        assert_eq!(of(&format!("2023-11-14{minute}")), 1, "{minute}: {files:?}");
    }
    assert_eq!(of("2024-11-13T"), 1, "the future: {files:?}");
}

#[test]
fn a_series_without_records_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pcap");
    let header =
        [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0];
    fs::write(&empty, header).unwrap();
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_resetscope"));
        command.current_dir(folder.path()).arg("analyze").arg(&empty).args(args);
        assert_eq!(command.output().unwrap().status.code(), Some(0), "{args:?}");
        names(folder.path())
    };
    assert_eq!(run(&["--events", "x.jsonl", "--rotate-size", "1MB"]), ["empty.pcap"]);
    assert_eq!(run(&["--events", "x.csv"]), ["empty.pcap", "x.csv"]);
    assert!(text(folder.path().join("x.csv")).starts_with("time_ns,"), "only the header");
}
