//! Which file a path names: two results of a run must not share one, nor take an input's.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::exit::Usage;

/// Links that are followed one after the other, as the kernel follows them (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// Refuses paths of which two name one file, whether it is there yet or not.
pub(super) fn refuse_twice(paths: &[&Path]) -> Result<()> {
    for (at, path) in paths.iter().enumerate() {
        if paths.iter().skip(at + 1).any(|other| same(other, path)) {
            bail!(Usage(format!(
                "{} is named twice: each kind of result needs a file of its own",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Refuses to write `what` over one of the captures, under whatever name.
pub(super) fn refuse_input(what: &str, path: &Path, inputs: &[PathBuf]) -> Result<()> {
    let mut files = inputs.iter().filter(|input| *input != Path::new("-"));
    match files.find(|input| same(input, path)) {
        Some(input) => bail!(
            "cannot write {what} to {}: that is the capture {}; name another file",
            path.display(),
            input.display()
        ),
        None => Ok(()),
    }
}

/// Whether two paths name one file: by `.` and `..`, by links of either kind. What is written to a pipe
/// or a device overwrites nothing, so there only the same name twice is a slip, and into a terminal or
/// `/dev/null` not even that.
fn same(a: &Path, b: &Path) -> bool {
    let special = |path| fs::metadata(path).ok().map(|about| about.file_type());
    if let Some(kind) = [a, b].into_iter().filter_map(special).find(|kind| !kind.is_file()) {
        return a == b && !kind.is_char_device();
    }
    identity(a).is_some_and(|a| identity(b) == Some(a))
        || resolved(a).is_some_and(|a| resolved(b) == Some(a))
}

/// Device and inode of a regular file that is there.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let about = fs::metadata(path).ok().filter(Metadata::is_file)?;
    Some((about.dev(), about.ino()))
}

/// The path without `.`, `..` and symbolic links, of a file that is there or could be made.
fn resolved(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if let Ok(there) = path.canonicalize() {
            return Some(there);
        }
        // Through a link that leads nowhere yet, the file is made where it leads.
        let Ok(to) = fs::read_link(&path) else { break };
        path = folder(&path).join(to);
    }
    Some(folder(&path).canonicalize().ok()?.join(path.file_name()?))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
