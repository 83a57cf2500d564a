//! The same traffic seen twice: recorded by tcpdump and analysed, or replayed from a capture.

use std::fs;
use std::path::Path;
use std::process::Command;

use resetscope::source::{self, Batch, Fill, Input};
use serde_json::Value;

use super::net::Net;
use super::program::{Program, wait_for};
use super::raw;

/// The last thing on the wire, for programs that have to be told when they have seen all.
pub(crate) const MARK: &[u8] = b"that was all of it";

/// A recording of the same traffic by tcpdump, if that is installed.
pub(crate) struct Recording {
    program: Program,
    folder: tempfile::TempDir,
}

impl Recording {
    /// Begins, on this interface of the server side.
    pub(crate) fn start(net: &Net, interface: &str) -> Option<Self> {
        if Command::new("tcpdump").arg("--version").output().is_err() {
            println!("without comparison: tcpdump is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("tcpdump");
        // As root, so that it may write into the folder; packet by packet, so that the file can be
        // waited for.
        command.args(["-Z", "root", "-i", interface, "-s", "256", "--immediate-mode", "-U", "-w"]);
        command.arg(folder.path().join("recording.pcap"));
        let mut program = Program::start(net, &mut command);
        program.says(&format!("listening on {interface}"));
        Some(Self { program, folder })
    }

    /// What `analyze` says of it, once the mark is in it.
    pub(crate) fn analyzed(self) -> Value {
        let file = self.folder.path().join("recording.pcap");
        wait_for("the mark in the recording", || {
            fs::read(&file).unwrap().windows(MARK.len()).any(|part| part == MARK).then_some(())
        });
        assert!(self.program.stop().status.success());
        analyzed(&file)
    }
}

/// What `analyze` says of a capture.
pub(crate) fn analyzed(file: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_resetscope"))
        .args(["analyze", "--format", "json", "--flows", "8192"])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Both saw the same and came to the same conclusions.
pub(crate) fn assert_same(one: &Value, other: &Value, what: &str) {
    for path in
        ["/frames", "/flows/opened", "/resets/packets", "/resets/events", "/resets/by_cause"]
    {
        assert_eq!(one.pointer(path), other.pointer(path), "{what}: {path}\n{one}\n{other}");
    }
}

/// Sends the frames of a capture from the client side.
pub(crate) fn replay(net: &Net, file: &Path) {
    let mut source = source::open(vec![Input::from(file.to_owned())], &Default::default()).unwrap();
    let mut batch = Batch::new(256);
    net.on_client(|| {
        let sender = raw::Sender::new("wire");
        loop {
            batch.clear();
            let filled = source.fill(&mut batch, u64::MAX).unwrap();
            for frame in batch.frames() {
                sender.send(frame.bytes);
            }
            if filled == Fill::End {
                return;
            }
        }
    });
}
