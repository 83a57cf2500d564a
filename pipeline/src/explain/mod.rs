//! The story of one reset, for a person who wants to check the judge.
//!
//! [`choose`] finds the reset that was asked for, by the very analysis that `resetscope analyze`
//! runs; [`timeline`] reads the inputs again and keeps the packets around it; [`text`] and [`json`]
//! tell it; [`reasons`] weighs the alternatives by the judge's own readings.
//!
//! It reads inputs more than once, so they must be files; it keeps one event and a bounded number of
//! packets, so that captures of any size can be asked.

pub mod choose;
pub mod flow_spec;
pub mod json;
pub mod list;
pub mod reasons;
pub mod roles;
pub mod text;
pub mod timeline;
pub(crate) mod wireshark;
pub(crate) mod wrap;

use std::fs;
use std::path::{Path, PathBuf};

use resetscope_core::judge::event::Event;

use crate::run::{Findings, Plan, RunError};
use crate::sink::mask::Mask;
use crate::source::{Input, Options, Progress, Source, SourceError, open};

use choose::{Chosen, Others, Target};
use timeline::Timeline;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The captures, read as one tap.
    pub files: &'a [PathBuf],
    /// How they are read.
    pub options: Options,
    /// How they are analysed.
    pub plan: Plan,
    /// Packets of the flow to show, the reset included.
    pub packets: usize,
    /// How addresses are printed, if not as they are: a flow may be asked for by what is printed,
    /// too.
    pub mask: Option<&'a Mask>,
}

/// One reset and what a person needs to judge it.
pub struct Story {
    /// The reset.
    pub event: Event,
    /// The frame asked for, when it is not the reset's own.
    pub asked: Option<u64>,
    /// Other resets of the same flow.
    pub others: Others,
    /// The packets around it.
    pub timeline: Timeline,
    /// The captures.
    pub files: Vec<PathBuf>,
    /// What was found about them.
    pub findings: Findings,
}

/// Why there is no story.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// An input that cannot be read again.
    #[error(
        "explain reads its input twice, and {} can be read only once: save it to a file",
        shown(path)
    )]
    Once {
        /// The input.
        path: PathBuf,
    },
    /// The capture is shorter.
    #[error("there is no frame {frame}: the capture ends with frame {last}")]
    NoFrame {
        /// The frame asked for.
        frame: u64,
        /// Frames in the capture.
        last: u64,
    },
    /// The frame holds no TCP segment.
    #[error("frame {frame} holds no TCP segment ({why})")]
    NotTcp {
        /// The frame asked for.
        frame: u64,
        /// The reason under which it is counted.
        why: &'static str,
    },
    /// The connection was not reset.
    #[error("no reset was found on {flow}")]
    NoReset {
        /// The connection.
        flow: String,
    },
    /// The analysis failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The inputs cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

fn shown(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

impl Request<'_> {
    /// Opens the inputs from their beginning.
    ///
    /// # Errors
    /// When one of them cannot be read, or not more than once.
    pub fn source(&self) -> Result<Box<dyn Source>, ExplainError> {
        for path in self.files {
            // What does not exist is for the source to complain about.
            let once = fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir());
            if path.as_os_str() == "-" || once {
                return Err(ExplainError::Once { path: path.clone() });
            }
        }
        let inputs: Vec<Input> = self.files.iter().cloned().map(Input::from).collect();
        Ok(open(inputs, &self.options)?)
    }

    /// Tells the story of the reset that `target` names. `watch` is called now and then with how
    /// far the analysis has come.
    ///
    /// # Errors
    /// See [`ExplainError`].
    pub fn tell(
        &self,
        target: &Target,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<Story, ExplainError> {
        let Chosen { event, asked, others, findings } = choose::choose(self, target, watch)?;
        let timeline = timeline::collect(self.source()?.as_mut(), &event, self.packets)?;
        let files = self.files.to_vec();
        Ok(Story { event, asked, others, timeline, files, findings })
    }
}
