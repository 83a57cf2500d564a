//! A tap on a terminal: the dashboard, its keys, and the terminal afterwards.

use std::fs::File;
use std::process::{Child, Command};
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};

use crate::live::net::Net;
use crate::live::traffic;
use crate::screen::Terminal;

/// What a terminal is told when a program takes the whole screen, and when it gives it back.
const TAKEN: &str = "\x1b[?1049h";
const GIVEN_BACK: &str = "\x1b[?1049l";

fn monitor(net: &Net, terminal: &Terminal, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    command.args(["monitor", "-i", "tap", "--flows", "8192", "--interval", "1h"]).args(arguments);
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command.stdin(terminal.end()).stdout(terminal.end()).stderr(terminal.end());
    net.on_server(|| command.spawn()).unwrap()
}

#[test]
fn a_terminal_shows_resets_as_they_come_and_is_given_back_with_the_last_summary() {
    let Some(net) = Net::new() else { return };
    for (keys, signal) in [("", Some(Signal::TERM)), ("\x03", None), ("q", None)] {
        let mut terminal = Terminal::new(100, 30);
        let mut child = monitor(&net, &terminal, &[]);
        terminal.shows(TAKEN);
        terminal.shows("q quit");
        traffic::connections(&net, 2);
        terminal.shows("no_listener");
        for (columns, rows) in [(40, 10), (1, 1), (120, 40)] {
            terminal.forget();
            terminal.resize(columns, rows);
            kill_process(Pid::from_child(&child), Signal::WINCH).unwrap();
            // It clears what it had drawn for the other size.
            terminal.shows("\x1b[2J");
        }
        terminal.forget();
        terminal.press(keys);
        if let Some(signal) = signal {
            kill_process(Pid::from_child(&child), signal).unwrap();
        }
        terminal.forgets(GIVEN_BACK);
        let after = terminal.shows(" shed").to_owned();
        assert!(after.contains("6 resets"), "the last summary: {after:?}");
        assert!(after.contains("resetscope: listening on tap"), "what was said: {after:?}");
        assert!(child.wait().unwrap().success());
        assert!(terminal.is_as_before());
    }
}

#[test]
fn a_second_signal_ends_the_program_at_once_and_gives_the_terminal_back() {
    let Some(net) = Net::new() else { return };
    for (first, second) in [(Signal::TERM, Signal::TERM), (Signal::INT, Signal::TERM)] {
        // A reader that takes no more than a page keeps the program from ending by itself.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let pipe = File::options().read(true).write(true).open(&path).unwrap();
        let room = fcntl_setpipe_size(&pipe, 4096).unwrap() as u64;
        let mut terminal = Terminal::new(100, 30);
        let mut child = monitor(&net, &terminal, &["--events", path.to_str().unwrap()]);
        terminal.shows(TAKEN);
        traffic::connections(&net, 2);
        terminal.shows("no_listener");
        assert!(!terminal.is_as_before());
        kill_process(Pid::from_child(&child), first).unwrap();
        while ioctl_fionread(&pipe).unwrap() < room {
            assert!(child.try_wait().unwrap().is_none(), "the events fit into the pipe");
            thread::yield_now();
        }
        terminal.forget();
        kill_process(Pid::from_child(&child), second).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert!(terminal.is_as_before());
        let rest = terminal.rest();
        assert!(rest.contains(GIVEN_BACK) && rest.contains("\x1b[?25h"), "{rest:?}");
    }
}

#[test]
fn a_terminal_that_is_not_to_be_taken_gets_lines() {
    let Some(net) = Net::new() else { return };
    for arguments in [&["--no-tui"][..], &["--format", "json"], &["--events", "-"]] {
        let mut terminal = Terminal::new(100, 30);
        let mut child = monitor(&net, &terminal, arguments);
        terminal.shows("resetscope: listening on tap");
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let shown = terminal.shows("shed").to_owned();
        assert!(child.wait().unwrap().success());
        assert!(!shown.contains(TAKEN), "{arguments:?}: {shown:?}");
    }
}
