//! A sink whose reader may leave while others stay.

use std::io;

use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};

/// Gives everything to a sink until its reader closes the pipe, which is no error then: the run has
/// another result to bring home.
pub struct UntilClosed<S> {
    sink: S,
    closed: bool,
}

impl<S> UntilClosed<S> {
    /// Such a sink.
    pub const fn new(sink: S) -> Self {
        Self { sink, closed: false }
    }

    fn settle(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

impl<S: Sink> Sink for UntilClosed<S> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let result = self.sink.event(event);
        self.settle(result)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let result = self.sink.summary(summary);
        self.settle(result)
    }

    fn wants_events(&self) -> bool {
        self.sink.wants_events()
    }
}
