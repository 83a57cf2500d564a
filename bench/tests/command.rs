//! The program as a user meets it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

use std::path::Path;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_resetscope-bench"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_tells_what_a_right_verdict_is_and_shows_examples() {
    let help = text(&run(&["score", "--help"]).stdout);
    for part in ["kernel lab", "A verdict is right when", "Examples:", "Exit codes:", "--labels"] {
        assert!(help.contains(part), "{part:?} is not in\n{help}");
    }
    let help = text(&run(&["generate", "--help"]).stdout);
    for part in ["same bytes on every machine", "--resets", "[default: 500]", "Examples:"] {
        assert!(help.contains(part), "{part:?} is not in\n{help}");
    }
    let all = text(&run(&["--help"]).stdout);
    assert!(all.contains("Compare verdicts") && all.contains("Write a capture"), "{all}");
}

#[test]
fn a_capture_is_scored_as_a_table_or_as_one_json_object() {
    let table = run(&["score", "six-causes.pcap.gz"]);
    assert!(table.status.success());
    assert!(text(&table.stdout).contains("events scored"), "{}", text(&table.stdout));
    let json = run(&["score", "--format", "json", "six-causes.pcap.gz"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["lab"]["captures"], 1);
}

#[test]
fn a_generated_capture_comes_with_its_truth_and_can_be_scored() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("mix.pcap").display().to_string();
    let wanted = ["generate", "--out", &capture, "--truth", "--packets", "20k", "--resets", "0.3"];
    let made = run(&wanted);
    assert!(made.status.success(), "{}", text(&made.stderr));
    for part in ["20000 packets", "reset events:", "packets/s", "mix.truth.jsonl"] {
        assert!(text(&made.stderr).contains(part), "{part:?} is not in\n{}", text(&made.stderr));
    }
    let scored = run(&["score", &capture]);
    assert!(text(&scored.stdout).contains("events scored"), "{}", text(&scored.stderr));
    // A file is replaced only on demand, and what goes to standard output is the same capture.
    assert!(text(&run(&wanted).stderr).contains("--force"));
    let piped = run(&["generate", "--out", "-", "-q", "--packets", "20k", "--resets", "0.3"]);
    assert!(piped.stdout == std::fs::read(&capture).unwrap() && piped.stderr.is_empty());
}

#[test]
fn what_cannot_be_generated_is_said_with_a_remedy() {
    for (args, want, code) in [
        (&["--out", "nowhere/x.pcap"][..], "make its directory first", 1),
        (&["--out", "lab"], "cannot write lab", 1),
        (&["--out", "README.md"], "--force", 1),
        (&["--out", "/dev/full", "--size", "3MB"], "disk is full", 1),
        (&["--out", "-", "--truth"], "--truth needs a FILE", 2),
        (&["--out", "x", "--truth", "x"], "cannot be the capture and its truth", 2),
        (&["--out", "x", "--flows", "9", "--rate", "9"], "--flows or --rate", 2),
        (&["--out", "x", "--profile", "scan", "--background", "scan"], "--profile mix", 2),
        (&["--out", "x", "--size", "90TB"], "16 TiB", 2),
        (&["--out", "x", "--size", "9"], "at least", 2),
        (&["--out", "x", "--flows", "0"], "--flows 0", 2),
        (&["--out", "x", "--rate", "0"], "--rate 0", 2),
        (&["--out", "x", "--size", "9QB"], "is none of k, M, G", 2),
        (&["--out", "x", "--seconds", "0"], "more than 0", 2),
        (&["--out", "x", "--ipv6", "2"], "from 0 to 1", 2),
        (&["--out", "x", "--profile", "web"], "small-frames", 2),
        (&[], "--out <FILE>", 2),
    ] {
        let output = run(&[&["generate"], args].concat());
        let error = text(&output.stderr);
        assert!(error.contains(want), "{args:?}: {error}");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn what_cannot_be_measured_is_said_in_a_sentence() {
    for (args, want, code) in [
        (&["score", "lab/README.md"][..], "no NAME.truth.jsonl", 1),
        (&["score", "../src"], "no capture with a NAME.truth.jsonl beside it", 1),
        (&["score", "--labels", "lab"], "labels.tsv", 1),
        (&["score"], "required", 2),
    ] {
        let output = run(args);
        let error = text(&output.stderr);
        assert!(error.contains(want), "{args:?}: {error}");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}
