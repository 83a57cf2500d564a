//! The sink that feeds the hub.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use resetscope_core::judge::event::Event;

use super::hub::{Hub, Kind};
use super::stream;
use super::totals::Totals;
use crate::collect::{Sink, Summary};
use crate::sink;

/// Resets of one second of packet time that pages are sent; a person cannot read more.
const RESETS_A_SECOND_MAX: u64 = 100;

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;

/// Adds up summaries for the metrics, and passes summaries and resets on to the pages. It never fails
/// and never waits.
pub struct Publisher {
    hub: Arc<Hub>,
    totals: Totals,
    /// The second of packet time that resets are counted in.
    second: u64,
    sent: u64,
    /// Resets since the last summary that pages were not sent.
    omitted: u64,
}

impl Publisher {
    /// A sink for that hub.
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        let totals = Totals::new(hub.about.services);
        Self { hub, totals, second: 0, sent: 0, omitted: 0 }
    }
}

impl Sink for Publisher {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if !self.hub.page {
            return Ok(());
        }
        let second = event.time_ns / SECOND_NS;
        if second != self.second {
            (self.second, self.sent) = (second, 0);
        }
        if self.sent == RESETS_A_SECOND_MAX {
            self.omitted += 1;
            return Ok(());
        }
        self.sent += 1;
        let message = stream::message("reset", |out| sink::event::write(out, event))?;
        self.hub.send(Kind::Reset, message);
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.totals.add(summary);
        self.hub.settle(self.totals.snapshot());
        if !self.hub.page {
            return Ok(());
        }
        let top = self.hub.about.top;
        let message = stream::message("summary", |out| sink::summary::write(out, summary, top))?;
        self.hub.send(Kind::Summary, message);
        let omitted = std::mem::take(&mut self.omitted);
        if omitted > 0 {
            let text = format!("event: omitted\ndata: {omitted}\n\n");
            self.hub.send(Kind::Passing, Bytes::from(text));
        }
        Ok(())
    }

    fn wants_events(&self) -> bool {
        self.hub.page
    }
}
