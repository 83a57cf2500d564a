//! One sink in front of several.

use std::io;

use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};

/// Gives everything to each of its sinks, in the order in which they were added.
#[derive(Default)]
pub struct Tee<'a> {
    sinks: Vec<Box<dyn Sink + 'a>>,
}

impl<'a> Tee<'a> {
    /// Adds a sink; one that is needed later is lent as `&mut`.
    #[must_use]
    pub fn with(mut self, sink: impl Sink + 'a) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }
}

impl Sink for Tee<'_> {
    /// The first error counts; the sinks behind it don't get the event.
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.event(event))
    }

    /// The first error counts; the sinks behind it don't get the summary.
    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.summary(summary))
    }

    fn wants_events(&self) -> bool {
        self.sinks.iter().any(Sink::wants_events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::top::Top;
    use crate::feed::Span;
    use resetscope_core::interval::Interval;
    use std::cell::RefCell;

    struct Named<'a>(&'a str, bool, &'a RefCell<Vec<String>>);

    impl Sink for Named<'_> {
        fn event(&mut self, _: &Event) -> io::Result<()> {
            Ok(())
        }

        fn summary(&mut self, summary: &Summary) -> io::Result<()> {
            self.2.borrow_mut().push(format!("{}{}", self.0, summary.span.seq));
            if self.1 { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        }
    }

    #[test]
    fn every_sink_gets_everything_until_one_fails() {
        let log = RefCell::default();
        let mut last = Named("c", true, &log);
        let mut tee = Tee::default().with(Named("a", true, &log)).with(&mut last);
        let summary = |seq| Summary {
            span: Span { seq, ..Span::default() },
            interval: Interval::default(),
            top: Top::default(),
        };
        tee.summary(&summary(1)).unwrap();
        let mut failing = Tee::default().with(Named("b", false, &log)).with(tee);
        let error = failing.summary(&summary(2)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        drop(failing);
        assert_eq!(log.into_inner(), ["a1", "c1", "b2"]);
    }
}
