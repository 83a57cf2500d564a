//! Keeps what C libraries say on stdout and stderr, so that an error is told once, in our words.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Bytes of what was said that are kept.
const KEEP: u64 = 64 << 10;

/// While it lives, what is written to stdout and stderr goes into memory.
pub(super) struct Capture {
    memory: File,
    saved: [(RawFd, OwnedFd); 2],
}

impl Capture {
    /// Begins.
    ///
    /// # Errors
    /// When the system refuses descriptors.
    pub(super) fn begin() -> io::Result<Self> {
        // SAFETY: a C string and a flag go in, a new descriptor or -1 comes out.
        let fd = unsafe { libc::memfd_create(c"said".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: checked to be a descriptor, which is new and belongs to nobody else.
        let memory = unsafe { File::from_raw_fd(check(fd)?) };
        let saved = [save(libc::STDOUT_FILENO)?, save(libc::STDERR_FILENO)?];
        let capture = Self { memory, saved };
        flush();
        for (to, _) in &capture.saved {
            put(&capture.memory, *to)?;
        }
        Ok(capture)
    }

    /// Ends, and returns what was said.
    pub(super) fn end(mut self) -> String {
        self.restore();
        let mut said = Vec::new();
        // What cannot be read back was not said.
        let _ = self.memory.rewind();
        let _ = (&self.memory).take(KEEP).read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    }

    fn restore(&mut self) {
        flush();
        for (to, saved) in &self.saved {
            let _ = put(saved, *to);
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Writes out what C's streams hold back.
fn flush() {
    // SAFETY: a null pointer stands for all streams.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// Another descriptor for the same file as `fd`, and `fd`.
fn save(fd: RawFd) -> io::Result<(RawFd, OwnedFd)> {
    // SAFETY: plain numbers go in, a new descriptor or -1 comes out.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the descriptor is new and belongs to nobody else.
    Ok((fd, unsafe { OwnedFd::from_raw_fd(copy) }))
}

/// Makes the descriptor `to` stand for what `from` is.
fn put(from: &impl AsRawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: `to` is stdout or stderr, which nobody owns; `from` is alive.
    check(unsafe { libc::dup2(from.as_raw_fd(), to) }).map(drop)
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
