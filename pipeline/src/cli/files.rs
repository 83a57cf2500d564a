//! Files of results on the command line.

use std::path::PathBuf;

use clap::Args;

use crate::config::{self, Keep, Length, Size};

/// Arguments about files of results.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Files")]
pub struct Files {
    /// Write each summary to this file as well, as JSON lines, or as CSV if it ends in .csv.
    #[arg(long, value_name = "PATH")]
    pub summaries: Option<PathBuf>,

    /// Write the distributions of each interval to this file, as a log of HdrHistograms.
    #[arg(long, value_name = "PATH")]
    pub histograms: Option<PathBuf>,

    /// Begin new files when they have this size, such as 100MB or 1GiB. Complete files are called
    /// after the time at which they begin: x.2026-11-22T10-00-00Z.jsonl.
    #[arg(long, value_name = "SIZE")]
    pub rotate_size: Option<Size>,

    /// Begin new files when this time has passed, such as 10m, 1h or 1day, counted from midnight
    /// UTC.
    #[arg(long, value_name = "DURATION")]
    pub rotate_every: Option<Length>,

    /// Complete files to keep of each kind; the oldest are removed [default: all].
    #[arg(long, value_name = "N")]
    pub rotate_keep: Option<Keep>,
}

impl Files {
    /// Puts what was given over the configuration.
    pub(super) fn over(self, config: &mut config::Files) {
        config.summaries = self.summaries.or(config.summaries.take());
        config.histograms = self.histograms.or(config.histograms.take());
        config.rotate_size = self.rotate_size.or(config.rotate_size);
        config.rotate_every = self.rotate_every.or(config.rotate_every);
        config.rotate_keep = self.rotate_keep.or(config.rotate_keep);
    }
}
