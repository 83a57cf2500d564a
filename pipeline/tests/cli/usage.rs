//! What can be typed, and what is answered to what cannot be done.

use std::path::Path;
use std::process::Stdio;

use super::traffic::refusals;
use super::{Folder, analyze, capture, resetscope, text};

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
                "SIGINT and SIGTERM end the reading early",
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
        (&["monitor", "-i", "lo", "--interval", "300000000000y"], "is longer than 100years"),
        (&["monitor", "-i", "lo", "--duration", "101y"], "is longer than 100years"),
        (&["analyze", "--workers", "0", file], "1..=64"),
        (&["analyze", "--workers", "65", file], "1..=64"),
        (&["analyze", "--workers", "many", file], "--workers"),
        (&["analyze", "--flows", "0", file], "--flows"),
        (&["analyze", "--flows", "-1", file], "-1"),
        (&["analyze", "--format", "xml", file], "table, json"),
        (&["analyze", "--colour", file], "--colour"),
        (&["monitor"], "which interface?"),
        (&["explain", "--frame", "1", "--flow", "10.0.0.1:1-10.0.0.2:2", file], "--flow"),
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

#[cfg(not(feature = "serve"))]
#[test]
fn a_build_without_a_server_says_how_to_get_one() {
    for face in ["--metrics", "--http"] {
        // Before it asks for an interface, or for what it would take to listen on one.
        let output = resetscope().args(["monitor", "-i", "gone", face, "0"]).output().unwrap();
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
