//! The report on the command line: where it may be written, and how it joins the other results.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::output::{Others, refuse_input};
use crate::report::Report;
use crate::sink::tee::Tee;

/// Arguments about the report.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Write everything as one HTML page to this file: charts, the first 2,000 resets with their
    /// evidence and Wireshark filters, and what could not be known.
    #[arg(long = "report", value_name = "PATH", value_parser = place)]
    pub path: Option<PathBuf>,
}

/// A place for a report, which is no stream among the others on stdout.
fn place(text: &str) -> Result<PathBuf, String> {
    if text == "-" {
        return Err("a report is a file of its own; name it, such as report.html".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// Makes sure that a report, if one is wanted, can be written, and over nothing that is needed.
pub(super) fn create(
    args: &ReportArgs,
    inputs: &[PathBuf],
    others: &[&Path],
) -> Result<Option<Report>> {
    let Some(path) = &args.path else { return Ok(None) };
    refuse_input("a report", path, inputs)?;
    if others.iter().any(|other| same_place(other, path)) {
        bail!("another result goes to {}, too; name another file", path.display());
    }
    Ok(Some(Report::create(path, inputs)?))
}

/// Two paths to one place, whether there is a file yet or not.
fn same_place(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        if let Ok(file) = path.canonicalize() {
            return Some(file);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
    };
    place(a).is_some_and(|a| place(b) == Some(a))
}

/// The report beside the other outputs. It does not miss what the reader of stdout is tired of.
pub(super) fn others(report: &mut Option<Report>) -> Others<'_> {
    match report {
        Some(report) => Others { sinks: Tee::default().with(report), outlive_stdout: true },
        None => Others::default(),
    }
}
