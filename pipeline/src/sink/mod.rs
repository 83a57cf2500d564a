//! Sinks: where summaries and events go, and in which words.

pub mod community_id;
pub mod event;
pub mod file;
pub mod kernel;
pub mod mask;
pub mod palette;
pub mod summary;
pub mod table;
pub mod tee;
pub mod until_closed;

use std::io::{self, Write};

use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};
use file::News;
use palette::Palette;

/// How summaries are written.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text for a person.
    Table,
    /// One JSON object a summary, one a line.
    Json,
}

/// Writes summaries to one stream and events, if wanted, to another.
pub struct Output {
    /// How summaries are written.
    pub format: Format,
    /// The colours of text.
    pub palette: Palette,
    /// Services and hosts that each summary lists.
    pub top: usize,
    /// Where summaries go.
    pub summaries: Box<dyn Write>,
    /// Where events go.
    pub events: Option<Box<dyn Write>>,
    /// The kernel's account of its resets, if it is asked.
    pub kernel: Option<kernel::Shared>,
    /// A summary was written before: text needs an empty line between two.
    pub several: bool,
    /// What could not be written to files: each summary tells how much since the one before.
    pub unwritten: News,
}

impl Output {
    /// Writes out what is still buffered.
    ///
    /// # Errors
    /// When that fails.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Some(events) = &mut self.events {
            events.flush()?;
        }
        self.summaries.flush()
    }
}

impl Sink for Output {
    fn event(&mut self, judged: &Event) -> io::Result<()> {
        match &mut self.events {
            Some(out) => event::write_with(out, judged, kernel::said(self.kernel.as_ref())),
            None => Ok(()),
        }
    }

    fn summary(&mut self, judged: &Summary) -> io::Result<()> {
        match self.format {
            Format::Json => {
                let unwritten = self.unwritten.take();
                summary::write_with(&mut self.summaries, judged, self.top, unwritten)?;
            }
            Format::Table => {
                if self.several {
                    writeln!(self.summaries)?;
                }
                table::write(&mut self.summaries, judged, self.top, self.palette)?;
                if let Some(kernel) = &self.kernel {
                    kernel.borrow_mut().sum_up(&mut self.summaries)?;
                }
                match self.unwritten.take() {
                    0 => {}
                    1 => writeln!(self.summaries, "1 record could not be written to a file.")?,
                    more => {
                        writeln!(self.summaries, "{more} records could not be written to files.")?;
                    }
                }
            }
        }
        self.several = true;
        // Whoever reads along sees each interval, and its events, when it ends.
        self.flush()
    }

    fn wants_events(&self) -> bool {
        self.events.is_some()
    }
}
