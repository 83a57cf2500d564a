//! What stands in for the dashboard in builds without it: it never starts.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use resetscope_core::judge::event::Event;

use crate::cli::log::Lines;
use crate::collect::{Sink, Summary};
use crate::config::Config;
use crate::live::Signals;
use crate::sink::palette::Palette;

/// Never there.
pub(crate) struct Dashboard(Infallible);

/// Never there.
pub(crate) struct Feed(Infallible);

/// Has nothing to give back.
///
/// # Errors
/// Never.
#[expect(clippy::unnecessary_wraps, reason = "the dashboard's may fail")]
pub(crate) fn give_back_on_signals(_: &Arc<AtomicBool>) -> io::Result<()> {
    Ok(())
}

pub(super) fn start_on(
    _: &Config,
    _: Palette,
    _: &Signals,
    _: &Lines,
) -> Result<Option<Dashboard>> {
    Ok(None)
}

impl Dashboard {
    pub(crate) fn sink(&self) -> Feed {
        match self.0 {}
    }

    pub(crate) fn end(self) {
        match self.0 {}
    }
}

impl Sink for Feed {
    fn event(&mut self, _: &Event) -> io::Result<()> {
        match self.0 {}
    }

    fn summary(&mut self, _: &Summary) -> io::Result<()> {
        match self.0 {}
    }
}
