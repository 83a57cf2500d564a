//! Where results go, and how a run is told to stop: the same for every command that analyses.

use std::cell::RefCell;
use std::fs::FileType;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Error, Result, bail};
use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::colour::Colour;
use super::exit::{Usage, is_broken_pipe, sentence};
use super::{place, progress};
use crate::collect::Sink;
use crate::config;
use crate::sink::file::{self, Files, News, Unwritten};
use crate::sink::kernel::{Asked, Kernel};
use crate::sink::mask::{Mask, behind};
use crate::sink::tee::Tee;
use crate::sink::until_closed::{UntilClosed, unless_closed};
use crate::sink::{Format, Output};

/// What is to be written, and where.
pub(super) struct Request<'a> {
    /// Where events go; `-` is stdout.
    pub(super) events: Option<&'a Path>,
    /// How summaries are written to stdout.
    pub(super) format: Format,
    /// Services and hosts that each summary lists.
    pub(super) top: usize,
    /// Other files, and when new ones begin.
    pub(super) files: &'a config::Files,
    /// Where a report goes.
    pub(super) report: Option<&'a Path>,
}

impl<'a> Request<'a> {
    fn events_to_stdout(&self) -> bool {
        self.events == Some(Path::new("-"))
    }

    fn events_file(&self) -> Option<&'a Path> {
        self.events.filter(|path| *path != Path::new("-"))
    }

    /// All files but the report, as they are called without rotation.
    pub(super) fn paths(&self) -> Vec<&'a Path> {
        let others = [self.files.summaries.as_deref(), self.files.histograms.as_deref()];
        self.events_file().into_iter().chain(others.into_iter().flatten()).collect()
    }

    /// Whether files get their names only when they are complete.
    pub(super) fn renames(&self) -> bool {
        self.files.rotation().is_on()
            || self.events.is_some_and(|path| path.extension().is_some_and(|end| end == "parquet"))
    }

    /// Refuses what makes no sense or is not in this build.
    pub(super) fn check(&self) -> Result<()> {
        file::check(self.events_file(), self.files.summaries.as_deref())?;
        let (rotation, paths) = (self.files.rotation(), self.paths());
        if rotation.keep.is_some() && !rotation.is_on() {
            bail!(Usage::from(
                "files to keep are of a series: say with --rotate-size or --rotate-every when a \
                 new one begins"
            ));
        }
        if rotation.is_on() && paths.is_empty() {
            bail!(Usage::from(
                "no file to rotate: name one with --events, --summaries or --histograms"
            ));
        }
        for path in &paths {
            if *path == Path::new("-") {
                bail!(Usage::from(
                    "only events can go to stdout; summaries are there already with --format json"
                ));
            }
            let special = |kind: FileType| !kind.is_file() && !kind.is_dir();
            if rotation.is_on() && path.metadata().is_ok_and(|about| special(about.file_type())) {
                bail!("{} is no regular file, so it cannot be rotated", path.display());
            }
        }
        place::refuse_twice(&[&paths[..], self.report.as_slice()].concat())
    }
}

/// Sinks beside stdout and files.
#[derive(Default)]
pub(super) struct Others<'a> {
    pub(super) sinks: Tee<'a>,
    /// Whether the run goes on when whoever reads stdout has seen enough; for files it always does.
    pub(super) outlive_stdout: bool,
}

/// The outputs of a run.
pub(super) struct Outputs {
    /// Files; none before [`Self::open_files`].
    pub(super) files: Files,
    /// What goes to stdout, and to stderr if events take that.
    pub(super) stdout: Output,
    /// Whether whoever read stdout has gone.
    closed: Arc<AtomicBool>,
}

