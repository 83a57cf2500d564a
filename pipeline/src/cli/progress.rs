//! The progress bar, and results that share its terminal.

use std::io::{self, BufWriter, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::source::Progress;

/// Inputs shorter than this are through before a progress bar would be read.
const BYTES_MIN: u64 = 64 << 20;

/// Bytes of results that may wait for the end of their line.
const WAITING_MAX: usize = 8_192;

/// A progress bar on stderr, if that is a terminal and the input long enough to wait for.
pub(super) fn bar(progress: Progress, quiet: bool) -> ProgressBar {
    let long = progress.total.is_none_or(|total| total >= BYTES_MIN);
    if quiet || !long || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match progress.total {
        Some(total) => (ProgressBar::new(total), "{bytes}/{total_bytes} {wide_bar} {eta}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {elapsed}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A buffer in front of `out`. Where that is a terminal and so has the bar, the bar steps aside for
/// whole lines.
pub(super) fn beside<W: Write + IsTerminal + 'static>(bar: &ProgressBar, out: W) -> Box<dyn Write> {
    if bar.is_hidden() || !out.is_terminal() {
        return Box::new(BufWriter::new(out));
    }
    Box::new(Beside { bar: bar.clone(), out, waiting: Vec::new() })
}

struct Beside<W> {
    bar: ProgressBar,
    out: W,
    waiting: Vec<u8>,
}

impl<W: Write> Beside<W> {
    fn pass_on(&mut self, length: usize) -> io::Result<()> {
        let Self { bar, out, waiting } = self;
        let written = bar.suspend(|| out.write_all(&waiting[..length]).and_then(|()| out.flush()));
        waiting.drain(..length);
        written
    }
}

impl<W: Write> Write for Beside<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(part);
        if self.waiting.len() >= WAITING_MAX
            && let Some(end) = self.waiting.iter().rposition(|byte| *byte == b'\n')
        {
            self.pass_on(end + 1)?;
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on(self.waiting.len())
    }
}
