//! Whether `monitor` has a dashboard, and what then becomes of its other outputs.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use clap::Args;

use super::log::Lines;
use crate::config::Config;
use crate::live::Signals;
#[cfg(feature = "tui")]
use crate::sink::palette::Palette;
use crate::sink::{Format, Output};

#[cfg(not(feature = "tui"))]
mod absent;
#[cfg(feature = "tui")]
pub(super) use crate::tui::give_back_on_signals;
#[cfg(feature = "tui")]
pub(super) use crate::tui::{Dashboard, Feed};
#[cfg(not(feature = "tui"))]
pub(super) use absent::give_back_on_signals;
#[cfg(not(feature = "tui"))]
use absent::start_on;
#[cfg(not(feature = "tui"))]
pub(super) use absent::{Dashboard, Feed};

/// Arguments about the dashboard.
#[derive(Args, Clone, Copy, Debug)]
pub struct NoTui {
    /// Print summaries one after the other also on a terminal, where they are otherwise shown on a
    /// dashboard (in builds with the feature `tui`).
    #[arg(long)]
    pub no_tui: bool,
}

/// A dashboard, and what was behind it meanwhile.
pub(super) struct Shown {
    dashboard: Dashboard,
    last: Last,
    lines: Lines,
}

/// Takes the screen, if there is one to take: summaries for a person, on a terminal that can be
/// drawn on.
pub(super) fn start(
    config: &Config,
    asked: NoTui,
    signals: &Signals,
    lines: &Lines,
    output: &mut Output,
) -> Result<Option<Shown>> {
    let terminal =
        io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
    let to_stdout = config.events.as_deref() == Some(Path::new("-"));
    if asked.no_tui || !terminal || to_stdout || config.format != Format::Table {
        return Ok(None);
    }
    let Some(dashboard) = start_on(config, output.palette, signals, lines)? else {
        return Ok(None);
    };
    let last = Last::default();
    output.summaries = Box::new(last.clone());
    Ok(Some(Shown { dashboard, last, lines: lines.clone() }))
}

#[cfg(feature = "tui")]
fn start_on(
    config: &Config,
    palette: Palette,
    signals: &Signals,
    lines: &Lines,
) -> Result<Option<Dashboard>> {
    use crate::tui::model::Model;
    use anyhow::Context;

    let interface = config.interface.clone().unwrap_or_default();
    let model = Model::new(interface, config.interval.get(), std::time::Instant::now());
    let remarks = lines.clone();
    lines.hold();
    let started = Dashboard::start(model, palette, signals, move || remarks.last());
    started
        .inspect_err(|_| lines.release())
        .context("cannot draw on this terminal; try --no-tui")
        .map(Some)
}

impl Shown {
    /// What feeds it.
    pub(super) fn sink(&self) -> Feed {
        self.dashboard.sink()
    }

    /// Gives the screen back, prints what was said meanwhile, and the last summary.
    pub(super) fn end(self) -> io::Result<()> {
        self.dashboard.end();
        self.lines.release();
        let kept = self.last.0.lock().unwrap_or_else(PoisonError::into_inner);
        io::stdout().write_all(kept.text.trim_ascii_start())
    }
}

/// Keeps what was written between the last two times that it was all written out.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    text: Vec<u8>,
    complete: bool,
}

impl Write for Last {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut kept.complete) {
            kept.text.clear();
        }
        kept.text.write(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).complete = true;
        Ok(())
    }
}
