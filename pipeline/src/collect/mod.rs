//! The collector: merges what the workers saw into one summary an interval, puts events into order,
//! and settles what only cross-flow memory can tell.

mod order;
pub mod top;

use std::collections::BTreeMap;
use std::io;

use crossbeam::channel::Receiver;
use resetscope_core::interval::Interval;
use resetscope_core::judge::cause::Subcause;
use resetscope_core::judge::event::Event;
use resetscope_core::memory::brief::Brief;
use resetscope_core::memory::settle::{Settled, Settler};
use resetscope_core::segment::RST_TEXT_LEN;

use crate::feed::Span;
use crate::worker::Message;

pub use order::OrderBy;
use order::{Delivered, Item, Order};
use top::{Reset, Top};

/// One interval of all workers.
#[derive(Default)]
pub struct Summary {
    /// The interval.
    pub span: Span,
    /// What all workers saw in it.
    pub interval: Interval,
    /// Services and hosts with the most resets.
    pub top: Top,
}

/// Where results go. An error ends the run.
pub trait Sink {
    /// Takes an event; they come in the order that [`collect`] was asked for.
    ///
    /// # Errors
    /// When it cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Takes a summary, after all events that it counts.
    ///
    /// # Errors
    /// When it cannot be written.
    fn summary(&mut self, summary: &Summary) -> io::Result<()>;

    /// Whether it does anything with events; what it says before the first one holds for all. To
    /// collect the evidence of an event costs more than all else that is done for it, so nobody does
    /// if nobody wants to see it.
    fn wants_events(&self) -> bool {
        true
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        (**self).event(event)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        (**self).summary(summary)
    }

    fn wants_events(&self) -> bool {
        (**self).wants_events()
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        (**self).event(event)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        (**self).summary(summary)
    }

    fn wants_events(&self) -> bool {
        (**self).wants_events()
    }
}

#[derive(Default)]
struct Pending {
    span: Span,
    interval: Interval,
    parts: usize,
    top: Top,
    /// Events that were counted under the first sub-cause and settled as the second.
    moved: BTreeMap<(Subcause, Subcause), u64>,
}

/// Collects until every worker has handed over its last interval. Reports go by `by`, and so do the
/// watermarks in the messages.
///
/// # Errors
/// The first error of the sink.
pub fn collect(
    messages: &Receiver<Message>,
    workers: usize,
    by: OrderBy,
    sink: &mut dyn Sink,
) -> io::Result<()> {
    let tell = sink.wants_events();
    let mut collector = Collector {
        order: Order::new(workers, by, tell),
        book: Book { settler: Settler::default(), pending: BTreeMap::new(), tell },
        workers,
    };
    for message in messages {
        collector.take(message);
        collector.pass_on(sink, false)?;
    }
    collector.pass_on(sink, true)
}

struct Collector {
    order: Order,
    book: Book,
    workers: usize,
}

/// What is known of the intervals that have not been summed up, and of their events.
struct Book {
    settler: Settler<u64, Delivered>,
    pending: BTreeMap<u64, Pending>,
    /// Somebody wants to see events.
    tell: bool,
}

impl Collector {
    fn take(&mut self, message: Message) {
        match message {
            Message::Events { worker, seq, events, sightings, watermark } => {
                self.order.add(worker, seq, events, sightings);
                self.order.reached(worker, watermark);
            }
            Message::Interval { span, interval } => {
                let entry = self.book.pending.entry(span.seq).or_default();
                entry.span = span;
                entry.interval.merge(&interval);
                entry.parts += 1;
            }
        }
    }

    /// Settles what can be settled, and gives the sink what is ready.
    fn pass_on(&mut self, sink: &mut dyn Sink, at_end: bool) -> io::Result<()> {
        while let Some(item) = self.order.release() {
            match item {
                Item::Sighting(sighting) => self.book.settler.sighting(sighting),
                Item::Event(seq, brief, whole) => self.book.event(seq, brief, whole),
            }
            self.book.settle(sink, false)?;
        }
        if let Some(time_ns) = self.order.safe_time_ns() {
            // Time goes on although no frame says so.
            self.book.settler.advance(time_ns);
            self.book.settle(sink, false)?;
        }
        if at_end {
            self.book.settle(sink, true)?;
        }
        let Book { settler, pending, .. } = &mut self.book;
        while let Some(entry) = pending.first_entry() {
            let seq = *entry.key();
            let complete = entry.get().parts >= self.workers;
            if !complete || self.order.holds(seq) || settler.waits_for(|of| *of <= seq) {
                break;
            }
            let Pending { span, mut interval, top, moved, .. } = entry.remove();
            for ((from, to), count) in moved {
                (0..count).for_each(|_| interval.resets.recount(from, to));
            }
            sink.summary(&Summary { span, interval, top })?;
        }
        Ok(())
    }
}

impl Book {
    /// Enters an event as its own flow's packets explain it. Which services and hosts have room in
    /// the tallies follows from the order of the events, whatever they settle as.
    #[inline]
    fn event(&mut self, seq: u64, brief: &Brief, whole: Option<Delivered>) {
        self.pending.entry(seq).or_default().top.add(&Reset::of(brief));
        self.settler.event(brief, whole.map(|whole| (seq, whole)));
    }

    /// Corrects what has settled otherwise, and tells of it if anybody wants that.
    #[inline]
    fn settle(&mut self, sink: &mut dyn Sink, at_end: bool) -> io::Result<()> {
        while let Some(settled) = self.settler.settled(at_end) {
            self.close(sink, &settled)?;
        }
        Ok(())
    }

    fn close(&mut self, sink: &mut dyn Sink, settled: &Settled<u64, Delivered>) -> io::Result<()> {
        let event = self.tell.then(|| {
            let text = settled.judged.text().copied();
            Event { text: text.unwrap_or([0; RST_TEXT_LEN]), ..settled.event() }
        });
        let from = settled.judged.subcause();
        let to = match &event {
            Some(event) => event.verdict.claim.subcause,
            None => settled.subcause(),
        };
        if from != to {
            let entry = self.pending.entry(settled.tag).or_default();
            *entry.moved.entry((from, to)).or_default() += 1;
            entry.top.recount(&Reset::of(&Brief::of(&settled.judged)), to.cause());
        }
        match event {
            Some(event) => sink.event(&event),
            None => Ok(()),
        }
    }
}
