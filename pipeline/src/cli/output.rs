//! Where results go, and how a run is told to stop: the same for every command that analyses.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::sink::{Format, Output};

/// Bytes of events that wait to be written to a file.
const BUFFER: usize = 1 << 18;

/// Opens the outputs: summaries to stdout, events to `events`. Events to `-` have stdout to
/// themselves, and the summaries go to stderr.
pub(super) fn open(events: Option<&Path>, format: Format, top: usize) -> Result<Output> {
    let to_stdout = events == Some(Path::new("-"));
    let events: Option<Box<dyn Write>> = match events {
        None => None,
        Some(_) if to_stdout => Some(Box::new(BufWriter::new(io::stdout()))),
        Some(path) => {
            let file = File::create(path)
                .with_context(|| format!("cannot write events to {}", path.display()))?;
            Some(Box::new(BufWriter::with_capacity(BUFFER, file)))
        }
    };
    let summaries: Box<dyn Write> = if to_stdout {
        Box::new(BufWriter::new(io::stderr()))
    } else {
        Box::new(BufWriter::new(io::stdout()))
    };
    Ok(Output { format, top, summaries, events, kernel: None, several: false })
}

/// Refuses to write `what` over one of the captures, under whatever name.
pub(super) fn refuse_input(what: &str, path: &Path, inputs: &[PathBuf]) -> Result<()> {
    let identity = |path: &Path| {
        let meta = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
        Some((meta.dev(), meta.ino()))
    };
    let Some(target) = identity(path) else { return Ok(()) };
    match inputs.iter().find(|input| identity(input) == Some(target)) {
        Some(input) => bail!(
            "cannot write {what} to {}: that is the capture {}; name another file",
            path.display(),
            input.display()
        ),
        None => Ok(()),
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
