//! Bytes on their way to a file. Those that the disk does not take wait, up to a bound, and are tried
//! again: a disk that was full for a while costs nothing that fits into the bound.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};

/// Bytes from which on it is worth to write.
const CHUNK: usize = 256 << 10;

/// Bytes that may wait.
const WAITING_MAX: usize = 4 << 20;

/// A file and what waits to be written to it.
pub(super) struct Spool {
    file: File,
    /// What waits, and what a new record is written behind.
    pub(super) waiting: Vec<u8>,
    /// Bytes in the file.
    written: u64,
    /// Ends of the records that wait, as lengths of the file.
    ends: VecDeque<u64>,
    /// Length of the file up to the last whole record in it.
    whole: u64,
}

impl Spool {
    pub(super) const fn new(file: File) -> Self {
        Self { file, waiting: Vec::new(), written: 0, ends: VecDeque::new(), whole: 0 }
    }

    /// Length of the file when all is written.
    pub(super) fn length(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }

    /// Notes that a record ends with what was last added.
    pub(super) fn record_ends(&mut self) {
        self.ends.push_back(self.length());
    }

    pub(super) fn is_worth_writing(&self) -> bool {
        self.waiting.len() >= CHUNK
    }

    pub(super) fn is_full(&self, held: usize) -> bool {
        self.waiting.len() + held >= WAITING_MAX
    }

    /// Writes what waits. What cannot be written goes on waiting.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let mut done = 0;
        let result = loop {
            let Some(rest) = self.waiting.get(done..).filter(|rest| !rest.is_empty()) else {
                break Ok(());
            };
            match self.file.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => done += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.waiting.drain(..done);
        self.written += done as u64;
        while let Some(end) = self.ends.front().copied().filter(|end| *end <= self.written) {
            self.whole = end;
            self.ends.pop_front();
        }
        result
    }

    /// Writes what waits, and has the system bring it to the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        self.file.sync_data()
    }

    /// Gives up what waits, so that the file ends with a whole record; returns how many records that
    /// costs.
    pub(super) fn give_up(&mut self) -> u64 {
        let lost = self.ends.len() as u64;
        if self.written > self.whole {
            // A pipe cannot be cut: its reader finds half a record at the end.
            let _ = self.file.set_len(self.whole);
        }
        self.waiting.clear();
        self.ends.clear();
        lost
    }
}
