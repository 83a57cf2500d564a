//! The same results in every format.

use std::path::Path;
use std::process::Command;

use resetscope_core::interval::histogram::Metric;
use serde_json::{Value, json};

use super::analysis::lines;
use super::{names, python, resetscope, succeeds, text};

/// An event of schema `resetscope.event/1` as a row has it: the columns in order, JSON as text.
fn row(event: &Value) -> Vec<(&'static str, Value)> {
    let fields = [
        ("time_ns", "/time_ns"),
        ("frame", "/frame"),
        ("src", "/src"),
        ("sport", "/sport"),
        ("dst", "/dst"),
        ("dport", "/dport"),
        ("packets", "/packets"),
        ("cause", "/cause"),
        ("subcause_id", "/subcause/id"),
        ("subcause", "/subcause/name"),
        ("confidence", "/confidence"),
        ("stage", "/stage"),
        ("conn_state", "/conn_state"),
        ("history", "/history"),
        ("community_id", "/community_id"),
        ("note", "/note"),
        ("evidence", "/evidence"),
        ("alternatives", "/alternatives"),
    ];
    fields.map(|(name, at)| (name, event.pointer(at).unwrap().clone())).to_vec()
}

/// A field of a CSV file as the value that it stands for.
fn value(name: &str, field: &str, like: &Value) -> Value {
    match like {
        Value::String(_) => field.into(),
        _ => serde_json::from_str(field).unwrap_or_else(|error| panic!("{name}: {error}")),
    }
}

#[test]
fn csv_says_the_same_as_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["analyze", "--events", "x.jsonl"]);
    succeeds(folder.path(), &["analyze", "--events", "x.csv"]);
    let events = lines(text(folder.path().join("x.jsonl")).as_bytes());
    let bytes = text(folder.path().join("x.csv"));
    assert_eq!(bytes.matches("\r\n").count(), events.len() + 1, "lines end as RFC 4180 says");
    let mut reader = csv::Reader::from_reader(bytes.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), events.len());
    for (fields, event) in rows.iter().zip(&events) {
        let want = row(event);
        assert_eq!(header, want.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (field, (name, like)) in fields.iter().zip(&want) {
            assert_eq!(value(name, field, like), *like, "{name}");
        }
    }
}

#[test]
fn summaries_in_a_file_are_those_on_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["analyze", "--format", "json", "--interval", "5s", "--summaries"];
    let stdout = succeeds(folder.path(), &[&args[..], &["s.jsonl"]].concat());
    assert_eq!(text(folder.path().join("s.jsonl")), stdout);
    succeeds(folder.path(), &[&args[..], &["s.csv"]].concat());
    let summaries = lines(stdout.as_bytes());
    let bytes = text(folder.path().join("s.csv"));
    let mut reader = csv::Reader::from_reader(bytes.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), summaries.len());
    for (fields, summary) in rows.iter().zip(&summaries) {
        for (name, field) in header.iter().zip(fields) {
            // Histograms have their unit in the name.
            let units = ["_us.", "_ms.", "_bytes.", "_packets."];
            let path = units.iter().find_map(|unit| {
                let (histogram, part) = name.strip_prefix("histograms.")?.split_once(unit)?;
                Some(format!("/histograms/{histogram}/{part}"))
            });
            let path = path.unwrap_or_else(|| format!("/{}", name.replace('.', "/")));
            let want = summary.pointer(&path).cloned();
            let want = want.or((name == "unwritten").then(|| json!(0)));
            let got: Value = serde_json::from_str(field).unwrap();
            assert_eq!(Some(got), want, "{name}");
        }
    }
}

