//! One HTML file that tells a person everything: to read, to print, to attach to a ticket.
//!
//! While events and summaries pass, `gathered` keeps a bounded part of them. At the end
//! `page` turns that into what the page shows, the template `templates/report.html` (compiled in)
//! into HTML, and `draft` into a file that appears whole or not at all.
//!
//! The page needs no script and no network, and says nothing of the hour or the machine it was made
//! on: the same captures give the same bytes.

mod authors;
mod causes;
mod chart;
mod classes;
mod draft;
mod event;
mod gathered;
mod hosts;
mod ledger;
mod limits;
mod measure;
mod page;
mod time_bins;
mod time_line;
mod words;

use std::io;
use std::path::{Path, PathBuf};

use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};
use crate::source::{Damage, Oddity};

pub use gathered::EVENTS_MAX;

use draft::Draft;
use gathered::Gathered;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A directory cannot be written over.
    #[error("cannot write a report to {}: it is a directory", path.display())]
    Directory {
        /// The place named.
        path: PathBuf,
    },
    /// The system refuses to make the file.
    #[error("cannot write a report to {}", path.display())]
    Create {
        /// The place named.
        path: PathBuf,
        /// What it answered.
        #[source]
        cause: io::Error,
    },
    /// The file could not be written to its end; what stood there before is as it was.
    #[error("cannot write the report to {}", path.display())]
    Write {
        /// The place named.
        path: PathBuf,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
}

/// How the run ended, which no sink is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ending<'a> {
    /// What was damaged in the inputs.
    pub damage: &'a [Damage],
    /// What was odd about them.
    pub oddities: &'a [Oddity],
    /// A signal ended it before the inputs did.
    pub stopped: bool,
}

/// Gathers what a report needs, and writes it at the end.
pub struct Report {
    draft: Draft,
    inputs: Vec<PathBuf>,
    gathered: Gathered,
}

impl Report {
    /// A report of `inputs` that will be at `path`. Makes sure that it can be written; what stands
    /// there already stays until [`Report::finish`].
    ///
    /// # Errors
    /// When the place cannot be written.
    pub fn create(path: &Path, inputs: &[PathBuf]) -> Result<Self, ReportError> {
        let draft = Draft::create(path)?;
        Ok(Self { draft, inputs: inputs.to_vec(), gathered: Gathered::default() })
    }

    /// Writes the report.
    ///
    /// # Errors
    /// When that fails; then nothing is at its place that was not there before.
    pub fn finish(self, ending: &Ending<'_>) -> Result<(), ReportError> {
        let Self { draft, inputs, gathered } = self;
        let page = page::Page::of(&gathered, &inputs, ending);
        draft.write(|out| page.write(out))
    }
}

impl Sink for Report {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.gathered.event(event);
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.gathered.summary(summary);
        Ok(())
    }
}
