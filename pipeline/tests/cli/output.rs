//! Where events and summaries go.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::traffic::refusals;
use super::{Folder, SMALL, analyze, capture, json, resetscope, text, wait};

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
