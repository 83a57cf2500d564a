//! The feed: one source, cut into batches that also say when time passes.
//!
//! Everything that depends on time is decided here, once, from the order of the frames: so all
//! workers see clock ticks and interval ends at the same frame, however the batches fall. And as
//! interval ends move no clock, no verdict depends on the length of the intervals.
//!
//! A frame long before others says that the clock was wrong, or was set back: what goes by the time
//! begins anew with it, as if the input did.

mod paced;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::source::{Batch, Progress, Source, SourceError};

use paced::{Paced, Stop};

/// Packet time between two advances of all shards' clocks, in nanoseconds, counted from the first
/// frame: so intervals of whole seconds end right after an advance.
const ADVANCE_NS: u64 = 1_000_000_000;

/// One interval of packet time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Number of the interval, from 0. Intervals without frames are not reported.
    pub seq: u64,
    /// Its begin, in nanoseconds since 1970-01-01 UTC.
    pub start_ns: u64,
    /// Its end: for the last, and for one during which the clock was set back, the time of its latest
    /// frame.
    pub end_ns: u64,
}

/// What is to be done when the frames of a batch are through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nothing.
    Go,
    /// Move all clocks to this time, in nanoseconds since 1970-01-01 UTC.
    Advance(u64),
    /// Hand this interval over.
    Close {
        /// The interval that ends.
        span: Span,
        /// Number of the interval that follows.
        next_seq: u64,
    },
    /// Set back the clocks that are far ahead of this time, in nanoseconds since 1970-01-01 UTC.
    SetBack {
        /// The time.
        now_ns: u64,
        /// The interval that ends with this, and the number of the one that follows; `None` if there is
        /// one for all.
        closed: Option<(Span, u64)>,
    },
    /// Judge all that is open, and hand over the last interval: there is no more.
    Finish(Span),
}

/// A batch's place among all batches, and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Number of the batch, from 0.
    pub index: u64,
    /// What is to be done when its frames are through.
    pub signal: Signal,
    /// Packets that were lost before they could be recorded, as the source says by now.
    pub lost: u64,
}

/// A source with a clock.
pub struct Feed {
    source: Paced,
    stop: Arc<AtomicBool>,
    interval_ns: Option<u64>,
    span: Option<Span>,
    begin_ns: u64,
    advance_ns: u64,
    last_ns: u64,
    batches: u64,
    finished: bool,
    error: Option<SourceError>,
}

impl Feed {
    /// A feed from `source`, in intervals of `interval_ns` from the first frame on, or one for all.
    /// When `stop` becomes true the feed ends as if the source did.
    #[must_use]
    pub fn new(source: Box<dyn Source>, interval_ns: Option<u64>, stop: Arc<AtomicBool>) -> Self {
        Self {
            source: Paced::new(source),
            stop,
            interval_ns,
            span: None,
            begin_ns: 0,
            advance_ns: 0,
            last_ns: 0,
            batches: 0,
            finished: false,
            error: None,
        }
    }

    /// Fills `batch` with the next frames; `None` when the feed has ended.
    pub fn next(&mut self, batch: &mut Batch) -> Option<Cut> {
        if self.finished {
            return None;
        }
        batch.clear();
        let signal = self.fill(batch);
        self.finished = matches!(signal, Signal::Finish(_));
        let index = self.batches;
        self.batches += 1;
        Some(Cut { index, signal, lost: self.source.take_lost() })
    }

    fn fill(&mut self, batch: &mut Batch) -> Signal {
        let mut span = match self.span {
            Some(span) => span,
            None => self.begin(),
        };
        let until_ns = span.end_ns.min(self.advance_ns);
        let filled = if self.stop.load(Ordering::Relaxed) {
            Stop::End
        } else {
            self.source.fill(batch, until_ns).unwrap_or_else(|error| {
                self.error = Some(error);
                Stop::End
            })
        };
        self.last_ns = self.last_ns.max(batch.latest_ns().unwrap_or(0));
        match filled {
            Stop::Frames => Signal::Go,
            Stop::Boundary => self.pass(span, until_ns),
            Stop::Back(now_ns) => self.set_back(span, now_ns),
            Stop::End => {
                span.end_ns = self.last_ns.max(span.start_ns);
                Signal::Finish(span)
            }
        }
    }

    /// Places the first interval at the first frame.
    fn begin(&mut self) -> Span {
        let start_ns = self.source.peek_time().unwrap_or(0);
        let end_ns = self.interval_ns.map_or(u64::MAX, |length| start_ns.saturating_add(length));
        let span = Span { seq: 0, start_ns, end_ns };
        self.begin_ns = start_ns;
        self.advance_ns = self.advance_after(start_ns);
        self.last_ns = start_ns;
        self.span = Some(span);
        span
    }

    /// The next frame lies at `until_ns` or later: says what that means, and where to stop next.
    fn pass(&mut self, span: Span, until_ns: u64) -> Signal {
        let next_ns = self.source.peek_time().unwrap_or(until_ns).max(until_ns);
        let Some(length) = self.interval_ns.filter(|_| until_ns < self.advance_ns) else {
            self.advance_ns = self.advance_after(next_ns);
            return Signal::Advance(until_ns);
        };
        let ahead = (next_ns - span.start_ns) / length.max(1);
        let start_ns = span.start_ns.saturating_add(ahead.saturating_mul(length));
        let next_seq = span.seq.saturating_add(ahead);
        self.span = Some(Span { seq: next_seq, start_ns, end_ns: start_ns.saturating_add(length) });
        Signal::Close { span, next_seq }
    }

    /// The next frame is of `now_ns`, and says that the clock was wrong.
    fn set_back(&mut self, mut span: Span, now_ns: u64) -> Signal {
        self.begin_ns = now_ns;
        self.advance_ns = self.advance_after(now_ns);
        let closed = self.interval_ns.map(|length| {
            span.end_ns = self.last_ns.max(span.start_ns);
            self.last_ns = now_ns;
            let (seq, end_ns) = (span.seq.saturating_add(1), now_ns.saturating_add(length));
            self.span = Some(Span { seq, start_ns: now_ns, end_ns });
            (span, seq)
        });
        Signal::SetBack { now_ns, closed }
    }

    /// When the clocks are to be moved next, if the next frame is of `time_ns`.
    fn advance_after(&self, time_ns: u64) -> u64 {
        let passed = time_ns.saturating_sub(self.begin_ns) / ADVANCE_NS;
        self.begin_ns.saturating_add((passed + 1).saturating_mul(ADVANCE_NS))
    }

    /// How far the source has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.source.progress()
    }

    /// The source, and the error that ended it early, if one did.
    #[must_use]
    pub fn into_parts(self) -> (Box<dyn Source>, Option<SourceError>) {
        (self.source.into_source(), self.error)
    }
}
