//! Programs under test and beside it: started, waited for by what they say, ended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::net::Net;

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running program whose lines are read as they come.
pub(crate) struct Program {
    child: Child,
    stdout: Option<ChildStdout>,
    lines: Receiver<String>,
    to_lines: Option<Sender<String>>,
    remarks: Receiver<String>,
    /// Lines of stderr so far.
    pub(crate) said: Vec<String>,
}

/// How a program ended.
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) status: ExitStatus,
    /// What it wrote to stdout and nobody had taken.
    pub(crate) lines: Vec<String>,
    /// What it wrote to stderr.
    pub(crate) said: String,
}

impl Program {
    /// Starts a program on the server side of `net`.
    pub(crate) fn start(net: &Net, command: &mut Command) -> Self {
        Self::start_with(net, command, false)
    }

    /// Starts a program whose stdout nobody takes until [`Self::read_on`].
    pub(crate) fn start_unread(net: &Net, command: &mut Command) -> Self {
        Self::start_with(net, command, true)
    }

    fn start_with(net: &Net, command: &mut Command, unread: bool) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = net.on_server(|| command.spawn()).unwrap();
        let stdout = child.stdout.take();
        let (send, remarks) = channel();
        read(child.stderr.take().unwrap(), send);
        let (send, lines) = channel();
        let mut program =
            Self { child, stdout, lines, to_lines: Some(send), remarks, said: Vec::new() };
        if !unread {
            program.read_on();
        }
        program
    }

    /// Takes what it writes to stdout from now on.
    pub(crate) fn read_on(&mut self) {
        if let (Some(stdout), Some(lines)) = (self.stdout.take(), self.to_lines.take()) {
            read(stdout, lines);
        }
    }

    /// Starts `resetscope monitor` with JSON summaries.
    pub(crate) fn monitor(net: &Net, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
        command.args(["monitor", "-i", "tap", "--format", "json", "--flows", "8192"]);
        Self::start(net, command.args(arguments))
    }

    /// Starts it and waits until it listens.
    pub(crate) fn listening(net: &Net, arguments: &[&str]) -> Self {
        let mut program = Self::monitor(net, arguments);
        program.says("listening on tap");
        program
    }

    /// Whether a line of stderr that has come contains `text`.
    pub(crate) fn has_said(&mut self, text: &str) -> bool {
        self.said.extend(self.remarks.try_iter());
        self.said.iter().any(|line| line.contains(text))
    }

    /// Waits until a line of stderr contains `text`.
    pub(crate) fn says(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.remarks.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.said.push(line);
                    if found {
                        return;
                    }
                }
                Err(_) => panic!("never said `{text}`, only {:?}", self.said),
            }
        }
    }

    /// The next line of stdout.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line of output")
    }

    /// The next summary.
    pub(crate) fn summary(&self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::INT);
        self.ended()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(mut self) -> Ended {
        // Both ends of file come when the program is gone.
        let lines = rest(&self.lines);
        let mut said = std::mem::take(&mut self.said);
        said.extend(rest(&self.remarks));
        let status = self.child.wait().unwrap();
        Ended { status, lines, said: said.join("\n") }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The last line of stdout as JSON.
    pub(crate) fn summary(&self) -> Value {
        let last = self.lines.last().unwrap_or_else(|| panic!("no summary; {}", self.said));
        serde_json::from_str(last).unwrap()
    }

    /// The last summary of a program that ended well: every frame is accounted for.
    pub(crate) fn accounted(&self) -> Value {
        assert!(self.status.success(), "{}", self.said);
        let summary = self.summary();
        assert_balanced(&summary);
        summary
    }
}

fn read(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = to.send(line);
        }
    });
}

fn rest(from: &Receiver<String>) -> Vec<String> {
    let until = Instant::now() + PATIENCE;
    let mut lines = Vec::new();
    loop {
        match from.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => lines.push(line),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return lines,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {lines:?}"),
        }
    }
}

/// Waits until `ready` gives something.
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < until, "{what} never came");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A number in a JSON object, by its path.
pub(crate) fn number(of: &Value, path: &str) -> u64 {
    of.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {of}"))
}

/// The ledger must balance.
pub(crate) fn assert_balanced(summary: &Value) {
    let sum = |path: &str| -> u64 {
        summary.pointer(path).unwrap().as_object().unwrap().values().filter_map(Value::as_u64).sum()
    };
    let accounted =
        number(summary, "/frames/analysed") + sum("/frames/skipped") + sum("/frames/shed");
    assert_eq!(number(summary, "/frames/received"), accounted, "{summary}");
}
