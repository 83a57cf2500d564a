//! Puts what several workers report into one order: that of the frames, or that of time.
//!
//! Workers judge events whenever their windows end. A report is released once no worker can come
//! up with an earlier one, so the order does not depend on who was quicker.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Deref;
use std::rc::Rc;

use resetscope_core::flow::prefetch;
use resetscope_core::judge::event::Judged;
use resetscope_core::judge::open::Text;
use resetscope_core::memory::Sighting;

use crate::worker::events::Events;

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
#[derive(Clone)]
pub(super) struct Delivered {
    events: Rc<Events>,
    index: usize,
}

impl Deref for Delivered {
    type Target = Judged;

    fn deref(&self) -> &Judged {
        &self.events[self.index]
    }
}

impl Delivered {
    /// The text that came with the reset.
    pub(super) fn text(&self) -> Option<&Text> {
        if self.open.has_text { self.events.text(self.index) } else { None }
    }
}

/// How many events ahead of its turn an event's memory is asked for: the worker has just written it,
/// so it comes from that core's caches.
const EVENTS_AHEAD: usize = 8;

/// What a worker reports.
pub(super) enum Item {
    /// A service accepted.
    Sighting(Sighting),
    /// An event was judged in the interval of this number.
    Event(u64, Delivered),
}

/// Watermark of the report, worker, frame, report of that frame: of one frame there is one
/// sighting, or one event for each interval.
type Rank = (u64, usize, u64, u64);

/// Mark and frame of one report, and where it lies.
#[derive(Clone, Copy)]
struct Entry {
    mark: u64,
    frame: u64,
    at: Place,
}

/// Where a report lies in its message. A sighting comes before an event of the same frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Sighting(u32),
    Event(u32),
}

/// The reports of one message that wait for their turn.
struct Run {
    worker: usize,
    seq: u64,
    events: Rc<Events>,
    sightings: Vec<Sighting>,
    /// The latest first: the next is taken from the end.
    waiting: Vec<Entry>,
    /// How many of those are events.
    open: usize,
}

impl Run {
    /// The rank of the next report.
    fn rank(&self) -> Option<Rank> {
        let next = self.waiting.last()?;
        let nth = match next.at {
            Place::Sighting(_) => 0,
            Place::Event(_) => self.seq.saturating_add(1),
        };
        Some((next.mark, self.worker, next.frame, nth))
    }

    /// Takes the next report out.
    fn next(&mut self) -> Option<Item> {
        let next = self.waiting.pop()?;
        let ahead = self.waiting.len().checked_sub(EVENTS_AHEAD).map(|soon| self.waiting[soon].at);
        if let Some(Place::Event(soon)) = ahead {
            prefetch::value(&self.events[soon as usize]);
        }
        match next.at {
            Place::Sighting(index) => Some(Item::Sighting(self.sightings[index as usize])),
            Place::Event(index) => {
                self.open -= 1;
                let events = Rc::clone(&self.events);
                Some(Item::Event(self.seq, Delivered { events, index: index as usize }))
            }
        }
    }
}

/// A run by the rank of its next report.
struct Head {
    rank: Rank,
    run: Box<Run>,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    /// The earliest is the greatest: that is what a heap gives out first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.cmp(&self.rank)
    }
}

/// Reports that wait for their turn. Those of one message are sorted at once, which costs less than
/// each finding its own way through a heap; the heap is of messages, of which few overlap.
pub(super) struct Order {
    by: OrderBy,
    heap: BinaryHeap<Head>,
    watermarks: Vec<u64>,
    /// All workers have reported all of frames before this mark.
    safe: u64,
    /// Room for entries that is not in use.
    spare: Vec<Entry>,
}

impl Order {
    /// For reports of `workers` workers.
    pub(super) fn new(workers: usize, by: OrderBy) -> Self {
        let watermarks = vec![0; workers];
        Self { by, heap: BinaryHeap::new(), watermarks, safe: 0, spare: Vec::new() }
    }

