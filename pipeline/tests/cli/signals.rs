//! Signals while a pipe is read.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::ChildStdout;
use std::sync::mpsc;

use serde_json::Value;

use super::traffic::refusals;
use super::{Folder, PATIENCE, capture, json, signal, spawn, text, wait};

/// The lines of a pipe, as they come.
fn lines(pipe: ChildStdout) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    receive
}

/// Waits until a process has a handler for a signal.
fn await_handler(process: u32, number: u32) {
    let handles = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() >> (number - 1) & 1 == 1
    };
    while !handles() {
        std::thread::yield_now();
    }
}

#[test]
fn a_signal_ends_the_reading_of_a_pipe_that_stays_open_with_the_last_summary() {
    let folder = Folder::new();
    // The last frame makes the first interval end, which shows that the frames were read.
    let bytes = capture(&refusals(12));
    for (place, (name, workers)) in
        [("INT", "1"), ("TERM", "1"), ("INT", "4"), ("TERM", "2")].into_iter().enumerate()
    {
        let fifo = folder.fifo(&format!("open-{place}"));
        let args = ["--format", "json", "--interval", "110ms", "--workers", workers];
        let mut child = spawn(&fifo, &args);
        let mut writer = File::options().write(true).open(&fifo).unwrap();
        writer.write_all(&bytes).unwrap();
        // In the middle of a record: what a signal cuts off is no damage.
        writer.write_all(&[1, 2, 3]).unwrap();
        let lines = lines(child.stdout.take().unwrap());
        // While the pipe says nothing more.
        let Ok(first) = lines.recv_timeout(PATIENCE) else {
            signal(child.id(), "KILL");
            panic!("{name}, {workers}: no summary of the interval that has ended");
        };
        assert_eq!(json(&first)["interval"]["seq"], 0);
        signal(child.id(), name);
        let output = wait(child);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {stderr}");
        assert!(stderr.contains("stopped early"), "{name}: {stderr}");
        assert!(!stderr.contains("damaged"), "{name}: {stderr}");
        let rest: Vec<String> = lines.iter().collect();
        assert_eq!(rest.len(), 1, "{name}: {rest:?}");
        let last = json(&rest[0]);
        assert_eq!(last["interval"]["seq"], 1);
        let frames = |summary: &Value| summary["frames"]["received"].as_u64().unwrap();
        assert_eq!(frames(&json(&first)) + frames(&last), 24, "{name}");
        let events = |summary: &Value| summary["resets"]["events"].as_u64().unwrap();
        assert_eq!(events(&json(&first)) + events(&last), 12, "{name}");
        drop(writer);
    }
}

#[test]
fn a_signal_ends_the_waiting_for_the_first_frame_and_quiet_does_not_hide_it() {
    let folder = Folder::new();
    let fifo = folder.fifo("silent");
    let child = spawn(&fifo, &["--format", "json", "--quiet"]);
    let mut writer = File::options().write(true).open(&fifo).unwrap();
    writer.write_all(&capture(&[])).unwrap();
    await_handler(child.id(), 15);
    signal(child.id(), "TERM");
    let output = wait(child);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(json(&text(&output.stdout))["frames"]["received"], 0);
    // A result of a part is not to be taken for one of the whole.
    assert!(text(&output.stderr).contains("stopped early"), "{}", text(&output.stderr));
    drop(writer);
}
