//! A terminal for one program, and everything that the program wrote to it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pseudo-terminal.
pub(crate) struct Terminal {
    keys: File,
    screen: OwnedFd,
    parts: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// One of this size.
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let screen = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        let keys = File::from(keys);
        let mut output = keys.try_clone().unwrap();
        let (send, parts) = channel();
        thread::spawn(move || {
            let mut part = [0; 65_536];
            while let Ok(length) = output.read(&mut part) {
                if send.send(part[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let terminal = Self { keys, screen, parts, shown: String::new() };
        terminal.resize(columns, rows);
        terminal
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.screen, size).unwrap();
    }

    /// What a program gets as one of its standard streams.
    pub(crate) fn end(&self) -> Stdio {
        self.screen.try_clone().unwrap().into()
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the program has written `text`, and returns everything up to then.
    pub(crate) fn shows(&mut self, text: &str) -> &str {
        let until = Instant::now() + PATIENCE;
        while !self.shown.contains(text) {
            match self.parts.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(part) => self.shown.push_str(&String::from_utf8_lossy(&part)),
                Err(_) => panic!("never showed {text:?}, only {:?}", self.shown),
            }
        }
        &self.shown
    }

    /// Waits until the program has written `text`, and forgets everything up to then.
    pub(crate) fn forgets(&mut self, text: &str) {
        self.shows(text);
        self.shown = self.shown.split_once(text).map_or("", |(_, rest)| rest).to_owned();
    }

    /// Everything, once the program has ended and nobody else has the terminal.
    pub(crate) fn rest(self) -> String {
        let Self { keys, screen, parts, mut shown } = self;
        drop(screen);
        parts.iter().for_each(|part| shown.push_str(&String::from_utf8_lossy(&part)));
        drop(keys);
        shown
    }

    /// Forgets what it has shown.
    pub(crate) fn forget(&mut self) {
        self.shown.clear();
    }

    /// Whether lines are edited and keys echoed, as a shell leaves it.
    pub(crate) fn is_as_before(&self) -> bool {
        let modes = tcgetattr(&self.screen).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }
}
