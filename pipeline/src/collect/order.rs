//! Puts what several workers report into one order: that of the frames, or that of time.
//!
//! Workers judge events whenever their windows end. A report is released once no worker can come
//! up with an earlier one, so the order does not depend on who was quicker.

mod rank;

use std::ops::Deref;
use std::rc::Rc;

use resetscope_core::judge::event::Judged;
use resetscope_core::judge::open::Text;
use resetscope_core::memory::Sighting;
use resetscope_core::memory::brief::Brief;

use crate::worker::events::Events;

use rank::{Entry, Sorter};

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
pub(super) enum Item<'a> {
    /// A service accepted.
    Sighting(&'a Sighting),
    /// An event was judged in the interval of this number; the whole of it, if it will be asked for.
    Event(u64, &'a Brief, Option<Delivered>),
}

/// The reports of one message that wait for their turn. One whose last was taken is used again.
#[derive(Default)]
struct Run {
    worker: usize,
    seq: u64,
    /// The events as a whole, unless nobody will ask for any.
    events: Option<Rc<Events>>,
    /// The events in brief.
    briefs: Vec<Brief>,
    sightings: Vec<Sighting>,
    /// In their order.
    waiting: Vec<Entry>,
    /// So many of those have been gathered.
    gathered: usize,
    /// How many reports have not been released.
    left: usize,
    /// How many of those are events.
    open: usize,
}

impl Run {
    /// Frame of a report, and which it is of that frame: there is one sighting, or one event for each
    /// interval.
    fn place_of(&self, entry: Entry) -> (u64, u64) {
        let index = entry.index();
        if entry.is_event() {
            let frame = self.briefs.get(index).map_or(0, |brief| brief.frame);
            (frame, self.seq.saturating_add(1))
        } else {
            (self.sightings.get(index).map_or(0, |sighting| sighting.frame), 0)
        }
    }

    /// Moves all reports before `mark` to `ready`.
    fn gather_before(&mut self, mark: u64, ready: &mut Vec<Entry>) {
        let rest = self.waiting.get(self.gathered..).unwrap_or_default();
        if rest.first().is_none_or(|first| first.mark >= mark) {
            return;
        }
        let count = rest.partition_point(|entry| entry.mark < mark);
        ready.extend(rest.iter().take(count));
        self.gathered += count;
    }
}

/// Reports that wait for their turn. Those of one message are sorted when they come; when the
/// watermark rises, what lies before it in any of the messages is sorted together, by digits. To take
/// each by itself from the earliest of all messages took five times as long: in a storm, the
/// reports of half a dozen messages alternate.
pub(super) struct Order {
    by: OrderBy,
    /// Events will be asked for as a whole.
    whole: bool,
    runs: Vec<Run>,
    watermarks: Vec<u64>,
    /// All workers have reported all of frames before this mark.
    safe: u64,
    /// What may be released, in its order; the first of them has been.
    ready: Vec<Entry>,
    released: usize,
    sorter: Sorter,
}

impl Order {
    /// For reports of `workers` workers; `whole` if all events will be asked for as a whole, not only
    /// those that ask what other flows showed.
    pub(super) fn new(workers: usize, by: OrderBy, whole: bool) -> Self {
        Self {
            by,
            whole,
            runs: Vec::new(),
            watermarks: vec![0; workers],
            safe: 0,
            ready: Vec::new(),
            released: 0,
            sorter: Sorter::default(),
        }
    }

    /// Takes what `worker` reports; the events were judged in interval `seq`.
    pub(super) fn add(
        &mut self,
        worker: usize,
        seq: u64,
        events: Events,
        sightings: Vec<Sighting>,
    ) {
        if events.is_empty() && sightings.is_empty() {
            return;
        }
        let number = self.runs.iter().position(|run| run.left == 0).unwrap_or_else(|| {
            self.runs.push(Run::default());
            self.runs.len() - 1
        });
        let Some(run) = self.runs.get_mut(number) else { return };
        let by = self.by;
        let mark = |frame, time_ns| if by == OrderBy::Frame { frame } else { time_ns };
        run.waiting.clear();
        run.waiting.extend((0..).zip(&sightings).map(|(index, sighting)| {
            Entry::of_sighting(mark(sighting.frame, sighting.time_ns), number, index)
        }));
        run.briefs.clear();
        run.briefs.reserve(events.len());
        let mut whole = self.whole;
        for (index, judged) in (0..).zip(events.iter()) {
            // Most lie side by side.
            Brief::ask_for((&raw const *judged).wrapping_add(EVENTS_AHEAD));
            let brief = Brief::of(judged);
            run.waiting.push(Entry::of_event(mark(brief.frame, brief.time_ns), number, index));
            run.briefs.push(brief);
            whole |= brief.asks_memory();
        }
        (run.worker, run.seq, run.gathered) = (worker, seq, 0);
        (run.left, run.open) = (run.waiting.len(), run.briefs.len());
        run.sightings = sightings;
        // Else they go back to their worker now.
        run.events = whole.then(|| Rc::new(events));
        let mut waiting = std::mem::take(&mut run.waiting);
        let run = &*run;
        self.sorter.sort(&mut waiting, |entry| run.place_of(entry));
        if let Some(run) = self.runs.get_mut(number) {
            run.waiting = waiting;
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
    #[inline]
    pub(super) fn release(&mut self) -> Option<Item<'_>> {
        if self.released == self.ready.len() {
            self.gather();
        }
        let entry = *self.ready.get(self.released)?;
        self.released += 1;
        let run = self.runs.get_mut(entry.run())?;
        run.left -= 1;
        if !entry.is_event() {
            return run.sightings.get(entry.index()).map(Item::Sighting);
        }
        run.open -= 1;
        let brief = run.briefs.get(entry.index())?;
        let whole = if self.whole || brief.asks_memory() {
            run.events.as_ref().map(Rc::clone)
        } else {
            None
        };
        if run.open == 0 {
            run.events = None;
        }
        let index = entry.index();
        Some(Item::Event(run.seq, brief, whole.map(|events| Delivered { events, index })))
    }

    /// Makes ready all that no report can precede any more.
    #[inline(never)]
    fn gather(&mut self) {
        self.ready.clear();
        self.released = 0;
        for run in &mut self.runs {
            run.gather_before(self.safe, &mut self.ready);
        }
        let runs = &self.runs;
        self.sorter.sort(&mut self.ready, |entry| {
            runs.get(entry.run()).map(|run| (run.worker, run.place_of(entry)))
        });
    }

    /// Whether an event of an interval up to `seq` still waits.
    pub(super) fn holds(&self, seq: u64) -> bool {
        self.runs.iter().any(|run| run.seq <= seq && run.open > 0)
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
            std::iter::from_fn(|| match self.release()? {
                Item::Sighting(sighting) => Some(sighting.frame),
                Item::Event(..) => None,
            })
            .collect()
        }
    }

    #[test]
    fn a_report_waits_for_the_slowest_worker() {
        for (by, marks) in [(OrderBy::Frame, [4, 9]), (OrderBy::Time, [40, 90])] {
            let mut order = Order::new(2, by, true);
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
        let mut order = Order::new(1, OrderBy::Frame, true);
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
        let mut order = Order::new(2, OrderBy::Time, true);
        order.sighted(1, &[(2, 20), (1, 20)]);
        order.sighted(0, &[(7, 10)]);
        order.sighted(0, &[(8, 20)]);
        order.reached(0, 100);
        order.reached(1, 100);
        assert_eq!(order.released(), [7, 8, 1, 2], "then by worker, then by its numbers");
    }
}
