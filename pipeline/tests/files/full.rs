//! Disks that are full, for a while or for good.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use resetscope::collect::{Sink, Summary};
use resetscope::run::run;
use resetscope::sink::file::{Files, News, Rotation};
use resetscope::sink::{Format, Output};
use resetscope::source::{Input, Options, open};
use resetscope_core::judge::event::Event;
use tempfile::TempDir;

use super::analysis::{corpus, lines, plan};
use super::{names, resetscope, text};

/// A disk of one megabyte.
struct Disk(TempDir);

impl Disk {
    /// `None`, and said so, without the right to mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(folder.path()).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            println!("skipped: a small disk cannot be mounted without root");
            return None;
        }
        Some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it, but for less than a page.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.path().join("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    fn relieve(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

/// An event, a summary, and how often it is to come.
struct Sample {
    events: Vec<Event>,
}

impl Sink for Sample {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.events.push(*event);
        Ok(())
    }

    fn summary(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}

fn sample() -> Vec<Event> {
    let mut sample = Sample { events: Vec::new() };
    let source = open([Input::from(corpus().as_path())], &Options::default()).unwrap();
    run(&plan(1, None), source, &mut sample, &Arc::new(AtomicBool::new(false)), &|_| {}).unwrap();
    sample.events
}

/// Events in numbers, `times` each, and the end of an interval.
fn interval(sink: &mut dyn Sink, events: &[Event], times: usize) {
    for event in events.iter().cycle().take(events.len() * times) {
        sink.event(event).unwrap();
    }
    let mut summary = Summary::default();
    summary.span.end_ns = events.last().unwrap().time_ns;
    sink.summary(&summary).unwrap();
}

fn rotation(size: Option<u64>) -> Rotation {
    Rotation { size, ..Rotation::default() }
}

#[test]
fn a_disk_that_is_full_for_a_while_costs_nothing() {
    let Some(disk) = Disk::mount() else { return };
    let events = sample();
    for (name, rotation) in [("x.jsonl", rotation(None)), ("x.csv", rotation(Some(64_000)))] {
        let warnings = Rc::new(RefCell::new(Vec::new()));
        let mut files = Files::default();
        files.events(&disk.path().join(name), rotation).unwrap();
        let told = Rc::clone(&warnings);
        files.on_trouble(move |trouble| told.borrow_mut().push(trouble.to_string()));
        interval(&mut files, &events, 1);
        disk.fill();
        interval(&mut files, &events, 2);
        interval(&mut files, &events, 2);
        assert_eq!(warnings.borrow().len(), 1, "one warning, not one for each interval");
        disk.relieve();
        interval(&mut files, &events, 1);
        assert_eq!(files.losses().total(), 0);
        assert!(files.end().is_empty(), "nothing is missing");
        let written: Vec<String> =
            names(disk.path()).iter().map(|name| text(disk.path().join(name))).collect();
        let records: usize = written
            .iter()
            .flat_map(|file| file.lines())
            .filter(|line| !line.starts_with("time_ns"))
            .count();
        assert_eq!(records, 6 * events.len(), "{name}");
        for name in names(disk.path()) {
            fs::remove_file(disk.path().join(name)).unwrap();
        }
    }
}

#[test]
fn a_disk_that_stays_full_costs_its_own_records_which_every_other_output_counts() {
    let Some(disk) = Disk::mount() else { return };
    let events = sample();
    let path = disk.path().join("x.jsonl");
    let stdout = Rc::new(RefCell::new(Vec::new()));
    let mut files = Files::default();
    files.events(&path, rotation(None)).unwrap();
    let mut output = Output {
        palette: resetscope::sink::palette::Palette::default(),
        kernel: None,
        format: Format::Json,
        top: 0,
        summaries: Box::new(Shared(Rc::clone(&stdout))),
        events: None,
        several: false,
        unwritten: News::new(files.losses()),
    };
    for _ in 0..6 {
        // More than the disk and what waits for it hold, but not at once.
        interval(&mut files, &events, 40);
        output.summary(&Summary::default()).unwrap();
    }
    let given = 6 * 40 * events.len() as u64;
    let losses = files.losses();
    let missing = files.end();
    assert_eq!(missing.len(), 1);
    let lost = missing[0].lost;
    assert_eq!(lost, losses.total());
    assert_eq!(missing[0].cause.kind(), io::ErrorKind::StorageFull);
    let content = text(&path);
    assert!(content.ends_with('\n'), "the file ends with a whole record");
    assert_eq!(content.lines().count() as u64 + lost, given, "each record is written or counted");
    let told: Vec<u64> = lines(&stdout.borrow())
        .iter()
        .map(|summary| summary.get("unwritten").map_or(0, |count| count.as_u64().unwrap()))
        .collect();
    assert_eq!((told.len(), told[0]), (6, 0), "no summary is lost, and at first nothing else");
    assert!(told[5] > 0 && told.iter().sum::<u64>() <= lost, "{told:?} of {lost}");
}

/// What was written, where the test can see it.
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_events_file_that_cannot_be_written_is_an_error_after_the_summary() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["analyze", "--format", "json", "--events", "/dev/full", "--interval", "5s"];
    let others = ["--summaries", "s.jsonl"];
    let output = resetscope(folder.path(), &[&args[..], &others].concat());
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("(61 are missing)") && stderr.contains("No space left"), "{stderr}");
    let summaries = lines(&output.stdout);
    let events: u64 = summaries.iter().map(|of| of["resets"]["events"].as_u64().unwrap()).sum();
    assert_eq!(events, 61);
    assert_eq!(lines(text(folder.path().join("s.jsonl")).as_bytes()), summaries);
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_on_a_full_disk_leaves_nothing_that_cannot_be_read() {
    let Some(disk) = Disk::mount() else { return };
    let events = sample();
    let mut files = Files::default();
    files.events(&disk.path().join("x.parquet"), rotation(None)).unwrap();
    interval(&mut files, &events, 3);
    disk.fill();
    let missing = files.end();
    assert_eq!(missing[0].lost, 3 * events.len() as u64);
    assert_eq!(names(disk.path()), ["ballast"]);
}
