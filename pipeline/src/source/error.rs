//! What can go wrong with an input: refused at the door, or found damaged on the way.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the inputs cannot be read at all. Each names the input and says what to do where something
/// can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nothing was given to read.
    #[error("no capture was given")]
    NoInput,
    /// Standard input was named more than once.
    #[error("standard input (`-`) can be read only once")]
    StdinTwice,
    /// The system refuses to open it: missing, no permission, …
    #[error("cannot open {}", shown(path))]
    Open {
        /// The input.
        path: PathBuf,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// A directory is not a capture.
    #[error("{} is a directory; name the captures in it", shown(path))]
    Directory {
        /// The input.
        path: PathBuf,
    },
    /// Reading (or decompressing) failed before the format was known.
    #[error("cannot read {}", shown(path))]
    Read {
        /// The input.
        path: PathBuf,
        /// What went wrong.
        #[source]
        cause: io::Error,
    },
    /// There is not one byte in it.
    #[error("{} is empty: not even a file header", shown(path))]
    Empty {
        /// The input.
        path: PathBuf,
    },
    /// It begins like a capture and ends within its file header.
    #[error("{} is cut within its {format} file header: {have} of {need} bytes", shown(path))]
    HeaderCut {
        /// The input.
        path: PathBuf,
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// Bytes there are.
        have: usize,
        /// Bytes the header takes.
        need: usize,
    },
    /// A pcap version that was never in use.
    #[error(
        "{} says it is pcap version {major}.{minor}; versions 2.0 to 2.4 are known",
        shown(path)
    )]
    Version {
        /// The input.
        path: PathBuf,
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// A format that is recognised and not read.
    #[error("{} is {what}; resetscope reads pcap and pcapng; {advice}", shown(path))]
    Foreign {
        /// The input.
        path: PathBuf,
        /// The format, with its article: "a Solaris snoop file".
        what: &'static str,
        /// What to do about it.
        advice: String,
    },
    /// Compression within compression within compression.
    #[error("{} is compressed more than {layers} times over", shown(path))]
    Nested {
        /// The input.
        path: PathBuf,
        /// Layers that are read.
        layers: usize,
    },
    /// Not a capture as far as its first bytes tell.
    #[error("{} is not a capture: it begins with {}", shown(path), Opening(first))]
    Unrecognised {
        /// The input.
        path: PathBuf,
        /// Its first bytes, at most 16.
        first: Vec<u8>,
    },
    /// The system gave no thread for reading ahead.
    #[error("cannot start the thread that reads {}", shown(path))]
    Thread {
        /// The input.
        path: PathBuf,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
}

/// An input that is broken from some point on (a cut tail, a corrupt record, a read error): all
/// frames before that point were delivered, none after it. Or one with packets of which too little
/// is known to analyse them: they were delivered too, and will be skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The input; `-` is standard input.
    pub path: PathBuf,
    /// Where the first unreadable record begins, in bytes of the decompressed stream (the end of
    /// the stream when it is cut within a block that carries no packets and is too long to hold).
    pub offset: u64,
    /// Whether that stream is what decompression of the input gave, and not the input itself.
    pub decompressed: bool,
    /// What is wrong, as the rest of a sentence.
    pub what: String,
    /// Whether it was read on behind that.
    pub read_on: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = if self.decompressed { " of its decompressed data" } else { "" };
        write!(f, "{} is damaged at byte {}{of}: {}", shown(&self.path), self.offset, self.what)
    }
}

/// How an input is called in a message.
pub(super) fn shown(path: &Path) -> std::path::Display<'_> {
    if path.as_os_str() == "-" { Path::new("standard input").display() } else { path.display() }
}

/// First bytes in hexadecimal, and as text when they are text.
struct Opening<'a>(&'a [u8]);

impl fmt::Display for Opening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if i == 0 { "" } else { " " })?;
        }
        let text = self.0.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
        if text {
            write!(f, " ({:?})", String::from_utf8_lossy(self.0))?;
        }
        Ok(())
    }
}
