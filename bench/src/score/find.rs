//! Finds captures and the truth that belongs to them, by their names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::ScoreError;

/// Endings of truth files.
const TRUTH: &str = ".truth.jsonl";

/// One truth file and the captures that it speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What the files' names have in common.
    pub name: String,
    /// The truth file.
    pub truth: PathBuf,
    /// Captures, each with the tap that its name tells.
    pub captures: Vec<(Option<String>, PathBuf)>,
}

/// A capture's `NAME` and tap: `x.client.pcap.gz` is (`x`, `client`), `x.pcap` is (`x`, none).
fn name_of(path: &Path) -> Option<(String, Option<String>)> {
    let name = path.file_name()?.to_str()?;
    let plain = [".gz", ".zst", ".lz4"].iter().find_map(|end| name.strip_suffix(end));
    let plain = plain.unwrap_or(name);
    let stem = [".pcap", ".pcapng"].iter().find_map(|end| plain.strip_suffix(end))?;
    let tap = ["client", "server"].into_iter().find_map(|tap| {
        let name = stem.strip_suffix(tap)?.strip_suffix('.')?;
        Some((name.to_owned(), Some(tap.to_owned())))
    });
    Some(tap.unwrap_or_else(|| (stem.to_owned(), None)))
}

/// Finds the truth of every capture in `paths` (files or directories), in the order of names.
///
/// # Errors
/// When a directory cannot be read, or a capture given as a file has no truth beside it or in
/// `truth_dirs`. In a directory such captures are passed over.
pub fn cases(paths: &[PathBuf], truth_dirs: &[PathBuf]) -> Result<Vec<Case>, ScoreError> {
    let mut found: BTreeMap<PathBuf, Case> = BTreeMap::new();
    for path in paths {
        let inside = if path.is_dir() { list(path)? } else { vec![path.clone()] };
        for capture in inside {
            let truth = name_of(&capture).and_then(|(name, tap)| {
                let file = format!("{name}{TRUTH}");
                let own = capture.parent().unwrap_or(Path::new(""));
                let folders = [own].into_iter().chain(truth_dirs.iter().map(PathBuf::as_path));
                let truth = folders.map(|folder| folder.join(&file)).find(|path| path.is_file())?;
                Some((name, tap, truth))
            });
            match truth {
                Some((name, tap, truth)) => {
                    let new = Case { name, truth: truth.clone(), captures: Vec::new() };
                    let captures = &mut found.entry(truth).or_insert(new).captures;
                    if captures.iter().all(|(_, known)| *known != capture) {
                        captures.push((tap, capture));
                    }
                }
                None if path.is_dir() => {}
                None => return Err(ScoreError::NoTruth { path: capture }),
            }
        }
    }
    Ok(found.into_values().collect())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, ScoreError> {
    let failed = |cause| ScoreError::Read { path: folder.to_owned(), cause };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::{cases, name_of};
    use crate::score::ScoreError;
    use std::fs;
    use std::path::Path;

    #[test]
    fn names_tell_the_tap() {
        for (file, want) in [
            ("a/01-x-rtt20.client.pcap", Some(("01-x-rtt20", Some("client")))),
            ("01-x.server.pcap.zst", Some(("01-x", Some("server")))),
            ("six.pcap.gz", Some(("six", None))),
            ("six.other.pcapng", Some(("six.other", None))),
            ("six.truth.jsonl", None),
            ("client.pcap", Some(("client", None))),
        ] {
            let found = name_of(Path::new(file));
            let found = found.as_ref().map(|(name, tap)| (name.as_str(), tap.as_deref()));
            assert_eq!(found, want, "{file}");
        }
    }

    #[test]
    fn both_taps_of_a_truth_are_one_case_and_a_file_without_truth_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        for name in ["a.client.pcap", "a.server.pcap", "a.truth.jsonl", "b.pcap"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let all = [folder.path().to_owned()];
        let found = cases(&all, &[]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].captures.len(), 2);
        let lone = [folder.path().join("b.pcap")];
        assert!(matches!(cases(&lone, &[]), Err(ScoreError::NoTruth { .. })));
        fs::write(elsewhere.path().join("b.truth.jsonl"), "").unwrap();
        assert_eq!(cases(&lone, &[elsewhere.path().to_owned()]).unwrap()[0].name, "b");
    }
}
