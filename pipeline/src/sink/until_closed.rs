//! A sink whose reader may leave before the run is over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};

/// Gives everything to a sink until its reader closes the pipe. That is no error: the reader has
/// seen enough, or the run has another result to bring home.
pub struct UntilClosed<S> {
    sink: S,
    /// Whether the reader has gone.
    closed: Arc<AtomicBool>,
    /// What ends the run when the reader has gone, if there is nothing else to run for.
    stop: Option<Arc<AtomicBool>>,
}

impl<S> UntilClosed<S> {
    /// Such a sink, which sets `closed`, and `stop`, when the reader has gone.
    pub const fn new(sink: S, closed: Arc<AtomicBool>, stop: Option<Arc<AtomicBool>>) -> Self {
        Self { sink, closed, stop }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn settle(&self, result: io::Result<()>) -> io::Result<()> {
        if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.closed.store(true, Ordering::Relaxed);
            if let Some(stop) = &self.stop {
                stop.store(true, Ordering::Relaxed);
            }
        }
        unless_closed(result)
    }
}

/// That whoever reads has gone is no error.
///
/// # Errors
/// Any other one.
pub fn unless_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

impl<S: Sink> Sink for UntilClosed<S> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let result = self.sink.event(event);
        self.settle(result)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let result = self.sink.summary(summary);
        self.settle(result)
    }

    fn wants_events(&self) -> bool {
        self.sink.wants_events()
    }
}
