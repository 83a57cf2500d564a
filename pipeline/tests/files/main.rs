//! Files of results: their formats as others read them, rotation, disks that are full, and masked
//! addresses.
//!
//! What other programs make of the files is asked of Python packages, which the first such test
//! installs from PyPI into a folder of its own; where that fails the tests say so and pass.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

#[path = "../analysis/mod.rs"]
mod analysis;
#[path = "../capture_writer/mod.rs"]
mod capture_writer;
mod format;
mod full;
mod privacy;
mod python;
mod rotation;
#[path = "../traffic/mod.rs"]
mod traffic;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use analysis::corpus;

/// Runs `resetscope` in `folder` with these arguments, and the shipped capture behind them.
fn resetscope(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_resetscope"))
        .current_dir(folder)
        .args(args)
        .args(["--flows", "65536"])
        .arg(corpus().canonicalize().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The same, which must succeed; returns stdout.
#[track_caller]
fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = resetscope(folder, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap().path())).collect();
    names.sort();
    names
}
