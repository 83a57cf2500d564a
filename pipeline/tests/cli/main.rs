//! The program as it is typed: help, exit codes, bad input of every kind, pipes and signals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

#[path = "../capture_writer/mod.rs"]
mod capture_writer;
mod damage;
mod input;
mod output;
mod signals;
#[path = "../traffic/mod.rs"]
mod traffic;
mod usage;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use assert_cmd::assert::OutputAssertExt;
use capture_writer::{Flavour, Order, Seen, pcap};
use serde_json::Value;
use tempfile::TempDir;

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

fn signal(process: u32, name: &str) {
    Command::new("kill").args(["-s", name, &process.to_string()]).assert().success();
}
