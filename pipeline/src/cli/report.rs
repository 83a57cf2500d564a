//! The report on the command line: where it may be written, and how it joins the other results.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::output::Others;
use super::place::refuse_input;
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
pub(super) fn create(args: &ReportArgs, inputs: &[PathBuf]) -> Result<Option<Report>> {
    let Some(path) = &args.path else { return Ok(None) };
    refuse_input("a report", path, inputs)?;
    Ok(Some(Report::create(path, inputs)?))
}

/// The report beside the other outputs. It does not miss what the reader of stdout is tired of.
pub(super) fn others(report: &mut Option<Report>) -> Others<'_> {
    match report {
        Some(report) => Others { sinks: Tee::default().with(report), outlive_stdout: true },
        None => Others::default(),
    }
}
