//! The program as it is typed: help, exit codes, bad input of every kind, pipes and signals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod capture_writer;
mod traffic;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use assert_cmd::assert::OutputAssertExt;
use capture_writer::{Flavour, Ng, Order, Seen, gzip, lz4, pcap, pcap_record, sample, zstd};
use serde_json::Value;
use tempfile::TempDir;
use traffic::{BEGIN_NS, refusals};

/// Longer than any run here can take; then the program hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A small flow table, so that many short runs are quick.
const SMALL: [&str; 2] = ["--flows", "4096"];

fn resetscope() -> Command {
    Command::new(env!("CARGO_BIN_EXE_resetscope"))
}

/// Runs `resetscope analyze` with these arguments.
fn analyze<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    resetscope().arg("analyze").args(SMALL).args(args).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A folder with captures in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        Command::new("mkfifo").arg(&path).assert().success();
        path
    }
}

/// A capture of refused connections.
fn capture(frames: &[Seen]) -> Vec<u8> {
    pcap(Order::Little, Flavour::Nano, frames)
}

#[test]
fn help_names_what_can_be_typed() {
    for (args, words) in [
        (&["--help"][..], &["analyze", "Usage:", "closed_port", "explicit_kill"][..]),
        (
            &["analyze", "--help"],
            &[
                "--events",
                "--report",
                "--interval",
                "--workers",
                "--flows",
                "--top",
                "--no-mmap",
                "--quiet",
                "--format",
                "Exit codes: 0 done; 1 could not do it; 2 usage; 3 done, but",
                "Examples:",
            ],
        ),
        (&["--version"], &["resetscope 0."]),
    ] {
        let output = resetscope().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}");
        for word in words {
            assert!(text(&output.stdout).contains(word), "{args:?} does not say {word}");
        }
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_right() {
    let folder = Folder::new();
    let file = folder.put("good.pcap", &capture(&refusals(1)));
    let file = file.to_str().unwrap();
    for (args, word) in [
        (&[][..], "Usage:"),
        (&["analyze"], "<FILE>"),
        (&["analyse", file], "analyze"),
        (&["analyze", "--interval", "soon", file], "500ms, 10s, 5m or 1h"),
        (&["analyze", "--interval", "0s", file], "shortest interval is 1ms"),
        (&["analyze", "--interval", "10us", file], "shortest interval is 1ms"),
        (&["analyze", "--workers", "0", file], "1..=64"),
        (&["analyze", "--workers", "65", file], "1..=64"),
        (&["analyze", "--workers", "many", file], "--workers"),
        (&["analyze", "--flows", "0", file], "--flows"),
        (&["analyze", "--flows", "-1", file], "-1"),
        (&["analyze", "--format", "xml", file], "table, json"),
        (&["analyze", "--colour", file], "--colour"),
    ] {
        let output = resetscope().args(args).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(text(&output.stderr).contains(word), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn what_cannot_be_done_is_exit_code_1_and_one_line_that_names_it() {
    let folder = Folder::new();
    let good = folder.put("good.pcap", &capture(&refusals(1)));
    let good = good.to_str().unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let empty = path(&folder.put("empty.pcap", b""));
    let prose =
        path(&folder.put("prose.txt", "Nothing of this is a capture.\n".repeat(9).as_bytes()));
    let stub = path(&folder.put("stub.pcap", &capture(&[])[..11]));
    let snoop = path(&folder.put("solaris.snoop", b"snoop\0\0\0\0\0\0\x02\0\0\0\x04"));
    let missing = path(&folder.path("missing.pcap"));
    let directory = path(folder.0.path());
    let unwritable = path(&folder.path("no/such/folder/events.jsonl"));
    for (args, words) in [
        (&[empty.as_str()][..], &[empty.as_str(), "is empty"][..]),
        (&[&missing], &[&missing, "No such file"]),
        (&[&directory], &[&directory, "is a directory"]),
        (&[&prose], &[&prose, "is not a capture"]),
        (&[&stub], &[&stub, "11 of 24 bytes"]),
        (&[&snoop], &[&snoop, "Solaris snoop", "editcap"]),
        (&[good, &missing], &[&missing]),
        (&["-", "-"], &["standard input", "only once"]),
        (&["--events", &unwritable, good], &[&unwritable, "No such file"]),
        (&["--events", &directory, good], &[&directory, "directory"]),
        (&["--events", "/dev/full", good], &["cannot write", "No space left"]),
    ] {
        let output = analyze(args);
        let stderr = text(&output.stderr);
        let usage = args == ["-", "-"];
        assert_eq!(output.status.code(), Some(if usage { 2 } else { 1 }), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        assert!(stderr.starts_with("resetscope: "), "{args:?}: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{args:?} does not say {word}: {stderr}");
        }
    }
}

#[test]
fn more_connections_than_the_machine_has_memory_for_are_refused_at_start() {
    let folder = Folder::new();
    let path = folder.put("few.pcap", &capture(&refusals(2)));
    // Some 700 GiB.
    let output =
        resetscope().args(["analyze", "--flows", "4294967296"]).arg(&path).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("memory of the flow tables; lower --flows"), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn odd_captures_that_are_not_damaged_are_exit_code_0() {
    let folder = Folder::new();
    let mut backwards = refusals(20);
    backwards.reverse();
    let empty_records: Vec<Seen> = (0..5)
        .map(|i| Seen { time_ns: BEGIN_NS + i, link: 1, wire_len: 0, bytes: Vec::new() })
        .collect();
    for (name, bytes, frames, resets, why) in [
        ("header-only", capture(&[]), 0, 0, "no record is no damage"),
        ("zero-length", capture(&empty_records), 5, 0, "frames of no bytes are counted"),
        ("backwards", capture(&backwards), 40, 20, "time that runs backwards stops nothing"),
        ("noise", capture(&sample(50)), 50, 0, "frames that are no packets are counted"),
    ] {
        let path = folder.put(name, &bytes);
        for mmap in [&[][..], &["--no-mmap"]] {
            let output = analyze(["--format", "json", path.to_str().unwrap()].iter().chain(mmap));
            assert_eq!(output.status.code(), Some(0), "{name}: {why}");
            assert!(output.stderr.is_empty(), "{name}: {}", text(&output.stderr));
            let summary = json(&text(&output.stdout));
            assert_eq!(summary["frames"]["received"], frames, "{name}: {why}");
            assert_eq!(summary["resets"]["packets"], resets, "{name}: {why}");
        }
    }
}

/// A capture with a good part, and where that ends in bytes.
struct Damaged {
    name: &'static str,
    bytes: Vec<u8>,
    offset: usize,
    frames: usize,
    says: &'static str,
}

fn damaged() -> Vec<Damaged> {
    let frames = refusals(3);
    let good = capture(&frames);
    let last = good.len() - 16 - frames[5].bytes.len();
    let mut huge = good.clone();
    huge.extend(pcap_record(Order::Little, [1_700_000_001, 0, u32::MAX, u32::MAX], &[0; 64]));
    let mut ng = Ng::new(Order::Little);
    ng.interface(1, 0, &[(9, &[9])]);
    for frame in &frames {
        ng.packet(0, frame.time_ns, frame.wire_len, &frame.bytes);
    }
    let ng_good = ng.bytes.len();
    ng.packet(7, BEGIN_NS, 60, &[0; 60]);
    vec![
        Damaged {
            name: "cut-in-a-record.pcap",
            bytes: good[..good.len() - 7].to_vec(),
            offset: last,
            frames: 5,
            says: "record",
        },
        Damaged {
            name: "cut-in-a-record-header.pcap",
            bytes: good[..last + 9].to_vec(),
            offset: last,
            frames: 5,
            says: "record",
        },
        Damaged {
            name: "a-record-of-4-gigabytes.pcap",
            bytes: huge,
            offset: good.len(),
            frames: 6,
            says: "4294967295",
        },
        Damaged {
            name: "an-interface-that-is-not-there.pcapng",
            bytes: ng.bytes,
            offset: ng_good,
            frames: 7,
            says: "interface 7",
        },
    ]
}

#[test]
fn damage_is_exit_code_3_with_the_results_up_to_there_and_a_line_that_says_where() {
    let folder = Folder::new();
    for damaged in damaged() {
        let path = folder.put(damaged.name, &damaged.bytes);
        // Damage is an error: it shows in spite of --quiet.
        for flags in [&[][..], &["--no-mmap"], &["--quiet"], &["--workers", "3"]] {
            let output = analyze(["--format", "json", path.to_str().unwrap()].iter().chain(flags));
            let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(3), "{}: {stderr}", damaged.name);
            let summary = json(&stdout);
            assert_eq!(summary["frames"]["received"], damaged.frames, "{}", damaged.name);
            assert_eq!(summary["resets"]["packets"], damaged.frames / 2, "{}", damaged.name);
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            let place = format!("{} is damaged at byte {}", path.display(), damaged.offset);
            assert!(stderr.contains(&place), "{stderr} does not say {place}");
            assert!(stderr.contains(damaged.says), "{stderr} does not say {}", damaged.says);
        }
    }
}

#[test]
fn compressed_captures_cut_short_are_damaged_where_their_data_ends() {
    let folder = Folder::new();
    // Enough that the good part is more than one block of every compression.
    let bytes = capture(&refusals(4_000));
    for (name, packed) in [("gzip", gzip(&bytes)), ("zstd", zstd(&bytes)), ("lz4", lz4(&bytes))] {
        let path = folder.put(name, &packed[..packed.len() * 3 / 4]);
        let output = analyze(["--format", "json", path.to_str().unwrap()]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{name}: {stderr}");
        assert!(stderr.contains(&format!("{name} data is cut short")), "{name}: {stderr}");
        assert!(stderr.contains(path.to_str().unwrap()), "{name}: {stderr}");
        let frames = json(&text(&output.stdout))["frames"]["received"].as_u64().unwrap();
        assert!((100..8_000).contains(&frames), "{name}: {frames} frames");
    }
}

#[test]
fn one_damaged_file_does_not_keep_others_from_being_read() {
    let folder = Folder::new();
    let frames = refusals(3);
    let good = folder.put("good.pcap", &capture(&frames));
    let bad = folder.put("bad.pcap", &capture(&frames)[..90]);
    let output = analyze(["--format".as_ref(), "json".as_ref(), bad.as_os_str(), good.as_os_str()]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(json(&text(&output.stdout))["frames"]["received"], 6);
    assert!(text(&output.stderr).contains("bad.pcap"));
}

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
fn events_on_stdout_are_json_lines_alone_and_the_summary_goes_to_stderr() {
    let folder = Folder::new();
    let path = folder.put("five.pcap", &capture(&refusals(5)));
    let path = path.to_str().unwrap();
    for (format, begins) in
        [("table", "5 resets in"), ("json", "{\"schema\":\"resetscope.summary/1\"")]
    {
        let output = analyze(["--events", "-", "--format", format, path]);
        assert_eq!(output.status.code(), Some(0));
        let stdout = text(&output.stdout);
        assert_eq!(stdout.lines().count(), 5);
        for line in stdout.lines() {
            assert_eq!(json(line)["schema"], "resetscope.event/1");
        }
        assert!(text(&output.stderr).starts_with(begins), "{}", text(&output.stderr));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_success() {
    let folder = Folder::new();
    // Far more than a pipe holds.
    let path = folder.put("many.pcap", &capture(&refusals(4_000)));
    for args in [&["--events", "-"][..], &["--interval", "1ms", "--format", "json"]] {
        let mut child = resetscope()
            .arg("analyze")
            .args(SMALL)
            .args(args)
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("{\"schema\""), "{line}");
        drop(reader);
        let output = wait(child);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
        assert!(output.stderr.is_empty(), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn an_interval_prints_one_summary_each() {
    let folder = Folder::new();
    let path = folder.put("ten.pcap", &capture(&refusals(10)));
    let path = path.to_str().unwrap();
    let output = analyze(["--interval", "20ms", "--format", "json", path]);
    let stdout = text(&output.stdout);
    assert_eq!(stdout.lines().count(), 5);
    for (seq, line) in stdout.lines().enumerate() {
        let summary = json(line);
        assert_eq!(summary["interval"]["seq"], seq);
        assert_eq!(summary["frames"]["received"], 4);
    }
    let table = text(&analyze(["--interval", "20ms", path]).stdout);
    assert_eq!(table.matches("RST packets").count(), 5, "{table}");
}

/// Starts an analysis of one file.
fn spawn(file: &Path, args: &[&str]) -> Child {
    resetscope()
        .arg("analyze")
        .args(SMALL)
        .args(args)
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the end; kills what does not end.
fn wait(child: Child) -> Output {
    let id = child.id();
    let (send, receive) = mpsc::channel();
    let waiter = std::thread::spawn(move || send.send(child.wait_with_output().unwrap()));
    let output = receive.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        signal(id, "KILL");
        panic!("the program does not end");
    });
    waiter.join().unwrap().unwrap();
    output
}

/// The lines of a pipe, as they come.
fn lines(pipe: ChildStdout) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    receive
}

fn signal(process: u32, name: &str) {
    Command::new("kill").args(["-s", name, &process.to_string()]).assert().success();
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
fn a_signal_ends_the_waiting_for_the_first_frame() {
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
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    drop(writer);
}

#[test]
fn events_are_never_written_over_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    let corpus =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/corpus/six-causes.pcap.gz");
    let capture = folder.path().join("capture.pcap.gz");
    let link = folder.path().join("events.jsonl");
    std::fs::copy(corpus, &capture).unwrap();
    std::fs::hard_link(&capture, &link).unwrap();
    let before = std::fs::read(&capture).unwrap();
    for events in [&capture, &link] {
        let run = assert_cmd::Command::cargo_bin("resetscope")
            .unwrap()
            .args(["analyze", "--events"])
            .arg(events)
            .arg(&capture)
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&run.stderr).contains("that is the capture"));
        assert_eq!(std::fs::read(&capture).unwrap(), before, "the capture is as it was");
    }
}

#[cfg(not(feature = "serve"))]
#[test]
fn a_build_without_a_server_says_how_to_get_one() {
    for face in ["--metrics", "--http"] {
        let output = resetscope().args(["monitor", "-i", "lo", face, "0"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{face}");
        let said = text(&output.stderr);
        assert!(said.contains("cargo build --release --features serve"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_configuration_for_dpdk_is_checked_by_every_build() {
    let folder = Folder::new();
    let file = folder.put("dpdk.toml", b"[dpdk]\ndevices = [\"net_null0\"]\nbursts = 8\n");
    let none = folder.put("none.toml", b"[dpdk]\n");
    let monitor = |file: &Path, args: &[&str]| {
        resetscope().args(["monitor", "--config"]).arg(file).args(args).output().unwrap()
    };
    let printed = monitor(&file, &["--print-config", "--no-promiscuous"]);
    assert!(printed.status.success());
    for want in ["[dpdk]", "devices = [\"net_null0\"]", "bursts = 8", "promiscuous = false"] {
        assert!(text(&printed.stdout).contains(want), "{}", text(&printed.stdout));
    }
    let mut refused = vec![
        (&file, &["--filter", "tcp"][..], "a filter is applied by the kernel"),
        (&file, &["--snaplen", "96"], "--snaplen and --busy-poll mean nothing to DPDK"),
        (&file, &["-i", "eth0"], "leave the interface eth0 out"),
        (&none, &[], "which device? Name it in dpdk.devices"),
    ];
    if !cfg!(feature = "dpdk") {
        refused.push((
            &file,
            &[],
            "is without DPDK: run scripts/setup-dpdk once, then `cargo build",
        ));
    }
    for (file, args, want) in refused {
        let output = monitor(file, args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.contains(want) && said.lines().count() == 1, "{args:?}: {said}");
    }
}
