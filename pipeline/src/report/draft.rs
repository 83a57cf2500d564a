//! The file: written beside its place under another name, then renamed, so that nobody ever reads
//! half a report.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::ReportError;

/// Permissions that are asked for; the process's umask takes from them, as for any file.
const MODE: u32 = 0o666;

/// A place that will be written.
pub(super) struct Draft {
    path: PathBuf,
    to: Place,
}

enum Place {
    /// A file beside the path that a rename puts there.
    Beside { part: NamedTempFile, target: PathBuf },
    /// A device or pipe: it stays what it is and is written as it is.
    Itself(File),
}

impl Draft {
    /// Makes sure that `path` can be written, without touching what is there.
    pub(super) fn create(path: &Path) -> Result<Self, ReportError> {
        let failed = |cause| ReportError::Create { path: path.to_owned(), cause };
        let to = match fs::metadata(path) {
            Ok(about) if about.is_dir() => {
                return Err(ReportError::Directory { path: path.to_owned() });
            }
            Ok(about) if !about.is_file() => {
                Place::Itself(File::options().write(true).open(path).map_err(failed)?)
            }
            // A link stays a link: what it leads to is replaced.
            Ok(about) => {
                let target = fs::canonicalize(path).map_err(failed)?;
                let mode = about.permissions().mode();
                Place::Beside { part: beside(&target, mode).map_err(failed)?, target }
            }
            Err(_) => {
                Place::Beside { part: beside(path, MODE).map_err(failed)?, target: path.to_owned() }
            }
        };
        Ok(Self { path: path.to_owned(), to })
    }

    /// Writes it by `fill` and puts it in its place.
    pub(super) fn write(
        self,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ReportError> {
        let written = match self.to {
            Place::Itself(file) => through(&file, fill),
            Place::Beside { part, target } => through(part.as_file(), fill)
                .and_then(|()| part.persist(target).map(drop).map_err(|error| error.error)),
        };
        written.map_err(|cause| ReportError::Write { path: self.path, cause })
    }
}

/// A new file in the folder of `target`. Dropped, it is removed.
fn beside(target: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // The library puts the temporary name around the system's words; people get those alone.
    let mut refused = None;
    let open = |path: &Path| {
        let opened = File::options().write(true).create_new(true).mode(mode).open(path);
        opened.inspect_err(|error| refused = error.raw_os_error())
    };
    let made = Builder::new().prefix(&prefix).suffix(".part").make_in(folder, open);
    made.map_err(|error| refused.map_or(error, io::Error::from_raw_os_error))
}

fn through(file: &File, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    fill(&mut out)?;
    out.flush()
}
