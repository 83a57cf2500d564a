//! `resetscope-bench rate`: that it measures what it says, not how fast this machine is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

use std::process::{Command, Output};

use serde_json::Value;

fn rate(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_resetscope-bench");
    Command::new(program).arg("rate").args(args).output().unwrap()
}

#[test]
fn a_flood_takes_no_established_connection_and_a_storm_loses_no_reset() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("cost.svg");
    let small = ["--flows", "1000,5000", "--repeats", "2", "--capacity", "40000"];
    let output =
        rate(&[&small[..], &["--format", "json", "--svg", svg.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rate: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rate["schema"], "resetscope.rate/1");
    for (row, flows) in rate["by_flows"].as_array().unwrap().iter().zip([1_000, 5_000]) {
        assert_eq!(row["flows"], flows);
        let names = ["walk_ns", "bare_dissect_ns", "bare_floor_ns", "dissect_ns", "floor_ns"];
        for name in names.iter().chain(&["engine_ns", "engine_by_floor", "engine_by_bare_floor"]) {
            assert!(row[name].as_f64().unwrap() > 0.0, "{name}: {row}");
        }
    }
    let flood = &rate["flood"];
    assert_eq!((&flood["established"], &flood["syns"]), (&20_000.into(), &320_000.into()));
    assert_eq!(flood["kept"], 1.0, "{flood}");
    assert_eq!(rate["storm"]["resets"], 20_000);
    assert_eq!(rate["storm"]["judged"], 1.0, "{}", rate["storm"]);
    let bytes = rate["memory"]["bytes_per_flow"].as_f64().unwrap();
    assert!((150.0..1_000.0).contains(&bytes), "{bytes} bytes a connection");
    let drawn = std::fs::read_to_string(svg).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"));
    assert_eq!(drawn.matches("<polyline").count(), 3);
    assert_eq!(drawn.matches("<circle").count(), 6);
}

#[test]
fn the_result_is_a_table_for_a_person() {
    let output = rate(&["--flows", "1000", "--repeats", "1", "--capacity", "4096"]);
    let table = String::from_utf8(output.stdout).unwrap();
    for words in ["| connections |", "|        1000 |", "a SYN", "verdicts each", "bytes each"] {
        assert!(table.contains(words), "{words} is not in\n{table}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for (args, code) in [
        (&["--flows", "0"][..], 2),
        (&["--repeats", "0"], 2),
        (&["--flows", "1000", "--repeats", "1", "--capacity", "4096", "--svg", "/no/where.svg"], 1),
    ] {
        let output = rate(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{args:?}");
    }
}
