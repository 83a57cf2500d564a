//! tracefs as the tests need it: there, writable, and with a tracepoint that tells reasons.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr;

const TRACEFS: &CStr = c"/sys/kernel/tracing";

/// Makes the calling thread, and the programs it starts, see tracefs. False, with the reason, where
/// that or the tracepoint is not to be had.
pub(crate) fn ready() -> bool {
    if let Err(reason) = mounted().and_then(|()| tells_reasons()) {
        println!("skipped: the kernel's reasons cannot be read here: {reason}");
        return false;
    }
    true
}

/// Where the instance of this process is.
pub(crate) fn instance(of: u32) -> PathBuf {
    instances_folder().join(format!("resetscope-{of}"))
}

fn instances_folder() -> &'static Path {
    Path::new("/sys/kernel/tracing/instances")
}

fn mounted() -> io::Result<()> {
    if instances_folder().is_dir() {
        return Ok(());
    }
    alone()?;
    // SAFETY: the strings are constants that end with zero, and there is no data.
    let result = unsafe {
        libc::mount(c"tracefs".as_ptr(), TRACEFS.as_ptr(), c"tracefs".as_ptr(), 0, ptr::null())
    };
    checked(result)
}

/// Hides tracefs from the calling thread and the programs it starts.
pub(crate) fn hidden() -> io::Result<()> {
    alone()?;
    // SAFETY: as above.
    let result = unsafe {
        libc::mount(c"none".as_ptr(), TRACEFS.as_ptr(), c"tmpfs".as_ptr(), 0, ptr::null())
    };
    checked(result)
}

/// Gives the calling thread a view of the file systems of its own.
fn alone() -> io::Result<()> {
    // SAFETY: takes no memory. A new mount namespace also leaves the folder that the threads of a
    // process have in common, which nothing here uses.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: as above; source, type and data are not looked at.
    let result =
        unsafe { libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), private, ptr::null()) };
    checked(result)
}

fn tells_reasons() -> io::Result<()> {
    let format = fs::read_to_string("/sys/kernel/tracing/events/tcp/tcp_send_reset/format")?;
    if format.contains(" reason;") {
        Ok(())
    } else {
        Err(io::Error::other("the tracepoint has no reason before Linux 6.10"))
    }
}

fn checked(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
