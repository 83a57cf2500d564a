//! A trace instance of our own: made, set up, removed (Documentation/trace/ftrace.rst, "Instances").

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::TracepointError;

const TRACEFS: &str = "/sys/kernel/tracing";

/// Begins the names of our instances; the number of the process that uses it follows.
const PREFIX: &str = "resetscope-";

const EVENT: &str = "events/tcp/tcp_send_reset";

/// Kernel memory for records that nobody has read yet, of each processor core, in KiB: some 2,500
/// resets.
const BUFFER_KIB: &str = "256";

/// Times that an instance is made again, because another program that tidied up at the start took it
/// for an abandoned one before it was in use.
const TRIES: usize = 3;

/// How lines are to look, whatever the host's other tracing is set to: new instances copy that. A
/// kernel that lacks an option need not be told.
const OPTIONS: [&str; 11] = [
    "context-info",
    "irq-info",
    "overwrite",
    "nolatency-format",
    "norecord-tgid",
    "noraw",
    "nohex",
    "nobin",
    "nofields",
    "nostacktrace",
    "nouserstacktrace",
];

/// The instance's records as text, each given out once. While it is open the kernel refuses to
/// remove the instance.
pub(super) struct Pipe(File);

impl Read for Pipe {
    /// Takes what there is; [`ErrorKind::WouldBlock`] when there is nothing.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// Whether the kernel tells reasons, and tells us.
///
/// # Errors
/// What is missing.
pub(super) fn check() -> Result<(), TracepointError> {
    let instances = Path::new(TRACEFS).join("instances");
    match fs::metadata(&instances) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(TracepointError::NotMounted);
        }
        Err(error) => return Err(failed("look at", &instances, error)),
        Ok(_) => {}
    }
    let format = Path::new(TRACEFS).join(EVENT).join("format");
    match fs::read_to_string(&format) {
        Ok(fields) if fields.contains(" reason;") => Ok(()),
        Ok(_) => Err(TracepointError::NoReason),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(TracepointError::NoTracepoint),
        Err(error) => Err(failed("read", &format, error)),
    }
}

/// Where the instance of process `number` is.
pub(super) fn path(number: u32) -> PathBuf {
    Path::new(TRACEFS).join("instances").join(format!("{PREFIX}{number}"))
}

/// Removes the instances that nobody reads any more. The kernel knows: it refuses for the others.
pub(super) fn remove_abandoned() {
    let Ok(entries) = fs::read_dir(Path::new(TRACEFS).join("instances")) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
            // One that stays does no harm, and is tried again at the next start.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Removes the instance of process `number`, if it can be.
pub(super) fn remove(number: u32) {
    let _ = fs::remove_dir(path(number));
}

/// Makes the instance of process `number`, and holds it from then on: nobody can remove it.
pub(super) fn make(number: u32) -> Result<Pipe, TracepointError> {
    let path = path(number);
    let mut tries = 0;
    loop {
        tries += 1;
        DirBuilder::new().create(&path).map_err(|error| failed("make", &path, error))?;
        let pipe = path.join("trace_pipe");
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        match OpenOptions::new().read(true).custom_flags(flags).open(&pipe) {
            Ok(file) => return Ok(Pipe(file)),
            Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => {}
            Err(error) => {
                remove(number);
                return Err(failed("open", &pipe, error));
            }
        }
    }
}

/// Has the instance of process `number` record resets, in the form that `line` reads.
pub(super) fn set_up(number: u32) -> Result<(), TracepointError> {
    let path = path(number);
    for option in OPTIONS {
        let _ = write(&path, "trace_options", option);
    }
    write(&path, "buffer_size_kb", BUFFER_KIB)?;
    write(&path, "trace_clock", "tai")?;
    write(&path, &format!("{EVENT}/enable"), "1")?;
    write(&path, "tracing_on", "1")
}

fn write(instance: &Path, name: &str, value: &str) -> Result<(), TracepointError> {
    let file = instance.join(name);
    fs::write(&file, value).map_err(|error| failed("write to", &file, error))
}

fn failed(doing: &'static str, path: &Path, cause: io::Error) -> TracepointError {
    match cause.kind() {
        ErrorKind::PermissionDenied => TracepointError::Permission {
            program: env::current_exe().unwrap_or_else(|_| PathBuf::from("resetscope")),
        },
        ErrorKind::ReadOnlyFilesystem => TracepointError::ReadOnly,
        _ => TracepointError::Step { doing, path: path.to_owned(), cause },
    }
}
