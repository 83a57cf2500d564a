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
    assert!(text(&run(&["--help"]).stdout).contains("Compare verdicts"));
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
