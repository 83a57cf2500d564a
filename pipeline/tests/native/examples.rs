//! The examples of the manual and of the README: each is run, with names that mean something here.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::capture_writer::{Flavour, Order, pcap};
use crate::traffic::refusals;
use crate::{resetscope, text};

/// Lines that call the program, as one would type them, without `sudo`.
fn examples() -> Vec<String> {
    let mut written = String::new();
    for command in ["analyze", "explain", "monitor", "bench", "man", "completions"] {
        let help = resetscope().args([command, "--help"]).output().unwrap();
        written += text(&help.stdout).split_once("Examples:").unwrap().1;
        written += "\n";
    }
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    for block in fs::read_to_string(readme).unwrap().split("```sh\n").skip(1) {
        written += &block.split_once("```").unwrap().0.replace("\\\n", " ");
    }
    let typed = |line: &str| line.trim().replace("sudo ", "").replace("target/release/", "");
    let calls = |line: &String| line.starts_with("resetscope ") || line.contains("| resetscope ");
    let mut lines: Vec<String> = written.lines().map(typed).filter(calls).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// A command that can be run here for what was written; `None` when this build cannot.
fn runnable(line: &str, flow: &str) -> Option<String> {
    let needs = |name: &str, there: bool| line.contains(name) && !there;
    if needs(".parquet", cfg!(feature = "parquet")) || line.contains("--backend dpdk") {
        return None;
    }
    let mut line = line
        .replace("10.0.0.1:40000-10.0.0.2:443", flow)
        .replace("--seconds 10", "")
        .replace("/usr/local", "usr-local");
    if line.starts_with("resetscope bench") {
        line += " --seconds 0";
    }
    // A tap needs its interface; what was typed is checked all the same.
    if line.starts_with("resetscope monitor") {
        line += " --print-config";
    }
    Some(line)
}

fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_example_of_the_manual_and_of_the_readme_can_be_typed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let capture = pcap(Order::Little, Flavour::Nano, &refusals(700));
    fs::create_dir(at("day")).unwrap();
    for name in ["trace.pcap", "trace.pcapng.gz", "day/a.pcap", "day/a.pcap.zst"] {
        fs::write(at(name), &capture).unwrap();
    }
    fs::write(at("key.hex"), "5a".repeat(32)).unwrap();
    for shells in [".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"]
    {
        fs::create_dir_all(at(shells)).unwrap();
    }
    symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/../configs"), at("configs")).unwrap();
    symlink(env!("CARGO_BIN_EXE_resetscope"), at("resetscope")).unwrap();
    // What stands before or behind the program in a pipe.
    program(folder.path(), "tcpdump", "#!/bin/sh\ncat trace.pcap\n");
    program(folder.path(), "man", "#!/bin/sh\ncat\n");
    let events = resetscope()
        .args(["analyze", "-q", "--events", "-", "--flows", "4096"])
        .arg(at("trace.pcap"))
        .output()
        .unwrap();
    let event: serde_json::Value =
        serde_json::from_str(text(&events.stdout).lines().next().unwrap()).unwrap();
    let end = |address, port| format!("{}:{}", event[address].as_str().unwrap(), event[port]);
    let flow = format!("{}-{}", end("src", "sport"), end("dst", "dport"));
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());

    let examples = examples();
    assert!(examples.len() > 20, "{examples:#?}");
    for example in &examples {
        let Some(line) = runnable(example, &flow) else {
            println!("not run in this build: {example}");
            continue;
        };
        let output = Command::new("sh")
            .args(["-e", "-c", &line])
            .env("PATH", &path)
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{example}\n{}", text(&output.stderr));
    }
}
