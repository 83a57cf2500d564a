//! Where results go, and how a run is told to stop: the same for every command that analyses.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::colour::Colour;
use super::progress;
use crate::sink::{Format, Output};

/// Bytes of events that wait to be written to a file.
const BUFFER: usize = 1 << 18;

/// Opens the outputs: summaries to stdout, events to `events`. Events to `-` have stdout to
/// themselves, and the summaries go to stderr. The bar steps aside for what has its terminal.
pub(super) fn open(
    events: Option<&Path>,
    format: Format,
    top: usize,
    colour: Colour,
    bar: &ProgressBar,
) -> Result<Output> {
    let to_stdout = events == Some(Path::new("-"));
    let events: Option<Box<dyn Write>> = match events {
        None => None,
        Some(_) if to_stdout => Some(progress::beside(bar, io::stdout())),
        Some(path) => {
            let file = File::create(path)
                .with_context(|| format!("cannot write events to {}", path.display()))?;
            Some(Box::new(BufWriter::with_capacity(BUFFER, file)))
        }
    };
    let (summaries, palette) = if to_stdout {
        (progress::beside(bar, io::stderr()), colour.palette(&io::stderr()))
    } else {
        (progress::beside(bar, io::stdout()), colour.palette(&io::stdout()))
    };
    Ok(Output { format, palette, top, summaries, events, kernel: None, several: false })
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
