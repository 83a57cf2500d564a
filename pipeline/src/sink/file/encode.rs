//! Records as bytes, and which format a file's name asks for.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use resetscope_core::judge::event::Event;

use super::event_csv::EventCsv;
use super::summary_csv::SummaryCsv;
use super::{Losses, News};
use crate::collect::Summary;
use crate::sink::{event, kernel, summary};

/// Turns records into the bytes of a file. An encoder serves one file after the other.
pub(super) trait Encode<R> {
    /// Begins a file.
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()>;

    /// Adds a record. It may be kept back to be written with later ones.
    fn record(&mut self, record: &R, out: &mut Vec<u8>) -> io::Result<()>;

    /// Completes the file.
    fn end(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }

    /// About how many bytes are kept back.
    fn held(&self) -> usize {
        0
    }

    /// Whether a file can be read only when it is complete.
    fn needs_end(&self) -> bool {
        false
    }
}

/// Why there is no such format.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The build cannot write Parquet.
    #[error(
        "cannot write {}: this build has no Parquet; build one with `cargo build --release \
         --features parquet`", path.display()
    )]
    NoParquet {
        /// The file.
        path: PathBuf,
    },
    /// Parquet for something else than events.
    #[error(
        "cannot write summaries to {}: they are written as JSON lines, or as CSV to a name that \
         ends in .csv", path.display()
    )]
    SummariesAsParquet {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Lines,
    Csv,
    Parquet,
}

impl Format {
    fn of(path: &Path) -> Self {
        match path.extension().map(OsStr::to_ascii_lowercase) {
            Some(name) if name == "csv" => Self::Csv,
            Some(name) if name == "parquet" => Self::Parquet,
            _ => Self::Lines,
        }
    }
}

/// The encoder for events to a file of this name.
pub(super) fn events(
    path: &Path,
    kernel: Option<kernel::Shared>,
) -> Result<Box<dyn Encode<Event>>, FormatError> {
    match Format::of(path) {
        Format::Lines => Ok(Box::new(EventLines { kernel })),
        Format::Csv => Ok(Box::new(EventCsv)),
        #[cfg(feature = "parquet")]
        Format::Parquet => Ok(Box::new(super::parquet::EventParquet::default())),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(FormatError::NoParquet { path: path.to_owned() }),
    }
}

/// The encoder for summaries to a file of this name.
pub(super) fn summaries(
    path: &Path,
    top: usize,
    losses: Losses,
) -> Result<Box<dyn Encode<Summary>>, FormatError> {
    let news = News::new(losses);
    match Format::of(path) {
        Format::Lines => Ok(Box::new(SummaryLines { top, news })),
        Format::Csv => Ok(Box::new(SummaryCsv { top, news })),
        Format::Parquet => Err(FormatError::SummariesAsParquet { path: path.to_owned() }),
    }
}

struct EventLines {
    kernel: Option<kernel::Shared>,
}

impl Encode<Event> for EventLines {
    fn begin(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Event, out: &mut Vec<u8>) -> io::Result<()> {
        event::write_with(out, record, kernel::said(self.kernel.as_ref()))
    }
}

struct SummaryLines {
    top: usize,
    news: News,
}

impl Encode<Summary> for SummaryLines {
    fn begin(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Summary, out: &mut Vec<u8>) -> io::Result<()> {
        summary::write_with(out, record, self.top, self.news.take())
    }
}
