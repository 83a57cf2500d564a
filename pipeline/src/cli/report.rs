//! The report on the command line: where it may be written, and how it joins the other results.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::output::refuse_input;
use crate::report::Report;
use crate::sink::Output;
use crate::sink::tee::Tee;
use crate::sink::until_closed::UntilClosed;

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
    events: Option<&Path>,
) -> Result<Option<Report>> {
    let Some(path) = &args.path else { return Ok(None) };
    refuse_input("a report", path, inputs)?;
    if events.is_some_and(|events| same_place(events, path)) {
        bail!("events and report cannot both be {}; name another file", path.display());
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

/// The sinks of a run. A report comes first, and does not miss what the reader of the others is tired
/// of.
pub(super) fn sinks<'a>(report: &'a mut Option<Report>, output: &'a mut Output) -> Tee<'a> {
    match report {
        Some(report) => Tee::default().with(report).with(UntilClosed::new(output)),
        None => Tee::default().with(output),
    }
}
