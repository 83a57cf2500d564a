//! `resetscope bench` as it is typed: what it prints, and that it measures the same work as `analyze`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use analysis::{corpus, lines};
use assert_cmd::assert::OutputAssertExt;
use capture_writer::{Flavour, Order, gzip, pcap};
use serde_json::Value;
use tempfile::TempDir;
use traffic::{Mix, mix, refusals};

/// A small flow table, so that many short runs are quick.
const SMALL: [&str; 2] = ["--flows", "65536"];

/// What is said of DPDK where nothing is rotated but memory.
const NO_DPDK: &str = if cfg!(feature = "dpdk") {
    "--rotate needs --backend memory"
} else {
    "run scripts/setup-dpdk once, then `cargo build --release --features dpdk`"
};

fn resetscope(args: &[&str], files: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    command.args(args).args(SMALL).args(files).stdin(Stdio::null());
    command
}

fn run(args: &[&str], files: &[&Path]) -> Output {
    resetscope(args, files).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn figures(args: &[&str], files: &[&Path]) -> Vec<Value> {
    let args = [&["bench", "--format", "json"], args].concat();
    let output = run(&args, files);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{args:?}: {}", text(&output.stderr));
    lines(&output.stdout)
}

fn put(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// More than one batch of connections that live and die at random.
fn capture(folder: &TempDir) -> PathBuf {
    let frames = mix(Mix { seed: 3, frames: 5_000, flows: 400, backwards_once_in: 0 });
    put(folder, "mix.pcap", &pcap(Order::Little, Flavour::Nano, &frames))
}

#[test]
fn one_loop_counts_what_analyze_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mix = capture(&folder);
    for file in [&*mix, &corpus()] {
        let analysed = run(&["analyze", "--format", "json"], &[file]);
        let summary = &lines(&analysed.stdout)[0];
        for args in [
            &["--rotate", "none"][..],
            &["--rotate", "ports"],
            &["--rotate", "addresses"],
            &["--backend", "file"],
        ] {
            let args = [&["--seconds", "0", "--workers", "1,2,3"], args].concat();
            let all = figures(&args, &[file]);
            assert_eq!(all.len(), 3);
            for (of, workers) in all.iter().zip(1..) {
                assert_eq!(of["workers"], workers);
                for (field, path) in [
                    ("packets", "/frames/received"),
                    ("flows", "/flows/opened"),
                    ("resets", "/resets/events"),
                    ("rst_packets", "/resets/packets"),
                    ("drops", "/frames/shed/table_full"),
                ] {
                    assert_eq!(of.get(field), summary.pointer(path), "{args:?}: {field}");
                }
            }
        }
    }
}

#[test]
fn several_captures_are_played_as_one_tap() {
    let folder = tempfile::tempdir().unwrap();
    let frames = refusals(40);
    let (odd, even) = (0..frames.len()).partition::<Vec<_>, _>(|index| index % 2 == 1);
    let [odd, even] = [odd, even].map(|part| {
        let part: Vec<_> = part.into_iter().map(|index| frames[index].clone()).collect();
        pcap(Order::Big, Flavour::Micro, &part)
    });
    let (odd, even) = (put(&folder, "odd", &odd), put(&folder, "even.gz", &gzip(&even)));
    let of = &figures(&["--seconds", "0", "--workers", "1"], &[&odd, &even])[0];
    assert_eq!((&of["packets"], &of["resets"]), (&80.into(), &40.into()));
}

#[test]
fn loops_are_completed_and_the_figures_fit_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture(&folder);
    for args in
        [&[][..], &["--rotate", "addresses"], &["--rotate", "ports"], &["--backend", "file"]]
    {
        let args = [&["--seconds", "0.1", "--workers", "1,2"], args].concat();
        for of in figures(&args, &[&file]) {
            let float = |field: &str| of[field].as_f64().unwrap();
            let packets = of["packets"].as_u64().unwrap();
            assert_eq!(packets % 5_000, 0, "{args:?}: {of}");
            assert!(float("seconds") > 0.0 && float("packets_per_second") > 0.0, "{of}");
            let ns = float("seconds") * 1e9 / float("packets");
            assert!((ns / float("ns_per_packet") - 1.0).abs() < 0.01, "{of}");
            // Every frame takes 84 bytes at least.
            assert!(float("bits_per_second") >= float("packets_per_second") * 84.0 * 8.0, "{of}");
            assert_eq!(of["stopped"], false);
            let (mut busy, mut taken) = (0.0, 0);
            for worker in of["per_worker"].as_array().unwrap() {
                busy += worker["busy_seconds"].as_f64().unwrap();
                taken += worker["packets"].as_u64().unwrap();
                assert_rising(&worker["burst_ns"]);
            }
            assert_rising(&of["burst_ns"]);
            assert!(busy <= float("seconds") * float("workers") * 1.01, "{of}");
            assert!(taken <= packets && taken > packets * 9 / 10, "{of}");
            if of["rotate"] == "none" {
                assert_eq!(of["rotate_ns_per_packet"], 0.0);
            }
        }
    }
}

