//! Puts the events of several workers into one order: that of their frames.
//!
//! Workers judge events whenever their windows end. An event is released once no worker can come
//! up with an earlier one, so the order does not depend on who was quicker.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use resetscope_core::judge::event::Event;

/// An event and the interval in which it was judged.
pub(super) struct Judged {
    /// Number of the interval.
    pub(super) seq: u64,
    /// The event.
    pub(super) event: Event,
}

impl Judged {
    const fn rank(&self) -> (u64, usize, u64) {
        (self.event.frame, self.event.side, self.seq)
    }
}

impl PartialEq for Judged {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Judged {}

impl PartialOrd for Judged {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Judged {
    /// The earliest is the greatest: that is what a heap gives out first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

/// Events that wait for their turn.
pub(super) struct EventOrder {
    heap: BinaryHeap<Judged>,
    watermarks: Vec<u64>,
}

impl EventOrder {
    /// For events of `workers` workers.
    #[must_use]
    pub(super) fn new(workers: usize) -> Self {
        Self { heap: BinaryHeap::new(), watermarks: vec![0; workers] }
    }

    /// Takes events of a worker that has sent all of frames before `watermark`.
    pub(super) fn add(&mut self, worker: usize, seq: u64, events: Vec<Event>, watermark: u64) {
        self.heap.extend(events.into_iter().map(|event| Judged { seq, event }));
        if let Some(mark) = self.watermarks.get_mut(worker) {
            *mark = watermark.max(*mark);
        }
    }

    /// The next event that no other can precede.
    pub(super) fn release(&mut self) -> Option<Judged> {
        let safe = self.watermarks.iter().min().copied().unwrap_or(0);
        if self.heap.peek()?.event.frame < safe { self.heap.pop() } else { None }
    }

    /// Whether an event of an interval up to `seq` still waits, or may still come for it.
    #[must_use]
    pub(super) fn holds(&self, seq: u64) -> bool {
        self.heap.iter().any(|judged| judged.seq <= seq)
    }
}