#[test]
fn another_implementation_reads_the_histogram_log() {
    let Some(python) = python::with("hdrhistogram") else { return };
    let folder = tempfile::tempdir().unwrap();
    let args = ["analyze", "--format", "json", "--interval", "5s", "--histograms", "x.hlog"];
    let summaries = lines(succeeds(folder.path(), &args).as_bytes());
    let script = r#"
import json
from hdrh.histogram import HdrHistogram
for line in open("x.hlog"):
    if not line.startswith("Tag="):
        continue
    tag, start, length, _, payload = line.strip().split(",")
    h = HdrHistogram.decode(payload)
    counts = [(i.value_iterated_to, i.count_added_in_this_iter_step) for i in h.get_recorded_iterator()]
    total = sum(count for _, count in counts)
    part = {"count": total, "max": h.get_highest_equivalent_value(h.get_max_value()) if total else 0}
    for name, permille in ("p50", 500), ("p90", 900), ("p99", 990), ("p999", 999):
        left, part[name] = -(-total * permille // 1000), 0
        for value, count in counts:
            if left > 0:
                part[name] = h.get_highest_equivalent_value(value)
                left -= count
    print(json.dumps([tag[4:], float(start), float(length), part]))
"#;
    let read = lines(python::run(&python, folder.path(), script).as_bytes());
    let mut read = read.iter();
    for summary in &summaries {
        let [start, end] = ["start_ns", "end_ns"]
            .map(|name| summary["interval"][name].as_u64().unwrap() as f64 / 1e9);
        for metric in Metric::ALL {
            let mut want = summary["histograms"][metric.name()].clone();
            want.as_object_mut().unwrap().remove("unit");
            let line = read.next().unwrap();
            assert_eq!((line[0].as_str(), &line[3]), (Some(metric.name()), &want));
            assert!((line[1].as_f64().unwrap() - start).abs() < 1e-3, "{line}");
            assert!((line[2].as_f64().unwrap() - (end - start)).abs() < 1e-3, "{line}");
        }
    }
    assert!(read.next().is_none());
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_how_to_get_one_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    refuses(
        folder.path(),
        &["--events", "x.parquet"],
        1,
        "cargo build --release --features parquet",
    );
}

#[cfg(feature = "parquet")]
#[test]
fn duckdb_reads_parquet_and_finds_what_json_lines_say() {
    let Some(python) = python::with("duckdb") else { return };
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["analyze", "--events", "x.jsonl"]);
    succeeds(folder.path(), &["analyze", "--events", "x.parquet"]);
    assert_eq!(names(folder.path()), ["x.jsonl", "x.parquet"], "nothing unfinished is left");
    let script = r#"
import duckdb, json
table = duckdb.sql("select * from 'x.parquet'")
for row in table.fetchall():
    print(json.dumps(dict(zip(table.columns, row))))
"#;
    let rows = lines(python::run(&python, folder.path(), script).as_bytes());
    let events = lines(text(folder.path().join("x.jsonl")).as_bytes());
    assert_eq!(rows.len(), events.len());
    for (found, event) in rows.iter().zip(&events) {
        for (name, want) in row(event) {
            let found = match (name, &found[name]) {
                ("evidence" | "alternatives", Value::String(json)) => {
                    serde_json::from_str(json).unwrap()
                }
                (_, found) => found.clone(),
            };
            assert_eq!(found, want, "{name}");
        }
    }
    let script = r#"
import duckdb
print(duckdb.sql("""
    select count(*) from 'x.parquet'
    where cause = 'firewall' and (evidence->>'$.post_rst_data')::int > 0
""").fetchall()[0][0])
"#;
    let count = python::run(&python, folder.path(), script);
    let alive = |event: &&Value| {
        event["cause"] == "firewall" && event["evidence"]["post_rst_data"].as_u64() > Some(0)
    };
    assert_eq!(count.trim(), events.iter().filter(alive).count().to_string());
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (args, code, word) in [
        (&["--events", "x", "--summaries", "x"][..], 2, "named twice"),
        (&["--summaries", "-"], 2, "--format json"),
        (&["--histograms", "-"], 2, "--format json"),
        (&["--summaries", "s.parquet"], 2, ".csv"),
        (&["--rotate-size", "1MB"], 2, "--events"),
        (&["--rotate-size", "10kB", "--events", "-"], 2, "--summaries"),
        (&["--events", "x", "--rotate-keep", "3"], 2, "--rotate-size"),
        (&["--rotate-keep", "2"], 2, "--rotate-size"),
        // What lies on the disk decides about these.
        (&["--events", "/dev/null", "--rotate-every", "1h"], 1, "no regular file"),
        (&["--privacy", "/no/such/key"], 1, "openssl rand"),
    ] {
        refuses(folder.path(), args, code, word);
    }
}

/// Refused with this exit code and word by `analyze`, and by `monitor` before it asks for an interface
/// or for what it takes to listen on one.
fn refuses(folder: &Path, args: &[&str], code: i32, word: &str) {
    let mut monitor = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    monitor.current_dir(folder).args(["monitor", "-i", "gone"]).args(args);
    let analyzed = resetscope(folder, &[&["analyze"], args].concat());
    for (command, output) in [("analyze", analyzed), ("monitor", monitor.output().unwrap())] {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{command} {args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{command} {args:?}");
        assert!(stderr.contains(word), "{command} {args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{command} {args:?}: {stderr}");
        assert_eq!(names(folder), [""; 0], "{command} {args:?} leaves nothing behind");
    }
}