    /// Takes what `worker` reports; the events were judged in interval `seq`.
    pub(super) fn add(
        &mut self,
        worker: usize,
        seq: u64,
        events: Events,
        sightings: Vec<Sighting>,
    ) {
        let mark = |frame, time_ns| match self.by {
            OrderBy::Frame => frame,
            OrderBy::Time => time_ns,
        };
        let mut waiting = std::mem::take(&mut self.spare);
        waiting.clear();
        waiting.extend((0..).zip(&sightings).map(|(index, sighting)| Entry {
            mark: mark(sighting.frame, sighting.time_ns),
            frame: sighting.frame,
            at: Place::Sighting(index),
        }));
        waiting.extend((0..).zip(events.iter()).map(|(index, judged)| {
            let soon = index as usize + EVENTS_AHEAD;
            if soon < events.len() {
                prefetch::line((&raw const events[soon].open.rst).cast());
            }
            let rst = &judged.open.rst;
            Entry { mark: mark(rst.frame, rst.time_ns), frame: rst.frame, at: Place::Event(index) }
        }));
        waiting.sort_unstable_by_key(|entry| Reverse((entry.mark, entry.frame, entry.at)));
        let open = events.len();
        let run = Box::new(Run { worker, seq, events: Rc::new(events), sightings, waiting, open });
        if let Some(rank) = run.rank() {
            self.heap.push(Head { rank, run });
        }
    }

    /// Worker `worker` has reported all of frames before `watermark`.
    pub(super) fn reached(&mut self, worker: usize, watermark: u64) {
        if let Some(mark) = self.watermarks.get_mut(worker) {
            *mark = watermark.max(*mark);
        }
        self.safe = self.watermarks.iter().min().copied().unwrap_or(0);
    }

    /// The time before which nothing will be reported any more, if time is what reports are
    /// ordered by. Holds once [`Order::release`] has nothing left.
    pub(super) fn safe_time_ns(&self) -> Option<u64> {
        (self.by == OrderBy::Time).then_some(self.safe)
    }

    /// The next report that no other can precede.
    pub(super) fn release(&mut self) -> Option<Item> {
        let mut head = self.heap.peek_mut()?;
        if head.rank.0 >= self.safe {
            return None;
        }
        let item = head.run.next();
        match head.run.rank() {
            Some(rank) => head.rank = rank,
            None => self.spare = std::mem::take(&mut PeekMut::pop(head).run.waiting),
        }
        item
    }

    /// Whether an event of an interval up to `seq` still waits.
    pub(super) fn holds(&self, seq: u64) -> bool {
        self.heap.iter().any(|head| head.run.seq <= seq && head.run.open > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, Order, OrderBy};
    use crate::worker::events::Events;
    use resetscope_core::flow::key::FlowKey;
    use resetscope_core::memory::Sighting;

    impl Order {
        /// Takes a message with sightings of these frames at these times.
        fn sighted(&mut self, worker: usize, of: &[(u64, u64)]) {
            let (key, side) = FlowKey::new(([1; 16], 1), ([2; 16], 2), 0);
            let sighting =
                |&(frame, time_ns)| Sighting { frame, time_ns, key, side, ttl: 64, response_us: 0 };
            self.add(worker, 0, Events::default(), of.iter().map(sighting).collect());
        }

        /// The frames of what it releases.
        fn released(&mut self) -> Vec<u64> {
            std::iter::from_fn(|| self.release())
                .filter_map(|item| match item {
                    Item::Sighting(sighting) => Some(sighting.frame),
                    Item::Event(..) => None,
                })
                .collect()
        }
    }

    #[test]
    fn a_report_waits_for_the_slowest_worker() {
        for (by, marks) in [(OrderBy::Frame, [4, 9]), (OrderBy::Time, [40, 90])] {
            let mut order = Order::new(2, by);
            order.sighted(1, &[(5, 50)]);
            order.sighted(0, &[(3, 30)]);
            order.reached(0, marks[1]);
            assert!(order.release().is_none(), "{by:?}: worker 1 has said nothing yet");
            order.reached(1, marks[0]);
            assert_eq!(order.released(), [3], "{by:?}");
            order.reached(1, marks[1]);
            assert_eq!(order.released(), [5], "{by:?}");
        }
    }

    #[test]
    fn messages_overlap() {
        let mut order = Order::new(1, OrderBy::Frame);
        order.sighted(0, &[(9, 9), (1, 1), (4, 4), (6, 6)]);
        order.sighted(0, &[(8, 8), (2, 2), (5, 5)]);
        order.reached(0, 6);
        assert_eq!(order.released(), [1, 2, 4, 5]);
        order.sighted(0, &[(7, 7)]);
        order.reached(0, u64::MAX);
        assert_eq!(order.released(), [6, 7, 8, 9]);
    }

    #[test]
    fn live_reports_follow_the_clock_and_not_the_workers_own_numbers() {
        let mut order = Order::new(2, OrderBy::Time);
        order.sighted(1, &[(2, 20), (1, 20)]);
        order.sighted(0, &[(7, 10)]);
        order.sighted(0, &[(8, 20)]);
        order.reached(0, 100);
        order.reached(1, 100);
        assert_eq!(order.released(), [7, 8, 1, 2], "then by worker, then by its numbers");
    }
}