impl Outputs {
    /// Outputs to stdout. Events to `-` have it to themselves, and the summaries go to stderr. The
    /// bar steps aside for what has its terminal.
    pub(super) fn new(request: &Request<'_>, colour: Colour, bar: &ProgressBar) -> Self {
        let (summaries, palette) = if request.events_to_stdout() {
            (progress::beside(bar, io::stderr()), colour.palette(&io::stderr()))
        } else {
            (progress::beside(bar, io::stdout()), colour.palette(&io::stdout()))
        };
        let events = request.events_to_stdout().then(|| progress::beside(bar, io::stdout()));
        let files = Files::default();
        let stdout = Output {
            format: request.format,
            palette,
            top: request.top,
            summaries,
            events,
            kernel: None,
            several: false,
            unwritten: News::new(files.losses()),
        };
        Self { files, stdout, closed: Arc::default() }
    }

    /// Opens all files.
    pub(super) fn open_files(&mut self, request: &Request<'_>) -> Result<()> {
        let rotation = request.files.rotation();
        if let Some(path) = request.events_file() {
            self.files.events(path, rotation)?;
        }
        if let Some(path) = &request.files.summaries {
            self.files.summaries(path, rotation, request.top)?;
        }
        if let Some(path) = &request.files.histograms {
            self.files.histograms(path, rotation)?;
        }
        Ok(())
    }

    /// Lets stdout and files tell the kernel's accounts; before files are opened.
    pub(super) fn ask(&mut self, kernel: Kernel) {
        let kernel = Rc::new(RefCell::new(kernel));
        self.files.accounts(Rc::clone(&kernel));
        self.stdout.kernel = Some(kernel);
    }

    /// All of them, and `others`, as one sink: behind the mask if there is one, so that nothing gets
    /// past it. It sets `stop` when whoever reads stdout has gone and nobody else waits for a result.
    pub(super) fn sink<'a>(
        &'a mut self,
        mask: Option<Mask>,
        others: Others<'a>,
        stop: &Arc<AtomicBool>,
    ) -> Box<dyn Sink + 'a> {
        let kernel = self.stdout.kernel.clone();
        let outlive_stdout = others.outlive_stdout || !self.files.is_empty();
        let stop = (!outlive_stdout).then(|| Arc::clone(stop));
        let stdout = UntilClosed::new(&mut self.stdout, Arc::clone(&self.closed), stop);
        // Files come first: the summary on stdout says what they could not take.
        let sinks = behind(mask, others.sinks.with(&mut self.files).with(stdout));
        match kernel {
            Some(kernel) => Box::new(Asked::new(kernel, sinks)),
            None => sinks,
        }
    }

    /// Completes all of them, and says how that went.
    pub(super) fn end(mut self) -> Ended {
        Ended {
            missing: self.files.end(),
            printed: unless_closed(self.stdout.flush()),
            closed: self.closed.load(Ordering::Relaxed),
        }
    }
}

/// How the outputs of a run ended.
#[must_use]
pub(super) struct Ended {
    /// Files that lack something.
    pub(super) missing: Vec<Unwritten>,
    /// Whether stdout took everything, or its reader had seen enough.
    pub(super) printed: io::Result<()>,
    /// Whether the reader of stdout had seen enough.
    pub(super) closed: bool,
}

impl Ended {
    /// What could not be written is an error, unless the run had another one before; all but the
    /// first are told here.
    pub(super) fn refuse_missing(self, before: Result<()>) -> Result<()> {
        let printed = self.printed.context("cannot write the results");
        let missing = self.missing.into_iter().map(Error::from);
        let errors = before.err().into_iter().chain(printed.err()).chain(missing);
        // That the reader of a pipe has gone counts if there is nothing else.
        let (gone, errors): (Vec<_>, Vec<_>) = errors.partition(is_broken_pipe);
        let mut errors = errors.into_iter();
        let first = errors.next();
        for other in errors {
            tracing::error!("{}", sentence(&other));
        }
        first.or_else(|| gone.into_iter().next()).map_or(Ok(()), Err)
    }
}

/// Lets the first SIGINT or SIGTERM set the flag; the second ends the program at once.
pub(super) fn stop_on_signals(stop: &Arc<AtomicBool>) -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the conditional one must see the flag as the first signal left it.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(stop)))
            .context("cannot listen for signals")?;
    }
    Ok(())
}
