//! Several files, standard input, pipes.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::capture_writer::{Seen, gzip};
use super::traffic::refusals;
use super::{Folder, SMALL, capture, json, resetscope, spawn, text, wait};

#[test]
fn several_files_are_one_tap_in_whatever_order_they_are_named() {
    let folder = Folder::new();
    let frames = refusals(30);
    let whole = folder.put("whole.pcap", &capture(&frames));
    // Connections are torn apart, and the later file is named first.
    let odd: Vec<Seen> = frames.iter().skip(1).step_by(2).cloned().collect();
    let even: Vec<Seen> = frames.iter().step_by(2).cloned().collect();
    let (odd, even) =
        (folder.put("1.pcap", &capture(&odd)), folder.put("2.pcap.gz", &gzip(&capture(&even))));
    let events = folder.path("events.jsonl");
    let run = |files: &[&PathBuf]| {
        let output = resetscope()
            .args(["analyze", "--format", "json", "--flows", "4096", "--events"])
            .arg(&events)
            .args(files)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (text(&output.stdout), std::fs::read_to_string(&events).unwrap())
    };
    let one = run(&[&whole]);
    assert_eq!(one.1.lines().count(), 30);
    assert_eq!(run(&[&odd, &even]), one);
    assert_eq!(run(&[&even, &odd]), one);
}

#[test]
fn standard_input_is_read_from_a_pipe_and_from_a_file() {
    let folder = Folder::new();
    let bytes = capture(&refusals(7));
    let path = folder.put("seven.pcap", &bytes);
    let from_file = resetscope()
        .args(["analyze", "--format", "json", "-"])
        .args(SMALL)
        .stdin(File::open(&path).unwrap())
        .output()
        .unwrap();
    let mut child = resetscope()
        .args(["analyze", "--format", "json", "-"])
        .args(SMALL)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let from_pipe = child.wait_with_output().unwrap();
    for output in [from_file, from_pipe] {
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(json(&text(&output.stdout))["resets"]["events"], 7);
    }
    let cut = resetscope()
        .args(["analyze", "-"])
        .args(SMALL)
        .stdin(File::open(folder.put("cut.pcap", &bytes[..bytes.len() - 1])).unwrap())
        .output()
        .unwrap();
    assert_eq!(cut.status.code(), Some(3));
    assert!(text(&cut.stderr).contains("standard input is damaged at byte"));
}

#[test]
fn a_fifo_that_closes_early_is_damaged_where_it_ended() {
    let folder = Folder::new();
    let fifo = folder.fifo("early");
    let bytes = capture(&refusals(3));
    let child = spawn(&fifo, &["--format", "json"]);
    File::options().write(true).open(&fifo).unwrap().write_all(&bytes[..bytes.len() - 5]).unwrap();
    let output = wait(child);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(json(&text(&output.stdout))["frames"]["received"], 5);
    assert!(text(&output.stderr).contains("early is damaged at byte"));
}

#[test]
fn refused_threads_end_the_run_at_once_though_the_pipe_stays_open() {
    // There is room for some of the stacks that are asked for, and not for all.
    let limited = "ulimit -v 16777216; exec \"$0\" \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_resetscope")])
        .args(["analyze", "--workers", "32", "-"])
        .args(SMALL)
        .env("RUST_MIN_STACK", (1_u64 << 30).to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&capture(&refusals(3))).unwrap();
    let output = wait(child);
    drop(pipe);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot start a worker thread"), "{stderr}");
}
