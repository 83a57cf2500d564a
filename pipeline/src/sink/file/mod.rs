//! Results in files: events, summaries and distributions, each in the format that the file's name
//! asks for, in one file or in a series of them.
//!
//! `encode` turns records into bytes and knows no files; `spool` brings bytes to a file and keeps
//! those that the disk does not take; `place` says how files are called; [`records`] puts the three
//! together for one kind of record. A file that cannot be written costs its own records, which are
//! counted, and never those of another output.

mod csv;
mod encode;
mod event_csv;
mod histogram_log;
#[cfg(feature = "parquet")]
mod parquet;
mod place;
pub mod records;
mod spool;
mod summary_csv;

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;

use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};
use crate::sink::kernel;

pub use encode::FormatError;
pub use place::Rotation;
pub use records::{Records, Unwritten};

use encode::{events, summaries};
use histogram_log::HistogramLog;

/// Refuses files of which the names ask for a format that there is not, or not in this build.
///
/// # Errors
/// For the first of them.
pub fn check(events_to: Option<&Path>, summaries_to: Option<&Path>) -> Result<(), FormatError> {
    events_to.map(|path| events(path, None)).transpose()?;
    summaries_to.map(|path| summaries(path, 0, Losses::default())).transpose()?;
    Ok(())
}

/// Records that could not be written, counted in one place for all files of a run.
#[derive(Clone, Debug, Default)]
pub struct Losses(Rc<Cell<u64>>);

impl Losses {
    /// How many there were since the program started.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.get()
    }

    fn add(&self, records: u64) {
        self.0.set(self.0.get() + records);
    }
}

/// Tells those losses that were not told before.
#[derive(Debug, Default)]
pub struct News {
    losses: Losses,
    told: u64,
}

impl News {
    /// Of these losses.
    #[must_use]
    pub const fn new(losses: Losses) -> Self {
        Self { losses, told: 0 }
    }

    /// The losses since the last call.
    pub fn take(&mut self) -> u64 {
        let total = self.losses.total();
        total - std::mem::replace(&mut self.told, total)
    }
}

/// All files of a run.
#[derive(Default)]
pub struct Files {
    events: Option<Records<Event>>,
    summaries: Option<Records<Summary>>,
    histograms: Option<Records<Summary>>,
    kernel: Option<kernel::Shared>,
    losses: Losses,
}

impl Files {
    /// Puts the kernel's account into files of events that are opened from now on.
    pub fn accounts(&mut self, kernel: kernel::Shared) {
        self.kernel = Some(kernel);
    }

    /// Writes events to `path` from now on.
    ///
    /// # Errors
    /// When the format is not in this build, or the file cannot be opened.
    pub fn events(&mut self, path: &Path, rotation: Rotation) -> Result<(), OpenError> {
        let encoder = events(path, self.kernel.clone())?;
        let records = Records::open("events", path, rotation, encoder, self.losses());
        self.events = Some(records.map_err(OpenError::Open)?);
        Ok(())
    }

    /// Writes summaries to `path` from now on, with the `top` services and hosts.
    ///
    /// # Errors
    /// When there is no such format, or the file cannot be opened.
    pub fn summaries(
        &mut self,
        path: &Path,
        rotation: Rotation,
        top: usize,
    ) -> Result<(), OpenError> {
        let encoder = summaries(path, top, self.losses())?;
        let records = Records::open("summaries", path, rotation, encoder, self.losses());
        self.summaries = Some(records.map_err(OpenError::Open)?);
        Ok(())
    }

    /// Writes all distributions to `path` from now on, as a log of HdrHistograms.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn histograms(&mut self, path: &Path, rotation: Rotation) -> Result<(), OpenError> {
        let encoder = Box::new(HistogramLog::default());
        let records = Records::open("histograms", path, rotation, encoder, self.losses());
        self.histograms = Some(records.map_err(OpenError::Open)?);
        Ok(())
    }

    /// Whether nothing is written to any file.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events.is_none() && self.summaries.is_none() && self.histograms.is_none()
    }

    /// The count of what could not be written.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.losses.clone()
    }

    /// Calls `tell` when a file cannot be written for the first time.
    pub fn on_trouble(&mut self, tell: impl Fn(&Unwritten) + Clone + 'static) {
        if let Some(events) = &mut self.events {
            events.on_trouble(tell.clone());
        }
        for records in [&mut self.summaries, &mut self.histograms].into_iter().flatten() {
            records.on_trouble(tell.clone());
        }
    }

    /// Completes all files; returns those that lack something.
    #[must_use]
    pub fn end(self) -> Vec<Unwritten> {
        let events = self.events.and_then(Records::end);
        let others = [self.summaries, self.histograms].into_iter().flatten();
        events.into_iter().chain(others.filter_map(Records::end)).collect()
    }
}

impl Sink for Files {
    /// Fails only when the reader of a pipe has gone.
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &mut self.events {
            Some(events) => events.write(event, event.time_ns),
            None => Ok(()),
        }
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let now_ns = summary.span.end_ns;
        if let Some(events) = &mut self.events {
            events.interval(now_ns)?;
        }
        for records in [&mut self.histograms, &mut self.summaries].into_iter().flatten() {
            records.write(summary, now_ns)?;
            records.interval(now_ns)?;
        }
        Ok(())
    }

    fn wants_events(&self) -> bool {
        self.events.is_some()
    }
}

/// Why a file of results cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is asked for in a format that cannot be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The system refuses it.
    #[error(transparent)]
    Open(Unwritten),
}
