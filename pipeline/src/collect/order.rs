//! Puts what several workers report into one order: that of the frames, or that of time.
//!
//! Workers judge events whenever their windows end. A report is released once no worker can come
//! up with an earlier one, so the order does not depend on who was quicker.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Deref;
use std::rc::Rc;

use resetscope_core::flow::prefetch;
use resetscope_core::judge::event::Judged;
use resetscope_core::memory::Sighting;

/// What the workers' reports are ordered by; their watermarks are of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// The number of the frame: recorded traffic has one numbering for all workers.
    Frame,
    /// The time of the frame, in nanoseconds since 1970-01-01 UTC, then the worker, then the
    /// worker's own numbering: live workers share nothing but the clock.
    Time,
}

/// An event where its worker put it: among all those of one message. They are large, so they stay
/// there until the last of them has been passed on.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    message: Rc<Vec<Judged>>,
    index: usize,
}

impl Delivered {
    /// The events of a message.
    pub(super) fn each(events: Vec<Judged>) -> impl Iterator<Item = Self> {
        let message = Rc::new(events);
        (0..message.len()).map(move |index| {
            // The worker has just written them: they come from its core's caches.
            if let Some(soon) = message.get(index + EVENTS_AHEAD) {
                prefetch::value(soon);
            }
            Self { message: Rc::clone(&message), index }
        })
    }
}

impl Deref for Delivered {
    type Target = Judged;

    fn deref(&self) -> &Judged {
        &self.message[self.index]
    }
}

/// How many events ahead of its turn an event's memory is asked for.
const EVENTS_AHEAD: usize = 8;

/// What a worker reports.
pub(super) enum Item {
    /// A service accepted.
    Sighting(Box<Sighting>),
    /// An event was judged in the interval of this number.
    Event(u64, Delivered),
}

/// Watermark of the report, worker, frame, report of that frame: of one frame there is one
/// sighting, or one event for each interval.
type Rank = (u64, usize, u64, u64);

struct Report {
    rank: Rank,
    item: Item,
}

impl PartialEq for Report {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Report {}

impl PartialOrd for Report {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Report {
    /// The earliest is the greatest: that is what a heap gives out first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.cmp(&self.rank)
    }
}

/// Reports that wait for their turn.
pub(super) struct Order {
    by: OrderBy,
    heap: BinaryHeap<Report>,
    watermarks: Vec<u64>,
}

impl Order {
    /// For reports of `workers` workers.
    pub(super) fn new(workers: usize, by: OrderBy) -> Self {
        Self { by, heap: BinaryHeap::new(), watermarks: vec![0; workers] }
    }

    /// Takes a report of `worker`.
    pub(super) fn add(&mut self, worker: usize, item: Item) {
        let (frame, time_ns, nth) = match &item {
            Item::Sighting(sighting) => (sighting.frame, sighting.time_ns, 0),
            Item::Event(seq, judged) => {
                (judged.open.rst.frame, judged.open.rst.time_ns, seq.saturating_add(1))
            }
        };
        let mark = match self.by {
            OrderBy::Frame => frame,
            OrderBy::Time => time_ns,
        };
        self.heap.push(Report { rank: (mark, worker, frame, nth), item });
    }

    /// Worker `worker` has reported all of frames before `watermark`.
    pub(super) fn reached(&mut self, worker: usize, watermark: u64) {
        if let Some(mark) = self.watermarks.get_mut(worker) {
            *mark = watermark.max(*mark);
        }
    }

    /// All workers have reported all of frames before this mark.
    fn safe(&self) -> u64 {
        self.watermarks.iter().min().copied().unwrap_or(0)
    }

    /// The time before which nothing will be reported any more, if time is what reports are
    /// ordered by. Holds once [`Order::release`] has nothing left.
    pub(super) fn safe_time_ns(&self) -> Option<u64> {
        (self.by == OrderBy::Time).then(|| self.safe())
    }

    /// The next report that no other can precede.
    pub(super) fn release(&mut self) -> Option<Item> {
        if self.heap.peek()?.rank.0 >= self.safe() {
            return None;
        }
        self.heap.pop().map(|report| report.item)
    }

    /// Whether an event of an interval up to `seq` still waits.
    pub(super) fn holds(&self, seq: u64) -> bool {
        self.heap.iter().any(|report| matches!(report.item, Item::Event(of, _) if of <= seq))
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, Order, OrderBy};
    use resetscope_core::flow::key::FlowKey;
    use resetscope_core::memory::Sighting;

    fn sighting(frame: u64, time_ns: u64) -> Item {
        let (key, side) = FlowKey::new(([1; 16], 1), ([2; 16], 2), 0);
        Item::Sighting(Box::new(Sighting { frame, time_ns, key, side, ttl: 64, response_us: 0 }))
    }

    fn released(order: &mut Order) -> Vec<u64> {
        std::iter::from_fn(|| order.release())
            .filter_map(|item| match item {
                Item::Sighting(sighting) => Some(sighting.frame),
                Item::Event(..) => None,
            })
            .collect()
    }

    #[test]
    fn a_report_waits_for_the_slowest_worker() {
        for (by, marks) in [(OrderBy::Frame, [4, 9]), (OrderBy::Time, [40, 90])] {
            let mut order = Order::new(2, by);
            order.add(1, sighting(5, 50));
            order.add(0, sighting(3, 30));
            order.reached(0, marks[1]);
            assert!(order.release().is_none(), "{by:?}: worker 1 has said nothing yet");
            order.reached(1, marks[0]);
            assert_eq!(released(&mut order), [3], "{by:?}");
            order.reached(1, marks[1]);
            assert_eq!(released(&mut order), [5], "{by:?}");
        }
    }

    #[test]
    fn live_reports_follow_the_clock_and_not_the_workers_own_numbers() {
        let mut order = Order::new(2, OrderBy::Time);
        order.add(1, sighting(1, 20));
        order.add(0, sighting(7, 10));
        order.add(1, sighting(2, 20));
        order.add(0, sighting(8, 20));
        order.reached(0, 100);
        order.reached(1, 100);
        assert_eq!(released(&mut order), [7, 8, 1, 2], "then by worker, then by its numbers");
    }
}
