//! What to read, and how.

use super::error::SourceError;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One input of a tap.
pub enum Input {
    /// A file, FIFO or device by its path.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// Anything that can be read; the name is used in messages.
    Reader(PathBuf, Box<dyn Read + Send>),
}

impl From<PathBuf> for Input {
    /// `-` is standard input, everything else a path.
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::Path(path) }
    }
}

impl From<&Path> for Input {
    fn from(path: &Path) -> Self {
        path.to_path_buf().into()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Input").field(&self.path()).finish()
    }
}

impl Input {
    /// The path, or the name that stands for one.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Path(path) | Self::Reader(path, _) => path,
            Self::Stdin => Path::new("-"),
        }
    }
}

/// How inputs are read. The defaults suit all but special cases.
#[derive(Clone, Debug)]
pub struct Options {
    /// Map uncompressed regular files instead of reading them (default: yes). Turn it off for files
    /// that another program may truncate while they are read: that would end this one by SIGBUS.
    pub mmap: bool,
    /// Bytes of a file that are mapped at a time (default: 4 MiB). Bounds resident memory and the
    /// time that one call of `fill` may take.
    pub window_bytes: usize,
    /// Bytes in one buffer when reading or decompressing (default: 256 KiB, which stays in
    /// the cache of one core).
    pub buffer_bytes: usize,
    /// Inputs up to which all are held open from the start (default: 64). Beyond it the regular
    /// files are looked into, closed, and opened again when their time comes.
    pub open_inputs_max: usize,
    /// When this becomes true, waiting for a pipe that gives nothing ends, and the pipe counts as
    /// ended where it stands, undamaged. What has a size never makes anyone wait.
    pub stop: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mmap: true,
            window_bytes: 4 << 20,
            buffer_bytes: 256 << 10,
            open_inputs_max: 64,
            stop: Arc::default(),
        }
    }
}

/// An input that was opened: its bytes, and what is known of them beforehand.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) bytes: Bytes,
    /// Size of a regular file; `None` for what has no size or is read from somewhere within.
    pub(super) size: Option<u64>,
}

/// Where an opened input's bytes come from.
pub(super) enum Bytes {
    /// A file, and whether it is a regular one that may be mapped and opened again.
    File(File, bool),
    Reader(Box<dyn Read + Send>),
}

impl Opened {
    /// Whether it can be closed now and read from the beginning later.
    pub(super) fn can_reopen(&self) -> bool {
        matches!(self.bytes, Bytes::File(_, true))
    }
}

impl Input {
    /// Opens it.
    pub(super) fn open(self) -> Result<Opened, SourceError> {
        match self {
            Self::Path(path) => open_path(path),
            Self::Stdin => open_stdin(),
            Self::Reader(path, reader) => {
                Ok(Opened { path, bytes: Bytes::Reader(reader), size: None })
            }
        }
    }
}

/// Opens a file, FIFO or device.
pub(super) fn open_path(path: PathBuf) -> Result<Opened, SourceError> {
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = match opened {
        Ok(both) => both,
        Err(cause) => return Err(SourceError::Open { path, cause }),
    };
    if metadata.is_dir() {
        return Err(SourceError::Directory { path });
    }
    let size = known_size(&metadata);
    Ok(Opened { path, bytes: Bytes::File(file, size.is_some()), size })
}

/// Files that say they have no bytes may still give some (procfs): they count as streams.
fn known_size(metadata: &Metadata) -> Option<u64> {
    (metadata.is_file() && metadata.len() > 0).then_some(metadata.len())
}

/// Takes standard input by its descriptor: the library's own handle would put a small buffer and a
/// lock in between.
fn open_stdin() -> Result<Opened, SourceError> {
    let path = PathBuf::from("-");
    let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    match file.and_then(|file| Ok((file.metadata()?, file))) {
        Ok((metadata, _)) if metadata.is_dir() => Err(SourceError::Directory { path }),
        // Not mapped even when it is a file: it may stand anywhere within it.
        Ok((metadata, file)) => {
            Ok(Opened { path, bytes: Bytes::File(file, false), size: known_size(&metadata) })
        }
        Err(cause) => Err(SourceError::Open { path, cause }),
    }
}
