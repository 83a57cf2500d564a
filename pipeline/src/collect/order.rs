//! Puts what several workers report into one order: that of the frames.
//!
//! Workers judge events whenever their windows end. A report is released once no worker can come
//! up with an earlier one, so the order does not depend on who was quicker.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use resetscope_core::judge::event::Judged;
use resetscope_core::memory::Sighting;

/// What a worker reports.
pub(super) enum Item {
    /// A service accepted.
    Sighting(Sighting),
    /// An event was judged in the interval of this number.
    Event(u64, Box<Judged>),
}

impl Item {
    /// Frames come in order; of one frame there is one sighting, or one event for each interval.
    fn rank(&self) -> (u64, u64) {
        match self {
            Self::Sighting(sighting) => (sighting.frame, 0),
            Self::Event(seq, judged) => (judged.open.rst.frame, seq + 1),
        }
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    /// The earliest is the greatest: that is what a heap gives out first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

/// Reports that wait for their turn.
pub(super) struct Order {
    heap: BinaryHeap<Item>,
    watermarks: Vec<u64>,
}

impl Order {
    /// For reports of `workers` workers.
    pub(super) fn new(workers: usize) -> Self {
        Self { heap: BinaryHeap::new(), watermarks: vec![0; workers] }
    }

    /// Takes a report.
    pub(super) fn add(&mut self, item: Item) {
        self.heap.push(item);
    }

    /// Worker `worker` has reported all of frames before `watermark`.
    pub(super) fn reached(&mut self, worker: usize, watermark: u64) {
        if let Some(mark) = self.watermarks.get_mut(worker) {
            *mark = watermark.max(*mark);
        }
    }

    /// The next report that no other can precede.
    pub(super) fn release(&mut self) -> Option<Item> {
        let safe = self.watermarks.iter().min().copied().unwrap_or(0);
        if self.heap.peek()?.rank().0 < safe { self.heap.pop() } else { None }
    }

    /// Whether an event of an interval up to `seq` still waits.
    pub(super) fn holds(&self, seq: u64) -> bool {
        self.heap.iter().any(|item| matches!(item, Item::Event(of, _) if *of <= seq))
    }
}