#[track_caller]
fn assert_rising(burst: &Value) {
    let of = ["p50", "p99", "p999", "max"].map(|name| burst[name].as_u64().unwrap());
    assert!(of[0] > 0 && of.is_sorted(), "{burst}");
}

#[test]
fn without_workers_named_it_goes_up_to_the_cores() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let all = figures(&["--seconds", "0"], &[&corpus()]);
    let workers: Vec<u64> = all.iter().map(|of| of["workers"].as_u64().unwrap()).collect();
    assert_eq!(workers[0], 1);
    assert!(workers.is_sorted());
    assert_eq!(*workers.last().unwrap(), cores.min(64) as u64);
}

#[test]
fn a_signal_ends_early_with_the_figures_so_far() {
    let mut child = resetscope(&["bench", "--seconds", "3600", "--workers", "1,2"], &[&corpus()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What the columns are is said when signals are heard and before anything is measured.
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut shown = String::new();
    out.read_line(&mut shown).unwrap();
    Command::new("kill").args(["-s", "INT", &child.id().to_string()]).assert().success();
    out.read_to_string(&mut shown).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(shown.matches(" packets in ").count(), 1, "{shown}");
    assert!(shown.contains("preamble and gap"), "{shown}");
}

#[test]
fn what_cannot_be_measured_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = pcap(Order::Little, Flavour::Nano, &refusals(3));
    let good = put(&folder, "good.pcap", &bytes);
    let empty = put(&folder, "empty.pcap", &pcap(Order::Little, Flavour::Nano, &[]));
    let cut = put(&folder, "cut.pcap", &bytes[..bytes.len() - 7]);
    let missing = folder.path().join("missing.pcap");
    let stdin = PathBuf::from("-");
    let seconds = ["bench", "--seconds", "0", "--workers", "1"];
    for (args, file, code, says) in [
        (&["--backend", "dpdk", "--rotate", "ports"][..], &good, 1, NO_DPDK),
        (&["--backend", "file", "--rotate", "ports"], &good, 1, "--rotate needs --backend memory"),
        (&["--backend", "file"], &stdin, 1, "standard input can be read only once"),
        (&[], &missing, 1, "missing.pcap"),
        (&[], &empty, 1, "no frames"),
        (&[], &cut, 3, "cut.pcap is damaged at byte"),
        (&["--backend", "file"], &cut, 3, "cut.pcap is damaged at byte"),
    ] {
        let output = run(&[&seconds, args].concat(), &[file]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?} {}: {stderr}", file.display());
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(says), "{stderr} does not say {says}");
    }
    for args in [
        &["--seconds", "-1"][..],
        &["--seconds", "soon"],
        &["--workers", "0"],
        &["--workers", "1,"],
        &["--rotate", "macs"],
    ] {
        let output = run(&[&["bench"], args].concat(), &[&good]);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn the_documentation_names_the_fields_of_real_output_and_no_other() {
    let page = include_str!("../SCHEMA.md");
    let section = page.split("## Figures: `resetscope.bench/1`").nth(1).unwrap();
    let documented: BTreeSet<String> = section
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned()))
        .collect();
    let figures = &figures(&["--seconds", "0", "--workers", "2"], &[&corpus()])[0];
    assert_eq!(figures["schema"], "resetscope.bench/1");
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let worker = keys(&figures["per_worker"][0]);
    let written: BTreeSet<String> = keys(figures)
        .into_iter()
        .chain(worker.into_iter().map(|name| format!("per_worker.{name}")))
        .collect();
    assert_eq!(documented, written);
    for part in keys(&figures["machine"]).into_iter().chain(keys(&figures["burst_ns"])) {
        assert!(section.contains(&format!("`{part}`")), "SCHEMA.md lacks {part}");
    }
}
