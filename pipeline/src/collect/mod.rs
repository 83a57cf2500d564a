//! The collector: merges what the workers saw into one summary an interval, and events into order.

mod order;
pub mod top;

use std::collections::BTreeMap;
use std::io;

use crossbeam::channel::Receiver;
use resetscope_core::interval::Interval;
use resetscope_core::judge::event::Event;

use crate::feed::Span;
use crate::worker::Message;

use order::EventOrder;
use top::Top;

/// One interval of all workers.
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
    /// Takes an event; they come in the order of their frames.
    ///
    /// # Errors
    /// When it cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Takes a summary, after all events that it counts.
    ///
    /// # Errors
    /// When it cannot be written.
    fn summary(&mut self, summary: &Summary) -> io::Result<()>;
}

#[derive(Default)]
struct Pending {
    span: Span,
    interval: Interval,
    parts: usize,
    top: Top,
}

/// Collects until every worker has handed over its last interval.
///
/// # Errors
/// The first error of the sink.
pub fn collect(
    messages: &Receiver<Message>,
    workers: usize,
    sink: &mut dyn Sink,
) -> io::Result<()> {
    let mut order = EventOrder::new(workers);
    let mut pending: BTreeMap<u64, Pending> = BTreeMap::new();
    for message in messages {
        match message {
            Message::Events { worker, seq, events, watermark } => {
                order.add(worker, seq, events, watermark);
                while let Some(judged) = order.release() {
                    pending.entry(judged.seq).or_default().top.add(&judged.event);
                    sink.event(&judged.event)?;
                }
            }
            Message::Interval { span, interval } => {
                let entry = pending.entry(span.seq).or_default();
                entry.span = span;
                entry.interval.merge(&interval);
                entry.parts += 1;
            }
        }
        while let Some(entry) = pending.first_entry() {
            if entry.get().parts < workers || order.holds(*entry.key()) {
                break;
            }
            let Pending { span, interval, top, .. } = entry.remove();
            sink.summary(&Summary { span, interval, top })?;
        }
    }
    Ok(())
}
