//! The program among the other programs of a system: what it says and how loudly, its manual, its
//! completions, its behaviour on a terminal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

#[path = "../capture_writer/mod.rs"]
mod capture_writer;
#[cfg(feature = "tui")]
mod dashboard;
mod examples;
mod log;
mod manual;
#[path = "../terminal/mod.rs"]
mod screen;
mod terminal;
#[path = "../traffic/mod.rs"]
mod traffic;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use capture_writer::{Flavour, Order, pcap};

/// The program, with nothing of the tester's environment that changes how it speaks.
fn resetscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    for name in ["RESETSCOPE_LOG", "JOURNAL_STREAM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with two captures of refused connections: one good, one cut in its last record.
struct Captures {
    folder: tempfile::TempDir,
    good: PathBuf,
    cut: PathBuf,
}

impl Captures {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = pcap(Order::Little, Flavour::Nano, &traffic::refusals(5));
        let (good, cut) = (folder.path().join("good.pcap"), folder.path().join("cut.pcap"));
        std::fs::write(&good, &bytes).unwrap();
        std::fs::write(&cut, &bytes[..bytes.len() - 3]).unwrap();
        Self { folder, good, cut }
    }
}
