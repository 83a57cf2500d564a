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
    for args in [&["--events", "-"][..], &["--interval", "100ms", "--format", "json"]] {
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
fn a_reader_of_stdout_that_has_seen_enough_costs_no_other_result() {
    let folder = Folder::new();
    let bytes = capture(&refusals(4_000));
    let whole = folder.put("whole.pcap", &bytes);
    let cut = folder.put("cut.pcap", &bytes[..bytes.len() - 7]);
    let file = |name: &str| folder.path(name).to_str().unwrap().to_owned();
    let (events, summaries, histograms) = (file("e.jsonl"), file("s.jsonl"), file("h.hlog"));
    let files =
        ["--events", &events, "--summaries", &summaries, "--histograms", &histograms, "--format"];
    let (files, alone) = (&[&files[..], &["json"]].concat()[..], &["--format", "json"][..]);
    let full = &["--summaries", &summaries, "--events", "/dev/full"][..];
    let missing = "cannot write events to /dev/full (4000 are missing): No space left";
    for (command, args, capture, code, says) in [
        ("analyze", files, &whole, 0, ""),
        ("analyze", files, &cut, 3, "cut.pcap is damaged at byte"),
        ("analyze", alone, &cut, 3, "cut.pcap is damaged at byte"),
        ("explain", &["--frame", "2"][..], &cut, 3, "cut.pcap is damaged at byte"),
        ("analyze", full, &whole, 1, missing),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let interval = if args == files { &["--interval", "100ms"][..] } else { &[] };
        let output = resetscope()
            .arg(command)
            .args(SMALL)
            .args(args)
            .args(interval)
            .arg(capture)
            .stdout(writer)
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        let row = format!("{command} {args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(code), "{row}");
        assert_eq!(stderr.lines().count(), usize::from(!says.is_empty()), "{row}");
        assert!(stderr.contains(says), "{row}");
        if args == files {
            let lines = |path: &str| std::fs::read_to_string(path).unwrap().lines().count();
            assert_eq!(lines(&events), if capture == &whole { 4_000 } else { 3_999 }, "{row}");
            assert!(lines(&summaries) > 300, "{row}");
            assert!(lines(&histograms) > 300, "{row}");
        }
    }
}

#[test]
fn an_interval_prints_one_summary_each() {
    let folder = Folder::new();
    let path = folder.put("fifty.pcap", &capture(&refusals(50)));
    let path = path.to_str().unwrap();
    let output = analyze(["--interval", "100ms", "--format", "json", path]);
    let stdout = text(&output.stdout);
    assert_eq!(stdout.lines().count(), 5);
    for (seq, line) in stdout.lines().enumerate() {
        let summary = json(line);
        assert_eq!(summary["interval"]["seq"], seq);
        assert_eq!(summary["frames"]["received"], 20);
    }
    let table = text(&analyze(["--interval", "100ms", path]).stdout);
    assert_eq!(table.matches("RST packets").count(), 5, "{table}");
}

#[test]
fn two_results_never_share_a_file_by_whatever_names() {
    let folder = Folder::new();
    let capture = folder.put("two.pcap", &capture(&refusals(2)));
    let old = folder.put("old", b"of an earlier run");
    std::fs::create_dir(folder.path("sub")).unwrap();
    std::fs::hard_link(&old, folder.path("hard")).unwrap();
    for (to, link) in [("old", "soft"), ("new", "leads-to-new"), ("sub", "sub-too")] {
        std::os::unix::fs::symlink(to, folder.path(link)).unwrap();
    }
    for (one, other, why) in [
        ("new", "new", "the same path"),
        ("new", "./new", "a path that says where it is"),
        ("new", "sub/../new", "a path that comes back"),
        ("sub/new", "sub-too/new", "a folder by a link"),
        ("old", "soft", "a link"),
        ("soft", "hard", "a link to what another name is of"),
        ("hard", "old", "two names of one file"),
        ("new", "leads-to-new", "a link that leads to a file that will be"),
    ] {
        for options in [
            ["--events", "--summaries"],
            ["--histograms", "--events"],
            ["--report", "--events"],
            ["--summaries", "--report"],
        ] {
            let output = resetscope()
                .current_dir(folder.0.path())
                .args(["analyze", options[0], one, options[1], other])
                .arg(&capture)
                .output()
                .unwrap();
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{options:?}, {why}: {stderr}");
            assert!(stderr.contains("is named twice"), "{options:?}, {why}: {stderr}");
            assert_eq!(std::fs::read_to_string(&old).unwrap(), "of an earlier run", "{why}");
            assert!(!folder.path("new").exists() && !folder.path("sub/new").exists(), "{why}");
        }
    }
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
