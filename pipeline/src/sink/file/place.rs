//! How files are called: the one that was asked for, or a series of them.
//!
//! `x.jsonl` becomes the series `x.2026-11-22T10-00-00Z.jsonl`, `x.2026-11-22T11-00-00Z.jsonl` and so
//! on, with `-1`, `-2` before the extension where a name is taken. What is not complete yet is called
//! `.x.jsonl.part`, so that whoever reads `x.*.jsonl` never sees half a file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use std::{fs, io};

/// When a file is complete and the next one begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// When it has so many bytes.
    pub size: Option<u64>,
    /// When this time has passed, in nanoseconds of packet time; counted from 1970-01-01 UTC, so that
    /// an hour begins at the full hour.
    pub every_ns: Option<u64>,
    /// Complete files to keep; the oldest are removed. All if `None`.
    pub keep: Option<usize>,
}

impl Rotation {
    /// Whether there is more than one file.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.size.is_some() || self.every_ns.is_some()
    }

    /// The number of the period in which a time lies.
    pub(super) fn period(&self, time_ns: u64) -> u64 {
        self.every_ns.map_or(0, |every| time_ns / every.max(1))
    }

    /// The time after which a file is called that began at `time_ns`.
    fn named_ns(&self, time_ns: u64) -> u64 {
        self.every_ns.map_or(time_ns, |every| time_ns - time_ns % every.max(1))
    }
}

/// A file, or a series.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) rotation: Rotation,
}

impl Place {
    /// What the file is called while it is not complete.
    pub(super) fn part(&self) -> PathBuf {
        let mut name = std::ffi::OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(".part");
        self.path.with_file_name(name)
    }

    /// What it will be called, if it began at `time_ns`.
    pub(super) fn complete(&self, time_ns: u64) -> PathBuf {
        if !self.rotation.is_on() {
            return self.path.clone();
        }
        let stamp = stamp(self.rotation.named_ns(time_ns));
        let mut number = 0;
        loop {
            let path = self.numbered(&stamp, number, "");
            if !path.exists() {
                return path;
            }
            number += 1;
        }
    }

    /// What a file is called that was never completed, by a run that was killed: it may end in half a
    /// record, so it is none of the series.
    pub(super) fn cut(&self, changed_ns: u64) -> PathBuf {
        let stamp = stamp(changed_ns);
        let mut number = 0;
        loop {
            let path = self.numbered(&stamp, number, ".cut");
            if !path.exists() {
                return path;
            }
            number += 1;
        }
    }

    fn numbered(&self, stamp: &str, number: u64, end: &str) -> PathBuf {
        let mut name = self.path.file_stem().unwrap_or_default().to_owned();
        name.push(format!(".{stamp}"));
        if number > 0 {
            name.push(format!("-{number}"));
        }
        if let Some(extension) = self.path.extension() {
            name.push(".");
            name.push(extension);
        }
        name.push(end);
        self.path.with_file_name(name)
    }

    /// Removes the oldest complete files beyond those to keep, as far as it can.
    ///
    /// # Errors
    /// The first; not that a file has gone already.
    pub(super) fn prune(&self) -> io::Result<()> {
        let Some(keep) = self.rotation.keep else { return Ok(()) };
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut complete = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Some(age) = self.age(&entry.file_name()) {
                complete.push((age, entry.path()));
            }
        }
        complete.sort();
        let surplus = complete.len().saturating_sub(keep);
        let removed = complete.iter().take(surplus).map(|(_, path)| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
        removed.fold(Ok(()), Result::and)
    }

    /// By what the complete files of this series are ordered; `None` for any other name.
    fn age(&self, name: &OsStr) -> Option<(String, u64)> {
        let rest = name.to_str()?.strip_prefix(self.path.file_stem()?.to_str()?)?;
        let rest = rest.strip_prefix('.')?;
        let rest = match self.path.extension() {
            Some(extension) => rest.strip_suffix(extension.to_str()?)?.strip_suffix('.')?,
            None => rest,
        };
        let (stamp, number) = rest.split_at_checked(STAMP.len())?;
        let fits = |(digit, is): (u8, u8)| {
            if digit == b'0' { is.is_ascii_digit() } else { is == digit }
        };
        if !STAMP.bytes().zip(stamp.bytes()).all(fits) {
            return None;
        }
        let number = match number.strip_prefix('-') {
            Some(digits) => digits.parse().ok()?,
            None if number.is_empty() => 0,
            None => return None,
        };
        Some((stamp.to_owned(), number))
    }
}

/// The form of a time in a file's name; a `0` is any digit.
const STAMP: &str = "0000-00-00T00-00-00Z";

fn stamp(time_ns: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_nanos(time_ns))
        .to_string()
        .replace(':', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_files_of_the_series_are_counted_and_ordered_by_time_and_number() {
        let place = |path: &str| Place { path: path.into(), rotation: Rotation::default() };
        let lines = place("logs/x.jsonl");
        for (name, want) in [
            ("x.2026-11-22T10-00-00Z.jsonl", Some(("2026-11-22T10-00-00Z", 0))),
            ("x.2026-11-22T10-00-00Z-12.jsonl", Some(("2026-11-22T10-00-00Z", 12))),
            ("x.jsonl", None),
            (".x.jsonl.part", None),
            ("x.2026-11-22T10-00-00Z.jsonl.cut", None),
            ("x.2026-11-22T10-00-00Z.csv", None),
            ("x.2026-11-22T10-00-00Z-one.jsonl", None),
            ("x.2026-11-22.jsonl", None),
            ("xy.2026-11-22T10-00-00Z.jsonl", None),
            ("x.notes-of-the-tenth-x.jsonl", None),
        ] {
            let want = want.map(|(stamp, number)| (stamp.to_owned(), number));
            assert_eq!(lines.age(OsStr::new(name)), want, "{name}");
        }
        let bare = place("x");
        assert!(bare.age(OsStr::new("x.2026-11-22T10-00-00Z")).is_some());
    }

    #[test]
    fn a_file_is_called_after_its_period_or_its_first_record() {
        const HOUR: u64 = 3_600_000_000_000;
        let path = PathBuf::from("/nowhere/x.csv");
        let time_ns = 489_000 * HOUR + HOUR / 2;
        for (size, every_ns, want) in [
            (None, None, "x.csv"),
            (Some(1), None, "x.2025-10-14T00-30-00Z.csv"),
            (None, Some(HOUR), "x.2025-10-14T00-00-00Z.csv"),
            (Some(1), Some(HOUR), "x.2025-10-14T00-00-00Z.csv"),
        ] {
            let rotation = Rotation { size, every_ns, keep: None };
            let place = Place { path: path.clone(), rotation };
            assert_eq!(place.complete(time_ns), PathBuf::from("/nowhere").join(want));
            assert_eq!(place.part(), PathBuf::from("/nowhere/.x.csv.part"));
        }
    }
}
